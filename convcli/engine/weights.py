"""Structure of a kernel's weights that saves work: factors, rectangles, whole numbers."""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.typing import NDArray

__all__ = ["Factor", "is_box", "line_factor", "rank_factors", "whole_factor"]

Factor = tuple[NDArray[np.float64], NDArray[np.float64]]
"""A column and a row; their outer product is a term of the kernel."""


def is_box(weights: NDArray[np.float64]) -> bool:
    """Whether all weights are the same and not zero.

    >>> is_box(np.ones((3, 5))), is_box(np.eye(2))
    (True, False)
    """
    return bool(weights.flat[0] != 0.0 and (weights == weights.flat[0]).all())


def whole_factor(weights: NDArray[np.float64]) -> Factor | None:
    """Column and row of whole numbers whose outer product is a whole-number kernel, or None.

    >>> column, row = whole_factor(np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]))
    >>> column, row
    (array([1., 2., 1.]), array([-1.,  0.,  1.]))
    """
    peak = np.unravel_index(int(np.abs(weights).argmax()), weights.shape)
    line = weights[peak[0]]
    if not line.any():
        return None
    row = line / gcd(*(int(w) for w in line))
    at = int(np.flatnonzero(row)[0])
    column = weights[:, at] / row[at]
    if (column != np.rint(column)).any() or (np.outer(column, row) != weights).any():
        return None
    return column, row


def line_factor(weights: NDArray[np.float64]) -> Factor | None:
    """Column and row whose outer product is the kernel, each weight to a relative 1e-12, or None.

    >>> line_factor(np.array([[1.0, 2], [2, 4 + 1e-9]])) is None
    True
    """
    i, j = np.unravel_index(int(np.abs(weights).argmax()), weights.shape)
    if weights[i, j] == 0.0:
        return None
    column, row = weights[:, j] / weights[i, j], weights[i].copy()
    near = np.abs(weights - np.outer(column, row)) <= 1e-12 * np.abs(weights)
    return (column, row) if near.all() else None


def rank_factors(
    weights: NDArray[np.float64], tolerance: float, most: int
) -> tuple[Factor, ...] | None:
    """Fewest separable terms whose sum differs from the kernel by at most ``tolerance``.

    The difference is measured as the sum of absolute weights, which bounds the error of a
    filtered sample per unit of input. One term is read off the kernel, so that equal weights
    stay equal; more are those of the singular value decomposition.

    Returns
    -------
    tuple of (column, row), or None
        None if more than ``most`` terms would be needed.

    >>> len(rank_factors(np.outer([1, 2, 1.0], [0.3, 0.7]), 1e-9, 2))
    1
    >>> rank_factors(np.eye(3), 1e-9, 2) is None
    True
    """
    i, j = np.unravel_index(int(np.abs(weights).argmax()), weights.shape)
    if weights[i, j] == 0.0:
        return None
    column, row = weights[:, j] / weights[i, j], weights[i].copy()
    if float(np.abs(weights - np.outer(column, row)).sum()) <= tolerance:
        return ((column, row),)
    if most < 2:
        return None
    u, s, vt = np.linalg.svd(weights, full_matrices=False)
    rest, terms = weights.copy(), []
    for k in range(min(most, s.size)):
        root = np.sqrt(s[k])
        terms.append((u[:, k] * root, vt[k] * root))
        rest -= np.outer(*terms[-1])
        if float(np.abs(rest).sum()) <= tolerance:
            return tuple(terms)
    return None
