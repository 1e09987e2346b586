"""A blur, and what is made of it and of the samples in its centres, tile by tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import OUTSIDE, AxisMap
from convcli.engine.costs import OWN_COSTS, CostEstimate
from convcli.engine.cpu.centres import centres
from convcli.engine.numerics import no_more_than
from convcli.engine.step import Maps, Method, Problem, Step

if TYPE_CHECKING:
    from convcli.engine.cpu.tiles import Tile
    from convcli.engine.requantize import Requantizer

__all__ = ["BLUR_AND_COMPARE", "Sharpening"]

_BLOCK_BYTES = 256 * 1024
"""Of the floats of some rows, which are gone through several times."""


class Sharpening(Problem):
    """``x + amount (x - b)`` where ``b``, the blur, is more than ``threshold`` away from ``x``.

    ``steps`` are the blur, and of floats, of which some may be NaN, the blur with 0 in their place
    and that of a mask with 1 where a sample is there.
    """

    def __init__(
        self, *args: Any, steps: tuple[Step, ...], amount: float, threshold: float, **rest: Any
    ) -> None:
        super().__init__(*args, **rest)
        self.steps, self.amount, self.threshold = steps, amount, threshold


class BlurAndCompare:
    """The one way to do it; the blur by the algorithm that is cheapest."""

    name = "blur-and-compare"

    def offer(self, problem: Problem) -> Method | None:
        if not isinstance(problem, Sharpening):
            return None
        blur = problem.steps[0]
        cost = round(blur.cost + OWN_COSTS[self.name], 3)
        return _Compared(problem, CostEstimate(self.name, cost, f"{blur.algorithm} blur"))


BLUR_AND_COMPARE = BlurAndCompare()


class _Compared(Method):
    problem: Sharpening

    @property
    def tile(self) -> tuple[int, int]:
        return self.problem.steps[0].tile

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        from convcli.engine.cpu.tiles import fill

        p, steps = self.problem, self.problem.steps
        if x.dtype.kind != "f" and steps[0].dtype != p.dtype:
            x = x.astype(steps[0].dtype)
        taps = p.kernel_size

        def work(tile: Tile, place: NDArray[Any], requantizer: Requantizer) -> int:
            spans = (tile.top, tile.bottom), (tile.left, tile.right)
            down, across = (m.part(*s, n) for m, s, n in zip(maps, spans, taps, strict=True))
            return self._tile(x, place, (down, across), requantizer, count)

        return fill(out, self.tile, p.requantize, threads, work)

    def _tile(
        self, x: NDArray[Any], out: NDArray[Any], maps: Maps, requantizer: Requantizer, count: bool
    ) -> int:
        p = self.problem
        lacks = p.border.is_missing
        b = np.empty(out.shape, p.accumulate)
        own = centres(x, maps, p.kernel_size, out.shape[:2], p.border.outside)
        if len(p.steps) == 1 or not self._blur_what_is_there(x, own, b, maps, lacks):
            p.steps[0].method.run(x, b, maps, 1, False)
        line = max(out.shape[1] * out.shape[2] * b.itemsize, 1)
        rows, clipped = max(_BLOCK_BYTES // line, 1), 0
        threshold = no_more_than(p.threshold, b.dtype)
        for top in range(0, len(out), rows):
            part = slice(top, top + rows)
            values = own[part].astype(p.accumulate)
            away = np.subtract(values, b[part])
            far = ~(np.abs(away, out=b[part]) <= threshold)  # NaN too
            away *= away.dtype.type(p.amount)
            if x.dtype.kind == "f" and not values.all():
                np.copyto(away, -0.0, where=~far)  # which leaves a zero of either sign as it is
            else:
                away *= far  # in a quarter of the time
            values += away
            clipped += requantizer.put(values, out[part], count)
        return clipped

    def _blur_what_is_there(
        self, x: NDArray[Any], own: NDArray[Any], b: NDArray[Any], maps: Maps, lacks: bool
    ) -> bool:
        """The blur where the centre stands for NaN, if the tile reads one; whether it does."""
        rows, cols = (slice(first, max(last, 1)) for first, last in (m.cells() for m in maps))
        read = x[rows, cols]
        outside = lacks and any(m.reaches_outside for m in maps)
        if not (outside or np.isnan(read.min())):
            return False
        sums, there = np.empty_like(b), np.empty_like(b)
        at = _from(maps[0], rows.start), _from(maps[1], cols.start)
        gone = np.isnan(read)
        for into, step, given in (
            (sums, self.problem.steps[1], np.where(gone, x.dtype.type(0), read)),
            (there, self.problem.steps[2], (~gone).astype(b.dtype)),
        ):
            step.method.run(given, into, at, 1, False)
        np.add(sums, own * (1 - there), out=b)
        return True


def _from(m: AxisMap, first: int) -> AxisMap:
    """The map onto an input that begins with a cell."""
    return m.onto(np.where(m.index == OUTSIDE, OUTSIDE, m.index - first))
