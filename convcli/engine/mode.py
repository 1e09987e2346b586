"""The most frequent of the samples under a footprint, the smallest of several.

NaN does not vote, nor does what lies outside where the border is ``missing``; where nothing votes,
floats give NaN. Floats that differ in their last bit are different; -0 comes before 0.
"""

from __future__ import annotations

import numpy as np

from convcli.engine.algorithms.counted_mode import MODE
from convcli.engine.numerics import LIMITS, exact_type
from convcli.engine.picks import Picked, Picks
from convcli.engine.step import Problem, Signal, Slot
from convcli.errors import UsageError
from convcli.kernels.kernel import Kernel

__all__ = ["OPERATION", "Mode"]


class Mode:
    """The most frequent sample."""

    algorithms = MODE
    on_gpu = False

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[Problem, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        if kernel.weights.ndim != 2:
            raise UsageError(f"kernel {kernel.name!r}: a footprint has rows and columns only")
        weights = (kernel.weights != 0).astype(np.float64)
        if not weights.any():
            raise UsageError(f"kernel {kernel.name!r}: no cell of the footprint counts: all are 0")
        weights = weights[::-1, ::-1] if slot.flip else weights
        picked, bounds = _held(slot), slot.bounds
        whole = slot.signal.dtype in LIMITS and picked.dtype in LIMITS
        sums = (whole and bounds and exact_type(bounds)) or slot.precision
        exact = sums != slot.precision
        requantize = slot.requantize(bounds and [bounds], accumulate=sums, exact=exact)
        if np.isnan(picked.outside):
            requantize = requantize._replace(nan=True, clip=requantize.out_dtype in LIMITS)
        problem = Picks(
            slot,
            kernel.name,
            np.ascontiguousarray(weights)[None],
            slot.windows(kernel),
            slot.shape[2],
            requantize,
            accumulate=sums,
            exact=exact,
            numbers=kernel.numbers,
            picked=picked,
        )
        known = None if bounds is None else requantize._replace(ratio=1.0).bounds([bounds])
        error = slot.signal.error + problem.rounding(bounds)
        return problem, Signal(slot.precision, known, error)


OPERATION = Mode()


def _held(slot: Slot) -> Picked:
    """In which type samples are counted, and what stands outside among them."""
    dtype, border = slot.signal.dtype, slot.border
    if dtype not in LIMITS:
        dtype = "float64" if dtype == "float64" else "float32"
    elif border.is_constant:
        low, high = LIMITS[dtype]
        fits = border.value.is_integer() and low <= border.value <= high
        if not fits or border.mode == "missing":
            dtype = "float64"
    return Picked(dtype, float("nan") if border.mode == "missing" else border.value, False, False)
