"""Tiles of values that are picked among the samples: compared as keys, written as they are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.costs import CostEstimate
from convcli.engine.cpu.keys import from_keys, to_keys
from convcli.engine.picks import Picks
from convcli.engine.requantize import Requantizer
from convcli.engine.step import Maps, Method

__all__ = ["NumpyPicks", "PickingMethod", "Values"]

Values = Callable[[NDArray[Any], int, int], NDArray[Any]]
"""``(plane, output rows, output columns)`` to values ``(rows, columns, channels)``."""

_TILE_BYTES = 512 * 1024


class PickingMethod(Method):
    """A method that picks values."""

    problem: Picks

    def __init__(self, problem: Picks, estimate: CostEstimate) -> None:
        super().__init__(problem, estimate)

    def finish(
        self, requantizer: Requantizer, found: NDArray[Any], target: NDArray[Any], count: bool
    ) -> int:
        """Samples of the values; returns how many were outside the range, if they are counted."""
        if self.problem.direct:
            target[...] = found
            return 0
        return requantizer.put(found.astype(self.problem.accumulate), target, count)


class NumpyPicks(PickingMethod):
    """A method that says which values of a tile's input are picked; the rest is the same for all."""

    @abstractmethod
    def values(self) -> Values:
        """A function from a tile's input to its values; each thread has one of its own.

        The input is ``(rows, columns, channels)``, of keys where the problem is flat; so are the
        values then.
        """

    @cached_property
    def tile(self) -> tuple[int, int]:
        p = self.problem
        height, width, channels = p.shape_out
        itemsize = np.dtype(p.picked.dtype).itemsize
        cols = min(width, max(4096 // (channels * itemsize), 2 * p.cols.effective_kernel, 16))
        rows = max(_TILE_BYTES // (cols * channels * itemsize), 2 * p.rows.effective_kernel, 16)
        return min(rows, height), cols

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        from convcli.engine.cpu.tile_loader import TileLoader
        from convcli.engine.cpu.tiles import Tile, grid, work_through

        p, picked = self.problem, self.problem.picked

        def make_worker() -> Callable[[Tile], int]:
            load = TileLoader(
                x, maps, p.kernel_size, picked.outside, picked.dtype, False, by_phase=False
            )
            requantizer, values = Requantizer(p.requantize), self.values()

            def work(tile: Tile) -> int:
                with np.errstate(all="ignore"):
                    lane = load(tile)[0]
                    plane = lane if picked.gray else to_keys(lane, largest=picked.largest)
                    rows, cols = tile.bottom - tile.top, tile.right - tile.left
                    plane = plane.reshape(len(plane), -1, load.group)
                    found = values(plane, rows, cols)
                    if not picked.gray:
                        found = from_keys(found, picked.dtype)
                    target = out[tile.top : tile.bottom, tile.left : tile.right]
                    return self.finish(requantizer, found, target, count)

            return work

        return work_through(grid(out.shape[0], out.shape[1], *self.tile), make_worker, threads)
