"""Bilateral means: of the samples under a footprint, those that are near and alike count most.

A cell at the distance ``s`` from the centre of the window, in cells, and the distance ``r`` from its
value counts ``exp(-s s / (2 S S)) exp(-r r / (2 R R))``; the two sigmas are the kernel's numbers. In a
picture ``r`` is Euclidean over the channels, which all get one weight, so that edges get no coloured
fringe; in a raster each band is for itself. The centre always counts. NaN does not vote; where the
centre is NaN the result is.

Source: C. Tomasi and R. Manduchi, Bilateral filtering for gray and color images (1998).
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np

from convcli.engine.algorithms.bilateral_means import BILATERAL, Bilateral
from convcli.engine.numerics import EPS32, EPS64
from convcli.engine.operations import CpuOnly
from convcli.engine.picks import footprint
from convcli.engine.step import Problem, Signal, Slot
from convcli.errors import UsageError
from convcli.kernels.bilateral_weights import weights_by_distance
from convcli.kernels.kernel import Kernel

__all__ = ["OPERATION", "BilateralMean"]

WIDEST = 1e150
"""Largest sigma of range; a larger one is taken as this, since its square would be infinite.

Already here every weight is 1 unless samples differ by more than 1e142.
"""


class BilateralMean(CpuOnly):
    """With the numbers sigma of space, sigma of range and, where channels count jointly, 1."""

    algorithms = (BILATERAL,)

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[Problem, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        if len(kernel.numbers) < 2 or min(kernel.numbers[:2]) <= 0:
            raise UsageError(f"kernel {kernel.name!r}: its two numbers are sigmas, each above 0")
        space, alike = kernel.numbers[0], min(kernel.numbers[1] * slot.level, WIDEST)
        weights = weights_by_distance(footprint(kernel, flip=slot.flip), space)
        bounds, sums = slot.bounds, slot.precision
        requantize = slot.requantize(bounds and [bounds], accumulate=sums, exact=False)
        if slot.border.is_missing:
            requantize = requantize.with_nan()
        problem = Bilateral(
            slot,
            kernel,
            requantize,
            weights=weights,
            alike=alike,
            joint=len(kernel.numbers) > 2 or not slot.raster,
        )
        cells = int(np.count_nonzero(weights))
        largest = slot.white if bounds is None else bounds.magnitude
        # Samples that are off by e move the weights, too: by e times sums of w d d / (R R), which are
        # largest, 2 log(n), where n cells are as far as the centre outweighs.
        error = slot.signal.error * (1 + 4 * log(cells + 1)) + _rounding(cells, largest, sums)
        return problem, Signal(slot.precision, requantize.known(bounds and [bounds]), error)


OPERATION = BilateralMean()


def _rounding(cells: int, largest: float, sums: str) -> float:
    """Of weights to some units in the last place, and of sums of independent roundings."""
    return (EPS64 if sums == "float64" else EPS32) * largest * (4.0 + sqrt(cells))
