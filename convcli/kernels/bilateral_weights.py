"""What the cells of a bilateral mean weigh by their distance alone."""

from __future__ import annotations

import numpy as np

from convcli.kernels.formulas import Array, Parts, disk_of

__all__ = ["bilateral_disk", "weights_by_distance"]

_TINY = float(np.finfo(np.float64).tiny)
"""Weighs a cell that is so far that nothing is left: it is a cell of the footprint still."""


def weights_by_distance(cells: Array, sigma: float) -> Array:
    """``exp(-s s / (2 sigma sigma))`` of cells that are not 0, and 1 at the centre in any case.

    >>> weights_by_distance(np.array([[0, 0, 1.0]]), 1.0).round(4)
    array([[0.    , 1.    , 0.6065]])
    """
    height, width = cells.shape
    middle = (height - 1) // 2, (width - 1) // 2
    y, x = np.ogrid[:height, :width]
    squares = (y - middle[0]) ** 2 + (x - middle[1]) ** 2
    weights = np.maximum(np.exp(squares / (-2.0 * sigma * sigma)), _TINY)
    weights[cells == 0] = 0.0
    weights[middle] = 1.0
    return np.asarray(weights)


def bilateral_disk(sigma_space: float, **_: float) -> Parts:
    """The disk that is taken where no footprint is written: OpenCV's, of 1.5 sigma."""
    radius = max(round(1.5 * sigma_space), 1)
    return Parts(weights_by_distance(disk_of(radius), sigma_space))
