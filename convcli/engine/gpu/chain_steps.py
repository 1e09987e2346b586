"""A chain of steps on a device, which may be a GPU or, in tests, the CPU."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from convcli.engine.algorithms.in_turn import InTurn
from convcli.engine.gpu.array_steps import run_rows_on
from convcli.engine.gpu.device_protocol import Device
from convcli.engine.gpu.differences import difference_source, samples_of
from convcli.engine.gpu.kernel_source import COUNTERS
from convcli.engine.gpu.pass_launch import BLOCK, launch_pass, runs_of
from convcli.engine.gpu.passes import leaves_sums
from convcli.engine.gpu.row_maps import (
    Rows,
    count_rows,
    needed_rows,
    place_of,
    row_map,
    rows_in_turn,
)
from convcli.engine.gpu.slabs import Slab, new_slab, slab_of
from convcli.engine.gpu.step_passes import step_passes
from convcli.engine.numerics import loaded_type
from convcli.engine.plan import Plan, Step
from convcli.engine.requantize import Requantizer

__all__ = ["FFT_BYTES", "clipped_by", "new_counts", "run_resident", "run_steps"]

FFT_BYTES = 48
"""Per sample, of padded copies, spectra and sums."""

_passes = lru_cache(maxsize=64)(step_passes)


def run_resident(device: Device, plan: Plan, x: Any) -> tuple[Any, int]:
    """Filter a picture ``(H, W, C)`` that is on the device already; the result stays there."""
    x = x.astype(loaded_type(x.dtype.name), copy=False)
    slab = slab_of(device, x, ((0, x.shape[0]),))
    wanted = needed_rows(plan, ((0, plan.shape_out[0]),))
    counts = new_counts(device, plan)
    slab = run_steps(device, plan, slab, [slab.rows, *wanted[1:]], counts[0])
    return slab.data[:, : slab.samples].reshape(plan.shape_out), clipped_by(device, counts)


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
    passes = _passes(step, slab.data.dtype.name, device.multiplies_matrices)
    if passes is None:
        return _by_arrays(device, step, slab, rows, counts)
    for place, each in enumerate(passes):
        last = place == len(passes) - 1
        # A first pass across leaves the rows as they are.
        slab = launch_pass(device, each, slab, rows if last else slab.rows, not last, counts)
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
    for start, stop in runs_of(rows):
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


def _finished(device: Device, step: Step, slab: Slab, counts: Any) -> Slab:
    """Samples of a type that no kernel writes, from the sums of a step."""
    result = new_slab(device, slab.rows, slab.samples, step.requantize.out_dtype)
    sums, samples = (one.data[:, : slab.samples] for one in (slab, result))
    outside = Requantizer(step.requantize, device.xp).apply([sums], samples, count=True)
    counts[0] += np.uint64(outside)
    return result


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
