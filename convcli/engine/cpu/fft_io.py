"""What stands before and after a transform: planes from a tile, samples from its sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.c_loops import CODE, c_loops
from convcli.engine.cpu.tile_loader import TileLoader
from convcli.engine.cpu.tiles import Tile
from convcli.engine.numerics import FULL
from convcli.engine.requantize import Finisher
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
        self.finisher = Finisher(p.finish)

    def lanes(self, tile: Tile) -> NDArray[Any]:
        """The tile's input, one plane per channel."""
        return self.load(tile)

    def finish(self, members: Iterator[NDArray[Any]], tile: Tile, channel: int) -> int:
        """Write one channel from the sums of its members at every position across."""
        target = self.out[tile.top : tile.bottom, tile.left : tile.right, channel]
        planes = (self._kept(sums, target.shape[1]) for sums in members)
        return self.finisher.apply(planes, target, self.count)

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
        rows, cols = maps
        self._source = (np.ascontiguousarray(x), CODE[str(x.dtype)], *x.shape)
        self._maps = (rows.index, cols.index, cols.first, cols.last, cols.step)
        self._planes = np.empty((0, 0, 0), method.transform)
        f = self.problem.finish
        work = CODE[self.problem.accumulate if f.work == "integer" else f.work]
        self._formula = (
            "d" if work == "d" else "f",
            *(f.scale, f.bias, f.offset, f.ratio, f.limit if f.out_dtype in FULL else 0.0),
            *(f.absolute, count and f.clip),
        )

    def lanes(self, tile: Tile) -> NDArray[Any]:
        """The tile's input, one plane per channel."""
        top, bottom = self.maps[0].span(tile.top, tile.bottom, self.problem.kernel_size[0])
        left, right = self.maps[1].span(tile.left, tile.right, self.problem.kernel_size[1])
        shape = (self._source[4], bottom - top, right - left)
        if self._planes.shape != shape:
            self._planes = np.empty(shape, self.transform)
        place = (self._planes, CODE[self.transform], top, bottom, left, right)
        self.loops.planes(*self._source, *self._maps, float(self.problem.border.value), *place)
        return self._planes

    def finish(self, members: Iterator[NDArray[Any]], tile: Tile, channel: int) -> int:
        """Write one channel from the sums of its members at every position across."""
        p, every = self.problem, self.maps[1].stride
        if p.finish.combine != "none":
            return super().finish(members, tile, channel)
        cols = tile.right - tile.left
        sums = np.ascontiguousarray(next(members)[:, ::every]) if every > 1 else next(members)
        return int(
            self.loops.finish(
                *(sums, CODE[str(sums.dtype)], sums.shape[0], cols, sums.shape[1], p.exact),
                *(self.out, CODE[p.finish.out_dtype], *self.out.shape),
                *self._formula,
                *(tile.top, tile.left, channel),
            )
        )
