"""Formulas of kernels: each returns weights and the scale that goes with them.

Whole-number weights stay whole numbers beside a scale, so that sums are exact. ``x`` grows to
the right and ``y`` downwards; angles are in degrees, counterclockwise from the x axis.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels.kernel import MAX_SIDE

Array = NDArray[np.float64]


class Parts(NamedTuple):
    """What a formula yields."""

    weights: Array
    scale: float = 1.0
    bias: float = 0.0


def outer(column: object, row: object) -> Array:
    """A separable kernel from its factors."""
    product: Array = np.multiply.outer(np.asarray(column, float), np.asarray(row, float))
    return product


def pascal(taps: int) -> Array:
    """A row of Pascal's triangle, whole numbers.

    >>> pascal(5).tolist()
    [1.0, 4.0, 6.0, 4.0, 1.0]
    """
    return np.array([math.comb(taps - 1, k) for k in range(taps)], float)


def rotations(base: Array) -> Array:
    """The eight rotations of a 3x3 kernel, by 45 degrees each, clockwise.

    >>> rotations(np.arange(9.0).reshape(3, 3))[1].astype(int).tolist()
    [[3, 0, 1], [6, 4, 2], [7, 8, 5]]
    """
    ring = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    stack = np.empty((8, 3, 3))
    for turn in range(8):
        stack[turn, 1, 1] = base[1, 1]
        for place, cell in enumerate(ring):
            stack[turn][cell] = base[ring[place - turn]]
    return stack


def binomial(size: float) -> Parts:
    """Pascal's row times itself over ``4**(size - 1)``."""
    row = pascal(int(size))
    return Parts(outer(row, row), 0.25 ** (int(size) - 1))


def identity(size: float = 1) -> Parts:
    """One in the centre."""
    weights = np.zeros((int(size), int(size)))
    weights[int(size) // 2, int(size) // 2] = 1
    return Parts(weights)


def box(width: float, height: float | None = None) -> Parts:
    """The mean of a rectangle."""
    shape = int(width if height is None else height), int(width)
    return Parts(np.ones(shape), 1 / math.prod(shape))


def disk(radius: float) -> Parts:
    """The mean of the pixels whose centres lie within ``radius`` (as scikit-image's ``disk``)."""
    x, y = _grid(int(radius))
    weights = (x * x + y * y <= radius * radius).astype(float)
    return Parts(weights, 1 / weights.sum())


def motion(length: float, angle: float = 0) -> Parts:
    """The mean along a line of ``length`` pixels, its ends and sides antialiased.

    A pixel counts ``1 - d``, where ``d`` is its distance to the line segment of ``length - 1``
    pixels through the centre; none beyond 1. As MATLAB's ``fspecial('motion')``.
    """
    half = (length - 1) / 2
    x, y = _grid(math.ceil(half))
    cosine, sine = _direction(angle)
    along, across = x * cosine - y * sine, x * sine + y * cosine
    beyond = np.maximum(np.abs(along) - half, 0)
    weights = np.maximum(1 - np.hypot(beyond, across), 0)
    used_y, used_x = weights.any(axis=1), weights.any(axis=0)
    weights = weights[np.ix_(used_y, used_x)]
    return Parts(weights, 1 / weights.sum())


def gaussian_row(sigma: float, radius: int) -> Array:
    """A sampled Gaussian of ``2 radius + 1`` taps that sum to one."""
    taps = np.exp(-np.square(np.arange(-radius, radius + 1) / sigma) / 2)
    return np.asarray(taps / taps.sum())


def gaussian(sigma: float | None = None, size: float | None = None) -> Parts:
    """Sampled Gaussian; without a sigma the binomial 3x3 (or of ``size``)."""
    if sigma is None:
        return binomial(3 if size is None else size)
    row = gaussian_row(sigma, _radius("gaussian", sigma, size))
    return Parts(outer(row, row))


def unsharp(sigma: float | None = None, amount: float = 1, size: float | None = None) -> Parts:
    """``(1 + amount)`` times the picture less ``amount`` times its blur.

    Without a sigma the blur is the binomial 5x5, in whole numbers:
    ``2 * 256 - [1 4 6 4 1]^2`` over 256.
    """
    if sigma is None:
        row = pascal(5)
        weights, whole = -amount * outer(row, row), 256.0
    else:
        row = gaussian_row(sigma, _radius("unsharp", sigma, size))
        weights, whole = -amount * outer(row, row), 1.0
    centre = len(row) // 2
    weights[centre, centre] += (1 + amount) * whole
    return Parts(weights, 1 / whole)


def log(sigma: float, size: float | None = None) -> Parts:
    """Laplacian of Gaussian, ``(r^2 - 2 sigma^2) / sigma^4 * G``, shifted to sum to zero.

    Marr and Hildreth (1980). The centre is negative, as that of ``laplacian``.
    """
    radius = _radius("log", sigma, size, 4)
    x, y = _grid(radius)
    row = gaussian_row(sigma, radius)
    weights = (x * x + y * y - 2 * sigma**2) / sigma**4 * outer(row, row)
    return Parts(weights - weights.mean())


def dog(sigma: float = 1, wider: float = 1.6, size: float | None = None) -> Parts:
    """Difference of Gaussians, the narrower less the wider, each of sum one."""
    radius = _radius("dog", max(sigma, wider), size)
    narrow, wide = gaussian_row(sigma, radius), gaussian_row(wider, radius)
    return Parts(outer(narrow, narrow) - outer(wide, wide))


def gaussian_slope(sigma: float, size: float | None = None) -> tuple[Array, Array]:
    """Smoothing and differentiating rows; a ramp that rises by 1 per pixel gives exactly 1."""
    radius = _radius("dgauss", sigma, size)
    smooth = gaussian_row(sigma, radius)
    offsets = np.arange(-radius, radius + 1.0)
    slope = offsets * smooth
    return smooth, slope / (slope * offsets).sum()


def gabor(
    wavelength: float,
    angle: float = 0,
    sigma: float | None = None,
    aspect: float = 1,
    phase: float = 0,
) -> Parts:
    """A wave under a Gaussian window: answers to stripes of one width and direction.

    ``exp(-(u^2 + aspect^2 v^2) / 2 sigma^2) * cos(2 pi u / wavelength + phase)``, ``u`` along
    ``angle`` (Daugman 1985). ``sigma`` is 0.56 wavelengths by default (one octave wide). The
    window's mean is taken out, so flat areas give zero, and the absolute weights sum to 2, so
    the response stays within the range of the picture.
    """
    sigma = 0.56 * wavelength if sigma is None else sigma
    x, y = _grid(_radius("gabor", sigma / min(1, aspect), None))
    cosine, sine = _direction(angle)
    u, v = x * cosine - y * sine, x * sine + y * cosine
    window = np.exp(-(u * u + (aspect * v) ** 2) / (2 * sigma**2))
    wave = np.cos(2 * math.pi * u / wavelength + math.radians(phase))
    weights = window * (wave - (window * wave).sum() / window.sum())
    return Parts(weights * (2 / np.abs(weights).sum()))


def _grid(radius: int) -> tuple[Array, Array]:
    """x as a row and y as a column, both from ``-radius`` to ``radius``."""
    axis = np.arange(-radius, radius + 1.0)
    return axis[None, :], axis[:, None]


def _direction(angle: float) -> tuple[float, float]:
    """Cosine and sine, exact at quarter turns."""
    quarters = {0.0: (1.0, 0.0), 90.0: (0.0, 1.0), 180.0: (-1.0, 0.0), 270.0: (0.0, -1.0)}
    radians = math.radians(angle)
    return quarters.get(angle % 360, (math.cos(radians), math.sin(radians)))


def _radius(preset: str, sigma: float, size: float | None, reach: int = 3) -> int:
    """``ceil(reach * sigma)``, or that of a given size; refused before anything is allocated."""
    radius = math.ceil(reach * sigma) if size is None else int(size) // 2
    if 2 * radius + 1 > MAX_SIDE:
        side = 2 * radius + 1
        raise KernelError(
            f"{preset}: sigma {sigma:g} asks for a kernel of {side}x{side}; at most "
            f"{MAX_SIDE}x{MAX_SIDE} is allowed; use a smaller sigma or give size"
        )
    return radius
