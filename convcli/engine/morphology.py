"""Erosion and dilation: the smallest and the largest sample under a footprint, flat or gray.

Erosion takes the cells that the footprint covers; dilation takes those of the mirrored footprint,
its anchor mirrored too, so that ``dilate:B(x) = -erode:mirrored B(-x)`` and each is the other's
adjoint. With the number 1 the weights are gray levels, which erosion subtracts and dilation adds;
every cell counts then. NaN does not vote, nor does what lies outside where the border is
``missing``; where nothing votes, floats give NaN.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.engine.algorithms.gray_morphology import GRAY
from convcli.engine.algorithms.run_minima import RUNS
from convcli.engine.extrema import Extrema, Picked, mirrored_padding
from convcli.engine.numerics import EPS64, LIMITS, Bounds, exact_type
from convcli.engine.step import Signal, Slot
from convcli.errors import UsageError
from convcli.kernels.kernel import Kernel

__all__ = ["OPERATION", "Morphology"]

KINDS = {"erode": (False, False), "dilate": (True, True), "largest": (True, False)}
"""Whether the largest is looked for, and whether the footprint is mirrored."""


class Morphology:
    """Extrema under a footprint; which, the kernel's operation says."""

    algorithms = (RUNS, GRAY)
    on_gpu = False

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[Extrema, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        if kernel.weights.ndim != 2:
            raise UsageError(f"kernel {kernel.name!r}: a footprint has rows and columns only")
        return extrema(kernel, slot, kernel.operation, gray=kernel.numbers == (1.0,))


OPERATION = Morphology()


def extrema(kernel: Kernel, slot: Slot, kind: str, *, gray: bool) -> tuple[Extrema, Signal]:
    """The problem of one of :data:`KINDS`, and what is known of the result."""
    largest, mirrored = KINDS[kind]
    weights = kernel.weights if gray else (kernel.weights != 0).astype(np.float64)
    if not gray and not weights.any():
        raise UsageError(f"kernel {kernel.name!r}: no cell of the footprint counts: all are 0")
    if mirrored:
        slot = slot._replace(padding=mirrored_padding(slot.padding))
    if mirrored != slot.flip:
        weights = weights[::-1, ::-1]
    if gray:
        unit = 1.0 if slot.raster else slot.white / 255.0
        weights = weights * (unit if largest else -unit)  # what is added
    picked = _held(slot, weights if gray else None, largest=largest)
    bounds = _reach(slot.bounds, weights) if gray else slot.bounds
    whole = picked.dtype in LIMITS
    kind_of_sums = (whole and bounds and exact_type(bounds)) or slot.precision
    exact = whole and kind_of_sums != slot.precision
    requantize = slot.requantize(
        bounds and [bounds], accumulate=kind_of_sums, exact=exact, absolute=kernel.absolute
    )
    problem = Extrema(
        slot,
        kernel.name,
        np.ascontiguousarray(weights)[None],
        slot.windows(kernel),
        slot.shape[2],
        requantize,
        accumulate=kind_of_sums,
        exact=exact,
        numbers=kernel.numbers,
        picked=picked,
    )
    error = slot.signal.error
    if bounds is not None and bounds.magnitude > 2**53 and not problem.stays:
        error += 4 * EPS64 * bounds.magnitude
    known = None if bounds is None else requantize._replace(ratio=1.0).bounds([bounds])
    return problem, Signal(slot.precision, known, error)


def _reach(values: Bounds | None, added: NDArray[np.float64]) -> Bounds | None:
    """Bounds of samples with any of the weights added."""
    if values is None:
        return None
    return Bounds(values.low + float(added.min()), values.high + float(added.max()))


class _Ends(NamedTuple):
    low: float
    high: float


def _held(slot: Slot, added: NDArray[np.float64] | None, *, largest: bool) -> Picked:
    """In which type samples are compared, and what stands outside among them."""
    dtype, border = slot.signal.dtype, slot.border
    omitted = border.mode == "missing"
    if dtype not in LIMITS:
        dtype = "float64" if dtype == "float64" else "float32"
        return Picked(dtype, float("nan") if omitted else border.value, largest, added is not None)
    ends, outside = _Ends(*LIMITS[dtype]), border.value
    if added is None and omitted:
        return Picked(dtype, ends.low if largest else ends.high, largest, gray=False)
    fits = not border.is_constant or (outside == int(outside) and not omitted)
    if added is None:
        held = dtype if fits and ends.low <= outside <= ends.high else "float64"
        return Picked(held, outside, largest, gray=False)
    assert slot.bounds is not None
    reach = slot.bounds.magnitude + float(np.abs(added).max())
    held = "float64"
    if fits and (added == np.rint(added)).all():
        held = "int32" if reach < 2**31 else "int64" if reach < 2**62 else "float64"
    return Picked(held, float("nan") if omitted else outside, largest, gray=True)
