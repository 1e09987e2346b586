"""Several steps of one input, done in turn, and the difference of two of their results."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import AxisMap, Span, TiledAxis, merged
from convcli.engine.costs import CostEstimate
from convcli.engine.step import Maps, Method, Problem, Step

__all__ = ["IN_TURN", "InTurn", "Turn"]

_BAND_BYTES = 512 * 1024


class Turn(NamedTuple):
    """A step, and the value that it reads: 0 is the input, ``n`` what the ``n``-th turn makes."""

    step: Step
    source: int


class InTurn(Problem):
    """What ``turns`` make one after the other; the result is the last, or the ``difference`` of two."""

    def __init__(
        self, *args: Any, turns: list[Turn], difference: tuple[int, ...], **rest: Any
    ) -> None:
        super().__init__(*args, **rest)
        self.turns, self.difference = tuple(turns), difference
        self.shape_out = turns[-1].step.shape_out


class StepsInTurn:
    """The one way to do it: each step by its own algorithm."""

    name = "in turn"

    def offer(self, problem: Problem) -> Method | None:
        if not isinstance(problem, InTurn):
            return None
        names = " and ".join(turn.step.algorithm for turn in problem.turns)
        cost = sum(turn.step.cost for turn in problem.turns)
        cost += 1.0 if problem.difference else 0.0
        return _InTurn(problem, CostEstimate(self.name, round(cost, 3), names))


IN_TURN = StepsInTurn()


class _Cut(NamedTuple):
    """Of an axis: which outputs are wanted of which cells of the input."""

    span: Span
    have: tuple[Span, ...]


class _Axis(TiledAxis):
    """An axis of several steps, looked up part by part."""

    def __init__(self, turns: tuple[Turn, ...], results: tuple[int, ...], number: int) -> None:
        self.turns, self.results, self.number = turns, results, number
        last = turns[-1].step
        self.tile, self.outputs = last.tile[number], last.shape_out[number]
        self._needed = {}
        # Picks are the same wherever tiles begin, so that inner steps need no whole tiles.
        self.inner = tuple(
            TiledAxis(step.maps[number], window.kernel_size, 1, window.output)
            for step, _ in turns
            for window in ((step.rows, step.cols)[number],)
        )

    def wants(self, spans: tuple[Span, ...]) -> list[tuple[Span, ...]]:
        """Cells of each value from which outputs are made, the input first."""
        wanted: list[list[Span]] = [[] for _ in range(len(self.turns) + 1)]
        for value in self.results:
            wanted[value] += spans
        for number in range(len(self.turns), 0, -1):
            wanted[number] = list(merged(wanted[number], 0))
            needed = self.inner[number - 1].needed(tuple(wanted[number]))
            wanted[self.turns[number - 1].source] += needed
        return [merged(each, 0) for each in wanted]

    def _find(self, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        return self.wants(tuple(self.aligned(span) for span in spans))[0]

    def local(self, span: Span, have: tuple[Span, ...]) -> AxisMap:
        """What :meth:`_InTurn.run` is told instead of a map."""
        return cast(AxisMap, _Cut(span, have))


class _InTurn(Method):
    problem: InTurn

    @property
    def tile(self) -> tuple[int, int]:
        return self.problem.turns[-1].step.tile

    def axes(self, tile: tuple[int, int]) -> tuple[TiledAxis, TiledAxis]:
        return self._axes

    @cached_property
    def _axes(self) -> tuple[_Axis, _Axis]:
        p = self.problem
        results = p.difference or (len(p.turns),)
        return _Axis(p.turns, results, 0), _Axis(p.turns, results, 1)

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        p, last = self.problem, len(self.problem.turns)
        cuts = [m for m in cast(Any, maps) if isinstance(m, _Cut)]
        wants = [axis.wants((cut.span,)) for axis, cut in zip(self._axes, cuts, strict=False)]
        cells: list[tuple[Any, ...]] = list(zip(*wants, strict=True))
        if cuts:
            cells[0] = tuple(cut.have for cut in cuts)  # there may be more than is read
        values, clipped = [x], 0
        for number, (step, source) in enumerate(p.turns, 1):
            whole = number == last and not p.difference
            if not cuts:
                kind = step.requantize.out_dtype
                into = out if whole else np.empty(step.shape_out, kind)
                method, places = step.method, step.maps
                clipped = method.run(values[source], into, places, threads, count and whole)
            else:
                have, want = cells[source], cells[number]
                inner = tuple(axis.inner[number - 1] for axis in self._axes)
                job = step, inner, threads, count and whole
                into, clipped = _cut_out(values[source], have, want, *job)
                if whole:
                    out[...] = into
            values.append(into)
        if not p.difference:
            return clipped
        first, second = (values[n] for n in p.difference)
        return self._subtract(first, second, out, threads, count)

    def _subtract(
        self, a: NDArray[Any], b: NDArray[Any], out: NDArray[Any], threads: int, count: bool
    ) -> int:
        from convcli.engine.cpu.tiles import Tile, grid, work_through
        from convcli.engine.requantize import Requantizer

        p = self.problem

        def make_worker() -> Callable[[Tile], int]:
            requantizer = Requantizer(p.requantize)

            def work(tile: Tile) -> int:
                rows = slice(tile.top, tile.bottom)
                with np.errstate(all="ignore"):
                    less = np.subtract(a[rows], b[rows], dtype=p.accumulate, casting="unsafe")
                    target = np.empty((len(less), less[0].size), out.dtype)
                    clipped = requantizer.apply([less.reshape(target.shape)], target, count)
                    out[rows] = target.reshape(less.shape)
                return clipped

            return work

        height, width, channels = out.shape
        line = width * channels * np.dtype(p.accumulate).itemsize
        tiles = grid(height, width, max(_BAND_BYTES // line, 1), width)
        return work_through(tiles, make_worker, threads)


def _cut_out(
    x: NDArray[Any],
    have: tuple[tuple[Span, ...], ...],
    want: tuple[tuple[Span, ...], ...],
    step: Step,
    axes: tuple[TiledAxis, ...],
    threads: int,
    count: bool,
) -> tuple[NDArray[Any], int]:
    """Outputs ``want`` of a step from the cutout ``have`` of its input, not in its tiles."""
    shape = [sum(stop - start for start, stop in spans) for spans in want]
    result = np.empty((*shape, step.shape_out[2]), step.requantize.out_dtype)
    clipped = 0
    for (rows, top), (cols, left) in product(
        *(list(zip(w, _starts(w), strict=True)) for w in want)
    ):
        height, width = rows[1] - rows[0], cols[1] - cols[0]
        maps = axes[0].local(rows, have[0]), axes[1].local(cols, have[1])
        into = np.empty((height, width, step.shape_out[2]), result.dtype)
        clipped += step.method.run(x, into, maps, threads, count)
        result[top : top + height, left : left + width] = into
    return result, clipped


def _starts(spans: tuple[Span, ...]) -> list[int]:
    """Where each run begins in a cutout."""
    starts = [0]
    for start, stop in spans[:-1]:
        starts.append(starts[-1] + stop - start)
    return starts
