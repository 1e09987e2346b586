"""What a kernel makes of samples of which some are missing, by a loop over Python's numbers.

A window of samples ``x`` with certainty ``a`` (1 or 0) and weights ``w`` gives::

    renormalize   sum(w) sum(w a x) / sum(w a)
    centre        sum(w a x) + x_c (sum(w) - sum(w a))
    total         sum(w a x)
    propagate     sum(w x), missing if a sample that has a weight is

Sums of whole numbers and of eighths have no error in Python, nor have quotients that are fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

Number = int | float | Fraction
Grid = dict[tuple[int, int], Number]
"""The samples of one band that are there, by row and column."""


def cell(border: str, position: int, size: int) -> int | None:
    """The cell that stands at a position; None where a constant does, -1 where nothing does."""
    if 0 <= position < size:
        return position
    if border in ("missing", "constant"):
        return -1 if border == "missing" else None
    return int(np.pad(np.arange(size), 12, mode=border)[position + 12])


def axis(size: int, taps: int, stride: int, dilation: int, padding: str) -> tuple[int, int]:
    """Positions of the output, and where the first window begins."""
    reach = dilation * (taps - 1) + 1
    if padding == "same":
        count = -(-size // stride)
        return count, -(max((count - 1) * stride + reach - size, 0) // 2)
    before = reach - 1 if padding == "full" else 0
    return (size + 2 * before - reach) // stride + 1, -before


def windows(
    size: tuple[int, int],
    shape: tuple[int, int],
    border: str,
    stride: int,
    dilation: int,
    padding: str,
) -> list[list[list[tuple[int, int] | None]]]:
    """For each position of the output, the cells under the taps; (-1, -1) is missing."""
    lines = []
    for n, taps in zip(size, shape, strict=True):
        count, first = axis(n, taps, stride, dilation, padding)
        starts = [first + stride * i for i in range(count)]
        lines.append([[cell(border, s + dilation * t, n) for t in range(taps)] for s in starts])

    def join(row: int | None, column: int | None) -> tuple[int, int] | None:
        if -1 in (row, column):
            return (-1, -1)
        return None if row is None or column is None else (row, column)

    return [[[join(r, c) for r in rows for c in cols] for cols in lines[1]] for rows in lines[0]]


def one_window(
    taps: Sequence[int],
    found: Sequence[Number | None],
    way: str,
    centre: int,
    fill: bool,
    least: float,
) -> Fraction | None:
    """One sample of the result; None if it is missing."""
    pairs = [(w, x) for w, x in zip(taps, found, strict=True) if w]
    there = [(w, x) for w, x in pairs if x is not None]
    x_c = found[centre]
    if (x_c is None and not fill) or not (there or way == "centre"):
        return None
    if len(there) < least * len(pairs) or (way == "propagate" and len(there) < len(pairs)):
        return None
    total, weight = sum(w * x for w, x in there), sum(w for w, _ in there)
    if way == "renormalize":
        return Fraction(sum(taps) * total) / weight
    if way == "centre":
        assert x_c is not None
        total += x_c * (sum(taps) - weight)
    return Fraction(total)


def reference(
    x: Grid,
    size: tuple[int, int],
    weights: np.ndarray,
    scale: Fraction = Fraction(1),
    *,
    way: str = "renormalize",
    border: str = "reflect",
    stride: int = 1,
    dilation: int = 1,
    padding: str = "same",
    flip: bool = False,
    fill: bool = False,
    least: float = 0.0,
) -> tuple[Grid, tuple[int, int]]:
    """One kernel on one band; what is there of the result, and its size."""
    name, _, constant = border.partition(":")
    outside = float(constant or 0)
    numbers = weights[::-1, ::-1] if flip else weights
    taps = [int(w) for w in numbers.ravel()]
    rows, columns = weights.shape
    centre = (rows - 1) // 2 * columns + (columns - 1) // 2
    made = windows(size, weights.shape, name, stride, dilation, padding)
    out: Grid = {}
    for i, line in enumerate(made):
        for j, places in enumerate(line):
            found = [outside if at is None else x.get(at) for at in places]
            result = one_window(taps, found, way, centre, fill, least)
            if result is not None:
                out[i, j] = result * scale
    return out, (len(made), len(made[0]))
