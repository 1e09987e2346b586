"""Max pooling with its gradient: loops over taps, never over pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convcli.arithmetic.window import Padding
from convcli.errors import TensorError
from convcli.ops.array_types import Device, Float, PoolOptions, Scalar, Tensor
from convcli.ops.conv_geometry import PerAxis
from convcli.ops.exact import has_symbols
from convcli.ops.operands import Array, as_operands, namespace
from convcli.ops.pool_geometry import (
    PoolGeometry,
    axis_taps,
    expect_shape,
    pool_geometry,
    resized,
    spatial_rank,
    sum_type,
)

__all__ = ["global_max_pool", "max_pool", "max_pool_grad"]


@overload
def max_pool(
    x: NDArray[Scalar],
    kernel_size: PerAxis,
    *,
    return_indices: Literal[False] = False,
    **options: Unpack[PoolOptions],
) -> Tensor[Scalar]: ...
@overload
def max_pool(
    x: NDArray[Scalar],
    kernel_size: PerAxis,
    *,
    return_indices: Literal[True],
    **options: Unpack[PoolOptions],
) -> tuple[Tensor[Scalar], Tensor[np.int64]]: ...
@overload
def max_pool(
    x: Device,
    kernel_size: PerAxis,
    *,
    return_indices: Literal[False] = False,
    **options: Unpack[PoolOptions],
) -> Device: ...
@overload
def max_pool(
    x: Device,
    kernel_size: PerAxis,
    *,
    return_indices: Literal[True],
    **options: Unpack[PoolOptions],
) -> tuple[Device, Device]: ...
@overload
def max_pool(
    x: ArrayLike,
    kernel_size: PerAxis,
    *,
    return_indices: Literal[False] = False,
    **options: Unpack[PoolOptions],
) -> Tensor[Any]: ...
@overload
def max_pool(
    x: ArrayLike,
    kernel_size: PerAxis,
    *,
    return_indices: Literal[True],
    **options: Unpack[PoolOptions],
) -> tuple[Tensor[Any], Tensor[np.int64]]: ...
def max_pool(
    x: Any,
    kernel_size: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: Padding | Sequence[Padding] = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    dims: int | None = None,
) -> Any:
    """Largest value under each window; padding never wins, NaN always does.

    Parameters
    ----------
    x
        Shape (N, C, \\*spatial), (C, \\*spatial) or bare spatial.
    kernel_size
        One number, or one per spatial axis. A single number means two spatial axes for an ``x``
        of two to four, unless ``dims`` says otherwise.
    stride
        The kernel size by default.
    padding, dilation
        As for :func:`convcli.conv`.
    ceil_mode
        Let the last window hang over the end, if it begins on the input or its padding before.
    return_indices
        Also return where each value came from.
    dims
        Number of spatial axes.

    Returns
    -------
    array or (array, indices)
        ``indices`` is int64: the flat position within the spatial axes of ``x``, of the first of
        equal values.

    Raises
    ------
    ShapeError
        If the window does not fit, or lies on padding alone somewhere.

    >>> max_pool([[1, 5, 2, 0], [3, 4, 8, 7]], 2)
    array([[5, 8]])
    >>> max_pool([4, 1, 9], 2, stride=1, return_indices=True)
    (array([4, 9]), array([0, 2]))
    """
    xp, x = as_operands(x=x)
    _check_ordered(x)
    pool = pool_geometry(x, kernel_size, stride, padding, dilation, ceil_mode, dims)
    if return_indices:
        return _max_with_indices(x, pool)
    # A maximum over a box is a maximum over rows of maxima over columns: fewer taps.
    for axis, window in enumerate(pool.windows, x.ndim - len(pool.windows)):
        best = xp.full(resized(x, axis, window.output), _lowest(x), x.dtype)
        for outputs, cells in axis_taps(window, axis):
            xp.maximum(best[outputs], x[cells], out=best[outputs])
        x = best
    return x


def _check_ordered(x: Array) -> None:
    if has_symbols(x):
        raise TensorError(
            "symbols cannot be pooled by max, since letters have no order; give numbers for X, or "
            "take the mean (avg)"
        )


def _lowest(x: Array) -> Any:
    return -np.inf if x.dtype.kind in "fO" else np.iinfo(x.dtype).min


def _max_with_indices(x: Array, pool: PoolGeometry) -> tuple[Array, Array]:
    xp = namespace(x)
    rank = len(pool.windows)
    lead, sizes = x.shape[: x.ndim - rank], x.shape[x.ndim - rank :]
    best = xp.full((*lead, *pool.output), _lowest(x), x.dtype)
    indices = xp.full((*lead, *pool.output), -1, np.int64)
    places = xp.arange(int(np.prod(sizes)), dtype=np.int64).reshape(sizes)
    for _, outputs, cells in pool.taps():
        value = x[cells]
        better = (value > best[outputs]) | (value != value) | (indices[outputs] < 0)
        best[outputs] = xp.where(better, value, best[outputs])
        indices[outputs] = xp.where(better, places[cells[1:]], indices[outputs])
    return best, indices


@overload
def max_pool_grad(
    grad_y: NDArray[Float], x: ArrayLike, kernel_size: PerAxis, **options: Unpack[PoolOptions]
) -> Tensor[Float]: ...
@overload
def max_pool_grad(
    grad_y: Device, x: Device, kernel_size: PerAxis, **options: Unpack[PoolOptions]
) -> Device: ...
@overload
def max_pool_grad(
    grad_y: ArrayLike, x: ArrayLike, kernel_size: PerAxis, **options: Unpack[PoolOptions]
) -> Tensor[Any]: ...
def max_pool_grad(
    grad_y: Any,
    x: Any,
    kernel_size: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: Padding | Sequence[Padding] = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    dims: int | None = None,
) -> Array:
    """Gradient of ``sum(grad_y * max_pool(x, ...))`` for ``x``: it goes to the winners.

    >>> max_pool_grad([[10, 20]], [[1, 5, 2, 0], [3, 4, 8, 7]], 2)
    array([[ 0, 10,  0,  0],
           [ 0,  0, 20,  0]])
    """
    xp, grad_y, x = as_operands(grad_y=grad_y, x=x)
    _check_ordered(x)
    pool = pool_geometry(x, kernel_size, stride, padding, dilation, ceil_mode, dims)
    _, indices = _max_with_indices(x, pool)
    expect_shape(grad_y, indices.shape)
    sizes = x.shape[x.ndim - len(pool.windows) :]
    places = xp.arange(int(np.prod(sizes)), dtype=np.int64).reshape(sizes)
    grad_x = xp.zeros(x.shape, sum_type(grad_y))
    for _, outputs, cells in pool.taps():
        won = indices[outputs] == places[cells[1:]]
        grad_x[cells] += xp.where(won, grad_y[outputs], 0)
    return grad_x.astype(_returned(grad_y), copy=False)


def _returned(x: Array) -> Any:
    return np.int64 if x.dtype.kind in "iu" else x.dtype


@overload
def global_max_pool(x: NDArray[Scalar], *, dims: int | None = None) -> Tensor[Scalar]: ...
@overload
def global_max_pool(x: Device, *, dims: int | None = None) -> Device: ...
@overload
def global_max_pool(x: ArrayLike, *, dims: int | None = None) -> Tensor[Any]: ...
def global_max_pool(x: Any, *, dims: int | None = None) -> Array:
    """Largest value of each channel, its spatial axes kept with size 1.

    >>> global_max_pool([[[1, 2], [3, 4]], [[8, 7], [6, 5]]])
    array([[[4]],
    <BLANKLINE>
           [[8]]])
    """
    _, x = as_operands(x=x)
    rank = spatial_rank(x, 1, dims)
    return max_pool(x, x.shape[x.ndim - rank :])
