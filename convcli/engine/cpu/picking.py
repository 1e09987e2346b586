"""Tiles of values that are picked among the samples: compared as whole numbers, written as they are.

Floats are compared by their bits, put in such an order that they compare as whole numbers: -0 is
less than 0, and NaN stands at the end where nothing picks it while anything else is there. So every
algorithm picks the same bits.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.costs import CostEstimate
from convcli.engine.picks import Picks
from convcli.engine.requantize import Requantizer
from convcli.engine.step import Maps, Method

__all__ = ["PickingMethod", "Values", "from_keys", "to_keys"]

Values = Callable[[NDArray[Any], int, int], NDArray[Any]]
"""``(plane, output rows, output columns)`` to values ``(rows, columns, channels)``."""

_TILE_BYTES = 512 * 1024
_KEYS: dict[str, Any] = {"float32": np.int32, "float64": np.int64}


def to_keys(x: NDArray[Any], *, largest: bool) -> NDArray[Any]:
    """Samples as whole numbers in the same order, NaN behind all others; floats in their place.

    >>> to_keys(np.array([1.0, -0.0, 0.0, np.nan], np.float32), largest=True).argsort()
    array([3, 1, 2, 0])
    """
    kind = _KEYS.get(x.dtype.name)
    if kind is None:
        return x
    keys: NDArray[Any] = x.view(kind)
    absent = np.isnan(x)
    _mirror_negative(keys)
    if absent.any():
        ends = np.iinfo(kind)
        keys[absent] = ends.min if largest else ends.max
    return keys


def from_keys(keys: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The samples again, in the place of their keys.

    >>> x = np.array([1.5, -2.0])
    >>> from_keys(to_keys(x.copy(), largest=False), "float64")
    array([ 1.5, -2. ])
    """
    if dtype not in _KEYS:
        return keys
    _mirror_negative(keys)
    return keys.view(dtype)


def _mirror_negative(keys: NDArray[Any]) -> None:
    """Negative numbers count up from the least; twice changes nothing."""
    signs = keys >> (8 * keys.itemsize - 1)
    signs &= np.iinfo(keys.dtype).max
    keys ^= signs


class PickingMethod(Method):
    """A method that says which values of a tile's input are picked; the rest is the same for all."""

    problem: Picks

    def __init__(self, problem: Picks, estimate: CostEstimate) -> None:
        super().__init__(problem, estimate)

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

    def finish(
        self, found: NDArray[Any], target: NDArray[Any], requantizer: Requantizer, count: bool
    ) -> int:
        """Samples of the values; returns how many were outside the range, if they are counted."""
        if self.problem.direct:
            target[...] = found
            return 0
        sums = found.astype(self.problem.accumulate).reshape(len(found), -1)
        whole = np.empty(sums.shape, target.dtype)
        clipped = requantizer.apply([sums], whole, count)
        target[...] = whole.reshape(target.shape)
        return clipped

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
                    return self.finish(found, target, requantizer, count)

            return work

        return work_through(grid(out.shape[0], out.shape[1], *self.tile), make_worker, threads)
