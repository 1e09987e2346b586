"""The most frequent of the samples under a footprint, the smallest of several.

NaN does not vote, nor does what lies outside where the border is ``missing``; where nothing votes,
floats give NaN. Floats that differ in their last bit are different; -0 comes before 0.
"""

from __future__ import annotations

from convcli.engine.algorithms.counted_mode import MODE
from convcli.engine.numerics import LIMITS
from convcli.engine.operations import CpuOnly
from convcli.engine.picks import Picked, Picks, footprint, pick
from convcli.engine.step import Signal, Slot
from convcli.kernels.kernel import Kernel

__all__ = ["OPERATION", "Mode"]


class Mode(CpuOnly):
    """The most frequent sample."""

    algorithms = MODE

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[Picks, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        weights = footprint(kernel, flip=slot.flip)
        return pick(kernel, slot, weights, slot.windows(kernel), _held(slot), slot.bounds)


OPERATION = Mode()


def _held(slot: Slot) -> Picked:
    """In which type samples are counted, and what stands outside among them."""
    dtype = slot.signal.dtype
    if dtype not in LIMITS:
        dtype = "float64" if dtype == "float64" else "float32"
    elif not slot.fits(dtype):
        dtype = "float64"
    return Picked(dtype, slot.border.outside, False, False)
