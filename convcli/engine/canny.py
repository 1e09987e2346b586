"""Canny's edges: white lines one pixel thin where brightness changes most, black elsewhere.

The picture is blurred by a Gaussian, and Sobel's two derivatives say how steep it is, and whereto;
of several colours the steepest is taken. A pixel is an edge where it is steeper than its neighbours
along the gradient, between which is interpolated (of two that are alike the upper or left one), and
where that is at least ``low`` and it hangs together with one where it is at least ``high``. Both
count the levels of a step between two flat areas: steepness is divided by what such a step of 1
comes to after the blur. In a raster each band is for itself, and edges are 1.

Where the window of a gradient lacks a sample there is no edge; where the centre is NaN the result is.
Outside the picture nothing is steep.

Source: J. Canny, A computational approach to edge detection (1986); interpolation as in scikit-image.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from convcli.arithmetic.borders import Border
from convcli.engine.algorithms import choose
from convcli.engine.algorithms.box_filter import BOX
from convcli.engine.algorithms.canny_edges import CANNY, Edges
from convcli.engine.algorithms.direct_correlation import DIRECT
from convcli.engine.algorithms.separable_correlation import SEPARABLE
from convcli.engine.correlate import OPERATION as CORRELATE
from convcli.engine.numerics import LIMITS, Bounds
from convcli.engine.operations import CpuOnly
from convcli.engine.step import Problem, Signal, Slot, Step
from convcli.errors import UsageError
from convcli.kernels.formulas import gaussian_row
from convcli.kernels.kernel import Kernel

__all__ = ["OPERATION", "Canny"]

ACROSS = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
_STEEPEST = 4.0
"""What Sobel's sums make of a step of 1 that is not blurred."""


class Canny(CpuOnly):
    """With the numbers low, high, sigma and, where channels are colours, 1."""

    algorithms = (CANNY,)

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[Problem, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        low, high, sigma = kernel.numbers[:3]
        joint = len(kernel.numbers) > 3 or not slot.raster
        windows = slot.windows(kernel)
        for axis in windows:
            middle = (axis.kernel_size - 1) // 2
            steps = axis.stride, axis.dilation
            if steps != (1, 1) or (axis.before, axis.output) != (middle, axis.size):
                raise UsageError(
                    f"kernel {kernel.name!r} follows edges from pixel to pixel: it takes no --stride "
                    "and --dilation but 1, and no --padding but same"
                )
        radius = ceil(3 * sigma)
        row = gaussian_row(sigma, radius) if sigma else np.ones(1)
        blur, across, down, touched, step = _steps(slot, row, joint=joint)
        white = kernel.scale if slot.raster else slot.white
        bounds = Bounds(0.0, white)
        requantize = slot.requantize([bounds], accumulate=slot.precision, exact=False)
        lacks = slot.border.is_missing
        if slot.signal.dtype not in LIMITS:
            requantize = requantize.with_nan()
        unit = _STEEPEST * slot.level * step
        problem = Edges(
            slot,
            kernel,
            requantize,
            channels=1 if joint else None,
            blur=blur,
            slopes=(across, down),
            touched=touched,
            lacks=lacks,
            joint=joint,
            limits=(low * unit, high * unit),
            white=white,
        )
        return problem, Signal(slot.precision, requantize.known([bounds]), 0.0)


OPERATION = Canny()


def _steps(
    slot: Slot, row: np.ndarray, *, joint: bool
) -> tuple[Step | None, Step, Step, Step, float]:
    """Blur, the two slopes, how many cells of a gradient's window are missing, and the height of a step
    of 1 after the blur, between the two neighbours of a pixel beside it."""
    lacks = slot.border.is_missing
    border = Border("edge") if lacks else slot.border
    slot = slot._replace(
        target="", range="clip", padding="same", stride=1, dilation=1, flip=False, border=border
    )
    middle = len(row) // 2
    step = float(row[middle] + row[middle + 1]) if middle else 1.0
    blur, at = None, slot
    if middle:
        problem, signal = CORRELATE.problem(Kernel(np.outer(row, row), name="blur"), slot)
        blur, at = _chosen(problem), slot._replace(signal=signal)
    across, down = (
        _chosen(CORRELATE.problem(Kernel(weights, name="slope"), at)[0])
        for weights in (ACROSS, ACROSS.T)
    )
    side = 2 * middle + 3
    there = slot._replace(
        shape=(*slot.shape[:2], 1 if joint else slot.shape[2]),
        signal=Signal("uint8", Bounds(0.0, 1.0), 0.0),
        border=Border("constant", 1.0) if lacks else Border(border.mode, 0.0),
    )
    counted, _ = CORRELATE.problem(Kernel(np.ones((side, side)), name="missing"), there)
    return blur, across, down, _chosen(counted), step


def _chosen(problem: Problem) -> Step:
    """By any algorithm but transforms, by which what is missing would be everywhere."""
    return choose(problem, (DIRECT, SEPARABLE, BOX))
