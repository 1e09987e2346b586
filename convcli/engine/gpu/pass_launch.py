"""One pass of a kernel over a picture on a device: what its threads see, and how many there are."""

from __future__ import annotations

from typing import Any

import numpy as np

from convcli.engine.axis_maps import Span
from convcli.engine.gpu.blocks import BlockSize
from convcli.engine.gpu.device_protocol import Device
from convcli.engine.gpu.frame_layout import Readers, view_of
from convcli.engine.gpu.kernel_pass import Pass
from convcli.engine.gpu.row_maps import Rows, SeenCells, count_rows, seen_by
from convcli.engine.gpu.slabs import Slab, new_slab

__all__ = ["BLOCK", "ROWS_PER_LAUNCH", "launch_pass", "runs_of"]

BLOCK = (32, 4)
"""Threads of a block: a warp along a row, so that its loads are neighbours."""

ROWS_PER_LAUNCH = 1 << 17
"""A grid has at most 65535 blocks down, of 4 rows each at least."""

THREADS_WANTED = 1 << 19
"""Twice as many as the largest devices run at once; measured on an H200, where 2^17 took up to 1.6
times as long. With more, each thread walks down fewer rows and reads its neighbours' more often."""

FEWEST_PER_THREAD, MOST_PER_THREAD = 2, 32
"""Rows that a thread walks down."""

BLOCKS_WANTED = 1 << 10
"""Of blocks whose threads share memory: as many as the largest devices run at once, about."""

MOST_STEPS = 8
"""That a block walks down."""


def launch_pass(
    device: Device, each: Pass, slab: Slab, rows: Rows, same_rows: bool, counts: Any
) -> Slab:
    """Launch a pass for each run of neighbouring output rows.

    With ``same_rows`` its outputs lie where their inputs do: a pass across, of any rows.
    """
    samples_out = each.cols.output * each.channels_out
    result = new_slab(device, rows, samples_out, each.out_dtype, each.samples)
    if slab.data.dtype.name != each.dtype:
        slab = Slab(slab.data.astype(each.dtype), slab.rows, slab.samples)
    weights = device.kept(
        np.zeros(1, each.acc) if each.weights is None else each.weights.astype(each.acc)
    )
    cols = seen_by(each.cols, each.mode, (0, each.cols.output), ((0, each.cols.size),))
    border = np.dtype(each.dtype).type(each.border)
    threads = (each.block.threads, 1) if each.block else BLOCK
    begin = 0
    for start, stop in runs_of(((0, count_rows(rows)),) if same_rows else rows):
        count = stop - start
        seen = (
            SeenCells(count, 0, count, start, *(np.zeros(0, np.int32),) * 2)
            if same_rows
            else seen_by(each.rows, each.mode, (start, stop), slab.rows)
        )
        tile, grid = _grid(each, count, result.samples)
        readers = _readers(each, count, tile)
        view = view_of(device, slab.data, (seen, cols), readers, each.channels, border, each.skew)
        args = (
            slab.data,
            view.frame,
            result.data[begin : begin + count],
            weights,
            counts,
            np.int64(slab.data.shape[1]),
            np.int64(result.data.shape[1]),
            *view.arguments,
            np.int32(result.samples),
            np.int32(count),
            np.int32(tile),
        )
        device.launch(each.source, grid, threads, args)
        begin += count
    return result


def runs_of(rows: Rows) -> list[Span]:
    """Runs of neighbouring rows, none too long for a launch."""
    return [
        (a, min(a + ROWS_PER_LAUNCH, stop))
        for start, stop in rows
        for a in range(start, stop, ROWS_PER_LAUNCH)
    ]


def _readers(each: Pass, count: int, tile: int) -> tuple[Readers, Readers]:
    """Down and across, those of a launch that makes ``count`` rows, ``tile`` by each."""
    if each.block:
        return _words(each, count)
    stride, effective = each.rows.stride, each.rows.effective_kernel
    step, length = tile * stride, (tile - 1) * stride + effective
    samples = each.cols.output * each.channels_out
    if each.whole:
        return each.whole.readers((count, samples), (step, each.step), (length, each.span))
    threads = -(-samples // each.samples)
    return (
        Readers(-(-count // tile), step, length, (count - 1) * stride + effective),
        Readers(threads, each.step, each.span, (threads - 1) * each.step + each.span),
    )


def _words(each: Pass, count: int) -> tuple[Readers, Readers]:
    """Words of single rows: what a thread brings to the memory that a block shares."""
    rows = count - 1 + each.rows.effective_kernel
    step, halo = each.step, (each.cols.effective_kernel - 1) * each.channels
    words = -(-(each.skew + each.cols.output * each.channels + halo) // step)
    return (
        Readers(number=rows, step=1, length=1, end=rows),
        Readers(number=words, step=step, length=step - each.skew, end=words * step - each.skew),
    )


def _grid(each: Pass, rows: int, samples: int) -> tuple[int, tuple[int, int]]:
    """Rows per thread and blocks.

    A thread that walks far reads few rows twice, but then there are fewer threads. It reads as
    many rows before its first output as the kernel is high, so a high kernel wants a long walk.
    """
    if each.block:
        return _blocks(each.block, rows, samples)
    if each.whole:
        return each.tile, each.whole.grid((rows, samples))
    across = -(-samples // each.samples)
    least = max(FEWEST_PER_THREAD, each.rows.kernel_size)
    tile = each.tile or min(max(rows * across // THREADS_WANTED, least), MOST_PER_THREAD)
    return tile, (-(-across // BLOCK[0]), -(-rows // (tile * BLOCK[1])))


def _blocks(block: BlockSize, rows: int, samples: int) -> tuple[int, tuple[int, int]]:
    """Rows that a block makes, and blocks: no fewer than keep the largest devices busy."""
    across, steps = -(-samples // block.samples), -(-rows // block.rows)
    walked = max(min(steps * across // BLOCKS_WANTED, MOST_STEPS), 1)
    return walked * block.rows, (across, -(-steps // walked))
