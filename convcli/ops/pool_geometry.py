"""Windows of pools, resolved: which outputs each tap serves, and which cells it reads."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from convcli.arithmetic.sizes import cross, spread_padding
from convcli.arithmetic.window import Padding, Window, per_axis, pool_window
from convcli.errors import ShapeError
from convcli.ops.conv_geometry import PerAxis, refuse_empty, window_rank
from convcli.ops.operands import Array

__all__ = [
    "PoolGeometry",
    "axis_taps",
    "counts",
    "expect_shape",
    "pool_geometry",
    "resized",
    "spatial_rank",
    "sum_type",
]

Slices: TypeAlias = tuple[Any, ...]
"""An index of slices, possibly with an ellipsis."""


@dataclass(frozen=True, slots=True)
class PoolGeometry:
    """Windows on the last axes of an array, resolved."""

    windows: tuple[Window, ...]

    @property
    def output(self) -> tuple[int, ...]:
        """Spatial size of the result."""
        return tuple(w.output for w in self.windows)

    def taps(self) -> Iterator[tuple[tuple[int, ...], Slices, Slices]]:
        """Every tap with the outputs it serves and the cells these read; padding is left out."""
        for tap in itertools.product(*(range(w.kernel_size) for w in self.windows)):
            reach = [reach_of(w, t) for w, t in zip(self.windows, tap, strict=True)]
            if all(reach):
                outputs, cells = zip(*(r for r in reach if r), strict=True)
                yield tap, (..., *outputs), (..., *cells)


def reach_of(window: Window, tap: int) -> tuple[slice, slice] | None:
    """Outputs whose ``tap`` lies on the input, and the cells it lies on."""
    shift = tap * window.dilation - window.before
    stride = window.stride
    low = max(-(shift // stride), 0)
    high = min((window.size - 1 - shift) // stride + 1, window.output)
    if low >= high:
        return None
    first = low * stride + shift
    return slice(low, high), slice(first, first + (high - low - 1) * stride + 1, stride)


def pool_geometry(
    x: Array,
    kernel_size: PerAxis,
    stride: PerAxis | None,
    padding: Padding | Sequence[Padding],
    dilation: PerAxis,
    ceil_mode: bool,
    dims: int | None,
) -> PoolGeometry:
    rank = spatial_rank(x, kernel_size, dims)
    refuse_empty(x.shape, rank)
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
    return PoolGeometry(windows)


def spatial_rank(x: Array, kernel_size: PerAxis, dims: int | None) -> int:
    """Spatial rank: as asked, as the kernel size has numbers, else 2 for 2 to 4 axes."""
    dims = window_rank(x.shape, kernel_size) if dims is None else dims
    if dims not in (1, 2, 3) or not dims <= x.ndim <= dims + 2:
        raise ShapeError(
            f"x of shape {cross(x.shape) or 'scalar'} does not have {dims or '1 to 3'} spatial "
            "axes behind up to two others; it is (N, C, *spatial), (C, *spatial) or bare"
        )
    return dims


def counts(window: Window, count_include_pad: bool) -> np.ndarray[Any, Any]:
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


def _check_covered(window: Window) -> None:
    empty = np.flatnonzero(counts(window, False) == 0)
    if empty.size:
        raise ShapeError(
            f"window {empty[0]} lies on padding alone (kernel size {window.kernel_size}, "
            f"padding {window.before},{window.after}); pad by at most half of the kernel"
        )


def resized(x: Array, axis: int, size: int) -> tuple[int, ...]:
    return (*x.shape[:axis], size, *x.shape[axis + 1 :])


def axis_taps(window: Window, axis: int) -> Iterator[tuple[Slices, Slices]]:
    before = (slice(None),) * axis
    for tap in range(window.kernel_size):
        reach = reach_of(window, tap)
        if reach:
            yield (*before, reach[0]), (*before, reach[1])


def sum_type(x: Array) -> Any:
    """float16 sums in float32 and whole numbers in int64."""
    if x.dtype.kind in "iu":
        return np.int64
    return np.float32 if x.dtype == np.float16 else x.dtype


def expect_shape(grad_y: Array, shape: tuple[int, ...]) -> None:
    if grad_y.shape != shape:
        raise ShapeError(
            f"grad_y has shape {cross(grad_y.shape)}, but the pooled output has {cross(shape)}"
        )
