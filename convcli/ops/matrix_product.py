"""A convolution as one matrix product, checked against the sliding window."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convcli.arithmetic.sizes import cross
from convcli.errors import ShapeError
from convcli.kernels.blas import matmul
from convcli.ops.border_cells import with_border
from convcli.ops.conv import conv, conv_transpose, flip_kernel
from convcli.ops.conv_geometry import ConvGeometry, conv_geometry
from convcli.ops.exact import as_floats, zero_padded
from convcli.ops.gradients import conv_grad
from convcli.ops.matrices import circulant, shift_matrix, toeplitz
from convcli.ops.operands import Array, as_operand
from convcli.ops.polynomial import Polynomial, names_in
from convcli.ops.unfold import im2col

__all__ = ["MatrixProduct", "circulant_products", "data_product", "kernel_product"]

MAX_ENTRIES = 1 << 20
"""Most entries of a matrix here: these are to be looked at, and symbols multiply slowly."""

MAX_CYCLE = 200


def _check_entries(rows: int, columns: int) -> None:
    if rows * columns > MAX_ENTRIES:
        raise ShapeError(
            f"the matrix would be {rows}x{columns}; at most {MAX_ENTRIES:,} entries are worked "
            "out here, so take a smaller input, or convcli.toeplitz and convcli.im2col in Python"
        )


@dataclass(frozen=True)
class MatrixProduct:
    """``left @ right == result``, and the same result by the sliding window.

    ``left`` or ``right`` is the matrix of the convolution; ``right`` and ``result`` may be
    missing, where there is nothing to multiply. ``padding`` marks entries of ``right`` (or of
    the matrix) that are padding.
    """

    title: str
    left: Array | None
    right: Array | None
    result: Array | None
    window: Array | None
    padding: Array | None = None
    note: str = ""

    @property
    def difference(self) -> float | None:
        """Largest difference from the sliding window; 0 or 1 for symbols."""
        if self.result is None or self.window is None:
            return None
        flat = np.ravel(self.window)
        result = np.ravel(self.result)
        if result.dtype.kind == "O":
            return float(not all(a == b for a, b in zip(result, flat, strict=True)))
        return float(np.abs(result - flat).max(initial=0))

    @property
    def holds(self) -> bool | None:
        """Whether both agree, exactly for whole numbers and symbols."""
        if self.difference is None or self.result is None:
            return None
        rough = self.result.dtype.kind == "f"
        scale = float(np.abs(self.result).max(initial=0)) if rough else 0.0
        return self.difference <= 1e-6 * scale

    def document(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        arrays = {"left": self.left, "right": self.right, "result": self.result}
        found: dict[str, Any] = {"title": self.title}
        for name, array in arrays.items():
            if array is not None:
                found[name] = _plain(array)
        if self.holds is not None:
            found["largest_difference"] = self.difference
            found["equals_sliding_window"] = self.holds
        return found


def _plain(array: Array) -> Any:
    array = as_floats(array)
    if array.dtype.kind != "O":
        return array.tolist()
    texts = np.empty(array.size, object)
    texts[:] = [v if isinstance(v, (int, float)) else str(v) for v in array.flat]
    return texts.reshape(array.shape).tolist()


def _letters(count: int, taken: set[str]) -> Array:
    """Names for unknown values: letters that the kernel does not use, or x1, x2, ..."""
    free = [name for name in string.ascii_lowercase if name not in taken]
    names = free[:count] if count <= len(free) else [f"x{i + 1}" for i in range(count)]
    array = np.empty(count, object)
    array[:] = [Polynomial.of(name) for name in names]
    return array


def kernel_product(
    weight: Any,
    shape: int | Sequence[int],
    x: Any = None,
    *,
    flip: bool = False,
    transpose: bool = False,
    padded: bool = True,
    **options: Any,
) -> MatrixProduct:
    """The Toeplitz matrix of a kernel times an input of ``shape``, symbols by default.

    With ``transpose`` the transposed matrix times an output-sized ``x``, which is the transposed
    convolution onto the padded input. Unless ``padded``, columns (rows, of the transposed one)
    stand for the cells of the input alone: of ``same`` the matrix is square.

    >>> print(kernel_product([1, 2, 3], 3, padding="same", padded=False).left)
    [[2 3 0]
     [1 2 3]
     [0 1 2]]
    >>> product = kernel_product([1, 2, 3], 4, [1, 2, 3, 4], padding=1)
    >>> product.result, product.holds
    (array([ 8, 14, 20, 11]), True)
    """
    weight = as_operand(weight, "weight")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    g = conv_geometry(sizes, weight.shape, **options)
    _check_entries(math.prod(g.small_shape), g.big_channels * math.prod(g.padded))
    matrix = toeplitz(weight, sizes, flip=flip, padded=padded, **options)
    wanted = g.strip(g.small_shape) if transpose else sizes
    if x is None:
        x = _letters(math.prod(wanted), names_in(weight)).reshape(wanted)
    x = as_operand(x, "x")
    if x.shape != wanted:
        side = "output of the convolution" if transpose else "input"
        raise ShapeError(f"x has shape {cross(x.shape)}; the {side} has {cross(wanted)}")
    turned = flip_kernel(weight, g.rank) if flip else weight
    if transpose:
        if not padded:
            return _adjoint_product(g, matrix.T, turned, x, sizes, options)
        return _transposed_product(g, matrix.T, turned, x, sizes)
    border = f" (border {g.border})" if g.has_border else ""
    if not padded:
        return MatrixProduct(
            f"kernel as a {cross(matrix.shape)} matrix, times the input{border}, is the output",
            matrix,
            x.reshape(-1),
            matmul(np, matrix, x.reshape(-1)),
            conv(x, turned, **options),
        )
    pads = [(0, 0)] * (len(sizes) - g.rank) + list(zip(g.before, g.after, strict=True))
    if g.has_border:
        framed = with_border(g, x.reshape(g.big_shape))[1]
    else:
        framed = zero_padded(x, pads)
    marks = np.pad(np.zeros(sizes, bool), pads, constant_values=True)
    return MatrixProduct(
        f"kernel as a {cross(matrix.shape)} matrix, times the padded input{border}, is the output",
        matrix,
        framed.reshape(-1),
        matmul(np, matrix, framed.reshape(-1)),
        conv(x, turned, **options),
        marks.reshape(-1),
    )


def _adjoint_product(
    g: ConvGeometry,
    matrix: Array,
    weight: Array,
    y: Array,
    sizes: tuple[int, ...],
    options: dict[str, Any],
) -> MatrixProduct:
    """The transposed matrix onto the cells of the input: the gradient for it, in other words."""
    what = "transposed convolution"
    if g.has_border:
        what = f"adjoint: what arrives in the padding goes to the cells that {g.border} shows there"
    return MatrixProduct(
        f"transposed matrix, {cross(matrix.shape)}, times x, is the {what}",
        matrix,
        y.reshape(-1),
        matmul(np, matrix, y.reshape(-1)),
        conv_grad(y, np.zeros(sizes, np.int64), weight, **options).x,
    )


def _transposed_product(
    g: ConvGeometry, matrix: Array, weight: Array, x: Array, sizes: tuple[int, ...]
) -> MatrixProduct:
    extra = tuple(
        n - ((o - 1) * s + d * (k - 1) + 1)
        for n, o, s, d, k in zip(g.padded, g.output, g.stride, g.dilation, g.kernel, strict=True)
    )
    window = conv_transpose(
        x.reshape(g.small_shape), weight.reshape(g.weight_shape), stride=g.stride,
        dilation=g.dilation, output_padding=extra,
    )  # fmt: skip
    cropped = g.padded != g.size
    note = "cells that the padding of the convolution crops are kept" if cropped else ""
    if g.has_border:
        note = f"cells of the padding are kept; the border {g.border} would hand them back to x"
    return MatrixProduct(
        f"transposed matrix, {cross(matrix.shape)}, times x, is the transposed convolution",
        matrix,
        x.reshape(-1),
        matmul(np, matrix, x.reshape(-1)),
        window,
        None,
        note,
    )


def data_product(
    x: Any,
    weight: Any = None,
    kernel_size: int | Sequence[int] | None = None,
    *,
    flip: bool = False,
    **options: Any,
) -> MatrixProduct:
    """The windows of ``x`` as columns, and the kernel as rows times that matrix.

    >>> data_product([1, 2, 3, 4], [1, 0, -1]).result
    array([[-2, -2]])
    """
    x = as_operand(x, "x")
    if weight is None:
        if kernel_size is None:
            raise ShapeError("give a weight or a kernel_size")
        columns = im2col(x, kernel_size, **options)
        return MatrixProduct(
            f"each window is a column: {cross(columns.shape)}", None, columns, None, None
        )
    weight = as_operand(weight, "weight")
    g = conv_geometry(x.shape, weight.shape, **options)
    if g.batch > 1:
        raise ShapeError(f"x {cross(x.shape)} is a batch of {g.batch}; give one of them")
    _check_entries(g.terms * g.groups, math.prod(g.output))
    columns = im2col(x.reshape(g.big_shape[1:]), g.kernel, **options)
    turned = flip_kernel(weight, g.rank) if flip else weight
    rows = turned.reshape(g.small_channels, -1)
    return MatrixProduct(
        f"kernel as {cross(rows.shape)} row(s), times the {cross(columns.shape)} windows, is the output",
        rows,
        columns,
        matmul(np, rows, columns),
        conv(x, turned, **options),
    )


def circulant_products(weight: Any, n: int) -> tuple[Array, Array, Array, Array]:
    """The circulant matrix C of ``weight``, the shift S, and both products C S and S C.

    >>> c, s, cs, sc = circulant_products([1, 2], 3)
    >>> bool((cs == sc).all())
    True
    """
    if n > MAX_CYCLE:
        raise ShapeError(f"n is {n}; at most {MAX_CYCLE} cells are worked out here")
    c, s = circulant(weight, n), shift_matrix(n)
    return c, s, matmul(np, c, s), matmul(np, s, c)
