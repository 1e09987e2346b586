"""Otsu's level: which value parts a histogram into two classes that lie farthest apart.

For each value ``v`` that occurs, with the ``n1`` samples up to it and the ``n2`` above it, of means
``m1`` and ``m2``, the variance between them is ``n1 n2 (m1 - m2)^2``. The level is the ``v`` of the
largest, of several the first; samples above it are the upper class.

Source: N. Otsu, A threshold selection method from gray-level histograms (1979); scikit-image's
``threshold_otsu`` is the same, but for sums in float32.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

__all__ = ["otsu_index"]

_NEAR = 1e-6
"""Of the largest variance: what comes as near is compared once more, in whole numbers."""


def otsu_index(values: NDArray[np.integer], counts: NDArray[np.int64]) -> int:
    """Which of some values, each of which occurs and is above the one before, is Otsu's level.

    >>> otsu_index(np.array([3, 4, 90, 91]), np.array([5, 5, 5, 5]))
    1
    """
    if len(values) < 2:
        return 0
    far = values.astype(np.float64)
    total = float(counts.sum())
    far -= (far * counts).sum() / total
    below = np.cumsum(counts)[:-1].astype(np.float64)
    sums = np.cumsum(far * counts)[:-1]
    with np.errstate(all="ignore"):
        between = sums / below * (sums / (total - below))  # times total**2, which is no matter
    near = np.flatnonzero(~(between < between.max() * (1 - _NEAR)))
    return int(near[0]) if len(near) == 1 else _first_of(near.tolist(), values, counts)


def _first_of(near: list[int], values: NDArray[np.integer], counts: NDArray[np.int64]) -> int:
    """The first of those with the largest variance, exactly."""
    number = list(accumulate(counts.tolist()))
    amount = list(accumulate(v * n for v, n in zip(values.tolist(), counts.tolist(), strict=True)))
    n, s = number[-1], amount[-1]

    def between(at: int) -> Fraction:
        below = number[at]
        return Fraction((amount[at] * n - s * below) ** 2, below * (n - below))

    return max(near, key=between)
