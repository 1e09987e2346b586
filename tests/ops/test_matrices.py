"""Toeplitz, im2col and circulant matrices against the sliding window; separable kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convcli.errors import ShapeError, TensorError
from convcli.ops.conv import conv, conv_transpose, depthwise_separable
from convcli.ops.conv_geometry import conv_geometry
from convcli.ops.matrices import circulant, shift_matrix, toeplitz
from convcli.ops.separable import separate
from convcli.ops.unfold import col2im, im2col

LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "one_axis": ((7,), (3,), {}),
    "one_axis_uneven_padding": ((7,), (3,), {"padding": (2, 1), "stride": 2}),
    "one_axis_channels": ((3, 8), (2, 3, 4), {"padding": "same", "dilation": 2}),
    "two_axes": ((5, 6), (2, 3), {"padding": 1}),
    "two_axes_channels": ((2, 5, 7), (3, 2, 3, 2), {"stride": (2, 1), "padding": [(0, 1), (2, 0)]}),
    "two_axes_groups": ((4, 5, 6), (6, 2, 3, 2), {"groups": 2, "dilation": (1, 2)}),
    "three_axes": ((2, 3, 4, 5), (3, 2, 2, 1, 3), {"padding": "full"}),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("flip", [False, True], ids=["correlation", "convolution"])
def test_toeplitz_times_x_is_conv(backend: Any, name: str, flip: bool) -> None:
    shape, weight_shape, options = LAYERS[name]
    rng = np.random.default_rng(len(name))
    x, w = rng.integers(-9, 9, shape), rng.integers(-9, 9, weight_shape)
    expected = conv(x, w, flip=flip, **options)
    put = backend.put
    matrix = backend.get(toeplitz(put(w), shape, flip=flip, padded=False, **options))
    np.testing.assert_array_equal(matrix @ x.ravel(), expected.ravel())
    data, indices, indptr, size = toeplitz(
        put(w), shape, flip=flip, padded=False, sparse=True, **options
    )
    scipy_sparse = pytest.importorskip("scipy.sparse")
    rows = scipy_sparse.csr_array(tuple(map(backend.get, (data, indices, indptr))), size)
    np.testing.assert_array_equal(rows.toarray(), matrix)

    g = conv_geometry(shape, weight_shape, **options)
    pads = [(0, 0)] * (x.ndim - g.rank) + list(zip(g.before, g.after, strict=True))
    on_padded = backend.get(toeplitz(put(w), shape, flip=flip, **options))
    np.testing.assert_array_equal(on_padded @ np.pad(x, pads).ravel(), expected.ravel())


@pytest.mark.parametrize("name", [n for n in LAYERS if not n.startswith("two_axes_groups")])
def test_transposed_matrix_is_conv_transpose(name: str) -> None:
    shape, weight_shape, options = LAYERS[name]
    rng = np.random.default_rng(len(name))
    w = rng.integers(-9, 9, weight_shape)
    x = rng.integers(-9, 9, shape)
    v = rng.integers(-9, 9, conv(x, w, **options).shape)
    rank = w.ndim - 2 if w.ndim > 2 else w.ndim
    matrix = toeplitz(w, shape, padded=False, **options)
    spatial = shape[len(shape) - rank :]
    if options.get("padding") == "same":
        options = {**options, "padding": 3}  # span 7, stride 1
    stride = options.get("stride", 1)
    strides = (stride,) * rank if isinstance(stride, int) else stride
    full = conv_transpose(v, w, **options)
    extra = tuple(n - m for n, m in zip(spatial, full.shape[full.ndim - rank :], strict=True))
    assert all(0 <= e < max(s, 2) for e, s in zip(extra, strides, strict=True))
    back = conv_transpose(v, w, output_padding=extra, **options)
    np.testing.assert_array_equal(matrix.T @ v.ravel(), back.ravel())


@pytest.mark.parametrize("name", LAYERS)
def test_im2col_product_is_conv_and_col2im_is_its_adjoint(backend: Any, name: str) -> None:
    shape, weight_shape, options = LAYERS[name]
    options = {k: v for k, v in options.items() if k != "groups"}
    rng = np.random.default_rng(len(name))
    x = rng.integers(-9, 9, shape)
    rank = len(weight_shape) - 2 if len(weight_shape) > 2 else len(weight_shape)
    kernel = weight_shape[len(weight_shape) - rank :]
    columns = backend.get(im2col(backend.put(x), kernel, **options))
    channels = shape[0] if len(shape) > rank else 1
    w = rng.integers(-9, 9, (4, channels, *kernel))
    expected = conv(x.reshape(channels, *shape[len(shape) - rank :]), w, dims=rank, **options)
    np.testing.assert_array_equal(w.reshape(4, -1) @ columns, expected.reshape(4, -1))
    other = rng.integers(-9, 9, columns.shape)
    folded = backend.get(col2im(backend.put(other), shape, kernel, **options))
    assert folded.shape == shape
    assert (columns * other).sum() == (x * folded).sum()


def test_im2col_keeps_the_batch() -> None:
    x = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    both = im2col(x, (2, 3), padding=1)
    assert both.shape == (2, 3 * 6, 5 * 5)
    np.testing.assert_array_equal(both[1], im2col(x[1], (2, 3), padding=1))


def test_circulant_is_wrapped_convolution_and_commutes_with_the_shift() -> None:
    rng = np.random.default_rng(1)
    w, x, n = rng.integers(-9, 9, 3), rng.integers(-9, 9, 8), 8
    matrix, shift = circulant(w, n), shift_matrix(n)
    wrapped = conv(np.concatenate([x[-2:], x]), w, flip=True)
    np.testing.assert_array_equal(matrix @ x, wrapped)
    np.testing.assert_array_equal(shift @ x, np.roll(x, 1))
    np.testing.assert_array_equal(matrix @ shift, shift @ matrix)
    np.testing.assert_array_equal(shift @ shift.T, np.eye(n))
    np.testing.assert_array_equal(shift.T @ shift, np.eye(n))


@pytest.mark.parametrize("shift", [(0, 1), (2, 0), (-1, 3)], ids=str)
def test_conv_commutes_with_shifts_inside(shift: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    x = np.zeros((2, 3, 20, 22))
    x[..., 6:13, 7:15] = rng.integers(-99, 99, (2, 3, 7, 8))
    w = rng.integers(-99, 99, (4, 3, 3, 2)).astype(float)
    moved = conv(np.roll(x, shift, (2, 3)), w)
    np.testing.assert_array_equal(moved, np.roll(conv(x, w), shift, (2, 3)))


def test_separate_exact_and_by_rank() -> None:
    binomial = np.outer([1, 4, 6, 4, 1], [1, 2, 1])
    columns, rows, error = separate(binomial)
    assert error == 0
    np.testing.assert_array_equal(columns @ rows, binomial)
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal((5, 4))
    full = separate(kernel)
    assert full.rank == 4
    assert full.error < 1e-13
    errors = [separate(kernel, rank).error for rank in (1, 2, 3, 4)]
    assert errors[-1] < 1e-14 < errors[2] < errors[0]
    x = rng.standard_normal((9, 8))
    passes = sum(
        conv(conv(x, full.columns[:, r : r + 1]), full.rows[r : r + 1]) for r in range(full.rank)
    )
    np.testing.assert_allclose(passes, conv(x, kernel), atol=1e-12)
    with pytest.raises(TensorError, match="rank is 5; a 5x4 kernel has 1 to 4"):
        separate(kernel, 5)
    with pytest.raises(TensorError, match="only one of two axes"):
        separate([1, 2, 3])


def test_depthwise_separable_equals_the_full_kernel() -> None:
    rng = np.random.default_rng(2)
    x, d, p = rng.standard_normal((2, 3, 7, 6)), rng.standard_normal((3, 1, 3, 2)), rng.standard_normal((5, 3))  # fmt: skip
    bias = rng.standard_normal(5)
    full = p[:, :, None, None] * d[:, 0]
    np.testing.assert_allclose(
        depthwise_separable(x, d, p, bias, padding=1), conv(x, full, bias, padding=1), atol=1e-12
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: toeplitz([1, 2, 3], 2), "the output is empty"),
        (lambda: toeplitz([[1] * 3] * 3, (300, 300)), "sparse form"),
        (lambda: im2col([1, 2, 3], (2, 2)), "do not go together"),
        (lambda: col2im([[1, 1]], 4, 3), "those of x 4 have 3x2"),
        (lambda: circulant([1, 2, 3], 2), "needs one axis of 1 to 2"),
    ],
    ids=["too_large", "dense_too_large", "rank", "columns_shape", "circulant_too_long"],
)
def test_errors_name_the_rule(call: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        call()
