"""Sizes as people write them: ``224x224``, ``3``, ``1,2x0,1``, ``same``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from convcli.arithmetic.window import PADDING_NAMES, Padding, wrong_count
from convcli.errors import ShapeError

__all__ = ["cross", "parse_padding", "parse_sizes", "show_padding", "spread_padding"]

MAX_AXES = 8
MAX_DIGITS = 18
"""Longest number: beyond it is a typing mistake, and Python refuses 5,000 digits by itself."""


def _number(text: str, name: str, whole: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
        raise ShapeError(f"{name} is {_short(whole)}; give a whole number, or one per axis as 3x5")
    if len(text) > MAX_DIGITS:
        raise ShapeError(f"{name} has {len(text)} digits; at most {MAX_DIGITS} are allowed")
    return int(text)


def _short(text: str) -> str:
    """A text in quotes, of 40 letters at most.

    >>> _short("x" * 40).count("x"), _short("x" * 41).count("x"), _short("x" * 41)[-5:]
    (40, 37, "x...'")
    """
    return repr(text if len(text) <= 40 else text[:37] + "...")


def parse_sizes(text: str, name: str = "size") -> tuple[int, ...]:
    """Read one number, or one per axis with ``x`` (or ``*``) between them.

    Raises
    ------
    ShapeError
        If it is anything else.

    >>> parse_sizes("224"), parse_sizes("16x112x112")
    ((224,), (16, 112, 112))
    """
    parts = re.split(r"[xX×*]", text.strip())
    if len(parts) > MAX_AXES:
        raise ShapeError(f"{name} has {len(parts)} axes; at most {MAX_AXES} are allowed")
    return tuple(_number(part.strip(), name, text) for part in parts)


def parse_padding(text: str) -> tuple[Padding, ...]:
    """Read a padding: ``2``, ``1x2`` (per axis), ``1,2`` (before, after), ``1,2x0,1``, ``same``.

    >>> parse_padding("same"), parse_padding("1,2"), parse_padding("1x2"), parse_padding("1,2x0")
    (('same',), ((1, 2),), (1, 2), ((1, 2), 0))
    """
    word = text.strip().lower()
    name = word.replace("-", "_")
    word = {"same_upper": "same"}.get(name, name if name in PADDING_NAMES else word)
    if word in PADDING_NAMES:
        return (word,)
    if not re.match(r"[-+0-9]", word):
        raise ShapeError(
            f"padding is {_short(text)}; give a number, per axis as 1x2, before,after as 1,2, "
            "or one of " + ", ".join(PADDING_NAMES)
        )
    pads: list[Padding] = []
    for part in re.split(r"[x×]", word):
        sides = [_number(side.strip(), "padding", text) for side in part.split(",")]
        if len(sides) > 2:
            raise ShapeError(f"padding is {text!r}; an axis has two sides, as in 1,2")
        pads.append(sides[0] if len(sides) == 1 else (sides[0], sides[1]))
    return tuple(pads)


def spread_padding(padding: Padding | Sequence[Padding], rank: int) -> tuple[Padding, ...]:
    """One padding per axis, from a number, a name, or one entry per axis.

    An entry is a number, a name or a pair ``(before, after)``. For one axis two numbers are
    before and after; for two axes or more they are one per axis, as in PyTorch.

    >>> spread_padding(1, 2), spread_padding((1, 2), 1), spread_padding((1, 2), 2)
    ((1, 1), ((1, 2),), (1, 2))
    >>> spread_padding([(1, 2), "same"], 2)
    ((1, 2), 'same')
    """
    if isinstance(padding, (int, str)):
        return (padding,) * rank
    entries = tuple(padding)
    if rank == 1 and len(entries) == 2 and all(isinstance(side, int) for side in entries):
        before, after = entries
        return ((int(before), int(after)),)  # type: ignore[arg-type]  # both are int
    if len(entries) == 1 and rank > 1:
        entries *= rank
    if len(entries) != rank:
        raise ShapeError(wrong_count("padding", len(entries), rank))
    return tuple(_entry(entry) for entry in entries)


def _entry(entry: object) -> Padding:
    if isinstance(entry, (int, str)):
        return entry
    if isinstance(entry, Sequence) and len(entry) == 2:
        before, after = entry
        if isinstance(before, int) and isinstance(after, int):
            return before, after
    raise ShapeError(f"padding has the entry {entry!r}; give a number, a name or (before, after)")


def show_padding(before: int, after: int) -> str:
    """A resolved padding in the shortest form that can be typed.

    >>> show_padding(1, 1), show_padding(1, 2)
    ('1', '1,2')
    """
    return str(before) if before == after else f"{before},{after}"


def cross(sizes: Sequence[object]) -> str:
    """Sizes with ``x`` between them.

    >>> cross((3, 224, 224))
    '3x224x224'
    """
    return "x".join(str(size) for size in sizes)
