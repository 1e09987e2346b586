"""A chain of steps on a device, which may be a GPU or, in tests, the CPU.

A device has an array module ``xp``, and compiles and launches kernels. Pictures lie on it as
:class:`Slab`: rows that start at multiples of 16 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from convcli.engine.algorithms.in_turn import InTurn
from convcli.engine.axis_maps import Span
from convcli.engine.gpu.array_steps import run_rows_on
from convcli.engine.gpu.blocks import BlockSize
from convcli.engine.gpu.device_protocol import Device
from convcli.engine.gpu.differences import difference_source, samples_of
from convcli.engine.gpu.frame_layout import Readers, View, view_of
from convcli.engine.gpu.kernel_source import COUNTERS
from convcli.engine.gpu.passes import Pass, leaves_sums
from convcli.engine.gpu.row_maps import (
    Rows,
    SeenCells,
    count_rows,
    needed_rows,
    place_of,
    row_map,
    rows_in_turn,
    seen_by,
)
from convcli.engine.gpu.step_passes import step_passes
from convcli.engine.plan import Plan, Step
from convcli.engine.requantize import Requantizer

__all__ = [
    "FFT_BYTES",
    "ROWS_PER_LAUNCH",
    "Device",
    "Slab",
    "clipped_by",
    "new_counts",
    "new_slab",
    "pitch",
    "run_resident",
    "run_steps",
    "slab_of",
]

BLOCK = (32, 4)
"""Threads of a block: a warp along a row, so that its loads are neighbours."""

ROWS_PER_LAUNCH = 1 << 17
"""A grid has at most 65535 blocks down, of 4 rows each at least."""

FFT_BYTES = 48
"""Per sample, of padded copies, spectra and sums."""

THREADS_WANTED = 1 << 19
"""Twice as many as the largest devices run at once; measured on an H200, where 2^17 took up to 1.6
times as long. With more, each thread walks down fewer rows and reads its neighbours' more often."""

FEWEST_PER_THREAD, MOST_PER_THREAD = 2, 32
"""Rows that a thread walks down."""

BLOCKS_WANTED = 1 << 10
"""Of blocks whose threads share memory: as many as the largest devices run at once, about."""

MOST_STEPS = 8
"""That a block walks down."""


@dataclass(slots=True)
class Slab:
    """Some rows of a picture on a device.

    ``data`` is ``(rows, pitch)``; of each row the first ``samples`` are the picture's.
    """

    data: Any
    rows: Rows
    samples: int


def pitch(samples: int, dtype: str) -> int:
    """Samples from row to row, so that rows start at multiples of 16 bytes.

    >>> pitch(30, "uint8"), pitch(30, "float32")
    (32, 32)
    """
    per = 16 // np.dtype(dtype).itemsize
    return -(-samples // per) * per


def new_slab(device: Device, rows: Rows, samples: int, dtype: str, by: int = 1) -> Slab:
    """Room for rows that are written ``by`` samples at a time."""
    width = pitch(-(-samples // by) * by, dtype)
    return Slab(device.xp.empty((count_rows(rows), width), dtype), rows, samples)


def slab_of(device: Device, x: Any, rows: Rows) -> Slab:
    """Rows ``(N, W, C)`` that are on the device already, as they lie or copied."""
    flat = x.reshape(x.shape[0], -1)
    if _is_slab(device, flat):
        return Slab(flat, rows, flat.shape[1])
    slab = new_slab(device, rows, flat.shape[1], x.dtype.name)
    slab.data[:, : slab.samples] = flat
    return slab


def run_resident(device: Device, plan: Plan, x: Any) -> tuple[Any, int]:
    """Filter a picture ``(H, W, C)`` that is on the device already; the result stays there."""
    if x.dtype == np.float16:
        x = x.astype(np.float32)
    slab = slab_of(device, x, ((0, x.shape[0]),))
    wanted = needed_rows(plan, ((0, plan.shape_out[0]),))
    counts = new_counts(device, plan)
    slab = run_steps(device, plan, slab, [slab.rows, *wanted[1:]], counts[0])
    return slab.data[:, : slab.samples].reshape(plan.shape_out), clipped_by(device, counts)


def _is_slab(device: Device, flat: Any) -> bool:
    """Whether rows start at multiples of 16 bytes already; a view may begin anywhere."""
    return bool(
        flat.flags.c_contiguous
        and flat.shape[1] == pitch(flat.shape[1], flat.dtype.name)
        and device.address(flat) % 16 == 0
    )


def new_counts(device: Device, plan: Plan, strips: int = 1) -> Any:
    """Samples outside the range after each step of each strip, counted on the device."""
    return device.xp.zeros((strips, len(plan.steps), COUNTERS), np.uint64)


def clipped_by(device: Device, counts: Any) -> int:
    """Samples outside the range after the last step of strips; waits for what counts them."""
    return int(device.host(counts)[:, -1].sum())


def run_steps(device: Device, plan: Plan, slab: Slab, wanted: list[Rows], counts: Any) -> Slab:
    """The last rows ``wanted`` from a slab of the first; nothing waits for the device.

    ``counts`` are those of one strip, from :func:`new_counts`.
    """
    for number, step in enumerate(plan.steps):
        slab = _run_step(device, step, slab, wanted[number + 1], counts[number])
    return slab


def _run_step(device: Device, step: Step, slab: Slab, rows: Rows, counts: Any) -> Slab:
    """Some rows of what a step makes of a slab."""
    problem = step.method.problem
    if isinstance(problem, InTurn):
        return _in_turn(device, problem, slab, rows, counts)
    passes = _passes(step, slab.data.dtype.name)
    if passes is None:
        return _by_arrays(device, step, slab, rows, counts)
    for place, each in enumerate(passes):
        last = place == len(passes) - 1
        # A first pass across leaves the rows as they are.
        slab = _run_pass(device, each, slab, rows if last else slab.rows, not last, counts)
    return _finished(device, step, slab, counts) if leaves_sums(step) else slab


def _in_turn(device: Device, problem: InTurn, slab: Slab, rows: Rows, counts: Any) -> Slab:
    """Several steps of one input, and the difference of two of their results."""
    values = [slab]
    for (step, source), wanted in zip(problem.turns, rows_in_turn(problem, rows)[1:], strict=True):
        last = len(values) == len(problem.turns) and not problem.difference
        into = counts if last else device.xp.zeros(COUNTERS, np.uint64)
        values.append(_run_step(device, step, values[source], wanted, into))
    if not problem.difference:
        return values[-1]
    first, second = (values[value] for value in problem.difference)
    dtype = first.data.dtype.name
    kernel, per_thread = difference_source(problem, dtype), samples_of(problem, dtype)
    result = new_slab(device, rows, first.samples, problem.requantize.out_dtype, per_thread)
    begin = 0
    for start, stop in _cut(rows):
        args = [result.data[begin : begin + stop - start], counts]
        for each in (second, first):
            place = place_of(start, each.rows)
            args.insert(0, each.data[place : place + stop - start])
        pitches = [np.int64(each.data.shape[1]) for each in (first, second, result)]
        sizes = np.int32(result.samples), np.int32(stop - start)
        grid = -(-result.samples // (per_thread * BLOCK[0])), -(-(stop - start) // BLOCK[1])
        device.launch(kernel, grid, BLOCK, (*args, *pitches, *sizes))
        begin += stop - start
    return result


_passes = lru_cache(maxsize=64)(step_passes)


def _run_pass(
    device: Device, each: Pass, slab: Slab, rows: Rows, same_rows: bool, counts: Any
) -> Slab:
    """Launch a pass for each run of neighbouring output rows."""
    samples_out = each.cols.output * each.channels_out
    result = new_slab(device, rows, samples_out, each.out_dtype, each.samples)
    if slab.data.dtype.name != each.dtype:
        slab = Slab(slab.data.astype(each.dtype), slab.rows, slab.samples)
    weights = device.kept(
        np.zeros(1, each.acc) if each.weights is None else each.weights.astype(each.acc)
    )
    cols = seen_by(each.cols, each.mode, (0, each.cols.output), ((0, each.cols.size),))
    begin = 0
    for start, stop in _cut(rows) if not same_rows else _cut(((0, count_rows(rows)),)):
        count = stop - start
        seen = (
            SeenCells(count, 0, count, start, *(np.zeros(0, np.int32),) * 2)
            if same_rows
            else seen_by(each.rows, each.mode, (start, stop), slab.rows)
        )
        tile, grid = _grid(each, count, result.samples)
        view = _view(device, each, slab, (seen, cols), count, tile)
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
        threads = (each.block.threads, 1) if each.block else BLOCK
        device.launch(each.source, grid, threads, args)
        begin += count
    return result


def _view(
    device: Device, each: Pass, slab: Slab, seen: tuple[SeenCells, SeenCells], count: int, tile: int
) -> View:
    """What the threads of a launch see that makes ``count`` rows."""
    stride, effective = each.rows.stride, each.rows.effective_kernel
    border = np.dtype(each.dtype).type(each.border)
    if each.block:
        return view_of(
            device, slab.data, seen, _words(each, count), each.channels, border, each.skew
        )
    if each.whole:
        step = tile * stride, each.step
        seen_by_each = (tile - 1) * stride + effective, each.span
        made = count, each.cols.output * each.channels_out
        readers = each.whole.readers(made, step, seen_by_each)
        return view_of(device, slab.data, seen, readers, each.channels, border, each.skew)
    down = Readers(
        number=-(-count // tile),
        step=tile * stride,
        length=(tile - 1) * stride + effective,
        end=(count - 1) * stride + effective,
    )
    threads = -(-each.cols.output * each.channels_out // each.samples)
    end = (threads - 1) * each.step + each.span
    across = Readers(number=threads, step=each.step, length=each.span, end=end)
    return view_of(device, slab.data, seen, (down, across), each.channels, border, each.skew)


def _words(each: Pass, count: int) -> tuple[Readers, Readers]:
    """Words of single rows: what a thread brings to the memory that a block shares."""
    rows = count - 1 + each.rows.effective_kernel
    step, halo = each.step, (each.cols.effective_kernel - 1) * each.channels
    words = -(-(each.skew + each.cols.output * each.channels + halo) // step)
    return (
        Readers(number=rows, step=1, length=1, end=rows),
        Readers(number=words, step=step, length=step - each.skew, end=words * step - each.skew),
    )


def _cut(runs: Rows) -> list[Span]:
    return [
        (a, min(a + ROWS_PER_LAUNCH, stop))
        for start, stop in runs
        for a in range(start, stop, ROWS_PER_LAUNCH)
    ]


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


def _finished(device: Device, step: Step, slab: Slab, counts: Any) -> Slab:
    """Samples of a type that no kernel writes, from the sums of a step."""
    result = new_slab(device, slab.rows, slab.samples, step.requantize.out_dtype)
    sums, samples = (one.data[:, : slab.samples] for one in (slab, result))
    outside = Requantizer(step.requantize, device.xp).apply([sums], samples, count=True)
    counts[0] += np.uint64(outside)
    return result


def _blocks(block: BlockSize, rows: int, samples: int) -> tuple[int, tuple[int, int]]:
    """Rows that a block makes, and blocks: no fewer than keep the largest devices busy."""
    across, steps = -(-samples // block.samples), -(-rows // block.rows)
    walked = max(min(steps * across // BLOCKS_WANTED, MOST_STEPS), 1)
    return walked * block.rows, (across, -(-steps // walked))


def _by_arrays(device: Device, step: Step, slab: Slab, rows: Rows, counts: Any) -> Slab:
    """A step that array operations do, such as one by FFT."""
    channels = step.shape_in[2]
    x = slab.data[:, : slab.samples].reshape(count_rows(slab.rows), -1, channels)
    result = new_slab(
        device, rows, step.shape_out[1] * step.shape_out[2], step.requantize.out_dtype
    )
    begin = 0
    for start, stop in rows:
        count = stop - start
        places = row_map(step.rows, step.border.mode, (start, stop), slab.rows)
        done, outside = run_rows_on(device.xp, step, x, places, count)
        result.data[begin : begin + count, : result.samples] = done.reshape(count, -1)
        counts[0] += np.uint64(outside)
        begin += count
    return result
