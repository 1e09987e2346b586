"""The frequency response of a kernel: how strongly each wave comes through."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convcli.kernels.blas import matmul

__all__ = ["frequencies", "frequency_response"]

Array = NDArray[np.float64]


def frequencies(count: int) -> Array:
    """``count`` frequencies from -1/2 to 1/2 cycles per pixel, both ends included.

    >>> frequencies(5).tolist()
    [-0.5, -0.25, 0.0, 0.25, 0.5]
    """
    return np.linspace(-0.5, 0.5, count)


def frequency_response(weights: Array, count: int = 65) -> Array:
    """Magnitude of the Fourier transform of a kernel, (count, count), the mean in the middle.

    ``|H(u, v)| = |sum over r, c of w[r, c] exp(-2 pi i (u r + v c))|``, the discrete-time
    Fourier transform (Oppenheim and Schafer, Discrete-Time Signal Processing, section 2.6), at
    ``count`` frequencies down (u) and across (v). Correlation and convolution have the same
    magnitude.

    Parameters
    ----------
    weights
        (kH, kW), already scaled.
    count
        Frequencies on each axis, from -1/2 to 1/2 cycles per pixel; odd, so that 0 is one.

    >>> response = frequency_response(np.array([[1.0, 2.0, 1.0]]) / 4, 5)
    >>> response[2].round(6).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    rows, columns = weights.shape
    u = np.exp(-2j * np.pi * np.outer(frequencies(count), np.arange(rows)))
    v = np.exp(-2j * np.pi * np.outer(np.arange(columns), frequencies(count)))
    response: Array = np.abs(matmul(np, matmul(np, u, weights), v))
    return response
