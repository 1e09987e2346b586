"""A transposed convolution as convolutions with stride 1, one for each phase of its stride.

Cells of the result whose place leaves the same remainder modulo the stride are reached by the
same taps: every ``stride / gcd(stride, dilation)``-th. So no zeros are stuffed in, and no two
convolutions write to the same cell.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import Any, NamedTuple

__all__ = ["Phase", "phases"]

Shape = tuple[int, ...]


class Phase(NamedTuple):
    """One of the convolutions; ``kernel`` has an axis without taps where nothing arrives."""

    first: Shape
    """Its first cell."""
    where: tuple[Any, ...]
    """Index of its cells in the result (N, C, \\*size)."""
    picked: tuple[Any, ...]
    """Index of its taps in the weight (C, C'/groups, \\*kernel), the last one first."""
    kernel: Shape
    outputs: Shape
    start: Shape
    """Where, in what is spread, the window of the first cell begins."""


@lru_cache(256)
def phases(
    kernel: Shape, stride: Shape, dilation: Shape, before: Shape, size: Shape
) -> tuple[tuple[Phase, ...], Shape]:
    """The phases of a transposed convolution that gives ``size``, and their dilation.

    Cached: a network asks for the same few again and again, and Python counts slowly.

    >>> found, dilation = phases((4,), (2,), (1,), (1,), (6,))
    >>> [(phase.picked[2], phase.start) for phase in found], dilation
    ([(slice(3, 0, -2), (-1,)), (slice(2, None, -2), (0,))], (1,))
    """
    axes = [_axis(*given) for given in zip(kernel, stride, dilation, before, size, strict=True)]
    found = []
    for parts in itertools.product(*axes):
        where, picked, taps, outputs, start = zip(*parts, strict=True)
        every = (slice(None), slice(None))
        first = tuple(cells.start for cells in where)
        found.append(Phase(first, (*every, *where), (*every, *picked), taps, outputs, start))
    steps = tuple(d // math.gcd(s, d) for s, d in zip(stride, dilation, strict=True))
    return tuple(found), steps


def _axis(
    kernel: int, stride: int, dilation: int, before: int, size: int
) -> list[tuple[slice, slice, int, int, int]]:
    """The phases of one axis: cells, taps, how many taps and cells, and the start."""
    period = stride // math.gcd(stride, dilation)
    found = []
    for phase in range(min(stride, size)):
        first = phase + before
        begin = (t for t in range(min(period, kernel)) if (t * dilation - first) % stride == 0)
        taps = range(next(begin, kernel), kernel, period)
        # A later tap reads an earlier cell, so the taps are reversed.
        last = taps[-1] if taps else 0
        end = taps[0] - 1 if taps and taps[0] else None
        found.append(
            (
                slice(phase, None, stride),
                slice(last, end, -period),
                len(taps),
                len(range(phase, size, stride)),
                (first - last * dilation) // stride,
            )
        )
    return found
