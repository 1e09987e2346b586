"""The compiled loops of tensors: windows times weights without gathering columns.

Optional: where the extension was not built, or ``CONVCLI_LOOPS=numpy`` is set, the products of
``convcli.ops.forward_backward`` go through im2col and BLAS, with the same results up to rounding.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from convcli.extensions import extension
from convcli.ops.operands import Array
from convcli.ops.sliding_window import OutputBlock, SlidingWindow, split
from convcli.ops.tensor_threads import cores, scratch

__all__ = ["serves", "tasks"]

CELL_BYTES = 512 << 10
"""Input cells of a block, which every panel of weights reads again: a share of the L2 cache."""

MIN_PRODUCTS = 1 << 16
"""Products below which a second thread costs more than it gains (about 0.05 ms to start)."""


MANY_PRODUCTS = 1 << 24
"""Products from which an extra block costs less than waiting for a late thread (about 0.2 ms)."""


def serves(sliding: SlidingWindow, out: Array) -> bool:
    """Whether the compiled loops can write this ``out``: float32 and float64 on the CPU."""
    return (
        sliding.xp is np
        and sliding.work in (np.float32, np.float64)
        and out.dtype == sliding.work
        and all(step > 0 for step in out.strides)
        and all(step % sliding.x.itemsize == 0 for step in sliding.x.strides)
        and extension("_tensors").module is not None
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """How the blocks of one shape lie in memory; steps and places are counted in cells."""

    spans: tuple[int, ...]
    phases: int
    channel_step: int
    offsets: np.ndarray[Any, Any]
    starts: np.ndarray[Any, Any]
    out_starts: np.ndarray[Any, Any]
    rows: int
    width: int
    pitch: int


@lru_cache(256)
def _shape(
    outputs: tuple[int, ...],
    channels: int,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    steps: tuple[int, ...],
    lanes: int,
) -> _Shape:
    """Lay out blocks of ``outputs``: ``steps`` are those of the output's spatial axes.

    Cached: a network asks for the same few again and again, and Python counts slowly.
    """
    spans = tuple(
        (o - 1) * s + d * (k - 1) + 1
        for o, s, d, k in zip(outputs, stride, dilation, kernel, strict=True)
    )
    # With a stride on the last axis its cells are sorted by their remainder, so that windows
    # next to each other read cells next to each other.
    phases = stride[-1]
    line = -(-spans[-1] // phases)
    sizes = (*spans[:-1], phases * line)
    strides = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    channel_step = math.prod(sizes)
    taps = [range(0, d * k, d) for d, k in zip(dilation, kernel, strict=True)]
    last = [tap % phases * line + tap // phases for tap in taps[-1]]
    before = [sum(map(int.__mul__, at, strides)) for at in itertools.product(*taps[:-1])]
    plane = np.add.outer(np.array(before), last).ravel()
    offsets = np.add.outer(np.arange(channels) * channel_step, plane).ravel()
    # Rows can be one segment, the cells between them computed in vain, if that is not many.
    rows, pitch, outer = 1, outputs[-1], len(outputs) - 1
    if outer and stride[-2] == 1:
        together = -(-((outputs[-2] - 1) * strides[-2] + outputs[-1]) // lanes)
        if together <= outputs[-2] * -(-outputs[-1] // lanes):
            rows, pitch, outer = outputs[-2], strides[-2], outer - 1
    places = list(itertools.product(*map(range, outputs[:outer])))
    starts = [sum(i * s * n for i, s, n in zip(at, stride, strides, strict=False)) for at in places]
    out_starts = [sum(i * step for i, step in zip(at, steps, strict=False)) for at in places]
    return _Shape(
        spans=spans,
        phases=phases,
        channel_step=channel_step,
        offsets=offsets.astype(np.int64),
        starts=np.array(starts, np.int64),
        out_starts=np.array(out_starts, np.int64),
        rows=rows,
        width=outputs[-1],
        pitch=pitch,
    )


def tasks(
    sliding: SlidingWindow, weight: Array, bias: Array | None, out: Array
) -> list[Callable[[], None]]:
    """As ``convcli.ops.forward_backward.tasks``, without columns."""
    module, work, groups = extension("_tensors").module, sliding.work, sliding.groups
    room = module.room()
    size = work.itemsize
    batch, channels = sliding.x.shape[:2]
    rows = out.shape[1] // groups
    weights = np.ascontiguousarray(weight, work)
    shifts = np.zeros(out.shape[1], work) if bias is None else np.ascontiguousarray(bias, work)
    steps = tuple(step // size for step in out.strides)
    lanes = room // (8 if rows == 1 else 3)

    whole = _in_place(sliding)

    def slide(block: OutputBlock) -> None:
        shape = _shape(
            block.shape, channels // groups, sliding.kernel, sliding.stride, sliding.dilation,
            steps[2:], lanes,
        )  # fmt: skip
        memory, step, offsets = _cells(sliding, block, shape, whole, room)
        module.slide(
            "f" if size == 4 else "d",
            memory, offsets, shape.starts, weights, shifts, out[block.where], shape.out_starts,
            block.last - block.first, groups, rows, shape.rows, shape.width, shape.pitch,
            step, step // groups, steps[0], steps[1],
            steps[-2] if shape.rows > 1 else 0, steps[-1],
        )  # fmt: skip

    products = batch * math.prod(sliding.outputs) * out.shape[1] * sliding.depth
    workers = cores() if products > MIN_PRODUCTS else 1
    # Between two outputs lie as many cells as between two windows, on every axis. Twice as many
    # blocks as workers, where that is worth a call: one who starts late then does less.
    position = channels * size * math.prod(sliding.stride)
    pieces = workers * 2 if products > MANY_PRODUCTS else workers
    blocks = split(batch, sliding.outputs, position, CELL_BYTES, pieces)
    return [partial(slide, block) for block in blocks]


def _in_place(sliding: SlidingWindow) -> Array | None:
    """The cells as they are, if windows are single cells next to each other."""
    x = sliding.x
    plain = sliding.kernel == sliding.stride == (1,) and sliding.start == (0,)
    if plain and x.dtype == sliding.work and x.flags.c_contiguous:
        return x.reshape(-1)
    return None


def _cells(
    sliding: SlidingWindow, block: OutputBlock, shape: _Shape, whole: Array | None, room: int
) -> tuple[Array, int, Array]:
    """Memory with the cells of ``block``, the step from image to image, and the taps' offsets."""
    x = sliding.x
    channels, length = x.shape[1], x.shape[-1]
    low = [low for low, _ in sliding.reach(block)]
    if whole is not None:
        begin = block.first * channels * length + low[0]
        need = ((block.last - block.first) * channels - 1) * length + block.length + room
        if begin + need <= whole.size:  # not at the very end, where vectors would reach beyond
            return whole[begin:], channels * length, np.arange(shape.offsets.size) * length
    step = channels * shape.channel_step
    used = (block.last - block.first) * step
    memory = scratch(np, "cells", (used + room,), sliding.work)
    memory[used:] = 0
    first, last = block.first, block.last
    if x.dtype != sliding.work:
        x, first, last = x[first:last].astype(sliding.work), 0, last - first
    extension("_tensors").module.fill(x, memory, first, last, tuple(low), shape.spans, shape.phases)
    return memory, step, shape.offsets
