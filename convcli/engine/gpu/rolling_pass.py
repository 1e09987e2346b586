"""The kernel that keeps all sums in registers: how much a thread makes, and what it takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convcli.engine.gpu.kernel_pass import REGISTERS, KernelJob, Pass, span
from convcli.engine.gpu.kernel_source import UNROLLED, Shape
from convcli.engine.gpu.weight_text import immediates
from convcli.engine.weights import Factor

__all__ = ["rolling_pass"]

OTHERS = 3
"""Registers for pointers and counters, beside what is in between."""

FORMULA = 4
"""Registers more where sums are scaled or shifted, and twice that where that is done in doubles."""

CAPS = ((7, 72), (6, 80), (5, 96), (4, 128), (3, 168))
"""Blocks on a multiprocessor, and the registers that their threads have. More are of no use to
kernels that have loads of the next row under way."""


def rolling_pass(job: KernelJob, factors: tuple[Factor, ...] = ()) -> Pass | None:
    """The pass of ``rolling``, if its sums fit."""
    shape, lines = job.shape, len(factors)
    members, (kh, kw) = job.members, shape.kernel
    rolls = shape.stride[0] == shape.dilation[0] == 1
    if job.is_scattered or (lines and not rolls):
        return None  # every output row would sum its rows across again
    taps = lines * (kh + kw) if lines else int(np.count_nonzero(job.weights))
    # Where a weight is 1 or comes twice, the assembler keeps cells and products for more than a sum.
    shared = 0 if lines or np.unique(np.abs(job.weights)).size == job.weights.size else 2
    for samples in job.widths():
        shape = shape._replace(samples=samples)
        sums = samples * (members * (kh if rolls else 1) + lines)
        registers = _registers(job, sums, shape) + (2 if lines else 3) * max(kh, 3) + shared
        if registers <= REGISTERS and taps * samples * (kh if rolls else 1) <= UNROLLED:
            found = job.done_by(
                "rolling",
                shape,
                immediates(job.weights, factors, members, job.acc),
                0 if rolls else 4,
                ROLLING=int(rolls),
                BLOCKS=_at_once(registers) if rolls and job.acc == "float32" else 1,
            )
            unrolled = samples * kh * (kh + kw if lines else kh * kw) if rolls else 0
            return replace(found, separable=bool(lines), unrolled=unrolled)
    return None


def _at_once(registers: int) -> int:
    """Blocks that a multiprocessor is asked to hold, where what a thread does is known well enough:
    other sums than floats, and strided rows that are all loaded at once, take what they take."""
    return next((blocks for blocks, most in CAPS if registers <= most), 1)


def _registers(job: KernelJob, sums: int, shape: Shape) -> int:
    """Registers of a thread of ``rolling``: sums, a row as it lies in memory and the next one.

    What is in between grows with the kernel's height, which the caller adds: the assembler does
    more at once. It is told to keep to the next of ``CAPS``, and manages without spilling.
    """
    item, before = job.item, job.skew(shape)
    # Words that are not needed are not loaded, but those of floats are loaded by fours.
    row = -(-(before * item % 4 + span(shape, shape.kernel[1]) * item) // 4)
    if item >= 4:
        row += before * item // 4 + 2
    finished = shape.samples * np.dtype(job.requantize.out_dtype).itemsize // 4
    finished += shape.samples * (len(job.weights) > 1) - shape.samples // 4
    finished += FORMULA * ((not job.requantize.plain) + (job.requantize.work == "float64") * 2)
    wide = 2 if job.acc == "float64" else 1
    return sums * wide + 2 * row + finished + OTHERS
