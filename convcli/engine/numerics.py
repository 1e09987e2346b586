"""What numbers a correlation needs: bounds of its sums, and the type that holds them exactly.

The promise of convcli: for samples that are whole numbers the result equals a float64 reference,
rounded half to even, exactly where the weights are whole numbers, and within one level
otherwise. So whole weights are summed in a type that cannot overflow or round, chosen here from
the largest sums that any picture can give; other weights in float32 where its rounding stays
below half a level, else in float64.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.records import NamedTuple

__all__ = [
    "DTYPES",
    "EPS32",
    "EPS64",
    "HALF",
    "LIMITS",
    "OUT_DTYPES",
    "RANGES",
    "WHITE",
    "WIDE",
    "Bounds",
    "exact_type",
    "float_error",
    "full_scale",
    "no_more_than",
    "sum_bounds",
    "whole_weights",
]

LIMITS = {
    f"{sign}int{bits}": (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for bits in (8, 16, 32, 64)
    for sign in ("u", "")
}
"""Smallest and largest value of each whole-number type."""
WHITE = {"uint8": 255.0, "uint16": 65535.0}
"""White of each whole-number type that a picture has; it is 1.0 for floating point. The others
hold values, of which none is white."""
HALF = {255.0: 128.0, 65535.0: 32768.0}
"""Half of the range that ``offset`` adds, by the picture's white; 0.5 for floating point."""
WIDE = frozenset(("int32", "uint32", "int64", "uint64"))
"""Whole-number types with more values than float32 tells apart."""

DTYPES = (*LIMITS, "float16", "float32", "float64")
"""Of the pictures and rasters that are read."""
OUT_DTYPES = (*LIMITS, "float32", "float64")
RANGES = ("auto", "clip", "abs", "offset", "stretch", "float")
"""How results become samples."""

EPS32 = 2.0**-24
EPS64 = 2.0**-53
_EXACT32 = 2**24
_EXACT64 = 2**53


def loaded_type(dtype: str) -> str:
    """The type in which samples of a type are computed with: no loop and no kernel reads float16.

    >>> loaded_type("float16"), loaded_type("uint8")
    ('float32', 'uint8')
    """
    return "float32" if dtype == "float16" else dtype


def full_scale(dtype: str) -> float:
    """White in a picture of this type.

    >>> full_scale("uint16"), full_scale("float32")
    (65535.0, 1.0)
    """
    return WHITE.get(dtype, 1.0)


class Bounds(NamedTuple):
    """Smallest and largest value that can occur."""

    low: float
    high: float

    @property
    def magnitude(self) -> float:
        """Largest absolute value."""
        return max(-self.low, self.high)


def sum_bounds(weights: NDArray[np.float64], values: Bounds) -> Bounds:
    """Bounds of every sum of ``weights * values``, partial sums included.

    Zero counts among the values, since a partial sum has not met all taps yet.

    >>> sum_bounds(np.array([-1.0, 0.0, 2.0]), Bounds(0, 255))
    Bounds(low=-255.0, high=510.0)
    """
    positive = float(weights[weights > 0].sum())
    negative = float(weights[weights < 0].sum())
    low, high = min(values.low, 0.0), max(values.high, 0.0)
    return Bounds(positive * low + negative * high, positive * high + negative * low)


def whole_weights(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, bool] | None:
    """Weights as whole numbers times a factor, if they have that form.

    Returns
    -------
    (whole, factor, exact) or None
        ``exact`` if ``whole * factor`` gives back the weights to the last bit.

    >>> whole_weights(np.array([0.25, 0.5, 0.25]))
    (array([1., 2., 1.]), 0.25, True)
    >>> whole_weights(np.array([0.1, 0.3]))[0]
    array([1., 3.])
    >>> whole_weights(np.array([0.1, 0.31831])) is None
    True
    """
    largest = float(np.abs(weights).max())
    if largest == 0.0:
        return weights, 1.0, True
    if (weights == np.rint(weights)).all():
        return weights, 1.0, True
    for power in (2, 4, 8, 12, 16):
        scaled = weights * 2.0**power
        if (scaled == np.rint(scaled)).all() and np.abs(scaled).max() < _EXACT32:
            return scaled, 2.0**-power, True
    smallest = float(np.abs(weights[weights != 0]).min())
    with np.errstate(over="ignore"):  # weights too far apart to be whole
        for multiple in (1, 2, 3):
            scaled = weights / smallest * multiple
            whole = np.rint(scaled)
            near = np.abs(whole).max() < 4096 and np.abs(scaled - whole) <= 2e-15 * np.abs(scaled)
            if np.all(near):
                # The factor of the largest weight has the least rounding of its own.
                at = int(np.abs(weights).argmax())
                return whole, float(weights.flat[at] / whole.flat[at]), False
    return None


def exact_type(bounds: Bounds) -> str | None:
    """Narrowest type that holds every whole number within the bounds, or None.

    Between 16 bits and 2**24, float32 is as exact as an integer type and multiplies faster.

    >>> exact_type(Bounds(-1020, 1020)), exact_type(Bounds(0, 65280)), exact_type(Bounds(0, 1e7))
    ('int16', 'uint16', 'float32')
    """
    if bounds.low >= -(2**15) and bounds.high < 2**15:
        return "int16"
    if bounds.low >= 0 and bounds.high < 2**16:
        return "uint16"
    if bounds.magnitude <= _EXACT32:
        return "float32"
    return "float64" if bounds.magnitude <= _EXACT64 else None


def float_error(taps: int, magnitude: float, eps: float = EPS32) -> float:
    """Rounding error to expect from a float sum of ``taps`` products, generously.

    Errors of single additions are independent, so they grow with the root of their number;
    four deviations cover every sample of a large picture.
    """
    return eps * magnitude * (2.0 + 2.0 * sqrt(taps))


def no_more_than(value: float, dtype: np.dtype[Any]) -> Any:
    """The largest number of a floating-point type that is not above a value.

    >>> float(no_more_than(0.1, np.dtype("float32"))) < 0.1
    True
    """
    with np.errstate(over="ignore"):
        near = dtype.type(value)
    return near if float(near) <= value else np.nextafter(near, dtype.type(-np.inf))
