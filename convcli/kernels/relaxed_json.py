"""JSON as people type it: shells eat its quotes, and 1/2 or .5 are numbers to everybody else."""

from __future__ import annotations

import json
import re

from convcli.arithmetic.numerals import parse_number

__all__ = ["bare_words"]

_QUOTED_OR_BARE = re.compile(r'"(?:\\.|[^"\\])*(?:"|$)|[^\s,:\[\]{}"]+')
_JSON = re.compile(
    r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity"
)


def bare_words(text: str) -> str:
    """JSON in which words without quotes have got some, and other numbers their JSON form.

    >>> bare_words('[[a, "b"], [1/2, -1]]')
    '[["a", "b"], [0.5, -1]]'
    """
    return _QUOTED_OR_BARE.sub(_as_json, text)


def _as_json(match: re.Match[str]) -> str:
    word = match[0]
    if word.startswith('"') or _JSON.fullmatch(word):
        return word
    try:
        return repr(parse_number(word))
    except ValueError:
        return json.dumps(word)
