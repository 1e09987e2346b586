"""Footprints: which cells of a window an operation takes, as a size, a shape or cells of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import numpy as np

from convcli.arithmetic.numerals import parse_number
from convcli.errors import KernelError
from convcli.kernels.formulas import Array, disk_of, grid
from convcli.kernels.kernel import MAX_SIDE
from convcli.system.files import is_file

__all__ = ["SHAPES", "SHAPE_ALIASES", "Footprint", "parse_footprint"]

HEIGHTS = "heights:"
LARGEST_RADIUS = (MAX_SIDE - 1) // 2
LONGEST_NAME = 60
"""Characters of cells of one's own that stand in a kernel's name as they were written."""


class Footprint(NamedTuple):
    """How its cells are made, not 0 where one counts, and its name, which is read as the same."""

    build: Callable[[], Array]
    name: str
    heights: bool = False
    """Whether the cells are gray levels, and all of them count."""

    @property
    def cells(self) -> Array:
        """The cells."""
        return self.build()


def _cross(radius: float) -> Array:
    x, y = grid(int(radius))
    return np.asarray(x * y == 0, float)


def _diamond(radius: float) -> Array:
    x, y = grid(int(radius))
    return np.asarray(abs(x) + abs(y) <= radius, float)


SHAPES: dict[str, Callable[[float], Array]] = {
    "disk": disk_of,
    "cross": _cross,
    "diamond": _diamond,
}
"""Name -> the cells within a radius: by distance, along the two axes, by steps along them."""

SHAPE_ALIASES = {
    "circle": "disk",
    "ball": "disk",
    "ellipse": "disk",
    "plus": "cross",
    "rhombus": "diamond",
}


def parse_footprint(preset: str, text: str, example: str, *, gray: bool = False) -> Footprint:
    """Read ``7``, ``9x5`` (width x height), ``disk:4``, rows of cells, or the name of a file of them.

    ``example`` is how the ``preset`` is written with a size; a ``gray`` one takes heights too, rows
    or a file of gray levels, as in ``heights:0 5 0; 5 9 5; 0 5 0``.

    Raises
    ------
    KernelError
        If it is none of these, or no cell counts.

    >>> parse_footprint("median", "3x2", "median:5").cells
    array([[1., 1., 1.],
           [1., 1., 1.]])
    >>> parse_footprint("erode", "0 1; 1 1", "erode:5").cells.tolist()
    [[0.0, 1.0], [1.0, 1.0]]
    """
    if text.startswith(HEIGHTS):
        if not gray:
            raise KernelError(
                f"{preset}: heights are for erosion, dilation and what is made of them; it takes "
                f"cells, a size or a shape, as in {example}"
            )
        levels = text.removeprefix(HEIGHTS).strip()
        if not levels:
            raise KernelError(
                f"{preset}: nothing follows {HEIGHTS!r}; it takes rows of gray levels, as in "
                f"{preset}:{HEIGHTS}'0 5 0; 5 9 5; 0 5 0', or a file of them"
            )
        found = _own(preset, levels, example)
        return found._replace(name=HEIGHTS + found.name, heights=True)
    sized = re.fullmatch(r"(\d+)(?:\s*[xX×,]\s*(\d+))?", text)
    if sized:
        return _box(preset, *sized.groups())
    shaped = re.fullmatch(r"([A-Za-z]+)\s*(?::\s*(.*))?", text, re.S)
    if shaped:
        name = shaped[1].lower()
        shape = SHAPE_ALIASES.get(name, name)
        if shape in SHAPES:
            return _shape(preset, name, shaped[2] or "", re.sub(r"[^:,]*$", "", example))
    return _own(preset, text, example)


def _box(preset: str, width: str, height: str | None) -> Footprint:
    sides = [int(side) for side in (height or width, width)]
    for side in sides:
        if not 1 <= side <= MAX_SIDE:
            raise KernelError(
                f"{preset}: a side is {side}; it must be a whole number from 1 to {MAX_SIDE}"
            )
    name = f"{sides[1]}x{sides[0]}" if sides[0] != sides[1] else str(sides[0])
    return Footprint(lambda: np.ones(sides), name)


def _shape(preset: str, typed: str, radius: str, name: str) -> Footprint:
    shape = SHAPE_ALIASES.get(typed, typed)
    allowed = f"a radius from 0 to {LARGEST_RADIUS}, as in {name}{shape}:3"
    try:
        number = parse_number(radius)
    except ValueError as error:
        given = repr(radius) if radius else "nothing"
        raise KernelError(f"{preset}: {given} follows {typed!r}; it takes {allowed}") from error
    if not 0 <= number <= LARGEST_RADIUS:
        raise KernelError(f"{preset}: the radius of {typed!r} is {number:g}; it takes {allowed}")
    return Footprint(lambda: SHAPES[shape](number), f"{shape}:{number:g}")


def _own(preset: str, text: str, example: str) -> Footprint:
    """Cells written out, or those of a file."""
    from convcli.kernels.kernel_files import load_file, parse_literal

    if text[:1] in "[{" or re.match(r"[-+.\d]+(?:[\s,]+[-+.\d].*)?\s*;|\d+x\d+:", text, re.S):
        kernel = parse_literal(text)
        name = _written_out(kernel.weights)
    elif _names_a_file(text):
        kernel = load_file(Path(text))
        name = kernel.name
    else:
        name = re.sub(r"[^:,]*$", "", example)
        raise KernelError(
            f"{preset}: {text!r} is no footprint{_meant(name, text)}; write a size ({example}, "
            f"{name}9x5), a shape ({', '.join(SHAPES)}, as in {name}disk:3), rows of cells "
            f"({name}'0 1 0; 1 1 1; 0 1 0') or a file of them"
        )
    if kernel.weights.ndim != 2:
        raise KernelError(f"{preset}: {text!r} is no footprint: its cells must stand in rows")
    if not kernel.weights.any():
        raise KernelError(f"{preset}: no cell of {text!r} counts: all are 0")
    return Footprint(lambda: kernel.weights, name)


def _meant(name: str, text: str) -> str:
    """The shape that was misspelt, as a line to type."""
    typed = re.match(r"([A-Za-z]+)\W+(\d+\.?\d*)", text)
    near = get_close_matches(typed[1].lower(), [*SHAPES, *SHAPE_ALIASES], 1, 0.6) if typed else []
    if not typed or not near:
        return ""
    shape = SHAPE_ALIASES.get(near[0], near[0])
    return f"; did you mean '{name}{shape}:{typed[2]}'?"


def _written_out(cells: Array) -> str:
    """The cells as they are read again; their size where that is too long."""
    height, width = cells.shape[-2:]
    if cells.ndim != 2 or cells.size > LONGEST_NAME // 2:
        return f"[{width}x{height}]"
    rows = (" ".join(f"{cell:g}" for cell in row) for row in cells.tolist())
    return "; ".join(rows) + (";" if height == 1 else "")


def _names_a_file(text: str) -> bool:
    named = re.search(r"[/\\]|\.[A-Za-z]\w*$", text)
    return bool(named) or is_file(text)
