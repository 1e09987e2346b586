"""The data of a convolution as a matrix: windows as columns, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convcli.arithmetic.sizes import cross, spread_padding
from convcli.arithmetic.window import Padding, conv_window, per_axis
from convcli.errors import ShapeError
from convcli.ops.array_types import BorderedOptions, Device, Scalar, Tensor
from convcli.ops.border_cells import fold_border, with_border
from convcli.ops.conv_geometry import (
    ConvGeometry,
    PerAxis,
    conv_geometry,
    refuse_empty,
    window_rank,
    with_channels,
)
from convcli.ops.operands import Array, as_operands
from convcli.ops.sliding_window import windows

__all__ = ["col2im", "im2col"]


@overload
def im2col(
    x: NDArray[Scalar], kernel_size: PerAxis, **options: Unpack[BorderedOptions]
) -> Tensor[Scalar]: ...
@overload
def im2col(x: Device, kernel_size: PerAxis, **options: Unpack[BorderedOptions]) -> Device: ...
@overload
def im2col(
    x: ArrayLike, kernel_size: PerAxis, **options: Unpack[BorderedOptions]
) -> Tensor[Any]: ...
def im2col(
    x: Any,
    kernel_size: PerAxis,
    *,
    stride: PerAxis = 1,
    padding: Padding | Sequence[Padding] = 0,
    dilation: PerAxis = 1,
    border: str = "constant",
) -> Array:
    """The data as a matrix: every window of ``x`` becomes a column.

    Parameters
    ----------
    x
        Shape (N, C, \\*spatial), (C, \\*spatial) or bare spatial.
    kernel_size
        One number per spatial axis; a single number is for one axis if ``x`` has one, else two.
    stride, padding, dilation, border
        As for :func:`convcli.conv`.

    Returns
    -------
    array
        Shape (N, C * prod(kernel), prod(output)), without N if ``x`` has none.

    >>> im2col([1, 2, 3, 4], 3)
    array([[1, 2],
           [2, 3],
           [3, 4]])
    """
    xp, x = as_operands(x=x)
    g = _unfolded(x.shape, kernel_size, stride, padding, dilation, border)
    leading = x.ndim == g.rank + 2
    if g.has_border:
        g, cells = with_border(g, x.reshape(g.big_shape))
    else:
        cells = xp.zeros((g.batch, g.big_channels, *g.padded), x.dtype)
        cells[g.interior] = x.reshape(g.big_shape)
    view = windows(xp, cells, g.kernel, g.output, g.stride, g.dilation)
    columns = view.reshape(g.batch, g.big_channels * math.prod(g.kernel), math.prod(g.output))
    return columns if leading else columns[0]


@overload
def col2im(
    columns: NDArray[Scalar],
    shape: PerAxis,
    kernel_size: PerAxis,
    **options: Unpack[BorderedOptions],
) -> Tensor[Scalar]: ...
@overload
def col2im(
    columns: Device, shape: PerAxis, kernel_size: PerAxis, **options: Unpack[BorderedOptions]
) -> Device: ...
@overload
def col2im(
    columns: ArrayLike, shape: PerAxis, kernel_size: PerAxis, **options: Unpack[BorderedOptions]
) -> Tensor[Any]: ...
def col2im(
    columns: Any,
    shape: PerAxis,
    kernel_size: PerAxis,
    *,
    stride: PerAxis = 1,
    padding: Padding | Sequence[Padding] = 0,
    dilation: PerAxis = 1,
    border: str = "constant",
) -> Array:
    """Adjoint of :func:`im2col`: every column is added back to the window it came from.

    With a border, what was read outside is added to the cell that stands there.

    Parameters
    ----------
    columns
        Shape (N, C * prod(kernel), prod(output)), or without N.
    shape
        Shape of the result: (N, C, \\*spatial), (C, \\*spatial) or bare spatial.

    >>> col2im([[1, 1], [1, 1], [1, 1]], 4, 3)
    array([1, 2, 2, 1])
    """
    xp, columns = as_operands(columns=columns)
    target = (shape,) if isinstance(shape, int) else tuple(shape)
    g = _unfolded(target, kernel_size, stride, padding, dilation, border)
    expected = (g.batch, g.big_channels * math.prod(g.kernel), math.prod(g.output))
    needed = expected if len(target) == g.rank + 2 else expected[1:]
    if columns.shape != needed:
        raise ShapeError(
            f"columns have shape {cross(columns.shape)}; those of x {cross(target)} have "
            f"{cross(needed)}"
        )
    half = columns.dtype == np.float16
    work = np.float32 if half else columns.dtype
    cells = xp.zeros((g.batch, g.big_channels, *g.padded), work)
    parts = columns.reshape(g.batch, g.big_channels, *g.kernel, *g.output)
    for tap in np.ndindex(g.kernel):
        where = tuple(
            slice(t * d, t * d + (o - 1) * s + 1, s)
            for t, d, o, s in zip(tap, g.dilation, g.output, g.stride, strict=True)
        )
        cells[(..., *where)] += parts[(slice(None), slice(None), *tap)]
    return fold_border(g, cells).reshape(target).astype(columns.dtype, copy=False)


def _unfolded(
    shape: tuple[int, ...],
    kernel_size: PerAxis,
    stride: PerAxis,
    padding: Padding | Sequence[Padding],
    dilation: PerAxis,
    border: str,
) -> ConvGeometry:
    """Geometry of windows alone, as of a depthwise convolution."""
    rank = window_rank(shape, kernel_size)
    if rank not in (1, 2, 3) or not rank <= len(shape) <= rank + 2:
        raise ShapeError(
            f"x of shape {cross(shape) or 'scalar'} and kernel_size {kernel_size} do not go "
            "together; x is (N, C, *spatial), (C, *spatial) or bare, with 1 to 3 spatial axes"
        )
    refuse_empty(shape, rank)
    full = with_channels(shape, rank)
    kernel = per_axis(kernel_size, rank, "kernel_size")
    for n, k, s, p, d in zip(
        full[2:],
        kernel,
        per_axis(stride, rank, "stride"),
        spread_padding(padding, rank),
        per_axis(dilation, rank, "dilation"),
        strict=True,
    ):
        conv_window(n, k, stride=s, padding=p, dilation=d)
    weight = (full[1], 1, *kernel)
    return conv_geometry(
        full, weight, stride=stride, padding=padding, dilation=dilation, groups=full[1], dims=rank,
        border=border,
    )  # fmt: skip
