"""The kernel of a convolution as a matrix: Toeplitz, or circulant on a cycle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convcli.arithmetic.sizes import cross
from convcli.arithmetic.window import Padding
from convcli.displays import displayed
from convcli.errors import ShapeError, TensorError
from convcli.ops.array_types import Device, MatrixOptions, Scalar, Tensor
from convcli.ops.border_cells import add_repeated, refuse_affine
from convcli.ops.conv import flip_kernel
from convcli.ops.conv_geometry import ConvGeometry, PerAxis, conv_geometry
from convcli.ops.operands import Array, as_operands

__all__ = ["SparseRows", "circulant", "shift_matrix", "toeplitz"]

MAX_CELLS = 1 << 28
"""Most entries of a dense matrix (2 GiB of float64): beyond it, the sparse form is the answer."""


Entries = TypeVar("Entries")
Places = TypeVar("Places")


class SparseRows(NamedTuple, Generic[Entries, Places]):
    """A sparse matrix by rows (CSR): row i holds ``data[indptr[i]:indptr[i + 1]]``."""

    data: Entries
    indices: Places
    indptr: Places
    shape: tuple[int, int]

    def _repr_latex_(self) -> str | None:
        return displayed(self)


@overload
def toeplitz(
    weight: NDArray[Scalar],
    input_shape: PerAxis,
    *,
    sparse: Literal[False] = False,
    **options: Unpack[MatrixOptions],
) -> Tensor[Scalar]: ...
@overload
def toeplitz(
    weight: NDArray[Scalar],
    input_shape: PerAxis,
    *,
    sparse: Literal[True],
    **options: Unpack[MatrixOptions],
) -> SparseRows[Tensor[Scalar], Tensor[np.int64]]: ...
@overload
def toeplitz(
    weight: Device,
    input_shape: PerAxis,
    *,
    sparse: Literal[False] = False,
    **options: Unpack[MatrixOptions],
) -> Device: ...
@overload
def toeplitz(
    weight: Device, input_shape: PerAxis, *, sparse: Literal[True], **options: Unpack[MatrixOptions]
) -> SparseRows[Device, Device]: ...
@overload
def toeplitz(
    weight: ArrayLike,
    input_shape: PerAxis,
    *,
    sparse: Literal[False] = False,
    **options: Unpack[MatrixOptions],
) -> Tensor[Any]: ...
@overload
def toeplitz(
    weight: ArrayLike,
    input_shape: PerAxis,
    *,
    sparse: Literal[True],
    **options: Unpack[MatrixOptions],
) -> SparseRows[Tensor[Any], Tensor[np.int64]]: ...
def toeplitz(
    weight: Any,
    input_shape: PerAxis,
    *,
    stride: PerAxis = 1,
    padding: Padding | Sequence[Padding] = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    flip: bool = False,
    padded: bool = True,
    sparse: bool = False,
    border: str = "constant",
) -> Any:
    """The kernel as a matrix: times the flattened input it is the flattened convolution.

    Parameters
    ----------
    weight
        Bare kernel, or (C_out, C_in/groups, \\*kernel).
    input_shape
        Bare spatial shape, or (C_in, \\*spatial), without padding.
    stride, padding, dilation, groups, flip, border
        As for :func:`convcli.conv`.
    padded
        Columns stand for the cells of the padded input, as lectures draw it (a Toeplitz matrix in
        one dimension, doubly blocked in two). If False those of the padding are left out: the
        matrix then acts on the input itself, and its transpose is the transposed convolution.
        With a border their weights are added to the cells that stand there; a wrapped ``"same"``
        gives the circulant matrix.
    sparse
        Return :class:`SparseRows` ``(data, indices, indptr, shape)`` instead of a dense matrix.

    Returns
    -------
    array or SparseRows
        Shape (C_out * prod(output), C_in * prod(size)).

    Raises
    ------
    ShapeError
        If shapes do not fit, or the dense matrix would have more than 2**28 entries.
    TensorError
        If the border is ``constant:V`` and the padding is left out: no matrix adds a constant.

    >>> toeplitz([1, 2, 3], 4, padding=1)
    array([[1, 2, 3, 0, 0, 0],
           [0, 1, 2, 3, 0, 0],
           [0, 0, 1, 2, 3, 0],
           [0, 0, 0, 1, 2, 3]])
    >>> toeplitz([1, 2, 3], 4, padding=1, border="wrap", padded=False)
    array([[2, 3, 0, 1],
           [1, 2, 3, 0],
           [0, 1, 2, 3],
           [3, 0, 1, 2]])
    """
    xp, weight = as_operands(weight=weight)
    shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    g = conv_geometry(
        shape, weight.shape, stride=stride, padding=padding, dilation=dilation, groups=groups,
        border=border,
    )  # fmt: skip
    if not padded:
        refuse_affine(g, "matrix of it")
    if flip:
        weight = flip_kernel(weight, g.rank)
    sizes = g.padded if padded else g.size
    columns, inside = _columns(g, padded, xp)
    rows = g.small_channels * math.prod(g.output)
    width = g.big_channels * math.prod(sizes)
    data = weight.reshape(g.small_channels, 1, -1)
    data = xp.broadcast_to(data, columns.shape)
    row = xp.broadcast_to(xp.arange(rows).reshape(g.small_channels, -1, 1), columns.shape)
    if g.has_border and not padded:
        # Several taps may meet one cell.
        places, data = add_repeated((row * width + columns).ravel(), data.ravel())
        if data.dtype != weight.dtype:
            data = _narrowed(data, weight)
        row, columns = places // width, places % width
        inside = xp.ones(places.shape, bool)
    if sparse:
        counts = xp.bincount(row[inside], minlength=rows)
        indptr = xp.concatenate([xp.zeros(1, np.int64), xp.cumsum(counts)])
        return SparseRows(data[inside], columns[inside], indptr, (rows, width))
    if rows * width > MAX_CELLS:
        raise ShapeError(
            f"the matrix would be {rows}x{width}; ask for it in sparse form, or for a smaller input"
        )
    dense = xp.zeros((rows, width), weight.dtype)
    dense[row[inside], columns[inside]] = data[inside]
    return dense


def _narrowed(sums: Array, weight: Array) -> Array:
    """Sums of weights in the type of the weights, as a matrix without a border has it."""
    entries = sums.astype(weight.dtype)
    if weight.dtype.kind in "iu" and bool((entries != sums).any()):
        raise TensorError(
            f"weights that meet at the border add up to more than {weight.dtype.name} holds; give "
            "the weight as int64"
        )
    return entries


def _columns(g: ConvGeometry, padded: bool, xp: Any) -> tuple[Array, Array]:
    """Column of every (C_out, output, channel and tap), and whether it exists."""
    channels = g.big_channels // g.groups
    cells = xp.zeros((1, 1), np.int64)  # (output, tap) so far
    inside = xp.ones((1, 1), bool)
    for axis in range(g.rank):
        o, k = xp.arange(g.output[axis]), xp.arange(g.kernel[axis])
        at = o[:, None] * g.stride[axis] + k * g.dilation[axis]
        size = g.padded[axis]
        ok = xp.ones(at.shape, bool)
        if not padded:
            size = g.size[axis]
            sources = [-1 if cell is None else cell for cell in g.sources[axis]]
            at = xp.asarray(sources)[at]
            ok = at >= 0
        cells = _outer(cells * size, at, xp.add)
        inside = _outer(inside, ok, xp.logical_and)
    plane = math.prod(g.padded if padded else g.size)
    group = xp.arange(g.small_channels) // (g.small_channels // g.groups)
    channel = group[:, None] * channels + xp.arange(channels)
    full = channel[:, None, :, None] * plane + cells[None, :, None, :]
    exists = xp.broadcast_to(inside[None, :, None, :], full.shape)
    flat = (g.small_channels, cells.shape[0], channels * cells.shape[1])
    return full.reshape(flat), exists.reshape(flat)


def _outer(left: Array, right: Array, combine: Any) -> Array:
    """Pairs of outputs and of taps of two axes, flattened in C order."""
    both = combine(left[:, None, :, None], right[None, :, None, :])
    return both.reshape(left.shape[0] * right.shape[0], -1)


@overload
def circulant(weight: NDArray[Scalar], n: int) -> Tensor[Scalar]: ...
@overload
def circulant(weight: Device, n: int) -> Device: ...
@overload
def circulant(weight: ArrayLike, n: int) -> Tensor[Any]: ...
def circulant(weight: Any, n: int) -> Array:
    """The matrix of circular convolution with ``weight`` on ``n`` cells.

    Column 0 is the weight, every further column the one before shifted down by one, around the
    end: ``circulant(w, n) @ x`` is the mathematical convolution with wrapped borders. All
    circulant matrices commute, with :func:`shift_matrix` in particular; that is equivariance.

    Raises
    ------
    ShapeError
        If the weight is not one-dimensional or longer than ``n``.

    >>> circulant([1, 2, 3], 4)
    array([[1, 0, 3, 2],
           [2, 1, 0, 3],
           [3, 2, 1, 0],
           [0, 3, 2, 1]])
    """
    xp, weight = as_operands(weight=weight)
    if weight.ndim != 1 or not 1 <= weight.shape[0] <= n:
        raise ShapeError(
            f"weight has shape {cross(weight.shape) or 'scalar'}; a circulant matrix of n={n} "
            f"needs one axis of 1 to {n} numbers"
        )
    if n * n > MAX_CELLS:
        raise ShapeError(f"n is {n}; the matrix would have more than {MAX_CELLS} entries")
    first = xp.zeros(n, weight.dtype)
    first[: weight.shape[0]] = weight
    return first[(xp.arange(n)[:, None] - xp.arange(n)) % n]


def shift_matrix(n: int) -> Tensor[np.int64]:
    """The matrix S that moves every cell one further, the last to the front.

    >>> shift_matrix(3) @ np.array([1, 2, 3])
    array([3, 1, 2])
    """
    if n < 1:
        raise TensorError(f"n is {n}; a shift needs 1 cell or more")
    return circulant(np.array([0, 1], np.int64), n) if n > 1 else np.ones((1, 1), np.int64)
