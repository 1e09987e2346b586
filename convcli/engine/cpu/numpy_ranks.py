"""Ranks with NumPy alone, a tile at a time; the largest key stands for NaN, which does not vote."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.engine.costs import CostEstimate
from convcli.engine.cpu.keys import from_keys, to_keys
from convcli.engine.cpu.rank_programs import Program
from convcli.engine.cpu.taps import tap_run
from convcli.engine.cpu.tile_loader import TileLoader
from convcli.engine.cpu.tiles import Tile, grid, work_through
from convcli.engine.rank_problem import RankProblem
from convcli.engine.requantize import Requantizer
from convcli.engine.step import Maps, Method

__all__ = [
    "NumpyRanks",
    "RankMethod",
    "Values",
    "by_network",
    "partitioned",
]

Values: TypeAlias = Callable[[NDArray[Any], int, int], NDArray[Any]]
"""``(lanes of keys, output rows, output samples per row)`` to keys of the results."""

_TILE_SAMPLES = 4096
_STACKED = 1 << 20
"""Cells that are put side by side to be partitioned."""


class RankMethod(Method):
    """A method for ranks."""

    problem: RankProblem

    def __init__(self, problem: RankProblem, estimate: CostEstimate) -> None:
        super().__init__(problem, estimate)

    def finish(self, requantizer: Requantizer, found: NDArray[Any], out: NDArray[Any]) -> int:
        """Write values that were found for a tile; returns how many lay outside the range."""
        if self.problem.plain:
            out[...] = found
            return 0
        return requantizer.put(found.astype(self.problem.accumulate), out, count=True)


class NumpyRanks(RankMethod):
    """A method that says how keys are made of a tile's keys; the rest is the same for all."""

    @abstractmethod
    def values(self, every: int) -> Values:
        """A function for one thread, for rows that stand ``every`` rows of the input apart."""

    @cached_property
    def tile(self) -> tuple[int, int]:
        p = self.problem
        cols = max(_TILE_SAMPLES // p.group, 4 * p.cols.kernel_size)
        return max(32, min(p.rows.effective_kernel, 256)), cols

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        p = self.problem

        def make_worker() -> Callable[[Tile], int]:
            load = TileLoader(x, maps, p.kernel_size, p.outside, p.held, by_channel=False)
            requantizer = Requantizer(p.requantize)
            values = self.values(maps[0].stride)

            def work(tile: Tile) -> int:
                target = out[tile.top : tile.bottom, tile.left : tile.right]
                rows, cols, group = target.shape
                with np.errstate(all="ignore"):
                    found = from_keys(values(to_keys(load(tile)), rows, cols * group), p.held)
                    return self.finish(requantizer, found.reshape(target.shape), target)

            return work

        clipped = work_through(grid(out.shape[0], out.shape[1], *self.tile), make_worker, threads)
        return clipped if count else 0


def partitioned(p: RankProblem, every: int) -> Values:
    """The cells of each window side by side, partitioned at its rank."""
    taps = p.taps(p.footprint)
    missing = np.iinfo(f"i{np.dtype(p.held).itemsize}").max if "float" in p.held else None

    def pick(cells: NDArray[Any]) -> NDArray[Any]:
        if missing is not None:
            votes = np.count_nonzero(cells != missing, axis=-1)
            if int(votes.min()) < len(taps):
                cells.sort(axis=-1)
                return np.take_along_axis(cells, p.order[votes][..., None], axis=-1)[..., 0]
        cells.partition(p.rank, axis=-1)
        return cells[..., p.rank]

    def values(lanes: NDArray[Any], rows: int, samples: int) -> NDArray[Any]:
        found = np.empty((rows, samples), lanes.dtype)
        some = max(_STACKED // len(taps), 1)
        for r in range(rows):
            line = lanes[:, r * every :]
            for a in range(0, samples, some):
                n = min(some, samples - a)
                cells = np.empty((n, len(taps)), lanes.dtype)
                for number, (lane, row, shift, _) in enumerate(taps):
                    cells[:, number] = tap_run(line, (lane, row, shift + a), 1, n, 1)[0]
                found[r, a : a + n] = pick(cells)
        return found

    return values


def by_network(p: RankProblem, made: Program) -> Values:
    """A network's instructions on all groups of rows of a tile at once."""
    several = partitioned(p, 1)
    (down, across), group, gap = (p.maps[0].dilation, p.maps[1].dilation), made.group, p.group
    across *= gap
    code, ends = made.code.tolist(), made.outputs.tolist()

    def phase(plane: NDArray[Any], found: NDArray[Any]) -> None:
        """Rows of one phase of a dilated window; all rows of others."""
        rows, samples = found.shape
        groups = -(-rows // group)
        slots: list[NDArray[Any]] = [plane] * made.slots
        room = [np.empty((groups, samples + made.extent * across), plane.dtype) for _ in slots]

        def source(number: int, shift: int, extent: int) -> NDArray[Any]:
            start, stop = shift * across, samples + (shift + extent) * across
            if number < 0:
                return plane[-1 - number :: group, start:stop][:groups]
            return slots[number][:, start:stop]

        for largest, to, a, a_shift, b, b_shift, extent in code:
            choose = np.maximum if largest else np.minimum
            into = room[to][:, : samples + extent * across]
            choose(source(a, a_shift, extent), source(b, b_shift, extent), out=into)
            slots[to] = room[to]
        for number, (end, shift) in enumerate(ends):
            into = found[number::group]
            into[...] = source(end, shift, 0)[: len(into)]

    def values(lanes: NDArray[Any], rows: int, samples: int) -> NDArray[Any]:
        if "float" in p.held and (lanes == np.iinfo(lanes.dtype).max).any():
            return several(lanes, rows, samples)
        whole = -(-rows // (group * down)) * group * down
        plane = np.zeros((whole + p.rows.effective_kernel - 1, lanes.shape[2]), lanes.dtype)
        plane[: lanes.shape[1]] = lanes[0]
        found = np.empty((rows, samples), lanes.dtype)
        for start in range(down):
            phase(plane[start::down], found[start::down])
        return found

    return values
