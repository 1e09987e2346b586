"""Variance and standard deviation of the samples under a footprint, divided by their number.

Of whole numbers they are exact, ``(n S2 - S1 S1) / (n n)`` with sums that 64 bits hold, and rounded
once; of others they are summed in float64 about a value in the midst of the tile. NaN does not vote,
nor does what lies outside where the border is ``missing``; where nothing votes, there is NaN.
"""

from __future__ import annotations

from convcli.engine.algorithms.moments import MOMENTS, Moments
from convcli.engine.numerics import EPS32, EPS64, LIMITS, Bounds
from convcli.engine.operations import CpuOnly
from convcli.engine.picks import footprint
from convcli.engine.step import Problem, Signal, Slot
from convcli.kernels.kernel import Kernel

__all__ = ["OPERATION", "Spread"]


class Spread(CpuOnly):
    """With the number 0 the variance, with 1 its root, times the kernel's scale."""

    algorithms = (MOMENTS,)

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[Problem, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        root, weights = kernel.numbers == (1.0,), footprint(kernel, flip=slot.flip)
        reach, bounds = slot.white, None
        if slot.bounds is not None:
            reach = (slot.bounds.high - slot.bounds.low) / 2
            bounds = Bounds(0.0, reach if root else reach**2)
        unit = kernel.scale
        requantize = slot.requantize(
            bounds and [bounds], accumulate="float64", exact=False, scale=unit
        )
        if not root:
            requantize = requantize._replace(scale=unit * requantize.ratio)  # squares of white
        whole = _whole(slot, int(weights.sum()))
        if slot.border.is_missing:
            requantize = requantize.with_nan()
        problem = Moments(
            slot,
            kernel,
            requantize,
            weights=weights,
            accumulate="float64",
            whole=whole,
            root=root,
        )
        gain = unit if root else 4 * reach * unit
        fine = EPS64 if slot.precision == "float64" else EPS32
        error = gain * slot.signal.error + 4 * fine * unit * (reach if root else reach**2)
        return problem, Signal(slot.precision, requantize.known(bounds and [bounds]), error)


OPERATION = Spread()


def _whole(slot: Slot, cells: int) -> bool:
    """Whether all cells vote, are whole numbers, and 64 bits hold what is made of their sums."""
    if slot.signal.dtype not in LIMITS or slot.border.is_missing or slot.bounds is None:
        return False
    fits = not slot.border.is_constant or slot.border.value.is_integer()
    return fits and (cells * int(slot.bounds.magnitude)) ** 2 < 2**63
