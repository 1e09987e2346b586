"""The compiled loops of tensors: windows times weights without gathering columns.

Optional: where the extension was not built, or ``CONVCLI_LOOPS=numpy`` is set, the products of
``convcli.ops.linear`` go through im2col and BLAS, with the same results up to rounding.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from importlib import import_module
from typing import Any

import numpy as np

from convcli.ops.arrays import Array
from convcli.ops.columns import Block, Sliding, split
from convcli.ops.workers import cores, scratch

__all__ = ["serves", "tasks"]

CELL_BYTES = 512 << 10
"""Input cells of a block, which every panel of weights reads again: a share of the L2 cache."""

MIN_PRODUCTS = 1 << 16
"""Products below which a second thread costs more than it gains (about 0.05 ms to start)."""


@cache
def _module() -> Any:
    if os.environ.get("CONVCLI_LOOPS") == "numpy":
        return None
    try:
        return import_module("convcli._tensors")
    except ImportError:
        return None


def serves(sliding: Sliding, out: Array) -> bool:
    """Whether the compiled loops can write this ``out``: float32 and float64 on the CPU."""
    return (
        sliding.xp is np
        and sliding.work in (np.float32, np.float64)
        and out.dtype == sliding.work
        and all(step > 0 for step in out.strides)
        and _module() is not None
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
    sliding: Sliding, weight: Array, bias: Array | None, out: Array
) -> list[Callable[[], None]]:
    """As ``convcli.ops.linear.tasks``, without columns."""
    module, work, groups = _module(), sliding.work, sliding.groups
    _, room = module.isa()
    size = work.itemsize
    batch, channels = sliding.x.shape[:2]
    rows = out.shape[1] // groups
    weights = np.ascontiguousarray(weight, work)
    shifts = np.zeros(out.shape[1], work) if bias is None else np.ascontiguousarray(bias, work)
    steps = tuple(step // size for step in out.strides)
    lanes = room // (8 if rows == 1 else 3)

    def slide(block: Block) -> None:
        shape = _shape(
            block.shape, channels // groups, sliding.kernel, sliding.stride, sliding.dilation,
            steps[2:], lanes,
        )  # fmt: skip
        images = block.last - block.first
        cells = channels * shape.channel_step
        used = images * cells
        memory = scratch(np, "cells", (used + room,), work)
        memory[used:] = 0
        _fill(sliding, block, shape, memory[:used])
        module.slide(
            "f" if size == 4 else "d",
            memory, shape.offsets, shape.starts, weights, shifts, out[block.where],
            shape.out_starts, images, groups, rows, shape.rows, shape.width, shape.pitch,
            cells, cells // groups, steps[0], steps[1],
            steps[-2] if shape.rows > 1 else 0, steps[-1],
        )  # fmt: skip

    products = batch * math.prod(sliding.outputs) * out.shape[1] * sliding.depth
    workers = cores() if products > MIN_PRODUCTS else 1
    # Between two outputs lie as many cells as between two windows, on every axis.
    position = channels * size * math.prod(sliding.stride)
    blocks = split(batch, sliding.outputs, position, CELL_BYTES, workers)
    return [partial(slide, block) for block in blocks]


def _fill(sliding: Sliding, block: Block, shape: _Shape, memory: Array) -> None:
    """Copy the padded cells of ``block`` into ``memory``, sorted by remainder if need be."""
    lead = (block.last - block.first, sliding.x.shape[1])
    if shape.phases == 1:
        sliding.fill(block, memory.reshape(*lead, *shape.spans))
        return
    cells = scratch(np, "slab", (*lead, *shape.spans), sliding.work)
    sliding.fill(block, cells)
    line = -(-shape.spans[-1] // shape.phases)
    target = memory.reshape(*lead, *shape.spans[:-1], shape.phases, line)
    for phase in range(shape.phases):
        part = cells[..., phase :: shape.phases]
        target[..., phase, : part.shape[-1]] = part
        target[..., phase, part.shape[-1] :] = 0
