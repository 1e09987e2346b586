"""Max and average pooling with their gradients: loops over taps, never over pixels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from convcli.arithmetic.pooling import PoolWindow, pool_window
from convcli.arithmetic.sizes import cross, spread_padding
from convcli.arithmetic.window import Padding, per_axis
from convcli.errors import ShapeError, TensorError
from convcli.ops.arrays import Array, as_operand, common_namespace, namespace
from convcli.ops.geometry import PerAxis

__all__ = [
    "avg_pool",
    "avg_pool_grad",
    "global_avg_pool",
    "global_max_pool",
    "max_pool",
    "max_pool_grad",
]

Slices: TypeAlias = tuple[Any, ...]
"""An index of slices, possibly with an ellipsis."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Windows on the last axes of an array, resolved."""

    windows: tuple[PoolWindow, ...]

    @property
    def output(self) -> tuple[int, ...]:
        """Spatial size of the result."""
        return tuple(w.output for w in self.windows)

    def taps(self) -> Iterator[tuple[tuple[int, ...], Slices, Slices]]:
        """Every tap with the outputs it serves and the cells these read; padding is left out."""
        for tap in itertools.product(*(range(w.kernel_size) for w in self.windows)):
            reach = [_reach(w, t) for w, t in zip(self.windows, tap, strict=True)]
            if all(reach):
                outputs, cells = zip(*(r for r in reach if r), strict=True)
                yield tap, (..., *outputs), (..., *cells)


def _reach(window: PoolWindow, tap: int) -> tuple[slice, slice] | None:
    """Outputs whose ``tap`` lies on the input, and the cells it lies on."""
    shift = tap * window.dilation - window.before
    stride = window.stride
    low = max(-(shift // stride), 0)
    high = min((window.size - 1 - shift) // stride + 1, window.output)
    if low >= high:
        return None
    first = low * stride + shift
    return slice(low, high), slice(first, first + (high - low - 1) * stride + 1, stride)


def _pool(
    x: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None,
    padding: Padding | Sequence[Padding],
    dilation: PerAxis,
    ceil_mode: bool,
    dims: int | None,
) -> Pool:
    if x.dtype.kind == "O":
        raise TensorError("symbols cannot be pooled: they have no order and no mean")
    rank = _rank(x, kernel_size, dims)
    sizes = x.shape[x.ndim - rank :]
    kernel = per_axis(kernel_size, rank, "kernel_size")
    strides = kernel if stride is None else per_axis(stride, rank, "stride")
    while_ = f"pooling x {cross(x.shape)} with windows of {cross(kernel)}"
    try:
        windows = tuple(
            pool_window(n, k, stride=s, padding=p, dilation=d, ceil_mode=ceil_mode)
            for n, k, s, p, d in zip(
                sizes,
                kernel,
                strides,
                spread_padding(padding, rank),
                per_axis(dilation, rank, "dilation"),
                strict=True,
            )
        )
        for window in windows:
            _check_covered(window)
    except ShapeError as error:
        raise ShapeError(str(error), while_=while_) from error
    return Pool(windows)


def _rank(x: Array, kernel_size: PerAxis, dims: int | None) -> int:
    """Spatial rank: as asked, as the kernel size has numbers, else 2 for 2 to 4 axes."""
    if dims is None:
        dims = len(tuple(kernel_size)) if not isinstance(kernel_size, int) else 0
        dims = dims or {1: 1, 2: 2, 3: 2, 4: 2, 5: 3}.get(x.ndim, 0)
    if dims not in (1, 2, 3) or not dims <= x.ndim <= dims + 2:
        raise ShapeError(
            f"x of shape {cross(x.shape) or 'scalar'} does not have {dims or '1 to 3'} spatial "
            "axes behind up to two others; it is (N, C, *spatial), (C, *spatial) or bare"
        )
    return dims


def _counts(window: PoolWindow, count_include_pad: bool) -> np.ndarray[Any, Any]:
    """``window.divisor`` of every position at once."""
    low, high = (
        (0, window.padded) if count_include_pad else (window.before, window.before + window.size)
    )
    starts = np.arange(window.output) * window.stride
    counts = np.zeros(window.output)
    for tap in range(window.kernel_size):
        at = starts + tap * window.dilation
        counts += (low <= at) & (at < high)
    return counts


def _check_covered(window: PoolWindow) -> None:
    empty = np.flatnonzero(_counts(window, False) == 0)
    if empty.size:
        raise ShapeError(
            f"window {empty[0]} lies on padding alone (kernel size {window.kernel_size}, "
            f"padding {window.before},{window.after}); pad by at most half of the kernel"
        )


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
    x = as_operand(x, "x", common_namespace(x=x))
    pool = _pool(x, kernel_size, stride, padding, dilation, ceil_mode, dims)
    if return_indices:
        return _max_with_indices(x, pool)
    xp = namespace(x)
    # A maximum over a box is a maximum over rows of maxima over columns: fewer taps.
    for axis, window in enumerate(pool.windows, x.ndim - len(pool.windows)):
        best = xp.full(_resized(x, axis, window.output), _lowest(x), x.dtype)
        for outputs, cells in _axis_taps(window, axis):
            xp.maximum(best[outputs], x[cells], out=best[outputs])
        x = best
    return x


def _resized(x: Array, axis: int, size: int) -> tuple[int, ...]:
    return (*x.shape[:axis], size, *x.shape[axis + 1 :])


def _axis_taps(window: PoolWindow, axis: int) -> Iterator[tuple[Slices, Slices]]:
    before = (slice(None),) * axis
    for tap in range(window.kernel_size):
        reach = _reach(window, tap)
        if reach:
            yield (*before, reach[0]), (*before, reach[1])


def _lowest(x: Array) -> Any:
    return -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min


def _max_with_indices(x: Array, pool: Pool) -> tuple[Array, Array]:
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
    xp = common_namespace(grad_y=grad_y, x=x)
    grad_y, x = as_operand(grad_y, "grad_y", xp), as_operand(x, "x", xp)
    pool = _pool(x, kernel_size, stride, padding, dilation, ceil_mode, dims)
    _, indices = _max_with_indices(x, pool)
    _expect(grad_y, indices.shape)
    sizes = x.shape[x.ndim - len(pool.windows) :]
    places = xp.arange(int(np.prod(sizes)), dtype=np.int64).reshape(sizes)
    grad_x = xp.zeros(x.shape, _sum_type(grad_y))
    for _, outputs, cells in pool.taps():
        won = indices[outputs] == places[cells[1:]]
        grad_x[cells] += xp.where(won, grad_y[outputs], 0)
    return grad_x.astype(_returned(grad_y), copy=False)


def _sum_type(x: Array) -> Any:
    """float16 sums in float32 and whole numbers in int64."""
    if x.dtype.kind in "iu":
        return np.int64
    return np.float32 if x.dtype == np.float16 else x.dtype


def _returned(x: Array) -> Any:
    return np.int64 if x.dtype.kind in "iu" else x.dtype


def _expect(grad_y: Array, shape: tuple[int, ...]) -> None:
    if grad_y.shape != shape:
        raise ShapeError(
            f"grad_y has shape {cross(grad_y.shape)}, but the pooled output has {cross(shape)}"
        )


def _divisors(pool: Pool, count_include_pad: bool, xp: Any) -> Array:
    """Cells that each window averages over, of the output's spatial shape."""
    total = xp.ones((), np.float64)
    for window in pool.windows:
        total = total[..., None] * xp.asarray(_counts(window, count_include_pad))
    return total


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
        Of the type of ``x`` (float16 is summed in float32); whole numbers give float64.

    >>> avg_pool([[1, 5, 2, 0], [3, 4, 8, 7]], 2)
    array([[3.25, 4.25]])
    """
    x = as_operand(x, "x", common_namespace(x=x))
    xp = namespace(x)
    pool = _pool(x, kernel_size, stride, padding, dilation, ceil_mode, dims)
    total = x.astype(_sum_type(x), copy=False)
    for axis, window in enumerate(pool.windows, x.ndim - len(pool.windows)):
        sums = xp.zeros(_resized(total, axis, window.output), total.dtype)
        for outputs, cells in _axis_taps(window, axis):
            sums[outputs] += total[cells]
        total = sums
    mean = total / _divisors(pool, count_include_pad, xp).astype(_mean_type(x), copy=False)
    return mean.astype(x.dtype if x.dtype.kind == "f" else np.float64, copy=False)


def _mean_type(x: Array) -> Any:
    return np.float64 if x.dtype.kind in "iu" else _sum_type(x)


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
    xp = common_namespace(grad_y=grad_y, x=x)
    grad_y, x = as_operand(grad_y, "grad_y", xp), as_operand(x, "x", xp)
    pool = _pool(x, kernel_size, stride, padding, dilation, ceil_mode, dims)
    _expect(grad_y, (*x.shape[: x.ndim - len(pool.windows)], *pool.output))
    work = _mean_type(grad_y)
    grad = grad_y.astype(work, copy=False) / _divisors(pool, count_include_pad, xp).astype(work)
    for axis, window in enumerate(pool.windows, x.ndim - len(pool.windows)):
        spread = xp.zeros(_resized(grad, axis, window.size), work)
        for outputs, cells in _axis_taps(window, axis):
            spread[cells] += grad[outputs]
        grad = spread
    return grad.astype(grad_y.dtype if grad_y.dtype.kind == "f" else np.float64, copy=False)


def global_max_pool(x: Any, *, dims: int | None = None) -> Array:
    """Largest value of each channel, its spatial axes kept with size 1.

    >>> global_max_pool([[[1, 2], [3, 4]], [[8, 7], [6, 5]]])
    array([[[4]],
    <BLANKLINE>
           [[8]]])
    """
    x = as_operand(x, "x", common_namespace(x=x))
    rank = _rank(x, 1, dims)
    return max_pool(x, x.shape[x.ndim - rank :])


def global_avg_pool(x: Any, *, dims: int | None = None) -> Array:
    """Mean of each channel, its spatial axes kept with size 1.

    >>> global_avg_pool([1.0, 2.0, 6.0])
    array([3.])
    """
    x = as_operand(x, "x", common_namespace(x=x))
    rank = _rank(x, 1, dims)
    return avg_pool(x, x.shape[x.ndim - rank :])
