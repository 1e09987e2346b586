"""Products of matrices, which NumPy leaves to a BLAS."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["matmul"]


def matmul(xp: Any, left: Any, right: Any, out: Any = None) -> Any:
    """``left @ right`` without warnings: infinities and NaN follow IEEE 754.

    NumPy warns of an invalid value when a flag of the processor is up after BLAS, and BLAS raises
    it at times for what it computes in vain: lanes of a vector beyond the matrix, filled with
    whatever lay in memory (numpy#24067, OpenBLAS#1924). The compiled loops do not warn either.

    >>> matmul(np, np.array([[np.inf, 1.0]]), np.array([[0.0], [1.0]])).tolist()
    [[nan]]
    """
    with np.errstate(all="ignore"):
        return xp.matmul(left, right, out=out)
