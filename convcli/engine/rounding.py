"""How far apart results may lie by rounding alone: what lies no further apart is one value.

Sums of floats depend on the order of their terms, which differs from row to row: a flat picture has
results that differ in their last bits, and ``stretch`` would make black and white of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.engine.algorithms.fft_correlation import spread
from convcli.engine.numerics import EPS32, EPS64, float_error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convcli.engine.plan import Plan
    from convcli.engine.step import Step

__all__ = ["largest_of", "rounding"]


def rounding(plan: Plan, largest: float, eps: float | None = None) -> float:
    """The most that rounding sets apart two results of a plan that are the same number.

    Errors of single additions are independent (``float_error``), of as many as are made one after
    the other: those of a separable kernel are the taps of its lines. Sums of whole numbers that are
    exact have none, and what is no sum makes the same of the same values.

    Parameters
    ----------
    largest
        Absolute value of the samples, which bounds the sums better than what their type can hold.
    eps
        Of floats that are summed in place of the plan's samples, of which no sum is exact; by
        default that of each step.

    >>> from convcli.engine.plan import plan_filter
    >>> from convcli.kernels.load import load_kernel
    >>> for dtype in ("uint8", "float32"):
    ...     plan = plan_filter((9, 9, 1), dtype, [load_kernel("laplacian")], range="stretch")
    ...     print(dtype, rounding(plan, 100.0))
    uint8 0.0
    float32 0.00035...
    """
    error = 0.0
    for step in plan.steps:
        if not step.is_sum:
            error *= 2.0
            continue
        gain, members = _gain(step), len(step.weights) if step.requantize.combine != "none" else 1
        reach = gain * largest + abs(step.requantize.bias)
        fresh = 0.0
        if eps is not None or error or not step.exact:
            fine = eps or (EPS64 if step.accumulate == "float64" else EPS32)
            fresh = _fresh(step, reach, fine)
            if fresh and step.requantize.out_dtype == "float32":
                fresh += EPS32 * reach
        error = (gain * error + fresh) * members**0.5
        largest = reach
    return error


def largest_of(x: NDArray[Any]) -> float:
    """The largest absolute sample; NaN is none.

    >>> largest_of(np.array([-3, 2], np.int8)), largest_of(np.array([np.nan, 1.5]))
    (3.0, 1.5)
    """
    if not x.size:
        return 0.0
    low, high = np.fmin.reduce(x, axis=None), np.fmax.reduce(x, axis=None)
    return 0.0 if np.isnan(low) else max(-float(low), float(high))


def _fresh(step: Step, reach: float, eps: float) -> float:
    """What one step adds to the error, as it is carried out."""
    method, weights = step.method, step.weights
    if method.transform:
        fine = EPS32 if method.transform == "float32" else EPS64
        total = float(np.abs(weights).sum(axis=_cells(step)).max()) or 1.0
        return 8 * fine * reach * spread(weights) / total + eps * reach
    if method.factors:
        lines = [[line for term in terms for line in term] for terms in method.factors]
        taps = max(sum(int(np.count_nonzero(line)) for line in member) for member in lines)
    else:
        taps = int(np.count_nonzero(weights, axis=_cells(step)).max())
    return float_error(taps, reach, eps) if taps > 1 else 0.0  # a product has no order


def _gain(step: Step) -> float:
    """What the largest sample comes to in a sum, before terms of both signs meet."""
    terms = [np.abs(step.weights).sum(axis=_cells(step)).max()]
    for member in step.method.factors:
        terms.append(sum(np.abs(col).sum() * np.abs(row).sum() for col, row in member))
    return float(max(terms)) * abs(step.requantize.scale)


def _cells(step: Step) -> tuple[int, ...]:
    """Axes of the weights that are summed over."""
    return (1, 2, 3) if step.is_bank else (1, 2)
