"""JSON as people type it, without quotes and with 1/2 for 0.5, and as it is read, with no trust."""

from __future__ import annotations

import json
import re
from typing import Any

from convcli.arithmetic.numerals import parse_number
from convcli.errors import ConvcliError

__all__ = ["JsonNumber", "load_json", "quote_bare_words"]

_QUOTED_OR_BARE = re.compile(r'"(?:\\.|[^"\\])*(?:"|$)|[^\s,:\[\]{}"]+')
_JSON = re.compile(
    r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity"
)


def quote_bare_words(text: str, *, fractions: bool = False) -> str:
    """Quotes around bare words, which shells eat, and JSON's form for other numbers.

    With ``fractions``, 1/2 is kept as a word too.

    >>> quote_bare_words('[[a, "b"], [1/2, -1]]')
    '[["a", "b"], [0.5, -1]]'
    >>> quote_bare_words('[[a, "b"], [1/2, -1]]', fractions=True)
    '[["a", "b"], ["1/2", -1]]'
    """
    return _QUOTED_OR_BARE.sub(lambda match: _as_json(match[0], fractions), text)


def _as_json(word: str, fractions: bool) -> str:
    if word.startswith('"') or _JSON.fullmatch(word):
        return word
    if fractions and "/" in word:
        return json.dumps(word)
    try:
        return repr(parse_number(word))
    except ValueError:
        return json.dumps(word)


class JsonNumber(str):
    """Digits of a JSON number, kept as text so that 5,000 of them do no harm."""


def load_json(text: str, name: str, deepest: int, error: type[ConvcliError]) -> Any:
    """Read a document whose numbers are ``JsonNumber``, NaN and infinities too.

    Raises ``error`` with the file's ``name`` and the line; ``deepest`` is the levels allowed.

    >>> load_json('{"a": [1, 2.5]}', "x.json", 4, ConvcliError)
    {'a': ['1', '2.5']}
    """

    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise error(f"{name}: {key!r} is there twice")
            found[key] = value
        return found

    try:
        return json.loads(
            text,
            object_pairs_hook=without_duplicates,
            parse_int=JsonNumber,
            parse_float=JsonNumber,
            parse_constant=JsonNumber,
        )
    except json.JSONDecodeError as problem:
        raise error(f"{name}, line {problem.lineno}: not JSON: {problem.msg}") from problem
    except RecursionError as problem:
        raise error(f"{name}: nested too deeply; at most {deepest} levels") from problem
