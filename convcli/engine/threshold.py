"""Thresholds: white where a sample is above a level, else black; 1 and 0 in a raster.

``>`` is OpenCV's, scikit-image's and ImageMagick's; a sample that equals the level is black. NaN
stays NaN.
"""

from __future__ import annotations

from math import nan

from convcli.engine.algorithms.compare_levels import COMPARE, Levels
from convcli.engine.numerics import LIMITS, Bounds
from convcli.engine.operations import CpuOnly
from convcli.engine.step import Problem, Signal, Slot
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import nearly_whole

__all__ = ["OPERATION", "Threshold"]


class Threshold(CpuOnly):
    """With a level as its number, which counts as a bias does, and that in the samples' own unit
    where it was found in them; without one it is planned, and cannot be carried out yet."""

    algorithms = (COMPARE,)

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[Problem, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        white = kernel.scale if slot.raster else slot.white
        bounds = Bounds(0.0, white)
        requantize = slot.requantize([bounds], accumulate=slot.precision, exact=False)
        if slot.signal.dtype not in LIMITS or slot.border.is_missing:
            requantize = requantize.with_nan()
        level = _level(kernel.numbers, slot)
        problem = Levels(slot, kernel, requantize, level=level, white=white)
        return problem, Signal(slot.precision, requantize.known([bounds]), 0.0)


OPERATION = Threshold()


def _level(numbers: tuple[float, ...], slot: Slot) -> float:
    """In the samples' own unit; of whole numbers what 16 bits make of a decimal fraction is meant."""
    if len(numbers) != 1:
        return numbers[1] if numbers else nan
    level = numbers[0] * slot.level
    return nearly_whole(level) if slot.signal.dtype in LIMITS else level
