"""Alpha that is left as it is: by kernels that measure differences, or single pixels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from convcli.engine.plan import Plan
from convcli.kernels.kernel import Kernel

__all__ = ["leaves_alpha", "picker", "picks_in_place"]


def leaves_alpha(kernel: Kernel) -> bool:
    """Whether a kernel acts on colour alone."""
    if kernel.shape == (1, 1) or not kernel.is_correlation or kernel.combine != "none":
        return True
    size = float(np.abs(kernel.weights).sum())
    return abs(float(kernel.weights.sum())) <= 1e-9 * size


@lru_cache(maxsize=64)
def picker(shape: tuple[int, int]) -> Kernel:
    """The kernel of ``shape`` that gives each position the pixel under its centre.

    The centre of an even size is the one before the middle: the extra row is at the end.
    """
    height, width = shape
    weights = np.zeros(shape)
    weights[(height - 1) // 2, (width - 1) // 2] = 1
    return Kernel(weights, name="centre")


def picks_in_place(plan: Plan) -> bool:
    """Whether each output of a plan of pickers is the input at its own place."""
    return all(
        axis.stride == 1
        and axis.output == axis.size
        and axis.before == (axis.effective_kernel - 1) // 2
        for step in plan.steps
        for axis in (step.rows, step.cols)
    )
