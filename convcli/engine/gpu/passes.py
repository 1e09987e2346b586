"""Which kernels of our own carry out a step: one pass over memory, or two."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np

from convcli.arithmetic.window import conv_window
from convcli.engine.gpu.block_passes import across_down_pass, running_pass, toeplitz_pass
from convcli.engine.gpu.kernel_pass import MOST_CHANNELS, REGISTERS, KernelJob, Pass, span
from convcli.engine.gpu.kernel_source import UNROLLED, Shape, alignment
from convcli.engine.gpu.rolling_pass import rolling_pass
from convcli.engine.gpu.weight_text import (
    fit_bytes,
    fits_constant,
    is_whole,
    loaded,
    packed,
    packed_factors,
    words_of,
)
from convcli.engine.numerics import WHITE, Bounds, sum_bounds
from convcli.engine.requantize import Requantize
from convcli.engine.step import Step
from convcli.engine.weights import Factor, whole_factor

__all__ = ["leaves_sums", "passes_of"]

TYPES = {*WHITE, "float32", "float64"}
"""Of samples that the kernels read and write."""

WORTH_A_PASS = 64
"""Taps above which another pass over memory costs less than they do."""

CONVERTED = 6
"""Multiply-adds that making a float of a byte, and a byte of a float, cost as much as."""


def passes_of(step: Step, dtype: str, matrices: bool = True) -> tuple[Pass, ...] | None:
    """Passes for a step on a picture of this type, or ``None`` if array operations do it better.

    ``matrices`` says whether the device multiplies matrices of bytes.
    The first may want the picture as floats: a frame holds the border as samples, and kernels read
    few types. Where they do not write the step's either, the last leaves its sums.
    """
    if step.method.transform:
        return None
    if dtype not in TYPES:
        dtype = "float64" if step.accumulate == "float64" else "float32"
    if leaves_sums(step):
        if step.requantize.combine != "none":
            return None
        step = _summing(step)
    if step.border.is_constant:
        dtype = _holding(step.border.value, dtype, step.accumulate)
    acc = _accumulator(step, dtype)
    job = KernelJob(step.rows, step.cols, step.weights, step.requantize, dtype, acc, step)
    if step.is_bank:
        return _bank(job)
    factors = _factors(step)
    found = running_pass(job)
    if found is None and matrices and not factors:
        found = toeplitz_pass(job)
    found = found or _bytes(job, factors)
    if found is None and factors:
        found = across_down_pass(job, factors) or rolling_pass(job, factors)
    if found is not None:
        return (found,)
    if len(factors) == 1 and step.weights.size > WORTH_A_PASS:
        return _two_passes(job, factors[0])
    return _direct(job)


def leaves_sums(step: Step) -> bool:
    """Whether its passes make sums, since no kernel writes the samples."""
    return step.requantize.out_dtype not in TYPES


def _summing(step: Step) -> Step:
    """The step without its finish."""
    sums = copy(step)
    sums.requantize = _unfinished(step.requantize, _accumulator(step, ""))
    return sums


def _unfinished(requantize: Requantize, acc: str) -> Requantize:
    """Sums as they are."""
    return requantize._replace(
        combine="none",
        scale=1.0,
        bias=0.0,
        absolute=False,
        offset=0.0,
        ratio=1.0,
        out_dtype=acc,
        work="float32" if acc == "float32" else "float64",
        clip=False,
    )


def _holding(border: float, dtype: str, accumulate: str) -> str:
    """The type of a picture, or the one of its sums where only that holds the border."""
    if dtype in WHITE and 0 <= border <= WHITE[dtype] and border.is_integer():
        return dtype
    sums = "float64" if accumulate == "float64" else "float32"
    return sums if dtype in WHITE or float(np.float32(border)) != border else dtype


def _accumulator(step: Step, dtype: str) -> str:
    """Type of the sums on the device.

    float32 holds whole numbers to 2**24 as exactly as an integer does and multiplies twice as
    fast on current devices; beyond, 32-bit integers, since float64 is slow on most of them.
    """
    if step.accumulate != "float64":
        return "float32"
    if step.exact and dtype in WHITE and _reach(step, dtype) < 2**31:
        return "int32"
    return "float64"


def _reach(step: Step, dtype: str) -> float:
    """How far from 0 sums of samples of that type can be, partial ones included."""
    low, high = min(0.0, step.border.value), max(WHITE[dtype], step.border.value)
    return max(sum_bounds(w, Bounds(low, high)).magnitude for w in step.weights)


def _factors(step: Step) -> tuple[Factor, ...]:
    """The separable terms of all members in a row, if each has as many."""
    factors = step.method.factors
    if len({len(terms) for terms in factors}) != 1:
        return ()
    return tuple(term for terms in factors for term in terms)


def _bytes(job: KernelJob, factors: tuple[Factor, ...]) -> Pass | None:
    """The kernel for whole weights on bytes, if it is the better one and its bytes fit."""
    shape, weights = job.shape, job.weights
    if job.dtype != "uint8" or shape.stride[0] > 1 or shape.dilation[0] > 1 or job.is_scattered:
        return None
    reach = _reach(job.step, job.dtype)
    if not is_whole(weights) or reach >= 2**31:
        return None
    words, (height, width) = words_of(shape.kernel[0]), shape.kernel
    # Where members are columns times rows, each cell is multiplied once, and rows multiply the sums.
    apart = _columns_of_bytes(job) if len(factors) == job.members else []
    alone = words * np.count_nonzero(weights.any(axis=1)) if fit_bytes(weights) else np.inf
    most = len(factors) * (height + width) + CONVERTED if factors else np.inf
    for samples in job.widths():
        shape = shape._replace(samples=samples)
        seen = span(shape, width)
        if seen * (words + 1) + samples * job.members > REGISTERS or not alignment(shape, 1):
            continue
        cells = words * seen / samples  # a row moves each of them up by a byte
        shared = job.members * (cells + width) if apart else np.inf
        products = min(alone, shared)
        if products + cells <= most and products * samples <= UNROLLED:
            tables = packed_factors(apart) if shared < alone else packed(weights)
            integer = int(_in_integers(job.requantize, reach))
            job = replace(job, acc="int32")
            return job.done_by("bytes", shape, tables, INTEGER=integer)
    return None


def _columns_of_bytes(job: KernelJob) -> list[Factor]:
    """Each member as a whole column that bytes hold, times a whole row; nothing if one is none."""
    turned = [whole_factor(member.T) for member in job.weights]
    found = [(column, row) for row, column in filter(None, turned) if fit_bytes(column)]
    return found if len(found) == len(turned) else []


def _in_integers(requantize: Requantize, reach: float) -> bool:
    """Whether the whole formula is one of 32-bit integers, for sums as far from 0 as ``reach``."""
    return (
        requantize.out_dtype in WHITE
        and requantize.combine != "magnitude"
        and requantize.scale == requantize.ratio == 1
        and float(requantize.bias).is_integer()
        and float(requantize.offset).is_integer()
        and reach + abs(requantize.bias) + abs(requantize.offset) < 2**31
    )


def _direct(job: KernelJob) -> tuple[Pass, ...] | None:
    found = rolling_pass(job) or _wide(job)
    return None if found is None else (found,)


def _wide(job: KernelJob) -> Pass | None:
    """The kernel for any number of taps."""
    if job.is_scattered:
        return None
    shape, kw = job.shape, job.cols.kernel_size
    unit = 2 if job.acc == "float64" else 1
    widths = list(job.widths())
    samples = next((n for n in widths if n <= 8 // unit), widths[-1])
    shape = shape._replace(samples=samples)
    chunk = next(n for n in (8, 4, 2, 1) if n <= kw and (span(shape, n) * unit <= 24 or n == 1))
    tile = 1 if shape.dilation[0] > 1 else 8 if kw == 1 else 4
    while tile > 1 and tile * samples * unit > 64:
        tile //= 2
    return _loading(job, "wide", shape._replace(chunk=chunk), tile, TILE_H=tile)


def _loading(job: KernelJob, function: str, shape: Shape, tile: int, **constants: int) -> Pass:
    """A pass of a kernel that loads its weights."""
    return job.done_by(
        function,
        shape,
        loaded(job.weights, job.dtype, job.acc),
        tile,
        not fits_constant(job.weights, job.acc),
        **constants,
    )


def _two_passes(job: KernelJob, factor: Factor) -> tuple[Pass, ...] | None:
    """Across into an intermediate picture of sums, then down."""
    column, row = factor
    across = replace(
        job,
        rows=conv_window(job.rows.size, 1),
        weights=row[None, None],
        requantize=_unfinished(job.requantize, job.acc),
    )
    # A row outside the picture is constant, and so are its sums.
    border = job.step.border.value * float(row.sum())
    down = replace(
        job,
        cols=conv_window(job.cols.output, 1),
        weights=column[None, :, None],
        dtype=job.acc,
        border=border,
    )
    first, second = _direct(across), _direct(down)
    return None if first is None or second is None else first + second


def _bank(job: KernelJob) -> tuple[Pass, ...] | None:
    outputs, channels = job.weights.shape[:2]
    if max(outputs, channels) > 4 * MOST_CHANNELS:
        return None
    found = _loading(job, "bank", job.shape, 1, C_OUT=outputs)
    return (replace(found, samples=outputs),)
