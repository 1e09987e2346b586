"""Samples as whole numbers that sort alike, so that every algorithm picks the same bits.

Floats are compared by their bits, put in such an order that they compare as whole numbers: -0 is
less than 0, and NaN stands at the end where nothing picks it while anything else is there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["from_keys", "to_keys"]

_KEYS: dict[str, Any] = {"float32": np.int32, "float64": np.int64}


def to_keys(x: NDArray[Any], *, largest: bool = False) -> NDArray[Any]:
    """Samples as whole numbers in the same order, NaN behind all others; floats in their place.

    >>> to_keys(np.array([1.0, -0.0, 0.0, np.nan], np.float32), largest=True).argsort()
    array([3, 1, 2, 0])
    """
    kind = _KEYS.get(x.dtype.name)
    if kind is None:
        return x
    keys: NDArray[Any] = x.view(kind)
    absent = np.isnan(x)
    _mirror_negative(keys)
    if absent.any():
        ends = np.iinfo(kind)
        keys[absent] = ends.min if largest else ends.max
    return keys


def from_keys(keys: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The samples again, in the place of their keys.

    >>> x = np.array([1.5, -2.0])
    >>> from_keys(to_keys(x.copy(), largest=False), "float64")
    array([ 1.5, -2. ])
    """
    if dtype not in _KEYS:
        return keys
    _mirror_negative(keys)
    return keys.view(dtype)


def _mirror_negative(keys: NDArray[Any]) -> None:
    """Negative numbers count up from the least; twice changes nothing."""
    signs = keys >> (8 * keys.itemsize - 1)
    signs &= np.iinfo(keys.dtype).max
    keys ^= signs
