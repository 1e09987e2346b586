"""Separable kernels: a column times a row, or a sum of such products."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from convcli.arithmetic.sizes import cross
from convcli.displays import displayed
from convcli.errors import TensorError
from convcli.kernels.factors import low_rank_factors, numerical_rank, separable_factors
from convcli.kernels.kernel import Kernel
from convcli.ops.array_types import OnDevice, Tensor
from convcli.ops.operands import as_operand, namespace

__all__ = ["Separated", "separate"]


class Separated(NamedTuple):
    """``columns @ rows`` is the kernel, within ``error`` (largest difference of a weight)."""

    columns: Tensor[np.float64]
    rows: Tensor[np.float64]
    error: float

    @property
    def rank(self) -> int:
        """Number of column-row pairs."""
        return int(self.columns.shape[1])

    def _repr_latex_(self) -> str | None:
        return displayed(self)


def separate(kernel: Kernel | ArrayLike | OnDevice, rank: int | None = None) -> Separated:
    """Write a two-dimensional kernel as a sum of ``rank`` columns times rows.

    Parameters
    ----------
    kernel
        Weights of shape (kH, kW), or a :class:`convcli.Kernel`. The factors are NumPy arrays
        wherever these are.
    rank
        Pairs to use; by default as many as the kernel needs. Fewer give the nearest kernel that
        fewer can (Eckart and Young, 1936).

    Returns
    -------
    Separated
        ``columns`` (kH, rank), ``rows`` (rank, kW) and ``error``. Whole-number kernels of rank 1
        have whole-number factors, so both passes stay exact.

    Raises
    ------
    TensorError
        If the kernel is not two-dimensional or not finite, or the rank is out of range.

    >>> columns, rows, error = separate([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    >>> columns.T, rows, error
    (array([[1., 2., 1.]]), array([[-1.,  0.,  1.]]), 0.0)
    """
    values: Any = getattr(kernel, "weights", kernel)
    if namespace(values) is not np:
        values = values.get()
    weights = as_operand(values, "kernel")
    if weights.ndim != 2 or 0 in weights.shape:
        shape = cross(weights.shape) or "scalar"
        raise TensorError(f"kernel has shape {shape}; only one of two axes, (kH, kW), separates")
    if weights.dtype == object:
        raise TensorError("kernel holds symbols; only numbers can be separated")
    weights = weights.astype(np.float64) * getattr(kernel, "scale", 1.0)
    if not np.isfinite(weights).all():
        raise TensorError("kernel: every weight must be finite")
    most = min(weights.shape)
    if rank is None:
        factors = separable_factors(weights)
        if factors is not None:
            column, row = factors
            error = float(np.abs(np.multiply.outer(column, row) - weights).max())
            return Separated(column[:, None], row[None, :], error)
        rank = max(numerical_rank(weights), 1)
    if not 1 <= rank <= most:
        raise TensorError(f"rank is {rank}; a {cross(weights.shape)} kernel has 1 to {most}")
    return Separated(*low_rank_factors(weights, rank))
