"""Windows of an array gathered into columns, block by block, so that products become GEMM.

A block is a piece of the output that is contiguous in memory: one index on the axes before the
one that is split, a range on that axis, everything on those behind it. Its columns fit into the
cache, which bounds the memory of im2col whatever the sizes (Chetlur et al. 2014, cuDNN).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from convcli.ops.operands import Array
from convcli.ops.tensor_threads import cores, scratch

__all__ = ["OutputBlock", "SlidingWindow", "split", "windows"]

Shape: TypeAlias = tuple[int, ...]

BLOCK_BYTES = 1 << 20
"""Columns of a block: half of a common L2 cache."""
GPU_BLOCK_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class OutputBlock:
    """Images ``first`` to ``last`` of the batch, and a range of outputs on every axis."""

    first: int
    last: int
    ranges: tuple[tuple[int, int], ...]
    offset: int
    length: int

    @property
    def where(self) -> tuple[slice, ...]:
        """Index of the block in an array (N, C, \\*outputs)."""
        spatial = (slice(low, high) for low, high in self.ranges)
        return (slice(self.first, self.last), slice(None), *spatial)

    @property
    def shape(self) -> Shape:
        """Outputs on every axis."""
        return tuple(high - low for low, high in self.ranges)


def split(
    batch: int, outputs: Shape, position_bytes: int, budget: int, workers: int
) -> list[OutputBlock]:
    """Cut a batch of outputs into blocks of at most ``budget`` bytes, evenly among workers.

    >>> [b.ranges for b in split(1, (10, 7), 100, 2800, 2)]
    [((0, 3), (0, 7)), ((3, 6), (0, 7)), ((6, 9), (0, 7)), ((9, 10), (0, 7))]
    """
    positions = max(budget // position_bytes, 1)
    total = math.prod(outputs)
    if total <= positions and (batch >= workers or total * position_bytes < budget // 16):
        step = max(min(positions // total, -(-batch // workers)), 1)
        full = tuple((0, n) for n in outputs)
        return [OutputBlock(n, min(n + step, batch), full, 0, total) for n in range(0, batch, step)]
    axis = next(
        a
        for a in range(len(outputs))
        if math.prod(outputs[a + 1 :]) <= positions or a == len(outputs) - 1
    )
    inner, size = math.prod(outputs[axis + 1 :]), outputs[axis]
    chunks = -(-size // max(positions // inner, 1))
    outer = batch * math.prod(outputs[:axis])
    if outer * chunks % workers:  # an even number of equal pieces, so that nobody waits
        chunks = min(-(-chunks // workers) * workers, size)
    step = -(-size // chunks)
    return list(_pieces(batch, outputs, axis, step, inner))


def _pieces(batch: int, outputs: Shape, axis: int, step: int, inner: int) -> Iterator[OutputBlock]:
    size = outputs[axis]
    rest = tuple((0, n) for n in outputs[axis + 1 :])
    for n, prefix in itertools.product(range(batch), np.ndindex(outputs[:axis])):
        row = int(np.ravel_multi_index(prefix, outputs[:axis])) if axis else 0
        for low in range(0, size, step):
            high = min(low + step, size)
            ranges = (*((i, i + 1) for i in prefix), (low, high), *rest)
            yield OutputBlock(n, n + 1, ranges, (row * size + low) * inner, (high - low) * inner)


def windows(
    xp: Any, x: Array, kernel: Shape, outputs: Shape, stride: Shape, dilation: Shape
) -> Array:
    """View of (N, C, \\*size) as (N, C, \\*kernel, \\*outputs): nothing is copied.

    >>> windows(np, np.arange(4).reshape(1, 1, 4), (3,), (2,), (1,), (1,))[0, 0].tolist()
    [[0, 1], [1, 2], [2, 3]]
    """
    taps = tuple(step * d for step, d in zip(x.strides[2:], dilation, strict=True))
    moves = tuple(step * s for step, s in zip(x.strides[2:], stride, strict=True))
    return xp.lib.stride_tricks.as_strided(
        x, (*x.shape[:2], *kernel, *outputs), (*x.strides[:2], *taps, *moves)
    )


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """A window that slides over ``x`` (N, C, \\*size); cells outside ``x`` read as zero.

    ``start`` is where, on every axis, the first window begins: minus the padding before.
    """

    xp: Any
    x: Array
    groups: int
    kernel: Shape
    outputs: Shape
    stride: Shape
    dilation: Shape
    start: Shape
    work: np.dtype[Any]

    @property
    def depth(self) -> int:
        """Rows of the columns of one group: channels per group times taps."""
        return int(self.x.shape[1]) // self.groups * math.prod(self.kernel)

    def blocks(self) -> list[OutputBlock]:
        """The output cut so that the columns of a block stay in the cache."""
        position = int(self.x.shape[1]) * math.prod(self.kernel) * self.work.itemsize
        if self.xp is not np:
            return split(self.x.shape[0], self.outputs, position, GPU_BLOCK_BYTES, 1)
        return split(self.x.shape[0], self.outputs, position, BLOCK_BYTES, cores())

    def reach(self, block: OutputBlock) -> list[tuple[int, int]]:
        """Range of cells on every axis that the windows of ``block`` see, outside ``x`` too."""
        return [
            (begin + low * s, begin + (high - 1) * s + d * (k - 1) + 1)
            for (low, high), s, d, k, begin in zip(
                block.ranges, self.stride, self.dilation, self.kernel, self.start, strict=True
            )
        ]

    def fill(self, block: OutputBlock, target: Array) -> None:
        """Write the cells that ``block`` sees into ``target``, zeros where ``x`` has none."""
        images = slice(block.first, block.last)
        source, where = [], []
        for (low, high), size in zip(self.reach(block), self.x.shape[2:], strict=True):
            first, last = min(max(low, 0), size), max(min(high, size), 0)
            last = max(first, last)
            source.append(slice(first, last))
            where.append(slice(first - low, last - low) if last > first else slice(0, 0))
        part = self.x[(images, slice(None), *source)]
        whole: list[Any] = [slice(None)] * target.ndim
        for axis, inside in enumerate(where, 2):
            for outside in (slice(0, inside.start), slice(inside.stop, None)):
                edge = whole.copy()
                edge[axis] = outside
                if outside != slice(0, 0):
                    target[tuple(edge)] = 0
            whole[axis] = inside
        if part.size:
            target[tuple(whole)] = part

    def cells(self, block: OutputBlock) -> Array:
        """The cells that ``block`` sees, in the working type; a view where that is possible."""
        reach = self.reach(block)
        lead = (block.last - block.first, self.x.shape[1])
        if self.x.dtype == self.work and all(
            low >= 0 and high <= size
            for (low, high), size in zip(reach, self.x.shape[2:], strict=True)
        ):
            inside = (slice(low, high) for low, high in reach)
            return self.x[(slice(block.first, block.last), slice(None), *inside)]
        spans = (high - low for low, high in reach)
        cells = scratch(self.xp, "slab", (*lead, *spans), self.work)
        self.fill(block, cells)
        return cells

    def columns(self, block: OutputBlock) -> Array:
        """The windows of ``block`` as (images, groups, depth, positions)."""
        cells = self.cells(block)
        view = windows(self.xp, cells, self.kernel, block.shape, self.stride, self.dilation)
        columns = scratch(self.xp, "columns", view.shape, self.work)
        columns[...] = view
        return columns.reshape(view.shape[0], self.groups, self.depth, block.length)
