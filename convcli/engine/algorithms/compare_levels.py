"""Samples beside a level: one comparison for each, and one of two values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.costs import OWN_COSTS, CostEstimate
from convcli.engine.cpu.centres import centres
from convcli.engine.numerics import no_more_than
from convcli.engine.step import Maps, Method, Problem
from convcli.errors import UsageError

if TYPE_CHECKING:
    from convcli.engine.cpu.tiles import Tile
    from convcli.engine.requantize import Requantizer

__all__ = ["COMPARE", "Levels"]

_TILE_BYTES = 256 * 1024
"""Of the larger of what is read and written: both stay in a cache between two passes."""


class Levels(Problem):
    """``white`` above the ``level``, 0 elsewhere, both in the unit of the values before rounding."""

    def __init__(self, *args: Any, level: float, white: float, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.level, self.white = level, white


class CompareLevels:
    """The one way to do it."""

    name = "compare"

    def offer(self, problem: Problem) -> Method | None:
        if not isinstance(problem, Levels):
            return None
        return _Compared(problem, CostEstimate(self.name, OWN_COSTS[self.name], "a comparison"))


COMPARE = CompareLevels()


class _Compared(Method):
    problem: Levels

    @property
    def tile(self) -> tuple[int, int]:
        p = self.problem
        widest = max(np.dtype(t).itemsize for t in (p.dtype, p.requantize.out_dtype))
        line = p.shape_out[1] * p.shape_out[2] * widest
        return max(_TILE_BYTES // max(line, 1), 1), max(p.shape_out[1], 1)

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        from convcli.engine.cpu.tiles import fill

        p, taps = self.problem, self.problem.kernel_size
        if math.isnan(p.level):
            raise UsageError(f"{p.name}: its level has to be found in the picture first")
        (black, white, none), outside = self._results()

        def work(tile: Tile, place: NDArray[Any], _: Requantizer) -> int:
            spans = (tile.top, tile.bottom), (tile.left, tile.right)
            down, across = (m.part(*s, n) for m, s, n in zip(maps, spans, taps, strict=True))
            values = centres(x, (down, across), taps, place.shape[:2], p.border.outside)
            above = _above(values, p.level, place)
            share = 0
            if count and (outside[0] or outside[1]):
                bright = int(np.count_nonzero(above))
                share = outside[1] * bright + outside[0] * (place.size - bright)
            _put(above, black, white, place)
            if values.dtype.kind == "f" and np.isnan(values.min()):
                np.copyto(place, none, where=np.isnan(values))
            return share

        return fill(out, self.tile, p.requantize, threads, work)

    def _results(self) -> tuple[NDArray[Any], list[int]]:
        """What the formula makes of 0, white and NaN; whether the first two lie outside the range."""
        from convcli.engine.requantize import Requantizer

        p = self.problem
        found, outside = np.empty((1, 3), p.requantize.out_dtype), []
        with np.errstate(all="ignore"):
            for n, value in enumerate((0.0, p.white, math.nan)):
                one = np.full((1, 1), value, p.accumulate)
                outside.append(
                    Requantizer(p.requantize).apply([one], found[:, n : n + 1], count=True)
                )
        return found[0], outside


def _above(values: NDArray[Any], level: float, place: NDArray[Any]) -> NDArray[np.bool_]:
    """Which are above the level, in the memory of the results where it will do."""
    into = place.view(np.bool_) if place.itemsize == 1 else np.empty(place.shape, np.bool_)
    ends = np.iinfo(values.dtype) if values.dtype.kind in "iu" else None
    if ends is None:
        np.greater(values, no_more_than(level, values.dtype), out=into)
    elif math.isnan(level) or level >= ends.max:
        into[...] = False
    elif level < ends.min:
        into[...] = True
    else:
        np.greater(values, values.dtype.type(math.floor(level)), out=into)
    return into


def _put(above: NDArray[np.bool_], black: Any, white: Any, place: NDArray[Any]) -> None:
    """One of two values for each; ``above`` may lie in the memory that they go to."""
    bits = above.view(np.uint8)
    if black == 0 and place.dtype == np.uint8 and white == 255:
        np.negative(bits, out=place)
    elif black == 0:
        if place.itemsize > 1:
            place[...] = bits
        if white != 1:  # two passes: NumPy takes longer for one over two types
            np.multiply(place, white, out=place)
    else:
        place[...] = np.where(above, white, black)
