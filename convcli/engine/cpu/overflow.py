"""Sums of NumPy's loops whose terms leave float32, made anew in float64.

Where a term, or a sum on the way, is too large for float32, the result is infinite or NaN, though it may
be a number: ``4 -4`` of equal samples of 3e38 is 0. NumPy tells of it, as the processor does. The
compiled loops do not ask, and their sums stay infinite or NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import Tap

if TYPE_CHECKING:
    from convcli.engine.cpu.numpy_method import Sums
    from convcli.engine.step import Problem

__all__ = ["without_overflow"]


def without_overflow(p: Problem, sums: Sums, lists: Callable[[], Iterable[list[Tap]]]) -> Sums:
    """The same sums, of which those that are not finite are what float64 makes of the same taps.

    ``lists`` gives the taps of each member or channel. What float32 can hold stays as it is, to the
    bit, whatever lies beside it in the tile.
    """
    if p.accumulate != "float32" or p.values is not None:  # known samples do not come near its ends
        return sums
    every = p.maps[0].stride

    def made(lanes: NDArray[Any], rows: int, samples: int) -> Iterator[NDArray[Any]]:
        planes = sums(lanes, rows, samples)
        told: list[str] = []
        for number in count():
            with np.errstate(over="call", invalid="call", call=lambda kind, _: told.append(kind)):
                plane = next(planes, None)
            if plane is None:
                return
            if told:
                _make_anew(plane, list(lists())[number], lanes, every)
                told.clear()
            yield plane

    return made


def _make_anew(plane: NDArray[Any], taps: list[Tap], lanes: NDArray[Any], every: int) -> None:
    rows, cols = np.nonzero(~np.isfinite(plane))
    total = np.zeros(rows.size)
    for lane, row, shift, weight in taps:
        total += lanes[lane, rows * every + row, cols + shift].astype(np.float64) * weight
    plane[rows, cols] = total
