"""Split two-dimensional weights into a column times a row, exactly where that is possible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convcli.kernels.blas import matmul

__all__ = ["low_rank_factors", "numerical_rank", "separable_factors"]

Array = NDArray[np.float64]

TOLERANCE = 1e-12
"""Largest error of a floating-point factorisation, as a share of the largest weight."""

_EXACT = 2.0**53  # whole numbers up to here are exact in float64


def separable_factors(weights: Array) -> tuple[Array, Array] | None:
    """Column and row whose outer product is ``weights``, or None if there are none.

    Whole-number weights have whole-number factors whenever they have any (the row divided by
    its greatest common divisor is primitive, so by Gauss's lemma the column is whole), and these
    are found without rounding: two exact passes equal the one.

    Parameters
    ----------
    weights
        Array of shape ``(kH, kW)``.

    Returns
    -------
    (column, row) or None
        Shapes ``(kH,)`` and ``(kW,)``. None too for weights that are all zero.

    >>> column, row = separable_factors(np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]))
    >>> column.tolist(), row.tolist()
    ([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0])
    """
    weights = np.asarray(weights, dtype=np.float64)
    magnitude = np.abs(weights)
    peak = magnitude.max()
    if peak == 0:
        return None
    if peak < _EXACT and (weights == np.rint(weights)).all():
        return _whole_factors(weights)
    pivot_row, pivot_column = np.unravel_index(magnitude.argmax(), weights.shape)
    row = weights[pivot_row]
    column = weights[:, pivot_column] / row[pivot_column]
    error = np.abs(np.multiply.outer(column, row) - weights).max()
    return (column, row.copy()) if error <= TOLERANCE * peak else None


def _whole_factors(weights: Array) -> tuple[Array, Array] | None:
    first = np.flatnonzero(weights.any(axis=1))[0]
    row = weights[first]
    row = row / np.gcd.reduce(row.astype(np.int64))
    if row.sum() < 0:  # a derivative's sign belongs to its zero-sum factor: there one looks for it
        row = -row
    pivot = np.flatnonzero(row)[0]
    column = weights[:, pivot] / row[pivot]
    if (column != np.rint(column)).any():
        return None
    if (np.multiply.outer(column, row) != weights).any():
        return None
    if row.sum() == 0 and column.sum() < 0:
        return -column, -row
    return column, row


def numerical_rank(weights: Array) -> int:
    """Number of singular values above the rounding error of float64.

    >>> numerical_rank(np.eye(4))
    4
    """
    return int(np.linalg.matrix_rank(np.asarray(weights, dtype=np.float64)))


def low_rank_factors(weights: Array, rank: int) -> tuple[Array, Array, float]:
    """Best sum of ``rank`` separable kernels, by the singular value decomposition.

    Returns
    -------
    (columns, rows, error)
        Shapes ``(kH, rank)`` and ``(rank, kW)``, with ``columns @ rows`` close to ``weights``;
        ``error`` is the largest absolute difference of a weight. Eckart and Young (1936).

    >>> columns, rows, error = low_rank_factors(np.eye(3), 3)
    >>> columns.shape, rows.shape, bool(error < 1e-15)
    ((3, 3), (3, 3), True)
    """
    weights = np.asarray(weights, dtype=np.float64)
    left, values, right = np.linalg.svd(weights, full_matrices=False)
    root = np.sqrt(values[:rank])
    columns, rows = left[:, :rank] * root, root[:, None] * right[:rank]
    return columns, rows, float(np.abs(matmul(np, columns, rows) - weights).max())
