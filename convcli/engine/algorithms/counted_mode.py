"""The most frequent sample: by counting each value where there are few, else by sorting windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.algorithms.run_minima import blocks_of
from convcli.engine.axis_maps import AxisMap
from convcli.engine.costs import on_cpu
from convcli.engine.cpu.compiled_windows import CompiledPicks, TileLoop, can_compile, plain
from convcli.engine.cpu.picking import NumpyPicks, Values
from convcli.engine.cpu.tiles import Tile
from convcli.engine.picks import Picks
from convcli.engine.step import Method, Problem

__all__ = ["MODE"]

_FEW = 300
"""Values of a tile up to which each is counted under every window."""
_BYTES = 255
"""Values that bytes can number, beside those that do not vote."""
_SHORT = 16
"""Rows that are not halved to find fewer values."""
_AT_ONCE = 1 << 22
"""Cells that are sorted at once."""


class CountedMode:
    """Any footprint and type."""

    name = "counts"

    def offer(self, problem: Problem) -> Method | None:
        if not isinstance(problem, Picks):
            return None
        cells = int(np.count_nonzero(problem.weights))
        if problem.picked.dtype == "uint8" and cells < 65536 and can_compile() and plain(problem):
            blocks = blocks_of(problem.weights[0], apart=True)
            rows = sum(block.height for block in blocks)
            price = on_cpu(self.name, f"{rows} rows", "compiled", self.name, "uint8", rows)
            if problem.weights.all() and 2 < rows < 128 and cells < 32768:
                kind = "uint8" if cells < 256 else "int16"
                price = on_cpu(self.name, "columns", "compiled", "columns", kind, 0)
            return _Compiled(problem, price, blocks)
        kind = "uint8" if problem.picked.dtype in ("uint8", "int8") else "float32"
        work = len(blocks_of(problem.weights[0], apart=True)) if kind == "uint8" else cells
        return _Numpy(problem, on_cpu(self.name, f"{cells} cells", "numpy", self.name, kind, work))


MODE = (CountedMode(),)


class _Compiled(CompiledPicks):
    function = "modes"


class _Numpy(NumpyPicks):
    def values(self) -> Values:
        p = self.problem
        footprint = np.argwhere(p.weights[0])
        absent = np.iinfo(np.int64).max
        if p.picked.dtype.startswith("float"):
            absent = np.iinfo("int" + p.picked.dtype[5:]).max

        def modes(plane: NDArray[Any], rows: int, cols: int) -> NDArray[Any]:
            floats = p.picked.dtype.startswith("float")
            values = np.unique(plane)
            if floats:
                values = values[values != absent]
            if can_compile() and plain(p) and len(footprint) < 65536:
                if len(values) <= _BYTES:
                    return self._numbered(plane, values, absent, rows, cols)
                if rows > _SHORT:  # half of them may have few enough
                    half = rows // 2
                    above, below = plane[: half + p.kernel_size[0] - 1], plane[half:]
                    return np.concatenate(
                        [modes(above, half, cols), modes(below, rows - half, cols)]
                    )
            if len(values) <= _FEW:
                return self._counted(plane, values, absent, rows, cols)
            band = max(_AT_ONCE // (cols * plane.shape[2] * len(footprint)), 1)
            every = p.maps[0].stride
            parts = [
                self._sorted(plane[top * every :], footprint, absent, min(band, rows - top), cols)
                for top in range(0, rows, band)
            ]
            return np.concatenate(parts)

        return modes

    def _numbered(
        self, plane: NDArray[Any], values: NDArray[Any], absent: int, rows: int, cols: int
    ) -> NDArray[Any]:
        """Values by their numbers, which are bytes, with the compiled histograms."""
        p = self.problem
        numbers = np.searchsorted(values, plane).astype(np.uint8)
        if p.picked.dtype.startswith("float"):
            numbers[plane == absent] = _BYTES
        maps = tuple(AxisMap(np.arange(size), 1, 1, 0, size, 1) for size in plane.shape[:2])
        blocks = blocks_of(p.weights[0], apart=True)
        cells = int(np.count_nonzero(p.weights))
        loop = TileLoop(
            "modes", p, numbers, (maps[0], maps[1]), blocks, 0, largest=0, cells=cells, skip=1
        )
        found = loop(Tile(0, rows, 0, cols), None, "uint8")
        named: NDArray[Any] = np.zeros(_BYTES + 1, plane.dtype)
        named[: len(values)] = values
        if p.picked.dtype.startswith("float"):
            named[_BYTES] = absent
        return np.asarray(named[found])

    def _counted(
        self, plane: NDArray[Any], values: NDArray[Any], absent: int, rows: int, cols: int
    ) -> NDArray[Any]:
        """Value by value, the smallest first: one that is more frequent takes the place."""
        from convcli.engine.algorithms.moments import footprint_sums

        p = self.problem
        blocks = blocks_of(p.weights[0], apart=True)
        kind = (
            np.uint8
            if p.weights.sum() < 256
            else np.uint16
            if p.weights.sum() < 65536
            else np.int64
        )
        best = np.empty((rows, cols, plane.shape[2]), plane.dtype)
        best[...] = absent if p.picked.dtype.startswith("float") else 0
        most = np.zeros(best.shape, kind)
        for value in values:
            votes = footprint_sums((plane == value).astype(kind), blocks, p.maps, rows, cols)
            more = votes > most
            np.copyto(best, value, where=more)
            np.maximum(most, votes, out=most)
        return best

    def _sorted(
        self, plane: NDArray[Any], footprint: NDArray[Any], absent: int, rows: int, cols: int
    ) -> NDArray[Any]:
        """Every window sorted, and the longest run of equal values in it."""
        down, across = self.problem.maps
        cells = np.stack(
            [
                plane[
                    i * down.dilation : i * down.dilation
                    + (rows - 1) * down.stride
                    + 1 : down.stride
                ][
                    :,
                    j * across.dilation : j * across.dilation
                    + (cols - 1) * across.stride
                    + 1 : across.stride,
                ]
                for i, j in footprint
            ]
        )
        cells.sort(axis=0)
        floats = self.problem.picked.dtype.startswith("float")
        best: NDArray[Any] = cells[0].copy()
        most = np.zeros(cells.shape[1:], np.int32)
        length = np.zeros_like(most)
        for number, values in enumerate(cells):
            length += 1
            if number:
                length[values != cells[number - 1]] = 1
            more = length > most
            if floats:
                more &= values != absent
            np.copyto(best, values, where=more)
            np.copyto(most, length, where=more)
        return best
