"""Read networks written as a chain: ``"conv 64 k7 s2 p3 | relu | maxpool k3 s2 p1"``.

The result is a list of layer specs, mappings such as ``{"kind": "conv", "out_channels": 64,
"kernel_size": (7,)}``, which TOML and JSON files may hold as well. docs/networks.md describes the
language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeAlias

from convcli.arithmetic.sizes import parse_padding, parse_sizes
from convcli.arithmetic.vocabulary import (
    BRANCHING,
    FLAGS,
    KINDS,
    OPTIONS,
    POSITIONAL,
    canonical_kind,
    quote,
)
from convcli.errors import ShapeError, did_you_mean

__all__ = ["LayerSpec", "parse_chain"]

LayerSpec: TypeAlias = dict[str, Any]

MAX_DEPTH = 40
"""Deepest nesting of branches: deeper is a mistake, and the parser must not run out of stack."""


def parse_chain(text: str, blocks: Iterable[str] = ()) -> list[LayerSpec]:
    """Read a chain. ``blocks`` are words that stand for a block defined elsewhere.

    Raises
    ------
    ShapeError
        If a layer or an option is not known; the message quotes the layer.

    >>> parse_chain("conv 8 k3 same | add[ relu ; identity ] @join | linear 10")
    [{'kind': 'conv', 'kernel_size': (3,), 'padding': ('same',), 'out_channels': 8}, \
{'kind': 'add', 'branches': [[{'kind': 'relu'}], [{'kind': 'identity'}]], 'name': 'join'}, \
{'kind': 'linear', 'out_channels': 10}]
    """
    text = re.sub(r"#[^\n]*", "", text)
    items, rest = _chain(text, 0, frozenset(blocks), 0)
    if rest < len(text):
        raise ShapeError(
            f"the chain has {text[rest]!r} without an opening '[': ...{_near(text, rest)}"
        )
    if not items:
        raise ShapeError("the chain has no layers; write for example: conv 64 k3 p1 | relu")
    return items


def _near(text: str, position: int) -> str:
    return repr(" ".join(text[max(position - 20, 0) : position + 10].split()))


def _chain(
    text: str, start: int, blocks: frozenset[str], depth: int
) -> tuple[list[LayerSpec], int]:
    """Items from ``start`` to the ``]`` or ``;`` that ends them, and its position."""
    if depth > MAX_DEPTH:
        raise ShapeError(f"the chain nests branches deeper than {MAX_DEPTH}")
    items: list[LayerSpec] = []
    position = start
    while position < len(text):
        stop = re.compile(r"[|\n;\[\]]").search(text, position)
        end = stop.start() if stop else len(text)
        words = text[position:end].split()
        if stop and stop.group() == "[":
            item, position = _branches(text, end, words, blocks, depth)
            items.append(item)
            continue
        if words:
            items.append(_layer(words, blocks))
        if stop is None or stop.group() in ";]":
            return items, end
        position = end + 1
    return items, len(text)


def _branches(
    text: str, opening: int, words: list[str], blocks: frozenset[str], depth: int
) -> tuple[LayerSpec, int]:
    if len(words) != 1 or KINDS.get(words[0].lower()) not in BRANCHING:
        raise ShapeError(
            f"the chain has '[' after {' '.join(words)!r}; only add[ ... ; ... ] and "
            "concat[ ... ; ... ] take branches"
        )
    branches, position = [], opening
    while True:
        items, position = _chain(text, position + 1, blocks, depth + 1)
        if position >= len(text):
            raise ShapeError(f"the chain ends inside {words[0]}[ ...; a ']' is missing")
        branches.append(items or [{"kind": "identity"}])
        if text[position] == "]":
            break
    tail = re.compile(r"[^|\n;\[\]]*").match(text, position + 1)
    assert tail is not None
    item: LayerSpec = {"kind": KINDS[words[0].lower()], "branches": branches}
    for word in tail.group().split():
        _common(word, item, text[opening - len(words[0]) : tail.end()])
    end = tail.end()
    return item, end + 1 if end < len(text) and text[end] in "|\n" else end


def _common(word: str, item: LayerSpec, whole: str) -> None:
    """``@name`` and ``*3``, which every item takes."""
    if re.fullmatch(r"@[\w.-]+", word):
        item["name"] = word[1:]
    elif re.fullmatch(r"\*[1-9][0-9]{0,3}", word):
        item["repeat"] = int(word[1:])
    else:
        raise ShapeError(f"{word!r} is not understood in {quote(whole)}; use @name or *3 there")


def _layer(words: list[str], blocks: frozenset[str]) -> LayerSpec:
    whole = " ".join(words)
    kind = canonical_kind(words[0], whole, blocks)
    item: LayerSpec = {"kind": kind}
    plain: list[str] = []
    for word in words[1:]:
        if word[0] in "@*":
            _common(word, item, whole)
        elif kind in blocks or not _option(word, item, whole):
            plain.append(word)
    if kind in blocks:
        item["args"] = plain
    elif plain:
        _positional(plain, item, whole)
    return item


def _option(word: str, item: LayerSpec, whole: str) -> bool:
    lower = word.lower()
    if lower in FLAGS:
        key, value = FLAGS[lower]
    else:
        match = re.fullmatch(r"([a-z_]+?)=?([-+0-9].*|same|same_lower|valid|full)", lower)
        if match is None or match[1] not in OPTIONS:
            return False
        key = OPTIONS[match[1]]
        try:
            value = parse_padding(match[2]) if key == "padding" else parse_sizes(match[2], key)
        except ShapeError as error:
            raise ShapeError(f"layer {quote(whole)}: {error}") from None
        if key in ("groups", "in_channels", "out_channels"):
            value = value[0]
    if key in item:
        raise ShapeError(f"layer {quote(whole)} gives its {key.replace('_', ' ')} twice")
    item[key] = value
    return True


def _positional(words: list[str], item: LayerSpec, whole: str) -> None:
    kind = item["kind"]
    if kind in BRANCHING:
        item["with"] = words
        return
    if kind in ("dropout", "leakyrelu", "elu") and re.fullmatch(r"[0-9.]+", words[0]):
        return  # a rate or a slope, which changes no size
    key = POSITIONAL.get(kind)
    if key is None or len(words) > 1 or key in item:
        word = words[0] if key is None else words[-1]
        hint = did_you_mean(word.lower(), [*OPTIONS, *FLAGS])
        raise ShapeError(
            f"layer {quote(whole)}: {word!r} is not understood{hint}; options are k s p d op g in, "
            "as in k3, and same, ceil, nobias, @name, *3"
        )
    try:
        value: Any = parse_padding(words[0]) if key == "padding" else parse_sizes(words[0], key)
    except ShapeError as error:
        raise ShapeError(f"layer {quote(whole)}: {error}") from None
    item[key] = value[0] if key == "out_channels" else value
