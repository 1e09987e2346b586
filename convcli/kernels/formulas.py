"""What the formulas of presets are made of.

A formula, which stands beside its preset, returns weights and the scale that goes with them.

Whole-number weights stay whole numbers beside a scale, so that sums are exact. ``x`` grows to
the right and ``y`` downwards; angles are in degrees, counterclockwise from the x axis.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels.kernel import MAX_SIDE
from convcli.records import NamedTuple

Array = NDArray[np.float64]


class Parts(NamedTuple):
    """What a formula yields."""

    weights: Array
    scale: float = 1.0
    bias: float = 0.0
    operation: str = ""
    """Of weights that are not those of a sum, where the preset's own numbers say so."""
    numbers: tuple[float, ...] = ()
    """The operation's."""


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


def gaussian_row(sigma: float, radius: int) -> Array:
    """A sampled Gaussian of ``2 radius + 1`` taps that sum to one."""
    taps = np.exp(-np.square(np.arange(-radius, radius + 1) / sigma) / 2)
    return np.asarray(taps / taps.sum())


def grid(radius: int) -> tuple[Array, Array]:
    """x as a row and y as a column, both from ``-radius`` to ``radius``."""
    axis = np.arange(-radius, radius + 1.0)
    return axis[None, :], axis[:, None]


def disk_of(radius: float) -> Array:
    """1 where a cell's centre lies within a radius, 0 elsewhere."""
    x, y = grid(int(radius))
    return np.asarray(x * x + y * y <= radius * radius, float)


def direction(angle: float) -> tuple[float, float]:
    """Cosine and sine, exact at quarter turns."""
    quarters = {0.0: (1.0, 0.0), 90.0: (0.0, 1.0), 180.0: (-1.0, 0.0), 270.0: (0.0, -1.0)}
    radians = math.radians(angle)
    return quarters.get(angle % 360, (math.cos(radians), math.sin(radians)))


def radius_of(preset: str, sigma: float, size: float | None, reach: int = 3) -> int:
    """``ceil(reach * sigma)``, or that of a given size; refused before anything is allocated."""
    found = math.ceil(reach * sigma) if size is None else int(size) // 2
    side = 2 * found + 1
    if side > MAX_SIDE:
        raise KernelError(
            f"{preset}: sigma {sigma:g} asks for a kernel of {side}x{side}; at most "
            f"{MAX_SIDE}x{MAX_SIDE} is allowed; use a smaller sigma or give size"
        )
    return found
