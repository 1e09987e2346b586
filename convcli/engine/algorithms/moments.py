"""Variance by sums of samples and of their squares."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.algorithms.run_minima import Block, blocks_of
from convcli.engine.costs import on_cpu
from convcli.engine.cpu.compiled_windows import TileLoop, can_compile, plain
from convcli.engine.cpu.numpy_method import NumpyMethod, Sums
from convcli.engine.cpu.taps import box_line
from convcli.engine.cpu.tile_loader import TileLoader
from convcli.engine.numerics import LIMITS
from convcli.engine.step import Maps, Method, Problem

__all__ = ["MOMENTS", "Moments", "footprint_sums"]

_TILE_BYTES = 2 * 2**20


class Moments(Problem):
    """The variance of the samples under a footprint, or its root.

    ``whole`` says that all cells vote and that sums are exact.
    """

    def __init__(self, *args: Any, whole: bool, root: bool, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.whole, self.root = whole, root


class SumsOfSquares:
    """Any footprint: runs along the rows are summed by doubling, then rows."""

    name = "squares"

    def offer(self, problem: Problem) -> Method | None:
        if not isinstance(problem, Moments):
            return None
        blocks = blocks_of(problem.weights[0], apart=True)
        runs = {block.length for block in blocks}
        sums = sum(map(_additions, runs)) + sum(_additions(b.height) + 1 for b in blocks)
        if _in_c(problem):
            price = on_cpu(self.name, "running sums", "compiled", self.name, "int32", 0)
            return _Compiled(problem, price)
        kind = "int32" if problem.whole else "float64"
        return _Numpy(
            problem, on_cpu(self.name, f"{sums} additions", "numpy", self.name, kind, sums)
        )


MOMENTS = SumsOfSquares()


_CELLS_IN_C = {"uint8": 33025, "int8": 33025, "uint16": 1448, "int16": 1448}
"""Cells of a box whose sums of squares, and what is made of them, the compiled loops hold."""


def _in_c(p: Moments) -> bool:
    most = _CELLS_IN_C.get(p.dtype, 0)
    if not (p.whole and p.is_box and plain(p) and p.weights.size <= most and can_compile()):
        return False
    low, high = LIMITS[p.dtype]
    return not p.border.is_constant or low <= p.border.value <= high


class _Compiled(Method):
    problem: Moments

    @cached_property
    def tile(self) -> tuple[int, int]:
        p = self.problem
        height, width, channels = p.shape_out
        cols = max(2048 // channels, 2 * p.cols.kernel_size)
        return min(max(128, 4 * p.rows.kernel_size), height), min(cols, width)

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        p, f = self.problem, self.problem.requantize
        taken = f.out_dtype == "float32" or (f.out_dtype == "uint8" and not f.clip)
        straight = f.plain and taken and out.flags.c_contiguous
        block = (Block(p.cols.kernel_size, 0, p.rows.kernel_size, 0),)
        told = {"root": int(p.root), "cells": p.weights.size}
        loop = TileLoop("moments", p, np.ascontiguousarray(x), maps, block, p.border.value, **told)
        found = "" if straight else "float64"
        return loop.fill(out, self.tile, f, threads, count, found=found)


def _additions(taps: int) -> int:
    return taps.bit_length() + taps.bit_count() - 2


class _Numpy(NumpyMethod):
    problem: Moments
    absent = float("nan")

    @property
    def held(self) -> str:
        p = self.problem
        if p.whole and p.values is not None and p.weights.sum() * p.values**2 < 2**31:
            return "int32"
        return self._wide if p.whole else "float64"

    @property
    def _wide(self) -> str:
        """Holds what is made of whole sums: floats are faster, up to where they stop being exact."""
        p = self.problem
        exact = p.values is not None and (p.weights.sum() * p.values) ** 2 < 2**53
        return "float64" if exact else "int64"

    @cached_property
    def tile(self) -> tuple[int, int]:
        p = self.problem
        height, width, channels = p.shape_out
        cols = min(width, max(2048 // channels, 2 * p.cols.effective_kernel, 16))
        rows = max(_TILE_BYTES // (cols * channels * 8), 2 * p.rows.effective_kernel, 16)
        return min(rows, height), cols

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        from convcli.engine.cpu.numpy_loops import run_tiles

        return run_tiles(self, x, out, maps, threads, count, by_phase=False)

    def sums(self, load: TileLoader) -> Sums:
        p = self.problem
        blocks = blocks_of(p.weights[0], apart=True)
        cells = int(p.weights.sum())
        of = partial(_whole_variance, wide=self._wide) if p.whole else _variance

        def spread(lanes: NDArray[Any], rows: int, samples: int) -> Any:
            plane = lanes[0].reshape(lanes.shape[1], -1, load.group)

            def total(values: NDArray[Any]) -> NDArray[Any]:
                return footprint_sums(values, blocks, p.maps, rows, samples // load.group)

            found = of(plane, cells, total).reshape(rows, samples)
            yield np.sqrt(found, out=found) if p.root else found

        return spread


_Total = Callable[[NDArray[Any]], NDArray[Any]]


def _whole_variance(plane: NDArray[Any], cells: int, total: _Total, *, wide: str) -> NDArray[Any]:
    first, second = (total(values).astype(wide, copy=False) for values in (plane, plane * plane))
    second *= cells
    first *= first
    second -= first
    return second / float(cells**2)


def _variance(plane: NDArray[Any], cells: int, total: _Total) -> NDArray[Any]:
    """About a value in the midst of the tile, so that little is lost where all are alike."""
    there = ~np.isnan(plane)
    plane = plane - _middle(plane)
    votes: Any = float(cells)
    if not there.all():
        plane[~there] = 0.0
        votes = total(there.astype(np.float64))
    first, second = total(plane), total(plane * plane)
    first *= first
    first /= votes
    second -= first
    second /= votes
    return np.maximum(second, 0.0, out=second)


def _middle(plane: NDArray[Any]) -> float:
    """The median of some finite samples, which far ones do not move as they move a mean."""
    some = plane[:: max(len(plane) // 32, 1), :: max(plane.shape[1] // 32, 1)]
    finite = some[np.isfinite(some)]
    return float(np.median(finite)) if finite.size else 0.0


def footprint_sums(
    plane: NDArray[Any], blocks: tuple[Block, ...], maps: Maps, rows: int, cols: int
) -> NDArray[Any]:
    """Sums of the cells under the footprint, ``(rows, columns, channels)``."""
    down, across = maps
    out, have, runs = None, 0, plane
    for length, top, height, left in blocks:
        if length != have:
            wide = plane.shape[1] - (length - 1) * across.dilation
            runs, have = box_line(plane, length, across.dilation, wide, 1), length
        first, start = top * down.dilation, left * across.dilation
        tall = (rows - 1) * down.stride + 1
        part = runs[first : first + tall + (height - 1) * down.dilation]
        part = part[:, start : start + (cols - 1) * across.stride + 1 : across.stride]
        part = box_line(part, height, down.dilation, tall, 0)[:: down.stride]
        if out is None:
            out = np.array(part, order="C")
        else:
            out += part
    assert out is not None
    return out
