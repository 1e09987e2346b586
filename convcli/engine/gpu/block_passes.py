"""Kernels whose blocks share memory: separable sums, sums of boxes that slide, products of matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convcli.engine.gpu.blocks import PER_CLOCK, QUAD, across_down_tile, running_tile
from convcli.engine.gpu.kernel_pass import KernelJob, Pass
from convcli.engine.gpu.kernel_source import Shape
from convcli.engine.gpu.toeplitz_tile import WIDE, products_for
from convcli.engine.gpu.weight_text import immediates
from convcli.engine.numerics import WHITE
from convcli.engine.weights import Factor

__all__ = ["across_down_pass", "running_pass", "toeplitz_pass"]

FEWEST_SHARED = 16
"""Taps, down and across, below which sums in registers cost less than sums in shared memory."""

CLOCKS_OF_A_BYTE = 0.077
"""Of one of the 132 multiprocessors of an H100, for a byte of memory."""


def across_down_pass(job: KernelJob, factors: tuple[Factor, ...]) -> Pass | None:
    """The pass of ``across_down``, if it is the better one and its sums fit."""
    shape = job.shape
    if shape.stride != (1, 1) or sum(shape.kernel) < FEWEST_SHARED:
        return None
    word = 16 // job.item
    before = job.skew(shape._replace(samples=word))
    tile = across_down_tile(shape, len(factors), job.members, job.types, before)
    if tile is None or (len(factors) == 1 and tile.cost > _cost_of_two_passes(shape, job.types)):
        return None
    found = job.done_by(
        "across_down",
        shape._replace(samples=tile.columns),
        immediates(job.weights, factors, job.members, job.acc),
        **tile.constants(job.requantize.out_dtype),
    )
    return replace(found, samples=QUAD, step=word, block=tile.block, separable=True)


def _cost_of_two_passes(shape: Shape, kinds: tuple[str, str, str]) -> float:
    """Clocks of a multiprocessor for a sample: instructions, or bytes, of which the sums are most."""
    read, held, written = (np.dtype(kind).itemsize for kind in kinds)
    return max(2 * sum(shape.kernel) / PER_CLOCK, (read + 2 * held + written) * CLOCKS_OF_A_BYTE)


def running_pass(job: KernelJob) -> Pass | None:
    """The pass of ``running``, if the plan slides sums, the border is a sample, and they fit."""
    shape = job.shape
    if not job.step.method.slides or job.dtype not in WHITE:
        return None
    tile = running_tile(shape, job.cols.before, job.item)
    if tile is None:
        return None
    found = replace(job, acc="int32").done_by(
        "running",
        shape._replace(samples=tile.samples),
        CHUNKS=tile.chunks,
        WEIGHT=int(job.weights.flat[0]),
        PAIRS=int(job.item == 1 and shape.kernel[0] * 255 < 1 << 16),
    )
    return replace(found, block=tile.block)


def toeplitz_pass(job: KernelJob) -> Pass | None:
    """The pass of ``toeplitz``, if it is the better one and its weights fit."""
    found = products_for(job.step) if job.dtype == "uint8" else None
    if found is None:
        return None
    tile, digits = found
    exact, shape = job.step.exact, job.shape
    made = replace(job, acc="int32" if exact else "float32").done_by(
        "toeplitz",
        shape._replace(samples=WIDE * shape.channels),
        tile.text(digits),
        WHOLE_WEIGHTS=int(exact),
        **tile.constants(job.requantize.out_dtype),
    )
    return replace(made, samples=QUAD, step=16, block=tile.block(shape.channels))
