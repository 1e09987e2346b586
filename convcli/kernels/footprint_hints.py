"""How other programs write ranks and morphology, as lines of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import ceil

from convcli.kernels.footprints import SHAPE_ALIASES, SHAPES
from convcli.kernels.preset import Preset

__all__ = ["footprint_lines", "has_shape", "within_another"]

_FAMILY = re.compile(r"(?i)-*(?:statistic|morphology|neighbou?rs)\b[\s:=(]*")
_OPENCV = re.compile(r"MORPH_(\w+)")
_SHAPE = re.compile(rf"(?i)({'|'.join([*SHAPES, *SHAPE_ALIASES, 'square'])})\W*(\d+\.?\d*)")


def within_another(text: str) -> Iterator[str]:
    """What an operation is called where one command has many of them, and ranks by their number.

    >>> list(within_another("-statistic median 3x3")), list(within_another("rank:3"))
    (['median 3x3'], ['median:3'])
    """
    family = _FAMILY.match(text)
    if family:
        yield text[family.end() :]
    for name in _OPENCV.findall(text):
        yield {"GRADIENT": "morph-gradient"}.get(name, name.lower())
    ranked = re.match(r"(?i)(?:\w+\.)*rank(?:[-_ ]?filter|[-_ ]?order)?\b(?!\.)(.*)", text, re.S)
    if ranked:
        yield from _by_number([int(n) for n in re.findall(r"\d+", ranked[1])])


def _by_number(numbers: list[int]) -> Iterator[str]:
    """Sides, and which value in order, counted from 0: libvips has two sides, Pillow one."""
    if len(numbers) < 2:
        yield from (f"median:{side}" for side in numbers)
        return
    width, height = numbers[0], numbers[-2]
    cells, number = width * height, numbers[-1]
    if 0 <= number < cells:
        percent = ceil(10000 * number / cells) / 100
        size = f"{width}x{height}" if width != height else f"{width}"
        yield f"median:{size}" if number == cells // 2 else f"percentile:{percent:g},{size}"


def has_shape(rest: str) -> bool:
    """Whether a shape and its radius are named."""
    return _SHAPE.search(rest) is not None


def footprint_lines(preset: Preset, rest: str) -> Iterator[str]:
    """A preset with the footprint that ``rest`` may mean, which has no blanks."""
    own = re.match(r"\d+\.?\d*,", rest) if preset.parameters and not preset.cells else None
    name = f"{preset.name}:{own[0] if own else ''}"
    shape = _SHAPE.search(rest)
    if shape:
        kind = shape[1].lower()
        yield (
            f"{name}{2 * int(float(shape[2])) + 1}"
            if kind == "square"
            else (f"{name}{SHAPE_ALIASES.get(kind, kind)}:{shape[2]}")
        )
    radius = re.search(r"radius=(\d+)$", rest)
    if radius:
        yield f"{name}{2 * int(radius[1]) + 1}"
    sides = re.search(r"\((\d+),(\d+)", rest)
    if sides:  # of arrays: rows first
        yield f"{name}{sides[2]}x{sides[1]}"
