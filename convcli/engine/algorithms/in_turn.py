"""Several steps of one input, done in turn, and the difference of two of their results."""

from __future__ import annotations

from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import AxisMap, Span, TiledAxis, merged
from convcli.engine.costs import OWN_COSTS, CostEstimate
from convcli.engine.step import Maps, Method, Problem, Step

if TYPE_CHECKING:
    from convcli.engine.cpu.tiles import Tile
    from convcli.engine.requantize import Requantizer

__all__ = ["IN_TURN", "InTurn", "Turn"]

_BAND_BYTES = 512 * 1024
_BAND_ROWS = 64


class Turn(NamedTuple):
    """A step, and the value that it reads: 0 is the input, ``n`` what the ``n``-th turn makes."""

    step: Step
    source: int


class InTurn(Problem):
    """What ``turns`` make one after the other; the result is the last, or the ``difference`` of two.

    ``ordered`` says that the difference is never below 0.
    """

    def __init__(
        self,
        *args: Any,
        turns: list[Turn],
        difference: tuple[int, ...],
        ordered: bool,
        **rest: Any,
    ) -> None:
        super().__init__(*args, **rest)
        self.turns, self.difference, self.ordered = tuple(turns), difference, ordered
        self.shape_out = turns[-1].step.shape_out


class StepsInTurn:
    """The one way to do it: each step by its own algorithm."""

    name = "in-turn"

    def offer(self, problem: Problem) -> Method | None:
        if not isinstance(problem, InTurn):
            return None
        names = " and ".join(turn.step.algorithm for turn in problem.turns)
        cost = sum(turn.step.cost for turn in problem.turns)
        cost += OWN_COSTS[self.name] if problem.difference else 0.0
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
            TiledAxis(step.maps[number], (step.rows, step.cols)[number], 1) for step, _ in turns
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

    def seen(self, span: Span) -> tuple[Span, bool]:
        """Input cells around all that some outputs are made of; that some lie outside is assumed."""
        cells = self.wants((span,))[0]
        return (cells[0][0], cells[-1][1]), True

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
        cuts = [m for m in cast(Any, maps) if isinstance(m, _Cut)]
        if cuts:
            return self._part(x, out, cuts[0], cuts[1], threads, count)
        from convcli.engine.cpu.tiles import grid, work_through

        # Band by band, so that what one step makes is still in a cache for the next.
        height, width = out.shape[:2]
        rows, cols = (((0, n),) for n in x.shape[:2])
        band = max(_BAND_ROWS, 4 * self.problem.turns[0].step.rows.effective_kernel)

        def work(tile: Tile) -> int:
            into = out[tile.top : tile.bottom]
            down, across = _Cut((tile.top, tile.bottom), rows), _Cut((0, width), cols)
            return self._part(x, into, down, across, 1, count)

        return work_through(grid(height, width, band, width), lambda: work, threads)

    def _part(
        self,
        x: NDArray[Any],
        out: NDArray[Any],
        down: _Cut,
        across: _Cut,
        threads: int,
        count: bool,
    ) -> int:
        """Some of the outputs, from cells of the input of which there may be more than are read."""
        p, last = self.problem, len(self.problem.turns)
        wants = (
            axis.wants((cut.span,)) for axis, cut in zip(self._axes, (down, across), strict=True)
        )
        cells: list[tuple[Any, ...]] = list(zip(*wants, strict=True))
        cells[0] = down.have, across.have
        values, clipped = [x], 0
        for number, (step, source) in enumerate(p.turns, 1):
            whole = number == last and not p.difference
            want = cells[number]
            sizes = (sum(stop - start for start, stop in spans) for spans in want)
            kind = step.requantize.out_dtype
            into = out if whole else np.empty((*sizes, step.shape_out[2]), kind)
            inner = tuple(axis.inner[number - 1] for axis in self._axes)
            job = step, inner, threads, count and whole
            clipped = _cut_out(values[source], into, cells[source], want, *job)
            values.append(into)
        if not p.difference:
            return clipped
        first, second = (values[n] for n in p.difference)
        return self._subtract(first, second, out, threads, count)

    def _subtract(
        self, a: NDArray[Any], b: NDArray[Any], out: NDArray[Any], threads: int, count: bool
    ) -> int:
        from convcli.engine.cpu.tiles import fill

        p, f = self.problem, self.problem.requantize
        if f.plain and p.ordered and a.dtype == b.dtype == out.dtype and out.dtype.kind == "u":
            np.subtract(a, b, out=out)
            return 0

        def work(tile: Tile, place: NDArray[Any], requantizer: Requantizer) -> int:
            rows = slice(tile.top, tile.bottom)
            less = np.subtract(a[rows], b[rows], dtype=p.accumulate, casting="unsafe")
            return requantizer.put(less, place, count)

        _, width, channels = out.shape
        line = width * channels * np.dtype(p.accumulate).itemsize
        return fill(out, (max(_BAND_BYTES // line, 1), width), f, threads, work)


def _cut_out(
    x: NDArray[Any],
    out: NDArray[Any],
    have: tuple[tuple[Span, ...], ...],
    want: tuple[tuple[Span, ...], ...],
    step: Step,
    axes: tuple[TiledAxis, ...],
    threads: int,
    count: bool,
) -> int:
    """Outputs ``want`` of a step from the cutout ``have`` of its input, not in its tiles.

    Returns how many samples were outside the range, if they are counted.
    """
    clipped = 0
    for (rows, top), (cols, left) in product(
        *(list(zip(w, _starts(w), strict=True)) for w in want)
    ):
        maps = axes[0].local(rows, have[0]), axes[1].local(cols, have[1])
        place = out[top : top + rows[1] - rows[0], left : left + cols[1] - cols[0]]
        into = place if place.flags.c_contiguous else np.empty(place.shape, out.dtype)
        clipped += step.method.run(x, into, maps, threads, count)
        if into is not place:
            place[...] = into
    return clipped


def _starts(spans: tuple[Span, ...]) -> list[int]:
    """Where each run begins in a cutout."""
    starts = [0]
    for start, stop in spans[:-1]:
        starts.append(starts[-1] + stop - start)
    return starts
