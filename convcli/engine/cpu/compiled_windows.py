"""Extrema, variances and modes with the compiled loops: footprints and numbers handed over to C."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.engine.costs import CostEstimate
from convcli.engine.cpu.c_loops import pack_job
from convcli.engine.cpu.picking import PickingMethod
from convcli.engine.cpu.tiles import Tile, fill
from convcli.engine.picks import Picks
from convcli.engine.requantize import Requantize, Requantizer
from convcli.engine.step import Maps, Problem
from convcli.extensions import extension

__all__ = ["CompiledPicks", "TileLoop", "can_compile", "plain"]

_TILE_BYTES = 2 << 20
"""Of the samples that a tile reads. Smaller ones took longer: what a tile shares with those around it
is done for each, and two threads wait for each other between tiles."""

_STREAMED = 1 << 24
"""Bytes from which on outputs go past the caches, which they would not stay in."""

Put: TypeAlias = Callable[[Requantizer, NDArray[Any], NDArray[Any], bool], int]
"""``(requantizer, values, place, count)``: samples of values."""


def can_compile() -> bool:
    """Whether there are compiled loops for windows."""
    return extension("_windows").module is not None


def plain(p: Problem) -> bool:
    """Whether windows stand side by side, and cells too."""
    return p.rows.stride == p.cols.stride == p.rows.dilation == p.cols.dilation == 1


class TileLoop:
    """A function of the extension for one picture, tile by tile.

    Parameters
    ----------
    footprint
        Rectangles, the shortest first: length, top, height and left; or what else the function takes.
    outside
        What stands outside the picture, in its type, or other numbers of the function.
    """

    def __init__(
        self,
        function: str,
        problem: Problem,
        x: NDArray[Any],
        maps: Maps,
        footprint: Sequence[tuple[int, int, int, int]] | NDArray[Any],
        outside: float | NDArray[np.float64],
        **told: int,
    ) -> None:
        self._function = getattr(extension("_windows").module, function)
        self._x, self._maps = x, maps
        weighed = isinstance(footprint, np.ndarray)
        self._cells = footprint if weighed else np.array(footprint, np.int64)
        given = isinstance(outside, np.ndarray)
        self._outside = outside if given else np.array([outside], x.dtype)
        told |= dict(zip(("tall", "wide"), problem.kernel_size, strict=True))
        self._told = told | {"blocks": len(footprint)}
        self._packed: dict[tuple[tuple[int, ...], str], bytes] = {}

    def __call__(
        self, tile: Tile, out: NDArray[Any] | None, dtype: str | None = None
    ) -> NDArray[Any]:
        """Compute a tile, in its place of ``out`` or, without one, in an array of its own."""
        top, left, height, width = tile.top, tile.left, *_size(tile)
        if out is None:
            out = np.empty((height, width, self._x.shape[2]), dtype)
            place = 0, 0, height, width
        else:
            place = top, left, height, width
        kind = out.shape, out.dtype.name
        if kind not in self._packed:
            stream = out.nbytes >= _STREAMED
            told = pack_job(self._x, out, self._maps, "_windows", stream=stream, **self._told)
            self._packed[kind] = told
        rows, cols = self._maps
        indices = rows.index[top * rows.stride :], cols.index[left * cols.stride :]
        self._function(
            self._packed[kind], self._x, out, *indices, self._cells, self._outside, *place
        )
        return out

    def fill(
        self,
        out: NDArray[Any],
        size: tuple[int, int],
        requantize: Requantize,
        threads: int,
        count: bool,
        *,
        found: str = "",
        put: Put = Requantizer.put,
    ) -> int:
        """Compute all of ``out``, in tiles of this size.

        Results are samples already, or of the type ``found``, of which ``put`` makes samples.
        Returns how many were outside the range, if they are counted.
        """

        def work(tile: Tile, place: NDArray[Any], requantizer: Requantizer) -> int:
            if found:
                return put(requantizer, self(tile, None, found), place, count)
            self(tile, out)
            return 0

        return fill(out, size, requantize, threads, work)


def _size(tile: Tile) -> tuple[int, int]:
    return tile.bottom - tile.top, tile.right - tile.left


def _even(size: int, most: int) -> int:
    """The length of as many equal pieces as those of ``most`` would be.

    >>> _even(6000, 4033), _even(5, 9)
    (3000, 5)
    """
    return -(-size // -(-size // most))


class CompiledPicks(PickingMethod):
    """Values that the compiled loops pick under a footprint made of rectangles."""

    function = ""
    """Of the extension."""

    def __init__(
        self, problem: Picks, estimate: CostEstimate, blocks: Sequence[tuple[int, int, int, int]]
    ) -> None:
        super().__init__(problem, estimate)
        self.blocks = blocks

    @cached_property
    def tile(self) -> tuple[int, int]:
        p = self.problem
        height, width, channels = p.shape_out
        across, down = p.maps[1], p.maps[0]
        tall = (p.rows.kernel_size - 1) * down.dilation
        wide = (p.cols.kernel_size - 1) * across.dilation
        samples = _TILE_BYTES // (np.dtype(p.picked.dtype).itemsize * channels)
        rows = max(128, 4 * tall, min(16 * tall, math.isqrt(samples)))
        line = samples // (rows + tall)
        cols = max(line - wide, 2 * wide, 256 // channels, 1)
        rows, cols = -(-rows // down.stride), -(-cols // across.stride)
        return _even(height, rows), _even(width, cols)

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        p, picked = self.problem, self.problem.picked
        source = np.ascontiguousarray(x, picked.dtype)
        cells = int(np.count_nonzero(p.weights)) if self.function == "modes" else 0
        told = {"largest": int(picked.largest), "cells": cells}
        loop = TileLoop(self.function, p, source, maps, self.blocks, picked.outside, **told)
        found = "" if p.stays and out.flags.c_contiguous else picked.dtype
        return loop.fill(out, self.tile, p.requantize, threads, count, found=found, put=self.finish)
