"""Operands: which library an array belongs to, and the number type a computation runs in.

The rest of ``convcli.ops`` is written once over a namespace ``xp``, NumPy or CuPy. Here is the
only place that finds out which.
"""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

from convcli.errors import TensorError
from convcli.ops.polynomial import Polynomial

__all__ = [
    "Array",
    "as_operand",
    "as_operands",
    "common_namespace",
    "for_loops",
    "namespace",
    "result_type",
    "working_type",
]

Array: TypeAlias = Any
"""A NumPy or a CuPy array."""

_ALLOWED = "float16, float32, float64 or whole numbers of 8 to 64 bits"


def namespace(array: Array) -> Any:
    """The module that computes with ``array``: CuPy for CuPy's arrays, else NumPy.

    >>> namespace([1, 2]).__name__
    'numpy'
    """
    if type(array).__module__.partition(".")[0] == "cupy":
        return import_module("cupy")
    return np


def common_namespace(**operands: Array) -> Any:
    """The one namespace of all operands; ``None`` and lists go along with any.

    Raises
    ------
    TensorError
        If some are on the GPU and some are not: moving them is the caller's decision.
    """
    spaces = {
        name: namespace(value)
        for name, value in operands.items()
        if value is not None and not isinstance(value, (list, tuple, int, float))
    }
    if len({space.__name__ for space in spaces.values()}) > 1:
        where = ", ".join(f"{name} is a {space.__name__} array" for name, space in spaces.items())
        raise TensorError(f"{where}; move them to one side with cupy.asarray or cupy.asnumpy")
    return next(iter(spaces.values()), np)


def as_operand(value: Any, name: str, xp: Any = np) -> Array:
    """An array of numbers in native byte order, or of ``Polynomial`` and ``Fraction`` entries.

    Raises
    ------
    TensorError
        If it is ragged, or holds booleans, text, records, complex numbers or other objects.

    >>> as_operand([[1, 2], [3, 4]], "x").dtype
    dtype('int64')
    """
    if isinstance(value, (list, tuple)):
        try:
            value = np.array(value)
        except (ValueError, OverflowError, RecursionError) as error:
            raise TensorError(f"{name} is not a rectangular array of numbers") from error
        if value.dtype.kind == "b":
            raise TensorError(f"{name} holds booleans; it must hold {_ALLOWED}")
    array = xp.asarray(value)
    dtype = array.dtype
    if dtype.kind == "O":
        if all(isinstance(entry, (int, float, Fraction, Polynomial)) for entry in array.flat):
            return array
        raise TensorError(f"{name} holds Python objects; it must hold {_ALLOWED}")
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise TensorError(f"{name} has type {dtype.name}; it must hold {_ALLOWED}")
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def as_operands(**values: Any) -> tuple[Any, ...]:
    """The namespace that all have in common, and each as an array of it, in their order.

    >>> xp, x = as_operands(x=[1, 2])
    >>> xp.__name__, x
    ('numpy', array([1, 2]))
    """
    xp = common_namespace(**values)
    return (xp, *(as_operand(value, name, xp) for name, value in values.items()))


def result_type(*arrays: Array) -> np.dtype[Any]:
    """What a sum of products of ``arrays`` is returned as.

    Floats keep NumPy's common type; whole numbers become int64, in which their sums are exact.

    >>> result_type(np.zeros(1, np.uint8), np.zeros(1, np.int16))
    dtype('int64')
    >>> result_type(np.zeros(1, np.float16), np.zeros(1, np.float32))
    dtype('float32')
    """
    kinds: list[np.dtype[Any]] = [a.dtype for a in arrays]
    if kinds[0].kind == "f" and all(dtype == kinds[0] for dtype in kinds):
        return kinds[0]
    if any(dtype.kind == "O" for dtype in kinds):
        return np.dtype(object)
    if all(dtype.kind in "iu" for dtype in kinds):
        return np.dtype(np.int64)
    return np.result_type(*kinds)


def working_type(a: Array, b: Array, terms: int, bias: Array | None = None) -> np.dtype[Any]:
    """The type in which sums of ``terms`` products of an ``a`` and a ``b``, plus bias, are computed.

    float16 accumulates in float32. Whole numbers use the narrowest type that holds the largest
    possible sum exactly: float32 to 2**24 and float64 to 2**53, which BLAS multiplies fast,
    else int64.

    Raises
    ------
    TensorError
        If whole numbers could overflow int64.

    >>> working_type(np.array([200]), np.array([-3]), 25)
    dtype('float32')
    """
    result = result_type(a, b) if bias is None else result_type(a, b, bias)
    if result == np.float16:
        return np.dtype(np.float32)
    if result != np.int64:
        return result
    bound = terms * largest(a) * largest(b) + (0 if bias is None else largest(bias))
    if bound <= 2**24:
        return np.dtype(np.float32)
    if bound <= 2**53:
        return np.dtype(np.float64)
    if bound < 2**63:
        return np.dtype(np.int64)
    raise TensorError(
        f"sums of {terms} products of whole numbers up to {largest(a)} and {largest(b)} could "
        "exceed int64; convert to float64 first if rounding is acceptable"
    )


def largest(array: Array) -> int:
    """Largest magnitude of whole numbers, as a Python integer; 0 if there are none.

    >>> largest(np.array([-128, 5], np.int8))
    128
    """
    if array.size == 0:
        return 0
    return max(abs(int(array.min())), abs(int(array.max())))


def for_loops(array: np.ndarray, work: np.dtype[Any]) -> np.ndarray:
    """The array in a type of floats, with its numbers where C may read them.

    Fields of records and views of bytes can lie anywhere.
    """
    array = array.astype(work, copy=False)
    lies = array.flags.aligned and not any(step % work.itemsize for step in array.strides)
    return array if lies else array.copy()
