"""Average pooling with its gradient: sums along one axis after the other."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convcli.arithmetic.window import Padding
from convcli.ops.array_types import Device, Float, MeanOptions, Tensor
from convcli.ops.conv_geometry import PerAxis
from convcli.ops.operands import Array, as_operands
from convcli.ops.pool_geometry import (
    PoolGeometry,
    axis_taps,
    counts,
    expect_shape,
    pool_geometry,
    resized,
    spatial_rank,
    sum_type,
)

__all__ = ["avg_pool", "avg_pool_grad", "global_avg_pool"]


def _sum_taps(total: Array, pool: PoolGeometry, xp: Any, *, back: bool = False) -> Array:
    """Sums under the windows, axis by axis; ``back`` is the adjoint, from windows to cells."""
    for axis, window in enumerate(pool.windows, total.ndim - len(pool.windows)):
        sums = xp.zeros(resized(total, axis, window.size if back else window.output), total.dtype)
        for outputs, cells in axis_taps(window, axis):
            to, of = (cells, outputs) if back else (outputs, cells)
            sums[to] += total[of]
        total = sums
    return total


def _divisors(pool: PoolGeometry, count_include_pad: bool, xp: Any) -> Array:
    """Cells that each window averages over, of the output's spatial shape."""
    total = xp.ones((), np.float64)
    for window in pool.windows:
        total = total[..., None] * xp.asarray(counts(window, count_include_pad))
    return total


@overload
def avg_pool(
    x: NDArray[Float], kernel_size: PerAxis, **options: Unpack[MeanOptions]
) -> Tensor[Float]: ...
@overload
def avg_pool(x: Device, kernel_size: PerAxis, **options: Unpack[MeanOptions]) -> Device: ...
@overload
def avg_pool(x: ArrayLike, kernel_size: PerAxis, **options: Unpack[MeanOptions]) -> Tensor[Any]: ...
def avg_pool(
    x: Any,
    kernel_size: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: Padding | Sequence[Padding] = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    dims: int | None = None,
) -> Array:
    """Mean of the values under each window. Parameters are those of :func:`max_pool`.

    Parameters
    ----------
    count_include_pad
        Divide by the cells of the window on the input and its padding (not by what ceil mode
        hangs over); if False, by those on the input alone.

    Returns
    -------
    array
        Of the type of ``x`` (float16 is summed in float32); whole numbers give float64, symbols
        and fractions exact means.

    >>> avg_pool([[1, 5, 2, 0], [3, 4, 8, 7]], 2)
    array([[3.25, 4.25]])
    >>> from convcli.ops.polynomial import symbols
    >>> print(avg_pool(symbols("a b"), 2, dims=1)[0])
    (a+b)/2
    """
    xp, x = as_operands(x=x)
    pool = pool_geometry(x, kernel_size, stride, padding, dilation, ceil_mode, dims)
    total = _sum_taps(x.astype(sum_type(x), copy=False), pool, xp)
    mean = _divided(total, _divisors(pool, count_include_pad, xp), _mean_type(x))
    return mean.astype(x.dtype if x.dtype.kind in "fO" else np.float64, copy=False)


def _divided(total: Array, divisors: Array, work: Any) -> Array:
    """Sums over counts; fractions and symbols are divided exactly."""
    if total.dtype.kind != "O":
        return total / divisors.astype(work, copy=False)
    shares = np.empty(divisors.shape, object)
    shares[...] = np.frompyfunc(lambda count: Fraction(1, int(count)), 1, 1)(divisors)
    return total * shares


def _mean_type(x: Array) -> Any:
    return np.float64 if x.dtype.kind in "iu" else sum_type(x)


@overload
def avg_pool_grad(
    grad_y: NDArray[Float], x: ArrayLike, kernel_size: PerAxis, **options: Unpack[MeanOptions]
) -> Tensor[Float]: ...
@overload
def avg_pool_grad(
    grad_y: Device, x: Device, kernel_size: PerAxis, **options: Unpack[MeanOptions]
) -> Device: ...
@overload
def avg_pool_grad(
    grad_y: ArrayLike, x: ArrayLike, kernel_size: PerAxis, **options: Unpack[MeanOptions]
) -> Tensor[Any]: ...
def avg_pool_grad(
    grad_y: Any,
    x: Any,
    kernel_size: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: Padding | Sequence[Padding] = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    dims: int | None = None,
) -> Array:
    """Gradient of ``sum(grad_y * avg_pool(x, ...))`` for ``x``: an equal share for each cell.

    Only the shape of ``x`` is used.

    >>> avg_pool_grad([[4.0]], [[1.0, 2.0], [3.0, 4.0]], 2)
    array([[1., 1.],
           [1., 1.]])
    """
    xp, grad_y, x = as_operands(grad_y=grad_y, x=x)
    pool = pool_geometry(x, kernel_size, stride, padding, dilation, ceil_mode, dims)
    expect_shape(grad_y, (*x.shape[: x.ndim - len(pool.windows)], *pool.output))
    work = _mean_type(grad_y)
    divisors = _divisors(pool, count_include_pad, xp)
    grad = _divided(grad_y.astype(work, copy=False), divisors, work)
    grad = _sum_taps(grad, pool, xp, back=True)
    return grad.astype(grad_y.dtype if grad_y.dtype.kind in "fO" else np.float64, copy=False)


@overload
def global_avg_pool(x: NDArray[Float], *, dims: int | None = None) -> Tensor[Float]: ...
@overload
def global_avg_pool(x: Device, *, dims: int | None = None) -> Device: ...
@overload
def global_avg_pool(x: ArrayLike, *, dims: int | None = None) -> Tensor[Any]: ...
def global_avg_pool(x: Any, *, dims: int | None = None) -> Array:
    """Mean of each channel, its spatial axes kept with size 1.

    >>> global_avg_pool([1.0, 2.0, 6.0])
    array([3.])
    """
    _, x = as_operands(x=x)
    rank = spatial_rank(x, 1, dims)
    return avg_pool(x, x.shape[x.ndim - rank :])
