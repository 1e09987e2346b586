"""What a filter costs on either side, in units that no machine's speed is in yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from convcli.engine.costs import gpu_operations, gpu_traffic, row_name, split
from convcli.engine.gpu.cubin_cache import CubinCache
from convcli.engine.gpu.frame_layout import frame_source
from convcli.engine.gpu.kernel_pass import Pass
from convcli.engine.gpu.step_passes import parts_of, step_passes
from convcli.engine.numerics import WHITE, loaded_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convcli.engine.plan import Plan, Step

__all__ = ["PassWork", "Workload", "compile_seconds", "mean_of", "workload_of"]

FINISHED = 14.0
"""Instructions a sample besides its multiply-adds: loads, conversions, rounding, clipping; counted
in the disassembly of 3x3 filters of bytes."""

WHOLE_EFFORT, SEPARABLE_EFFORT = 1.2, 1.9
"""Of the instructions for a multiply-add: where samples have to become floats first, and where a
row of sums is handed down. Counted in the disassembly of 7x7 to 31x31 filters."""

COMPILE_LEAST, COMPILE_EACH = 0.06, 0.00018
"""Seconds of NVRTC for a kernel, and for each multiply-add in its unrolled loops: a line through
49 of our kernels, 0.06 to 0.67 s each, on an AMD EPYC."""

COMPILE_SECONDS = {"wide": 0.1, "bank": 0.1, "bytes": 0.13, "toeplitz": 0.15}
COMPILE_MOST = 0.35
"""Of other kernels by their names, and of those with none here."""

COMPILE_FRAME = 0.15
"""Of the kernel that fills what lies outside, one for all filters."""

COMPILE_OTHERS = 0.5
"""Of the kernels of CuPy's own that a transform takes, together."""

ARRAY_LAUNCHES = 12.0
"""Of a step by whole-array operations."""


class PassWork(NamedTuple):
    """A launch: bytes read and written, multiply-adds in float32 or integers, and in float64."""

    traffic: float
    operations: float
    doubles: float
    launches: float = 1.0
    more_without: float = 0.0
    """Multiply-adds that a device needs beside these if it does not multiply matrices."""


class Workload(NamedTuple):
    """What one picture costs.

    Parameters
    ----------
    loops
        Seconds of one thread of the CPU by the engine's cost table: the row and type, what is fixed, what
        its units of work take.
    threads
        Of the CPU, for one picture.
    passes
        On the GPU, one after the other.
    bytes_in, bytes_out
        Over the bus.
    compile
        Seconds that a compiler of nominal speed takes for the kernels that are not in the cache.
    kernels
        To load.
    codec
        Seconds of one thread to decode and encode, on whichever backend, of a machine as fast as
        that of the cost table.
    """

    loops: tuple[tuple[str, float, float], ...]
    threads: int
    passes: tuple[PassWork, ...]
    bytes_in: float
    bytes_out: float
    compile: float
    kernels: int
    codec: float = 0.0


def workload_of(on_cpu: Plan, on_gpu: Plan) -> Workload:
    """What a filter costs by its plans for the two."""
    passes: list[PassWork] = []
    sources = {}
    compiling, dtype = 0.0, loaded_type(on_gpu.dtype)
    cache = CubinCache()
    for step in on_gpu.steps:
        for part in parts_of(step):
            found = step_passes(part, dtype)
            if found is None:
                passes.append(_by_arrays(part, dtype))
                compiling += COMPILE_OTHERS
            else:
                passes += _works(part, found)
                sources.update({each.source.key: each for each in found})
        dtype = step.requantize.out_dtype
    for each in sources.values():
        if not cache.holds(each.source):
            compiling += _seconds_of(each)
    if sources and not cache.holds(frame_source()):
        compiling += COMPILE_FRAME
    return Workload(
        loops=tuple(map(_loop, on_cpu.steps)),
        threads=on_cpu.threads,
        passes=tuple(passes),
        bytes_in=_bytes(on_cpu.shape_in, on_cpu.dtype),
        bytes_out=_bytes(on_cpu.shape_out, on_cpu.out_dtype),
        compile=compiling,
        kernels=len(sources) + bool(sources),  # with the one that fills frames
    )


def mean_of(works: Sequence[Workload]) -> Workload:
    """What a picture costs that stands for several; a kernel serves all."""
    share = 1.0 / len(works)
    first = works[0]
    return first._replace(
        loops=tuple(
            (r, fixed * share, units * share) for w in works for r, fixed, units in w.loops
        ),
        passes=tuple(
            PassWork(*(value * share for value in each)) for work in works for each in work.passes
        ),
        bytes_in=sum(work.bytes_in for work in works) * share,
        bytes_out=sum(work.bytes_out for work in works) * share,
        compile=max(work.compile for work in works),
        kernels=max(work.kernels for work in works),
        codec=sum(work.codec for work in works) * share,
    )


def compile_seconds(plan: Plan) -> float:
    """Seconds of a compiler of nominal speed for the first step of a plan, whatever is cached."""
    return COMPILE_FRAME + sum(map(_seconds_of, step_passes(plan.steps[0], plan.dtype) or ()))


def _loop(step: Step) -> tuple[str, float, float]:
    estimate = step.method.estimate
    fixed, units = (float(np.prod(step.shape_out)) * 1e-9 * ns for ns in split(estimate))
    return row_name(estimate, step.dtype), fixed, units


def _bytes(shape: Sequence[int], dtype: str) -> float:
    return float(np.prod(shape)) * np.dtype(dtype).itemsize


def _works(step: Step, passes: Sequence[Pass]) -> list[PassWork]:
    """Each pass reads a picture and writes one; they share the step's arithmetic.

    A pass is two launches, the first of which fills what lies outside.
    """
    found = []
    each_pass = gpu_operations(step.accumulate, step.cost) / len(passes)
    for each in passes:
        taps = each_pass * _effort(each)
        outputs = float(each.rows.output) * each.cols.output * each.channels_out
        traffic = _bytes((each.rows.size, each.cols.size, each.channels), each.dtype)
        traffic += outputs * np.dtype(each.out_dtype).itemsize
        double = each.acc == "float64"
        finish = outputs * FINISHED
        more = outputs * _more_without(step, each, taps)
        found.append(
            PassWork(
                traffic,
                finish + (not double) * outputs * taps,
                double * outputs * taps,
                2.0,
                more,
            )
        )
    return found


def _more_without(step: Step, each: Pass, taps: float) -> float:
    """Multiply-adds, for a sample, that a kernel takes beside these which multiplies numbers, if
    this one multiplies matrices."""
    if each.source.function != "toeplitz":
        return 0.0
    return max(float(np.count_nonzero(step.weights)) * WHOLE_EFFORT - taps, 0.0)


def _effort(each: Pass) -> float:
    """Instructions for a multiply-add, beside those of a large kernel on floats."""
    if each.separable:
        return SEPARABLE_EFFORT
    return WHOLE_EFFORT if each.source.function == "wide" and each.dtype in WHITE else 1.0


def _by_arrays(step: Step, dtype: str) -> PassWork:
    """A step by transforms or other operations on whole arrays, as so much traffic."""
    outputs = float(np.prod(step.shape_out))
    traffic = gpu_traffic(outputs * step.cost)
    traffic += _bytes(step.shape_in, dtype) + outputs * np.dtype(step.requantize.out_dtype).itemsize
    return PassWork(traffic, 0.0, 0.0, ARRAY_LAUNCHES)


def _seconds_of(each: Pass) -> float:
    if each.unrolled:
        return COMPILE_LEAST + COMPILE_EACH * each.unrolled
    return COMPILE_SECONDS.get(each.source.function, COMPILE_MOST)
