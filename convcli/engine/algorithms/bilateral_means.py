"""Bilateral means, cell by cell: the weight of each is made for many pixels at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from math import log, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.costs import on_cpu
from convcli.engine.cpu.compiled_windows import TileLoop, can_compile
from convcli.engine.cpu.numpy_method import NumpyMethod, Sums
from convcli.engine.cpu.tile_loader import TileLoader
from convcli.engine.step import Maps, Method, Problem

__all__ = ["BILATERAL", "Bilateral"]

_MOST_JOINT = 8
"""Channels that the compiled loops weigh together."""
_MOST_STRIDE = 8
"""Columns from one window to the next up to which they keep a plane for each phase."""
_TILE_BYTES = 384 * 1024
"""Of the planes of a tile, which are read once for each cell."""


class Bilateral(Problem):
    """Means of what is near and alike; ``weights`` are those by distance.

    ``alike`` is the sigma of values, in the samples' unit; ``joint`` says that all channels of a
    pixel get one weight, by their Euclidean distance.
    """

    def __init__(self, *args: Any, alike: float, joint: bool, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.alike, self.joint = alike, joint

    @property
    def middle(self) -> tuple[int, int]:
        """The cell that the others are compared with."""
        height, width = self.kernel_size
        return (height - 1) // 2, (width - 1) // 2


class BilateralMeans:
    """Any footprint and type."""

    name = "bilateral"

    def offer(self, problem: Problem) -> Method | None:
        if not isinstance(problem, Bilateral):
            return None
        p = problem
        cells = int(np.count_nonzero(p.weights))
        few = not p.joint or p.shape_in[2] <= _MOST_JOINT
        compiled = can_compile() and few and p.cols.stride <= _MOST_STRIDE
        loops, way = ("compiled", _Compiled) if compiled else ("numpy", _Numpy)
        note = f"{cells} cells"
        return way(p, on_cpu(self.name, note, loops, self.name, p.accumulate, cells))


BILATERAL = BilateralMeans()


class _Compiled(Method):
    problem: Bilateral

    @cached_property
    def tile(self) -> tuple[int, int]:
        p = self.problem
        height, width, channels = p.shape_out
        item = np.dtype(p.accumulate).itemsize
        rows = max(64, 2 * p.rows.effective_kernel)
        line = _TILE_BYTES // ((rows + p.rows.effective_kernel) * channels * item)
        cols = max(line - p.cols.effective_kernel, 2 * p.cols.effective_kernel, 128)
        rows, cols = -(-rows // p.rows.stride), -(-cols // p.cols.stride)
        return min(rows, height), min(cols, width)

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        p, f = self.problem, self.problem.requantize
        floats = p.accumulate
        read = (floats,) if floats == "float64" else ("uint8", "uint16", "float32")
        x = np.ascontiguousarray(x, x.dtype if x.dtype.name in read else floats)
        taken = f.out_dtype in read and not f.clip
        straight = f.plain and taken and out.flags.c_contiguous
        places = np.argwhere(p.weights[0])
        cells = np.empty(len(places), [("row", "i8"), ("column", "i8"), ("weight", "f8")])
        cells["row"], cells["column"] = places.T
        cells["weight"] = np.log2(p.weights[0][tuple(places.T)])
        numbers = np.array([1 / (2 * p.alike**2 * log(2)), p.border.outside])
        loop = TileLoop("bilateral", p, x, maps, cells, numbers, joint=int(p.joint))
        return loop.fill(out, self.tile, f, threads, count, found="" if straight else floats)


class _Numpy(NumpyMethod):
    problem: Bilateral
    absent = nan

    @cached_property
    def tile(self) -> tuple[int, int]:
        p = self.problem
        height, width, channels = p.shape_out
        cols = min(width, max(1024 // channels, 2 * p.cols.effective_kernel, 16))
        rows = max(_TILE_BYTES // (cols * channels * 8), p.rows.effective_kernel, 16)
        return min(rows, height), cols

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        from convcli.engine.cpu.numpy_loops import run_tiles

        return run_tiles(self, x, out, maps, threads, count, by_phase=False)

    def sums(self, load: TileLoader) -> Sums:
        p = self.problem
        places = [(*at, log(p.weights[0][tuple(at)])) for at in np.argwhere(p.weights[0])]
        down, across = load.rows, load.cols
        range_ = np.dtype(p.accumulate).type(-0.5 / p.alike**2)

        def means(lanes: NDArray[Any], rows: int, samples: int) -> Iterator[NDArray[Any]]:
            plane = lanes[0].reshape(lanes.shape[1], -1, load.group)

            def cells(row: int, column: int) -> NDArray[Any]:
                top, left = row * down.dilation, column * across.dilation
                part = plane[top : top + (rows - 1) * down.stride + 1 : down.stride]
                width = (samples // load.group - 1) * across.stride + 1
                under: NDArray[Any] = part[:, left : left + width : across.stride]
                return under

            centre = cells(*p.middle)
            total = np.zeros((*centre.shape[:2], 1 if p.joint else load.group), plane.dtype)
            found = np.zeros_like(centre)
            whole = bool(np.isfinite(plane).all())
            for row, column, near in places:
                apart = cells(row, column) - centre
                weight = _squares(apart, joint=p.joint)
                weight *= range_
                weight += plane.dtype.type(near)
                np.exp(weight, out=weight)
                if not whole:
                    alike = weight > 0  # neither NaN nor too far for a number
                    np.copyto(weight, 0, where=~alike)
                    np.copyto(apart, 0, where=~alike)
                total += weight
                apart *= weight
                found += apart
            found /= total
            found += centre
            yield found.reshape(rows, samples)

        return means


def _squares(apart: NDArray[Any], *, joint: bool) -> NDArray[Any]:
    """Squared distances, over all channels or of each."""
    squares: NDArray[Any] = apart * apart
    if not joint:
        return squares
    total = squares[..., :1].copy()
    for channel in range(1, apart.shape[2]):
        total += squares[..., channel : channel + 1]
    return total
