"""Linear light and luminance.

Source: IEC 61966-2-1 (the sRGB curve) and ITU-R BT.709 (the weights of luminance).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.kernels.blas import matmul

__all__ = ["LUMINANCE", "from_linear", "luminance", "to_linear"]

LUMINANCE = (0.2126, 0.7152, 0.0722)


def to_linear(values: NDArray[Any]) -> NDArray[Any]:
    """sRGB values, 0 to 1, as linear light; negative values mirror positive ones.

    Raises
    ------
    InputError
        If a value is so large (1e16 in float32) that its light has no number.

    >>> to_linear(np.array([0.0, 0.5, 1.0])).round(4).tolist()
    [0.0, 0.214, 1.0]
    """
    size = np.abs(values)
    try:
        with np.errstate(over="raise"):
            high = ((size + 0.055) * (1 / 1.055)) ** 2.4
    except FloatingPointError as error:
        raise InputError(
            f"a sample of {np.max(size):g}, where 1 is white, has no linear light; drop --linear"
        ) from error
    curve = np.where(size <= 0.04045, size * (1 / 12.92), high)
    return np.asarray(np.copysign(curve, values))


def from_linear(values: NDArray[Any]) -> NDArray[Any]:
    """Linear light as sRGB values; the inverse of :func:`to_linear`.

    >>> from_linear(to_linear(np.array([0.01, 0.7]))).round(6).tolist()
    [0.01, 0.7]
    """
    size = np.abs(values)
    high = 1.055 * size ** (1 / 2.4) - 0.055
    curve = np.where(size <= 0.0031308, size * 12.92, high)
    return np.asarray(np.copysign(curve, values))


def luminance(colours: NDArray[Any]) -> NDArray[Any]:
    """Brightness of RGB (H, W, 3) as (H, W, 1)."""
    weights = np.array(LUMINANCE, colours.dtype)
    return np.asarray(matmul(np, colours, weights))[..., np.newaxis]
