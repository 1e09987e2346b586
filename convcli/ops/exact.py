"""Fractions that stay fractions: object arrays of them, and when they become floating-point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from convcli.ops.operands import Array
from convcli.ops.polynomial import Polynomial, exact_number

__all__ = ["as_exact", "as_floats", "has_symbols", "is_exact", "settled", "zero_padded"]

MAX_PRODUCTS = 1 << 16
"""Most products of two operands that are worked out with fractions, a few microseconds each."""


def has_symbols(array: Array) -> bool:
    """Whether an entry is a polynomial.

    >>> has_symbols(np.array([Polynomial.of("a"), 1])), has_symbols(np.array([1.5]))
    (True, False)
    """
    return array.dtype.kind == "O" and any(isinstance(entry, Polynomial) for entry in array.flat)


def is_exact(array: Array) -> bool:
    """Whether the entries are fractions, and whole numbers, as Python has them.

    >>> is_exact(as_exact([1, 0.5])), is_exact(np.array([1, 0.5]))
    (True, False)
    """
    return array.dtype.kind == "O" and not has_symbols(array)


def as_exact(values: Any) -> Array:
    """Numbers as an object array of the fractions that their decimals say.

    >>> as_exact([0.1, 2])
    array([Fraction(1, 10), Fraction(2, 1)], dtype=object)
    """
    given = np.array(values, object)
    found = np.empty(given.size, object)
    found[:] = [exact_number(value) for value in given.flat]
    return found.reshape(given.shape)


def as_floats(array: Array) -> Array:
    """Exact entries as float64; any other array as it is.

    >>> as_floats(as_exact([0.1, 2]))
    array([0.1, 2. ])
    """
    return array.astype(np.float64) if is_exact(array) else array


def zero_padded(array: Array, pads: Sequence[tuple[int, int]]) -> Array:
    """Zeros around an array, before and after each axis; ``np.pad`` gives objects NumPy's own.

    >>> zero_padded(np.array([1, 2]), [(1, 0)])
    array([0, 1, 2])
    """
    shape = [n + a + b for n, (a, b) in zip(array.shape, pads, strict=True)]
    padded = np.zeros(shape, array.dtype)
    padded[tuple(slice(a, a + n) for n, (a, _) in zip(array.shape, pads, strict=True))] = array
    return padded


def settled(arrays: Sequence[Array | None]) -> list[Array | None]:
    """Operands of one computation, exact together or not at all.

    Fractions stay where everything else is fractions, whole numbers or symbols and little is to
    be computed; beside decimals, and in large tensors, they are float64.

    >>> [a.dtype.name for a in settled([as_exact([0.5]), np.array([0.25])])]
    ['float64', 'float64']
    """
    given = [array for array in arrays if array is not None]
    products = math.prod(sorted(array.size for array in given)[-2:])
    rough = any(array.dtype.kind == "f" for array in given)
    if products > MAX_PRODUCTS or (rough and not any(map(has_symbols, given))):
        return [None if array is None else as_floats(array) for array in arrays]
    return list(arrays)
