"""What stands before and after a transform: planes from a tile, samples from its sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.c_loops import CODE, c_loops, formula, pack_job
from convcli.engine.cpu.tile_loader import TileLoader
from convcli.engine.cpu.tiles import Tile
from convcli.engine.numerics import WIDE
from convcli.engine.requantize import Requantizer
from convcli.engine.step import Maps, Method

__all__ = ["CompiledEnds", "NumpyEnds"]


class NumpyEnds:
    """Both ends in NumPy; one per thread."""

    def __init__(
        self,
        method: Method,
        maps: Maps,
        x: NDArray[Any],
        out: NDArray[Any],
        count: bool,
    ) -> None:
        p = method.problem
        self.problem, self.maps, self.out, self.count = p, maps, out, count
        self.transform = method.transform
        self.load = TileLoader(
            x, maps, p.kernel_size, p.border.value, method.transform, True, False
        )
        self.requantizer = Requantizer(p.requantize)

    def lanes(self, tile: Tile) -> NDArray[Any]:
        """The tile's input, one plane per channel."""
        return self.load(tile)

    def requantize(self, members: Iterator[NDArray[Any]], tile: Tile, channel: int) -> int:
        """Write one channel from the sums of its members at every position across."""
        target = self.out[tile.top : tile.bottom, tile.left : tile.right, channel]
        planes = (self._kept(sums, target.shape[1]) for sums in members)
        return self.requantizer.apply(planes, target, self.count)

    def _kept(self, sums: NDArray[Any], cols: int) -> NDArray[Any]:
        every = self.maps[1].stride
        kept = sums[:, : (cols - 1) * every + 1 : every]
        if self.problem.exact:  # the true sums are whole numbers, less than 1/4 away
            kept = np.rint(kept)
        same: NDArray[Any] = kept.astype(self.problem.accumulate, copy=False)
        return same


class CompiledEnds(NumpyEnds):
    """Both ends in C, which halves the time of everything but the transforms."""

    def __init__(
        self,
        method: Method,
        maps: Maps,
        x: NDArray[Any],
        out: NDArray[Any],
        count: bool,
    ) -> None:
        super().__init__(method, maps, x, out, count)
        self.loops = c_loops()
        p, kind = self.problem, CODE[method.transform]
        self._source = np.ascontiguousarray(x)
        self._planes = np.empty((0, 0, 0), method.transform)
        value = float(p.border.value)
        self._load = pack_job(self._source, None, maps, sum_type=kind, value=value)
        work = p.accumulate if p.requantize.work == "integer" else p.requantize.work
        wide = work == "float64" or p.requantize.out_dtype in WIDE
        numbers = formula(p.requantize, "d" if wide else "f", count)
        self._store = pack_job(None, out, None, sum_type=kind, whole=p.exact, **numbers)

    def lanes(self, tile: Tile) -> NDArray[Any]:
        """The tile's input, one plane per channel."""
        rows, cols = self.maps
        top, bottom = rows.span(tile.top, tile.bottom, self.problem.kernel_size[0])
        left, right = cols.span(tile.left, tile.right, self.problem.kernel_size[1])
        shape = (self._source.shape[2], bottom - top, right - left)
        if self._planes.shape != shape:
            self._planes = np.empty(shape, self.transform)
        pictures = (self._source, rows.index, cols.index, self._planes)
        self.loops.planes(self._load, *pictures, top, bottom, left, right)
        return self._planes

    def requantize(self, members: Iterator[NDArray[Any]], tile: Tile, channel: int) -> int:
        """Write one channel from the sums of its members at every position across."""
        every = self.maps[1].stride
        if self.problem.requantize.combine != "none":
            return super().requantize(members, tile, channel)
        sums = np.ascontiguousarray(next(members)[:, ::every]) if every > 1 else next(members)
        shape = (sums.shape[0], tile.right - tile.left, sums.shape[1])
        place = (tile.top, tile.left, channel)
        return int(self.loops.finish(self._store, sums, self.out, *shape, *place))
