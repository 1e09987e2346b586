"""Whether a picture is flat, and how far apart rounding then sets its results.

Sums of floats depend on the order of their terms, which differs from row to row: a flat picture has
results that differ in their last bits, and ``stretch`` would make black and white of them.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from convcli.engine.numerics import EPS32, EPS64

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from convcli.engine.plan import Plan

__all__ = ["Sample", "SamplesSeen", "flat_level", "rounding"]

Sample: TypeAlias = tuple[int, float]
"""A channel, and a value in it."""


class SamplesSeen:
    """Samples of a picture: one of each channel while it is flat, and two of one if it is not.

    Missing samples, which are NaN or ``hole``, do not count. After the first two that differ nothing
    is looked at. Threads may show regions in any order: whether two differ does not depend on it.

    >>> flat, noise = SamplesSeen(), SamplesSeen()
    >>> flat.look(np.full((9, 9, 2), 7.0)), noise.look(np.arange(18.0).reshape(3, 3, 2))
    (None, None)
    >>> sorted(flat.found), sorted(noise.found)
    ([(0, 7.0), (1, 7.0)], [(0, 0.0), (0, 4.0)])
    """

    def __init__(self, hole: float | None = None) -> None:
        self.hole = hole
        self.found: set[Sample] = set()

    def look(self, x: NDArray[Any], there: NDArray[np.bool_] | None = None) -> None:
        """Show a region ``(H, W, C)``, or what is ``there`` of it; most often its first row will do."""
        for rows in (slice(1), slice(None)):
            for channel in range(x.shape[2]):
                if flat_level(self.found) is None:
                    return
                values = x[rows, :, channel]
                if there is not None:
                    values = values[there[rows]]
                if self.hole is not None:
                    values = values[values != self.hole]
                if values.size:
                    ends = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
                    self.found.update((channel, end.item()) for end in ends if end == end)


def flat_level(found: Iterable[Sample]) -> float | None:
    """The largest absolute sample of a flat picture; None if two of a channel differ.

    >>> flat_level({(0, 3), (1, -8)}), flat_level({(0, 3), (0, 4)}), flat_level(())
    (8.0, None, 0.0)
    """
    samples = list(found)  # other threads may be adding to it
    if len(samples) > len({channel for channel, _ in samples}):
        return None
    return max((abs(float(value)) for _, value in samples), default=0.0)


def rounding(plan: Plan, level: float, *, in_floats: bool = False) -> float:
    """By how much rounding may set apart the results of a flat picture: a rule of thumb.

    It is generous: what else sets them apart, such as a border of another value, does so by far
    more. Sums of whole numbers that are exact are not set apart, nor are single products; what is
    no sum makes the same of the same values.

    Parameters
    ----------
    level
        The largest absolute sample.
    in_floats
        Whether the samples are made floats first, as in linear light, of which no sum is exact.

    >>> from convcli.engine.plan import plan_filter
    >>> from convcli.kernels.load import load_kernel
    >>> for dtype in ("uint8", "float32"):
    ...     plan = plan_filter((9, 9, 1), dtype, [load_kernel("laplacian")], range="stretch")
    ...     print(dtype, rounding(plan, 100.0))
    uint8 0.0
    float32 0.0018...
    """
    eps = EPS64 if plan.dtype == "float64" else EPS32
    error = 0.0
    for step in plan.steps:
        if not step.is_sum:
            error *= 2.0
            continue
        gain = float(np.abs(step.weights).sum()) * abs(step.requantize.scale)
        level = gain * level + abs(step.requantize.bias)
        error *= gain
        if in_floats or not (step.exact or np.count_nonzero(step.weights) == 1):
            error += eps * level * (32.0 + 2.0 * sqrt(step.weights.size))
    return error
