"""Convolutions with a border: NumPy's padding and naive loops, SciPy's filters, the adjoint."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from convcli.arithmetic.borders import ALIASES, FILLING, FILLING_ALIASES
from convcli.errors import TensorError, UsageError
from convcli.ops.conv import conv, depthwise_separable
from convcli.ops.gradients import conv_grad
from convcli.ops.matrices import circulant, toeplitz
from convcli.ops.polynomial import symbols
from convcli.ops.unfold import col2im, im2col

MODES = ["edge", "reflect", "symmetric", "wrap"]
modes = pytest.mark.parametrize("mode", MODES)

LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "bare_sequence": ((7,), (3,), {"padding": (2, 1), "stride": 2}),
    "larger_than_the_input": ((3,), (4,), {"padding": (11, 7), "stride": 3}),
    "one_cell": ((2, 1), (3, 2, 2), {"padding": (3, 2)}),
    "sequences": ((2, 4, 9), (6, 2, 4), {"padding": (1, 4), "dilation": 2, "groups": 2}),
    "image": ((5, 6), (2, 3), {"padding": ((0, 3), (2, 1)), "dilation": (2, 1)}),
    "images": (
        (2, 3, 7, 8),
        (4, 3, 3, 2),
        {"padding": ((2, 0), (1, 3)), "stride": (2, 3)},
    ),
    "depthwise": ((3, 5, 4), (6, 1, 3, 3), {"padding": "same", "groups": 3}),
    "full": ((1, 2, 4, 3), (3, 2, 5, 6), {"padding": "full"}),
    "volumes": (
        (2, 2, 3, 4, 5),
        (3, 2, 2, 1, 3),
        {"padding": ((1, 2), (4, 0), (0, 2)), "stride": (1, 2, 2)},
    ),
}
layers = pytest.mark.parametrize("name", LAYERS)


def whole(name: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    shape, weight_shape, options = LAYERS[name]
    rng = np.random.default_rng(len(name) + seed)
    return rng.integers(-99, 99, shape), rng.integers(-99, 99, weight_shape), options


def pads_of(x: np.ndarray, w: np.ndarray, options: dict[str, Any]) -> list[tuple[int, int]]:
    rank = w.ndim - 2 if w.ndim > 2 else w.ndim
    given = options.get("padding", 0)
    dilation = np.broadcast_to(options.get("dilation", 1), rank)
    spans = [d * (k - 1) for d, k in zip(dilation, w.shape[w.ndim - rank :], strict=True)]
    if given == "full":
        return [(int(s), int(s)) for s in spans]
    if given == "same":
        return [(int(s) // 2, int(s) - int(s) // 2) for s in spans]
    return [(a, b) for a, b in np.broadcast_to(np.array(given), (rank, 2)).tolist()]


def naive(x: np.ndarray, w: np.ndarray, options: dict[str, Any], **pad: Any) -> np.ndarray:
    """NumPy's padding, then one product after the other, in Python's integers or float64."""
    rank = w.ndim - 2 if w.ndim > 2 else w.ndim
    pads = pads_of(x, w, options)
    x = np.pad(x, [(0, 0)] * (x.ndim - rank) + pads, **pad)
    big = x.reshape((1,) * (rank + 2 - x.ndim) + x.shape)
    w = w.reshape((1,) * (rank + 2 - w.ndim) + w.shape)
    stride = np.broadcast_to(options.get("stride", 1), rank)
    dilation = np.broadcast_to(options.get("dilation", 1), rank)
    outputs = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(big.shape[2:], w.shape[2:], stride, dilation, strict=True)
    ]
    y = np.zeros((big.shape[0], w.shape[0], *outputs), np.int64 if x.dtype.kind == "i" else float)
    per_out = w.shape[0] // options.get("groups", 1)
    for o, c in itertools.product(range(w.shape[0]), range(w.shape[1])):
        plane = big[:, o // per_out * w.shape[1] + c]
        for k in np.ndindex(w.shape[2:]):
            at = tuple(
                slice(t * d, t * d + (n - 1) * s + 1, s)
                for t, d, n, s in zip(k, dilation, outputs, stride, strict=True)
            )
            y[:, o] += w[(o, c, *k)] * plane[(slice(None), *at)]
    return y.reshape(y.shape[2 - (x.ndim - rank) :])


@layers
@modes
def test_whole_numbers_are_those_of_numpys_padding(backend: Any, name: str, mode: str) -> None:
    x, w, options = whole(name)
    y = backend.get(conv(backend.put(x), backend.put(w), border=mode, **options))
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, naive(x, w, options, mode=mode))


@layers
def test_a_constant_is_filled_in(backend: Any, name: str) -> None:
    x, w, options = whole(name)
    y = backend.get(conv(backend.put(x), backend.put(w), border="constant:-7", **options))
    np.testing.assert_array_equal(y, naive(x, w, options, constant_values=-7))


@layers
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_zeros_by_any_name_are_the_default_to_the_bit(name: str, dtype: str) -> None:
    x, w, options = whole(name)
    x, w = x.astype(dtype) / 7, w.astype(dtype) / 3
    plain = conv(x, w, **options)
    for border in ("zeros", "constant", "constant:0", "black"):
        assert conv(x, w, border=border, **options).tobytes() == plain.tobytes()
    v = np.ones_like(plain)
    for a, b in zip(
        conv_grad(v, x, w, **options), conv_grad(v, x, w, border="zeros", **options), strict=True
    ):
        assert a.tobytes() == b.tobytes()


@modes
@pytest.mark.parametrize(
    ("dtype", "summed", "stored"),
    [
        ("float16", 2**-24, 2**-11),
        ("float32", 2**-24, 2**-24),
        ("float64", 2**-53, 2**-53),
    ],
)
def test_floats_keep_their_type_and_their_digits(
    backend: Any, mode: str, dtype: str, summed: float, stored: float
) -> None:
    x, w, options = whole("images")
    x, w = (x / 100).astype(dtype), (w / 100).astype(dtype)
    y = backend.get(conv(backend.put(x), backend.put(w), border=mode, **options))
    assert y.dtype == dtype
    expected, size = (
        naive(a.astype(float), b.astype(float), options, mode=mode)
        for a, b in ((x, w), (np.abs(x), np.abs(w)))
    )
    # 18 products, each rounded and added, here and in the reference; the result is rounded once.
    allowed = (19 * summed + 19 * 2**-53) * size + stored * np.abs(expected)
    assert (np.abs(y - expected) <= allowed).all()


@pytest.mark.parametrize(
    ("border", "scipy_mode"),
    [
        ("replicate", "nearest"),
        ("reflect", "mirror"),
        ("symmetric", "reflect"),
        ("circular", "wrap"),
        ("zeros", "constant"),
    ],
)
def test_same_is_scipys_filter(border: str, scipy_mode: str) -> None:
    from scipy import ndimage

    rng = np.random.default_rng(3)
    x, w = rng.integers(-99, 99, (4, 9, 6)), rng.integers(-9, 9, (3, 5, 7))
    expected = ndimage.correlate(x, w, mode=scipy_mode)
    np.testing.assert_array_equal(conv(x, w, dims=3, padding="same", border=border), expected)


@layers
@pytest.mark.parametrize("mode", [*MODES, "zeros"])
def test_the_gradient_is_the_adjoint_to_the_last_unit(backend: Any, name: str, mode: str) -> None:
    """<conv(x, w), v> is <x, grad.x> and <w, grad.w>: both linear, both exact in whole numbers."""
    x, w, options = whole(name)
    y = conv(x, w, border=mode, **options)
    v = np.random.default_rng(9).integers(-99, 99, y.shape)
    grad = conv_grad(*map(backend.put, (v, x, w)), border=mode, **options)
    grad_x, grad_w = backend.get(grad.x), backend.get(grad.weight)
    assert grad_x.dtype == grad_w.dtype == np.int64
    assert (y * v).sum() == (x * grad_x).sum() == (w * grad_w).sum()
    other = np.random.default_rng(8).integers(-99, 99, x.shape)
    assert (conv(other, w, border=mode, **options) * v).sum() == (other * grad_x).sum()


@modes
def test_the_gradient_flips_with_the_kernel(mode: str) -> None:
    x, w, options = whole("image")
    y = conv(x, w, flip=True, border=mode, **options)
    grad = conv_grad(y, x, w, flip=True, border=mode, **options)
    assert (y * y).sum() == (x * grad.x).sum() == (w * grad.weight).sum()


def test_of_a_constant_the_weight_sees_the_value_and_the_input_nothing() -> None:
    """Affine in x: the slopes are those of zeros, and differences of the loss say so."""
    x, w, options = whole("image")
    border = "constant:5"
    v = conv(x, w, **options) * 0 + 1
    grad = conv_grad(v, x, w, border=border, **options)
    np.testing.assert_array_equal(grad.x, conv_grad(v, x, w, **options).x)

    def loss(x: np.ndarray, w: np.ndarray) -> int:
        return int(naive(x, w, options, constant_values=5).sum())

    for array, slopes, moved in ((x, grad.x, 0), (w, grad.weight, 1)):
        for index in np.ndindex(array.shape):
            step = np.zeros_like(array)
            step[index] = 1
            at = (x + step, w) if moved == 0 else (x, w + step)
            assert loss(*at) - loss(x, w) == slopes[index]


def test_half_precision_rounds_once_where_many_cells_meet() -> None:
    """The edge gets 2048, 1 and 1: added in float16 it would stay at 2048."""
    x, w = np.zeros(3, np.float16), np.ones(1, np.float16)
    v = np.array([2048, 1, 1, 7, 5], np.float16)
    grad = conv_grad(v, x, w, padding=(2, 0), border="edge").x
    np.testing.assert_array_equal(grad, np.array([2050, 7, 5], np.float16))
    assert grad.dtype == np.float16
    many = conv_grad(np.ones(4100, np.float16), x, w, padding=(4097, 0), border="edge").x
    np.testing.assert_array_equal(many, np.array([4098, 1, 1], np.float16))
    weight = np.array([2048, 1, 1], np.float16)
    matrix = toeplitz(weight, 1, padding=1, border="edge", padded=False)
    assert (matrix.tolist(), matrix.dtype) == ([[2050]], np.float16)


def test_the_constant_counts_for_how_exact_sums_are() -> None:
    """2**24 + 1 is no float32, in which the small numbers of x and w would be summed."""
    y = conv([1, 2], [1], padding=1, border="constant:16777217")
    assert y.tolist() == [16777217, 1, 2, 16777217]


def test_whole_numbers_that_meet_at_the_border_are_exact_or_refused() -> None:
    v, w = np.full(9, 2**57), np.ones(1, np.int64)
    x = np.zeros(4, np.int64)
    grad = conv_grad(v, x, w, padding=(5, 0), border="edge").x
    np.testing.assert_array_equal(grad, [6 * 2**57, 2**57, 2**57, 2**57])
    plane = np.full((9, 9), 2**58)
    with pytest.raises(TensorError, match="could exceed int64"):  # 36 cells meet in a corner
        conv_grad(plane, x[:, None] + x, [[1]], padding=((5, 0), (5, 0)), border="edge")
    v = np.full(44, 2**58)
    with pytest.raises(TensorError, match="could exceed int64"):
        conv_grad(v, x, w, padding=(40, 0), border="edge")


@layers
@modes
def test_the_matrix_is_what_unit_vectors_give(backend: Any, name: str, mode: str) -> None:
    x, w, options = whole(name)
    x = x[0] if x.ndim == len(w.shape) and w.ndim > 2 else x
    columns = []
    for index in np.ndindex(x.shape):
        unit = np.zeros_like(x)
        unit[index] = 1
        columns.append(conv(unit, w, border=mode, **options).ravel())
    put = backend.put
    matrix = backend.get(toeplitz(put(w), x.shape, padded=False, border=mode, **options))
    np.testing.assert_array_equal(matrix, np.stack(columns, axis=1))
    data, indices, indptr, size = toeplitz(
        put(w), x.shape, padded=False, sparse=True, border=mode, **options
    )
    data, indices, indptr = map(backend.get, (data, indices, indptr))
    again = np.zeros(size, data.dtype)
    for row in range(size[0]):
        places = indices[indptr[row] : indptr[row + 1]]
        assert (np.diff(places) > 0).all()  # each column once
        again[row, places] = data[indptr[row] : indptr[row + 1]]
    np.testing.assert_array_equal(again, matrix)
    v = np.random.default_rng(4).integers(-9, 9, matrix.shape[0])
    y = conv(x, w, border=mode, **options)
    grad = conv_grad(v.reshape(y.shape), x, w, border=mode, **options)
    np.testing.assert_array_equal(matrix.T @ v, grad.x.ravel())


@pytest.mark.parametrize("n", [3, 4, 8])
def test_wrapped_same_is_the_circulant_matrix(n: int) -> None:
    """Of correlation the weight stands from the middle on; turned round and shifted it is C."""
    w = np.array([5, -2, 7])
    matrix = toeplitz(w, n, padding="same", border="wrap", padded=False)
    np.testing.assert_array_equal(matrix, np.roll(circulant(w[::-1], n), -1, axis=0))
    flipped = toeplitz(w, n, padding=(2, 0), border="circular", padded=False, flip=True)
    np.testing.assert_array_equal(flipped, circulant(w, n))


def test_symbols_read_the_cells_that_numpys_padding_reads() -> None:
    x, w = symbols("a b c; d e f"), symbols("p q; r s")
    assert str(conv(x, w, padding=1, border="edge")[0, 0]) == "ap+aq+ar+as"
    corner = conv(x, w, padding=1, border="reflect")[0, 0]
    assert {*str(corner).split("+")} == {"ep", "dq", "br", "as"}
    matrix = toeplitz(symbols("x y z"), 4, padding=1, border="reflect", padded=False)
    assert [[str(v) for v in row] for row in matrix] == [
        ["y", "x+z", "0", "0"],
        ["x", "y", "z", "0"],
        ["0", "x", "y", "z"],
        ["0", "0", "x+z", "y"],
    ]
    grad = conv_grad(symbols("1 1 1"), symbols("a b c"), symbols("x y z"), padding=1, border="wrap")
    assert [str(v) for v in grad.x] == ["x+y+z"] * 3


@layers
@modes
def test_windows_as_columns_and_back(backend: Any, name: str, mode: str) -> None:
    x, w, options = whole(name)
    options = {k: v for k, v in options.items() if k != "groups"}
    rank = w.ndim - 2 if w.ndim > 2 else w.ndim
    kernel = w.shape[w.ndim - rank :]
    columns = backend.get(im2col(backend.put(x), kernel, border=mode, **options))
    pads = pads_of(x, w, options)
    padded = np.pad(x, [(0, 0)] * (x.ndim - rank) + pads, mode=mode)
    plain = {k: v for k, v in options.items() if k != "padding"}
    np.testing.assert_array_equal(columns, im2col(padded, kernel, **plain))
    other = np.random.default_rng(7).integers(-9, 9, columns.shape)
    back = backend.get(col2im(backend.put(other), x.shape, kernel, border=mode, **options))
    assert back.shape == x.shape
    assert (columns * other).sum() == (x * back).sum()


def test_depthwise_separable_has_the_border_where_it_pads() -> None:
    rng = np.random.default_rng(2)
    x, d, p = rng.integers(-9, 9, (2, 3, 4)), rng.integers(-9, 9, (2, 1, 3, 2)), np.array([[1, -2]])
    full = p[:, :, None, None] * d[:, 0]
    y = depthwise_separable(x, d, p, padding=((1, 1), (1, 0)), border="symmetric")
    np.testing.assert_array_equal(y, conv(x, full, padding=((1, 1), (1, 0)), border="symmetric"))


def test_a_batch_of_none_stays_one() -> None:
    x, w = np.zeros((0, 2, 5)), np.ones((3, 2, 3))
    y = conv(x, w, padding=1, border="reflect")
    assert y.shape == (0, 3, 5)
    grad = conv_grad(y, x, w, padding=1, border="reflect")
    assert (grad.x.shape, grad.weight.tolist()) == ((0, 2, 5), np.zeros((3, 2, 3)).tolist())


def test_every_name_is_one_of_the_borders() -> None:
    x, w = np.array([3, 1, 4, 1, 5]), np.array([1, 10, 100])
    for alias in FILLING_ALIASES:
        known = conv(x, w, padding=2, border=ALIASES[alias])
        np.testing.assert_array_equal(conv(x, w, padding=2, border=alias.upper()), known)
    assert len({conv(x, w, padding=2, border=mode).tobytes() for mode in FILLING}) == len(FILLING)


@pytest.mark.parametrize(
    ("x", "border", "dtype", "first"),
    [
        (np.array([1, 2], np.uint8), "constant:300", np.int64, 300),
        (np.array([1, 2], np.uint8), "constant:-1", np.int64, -1),
        (np.array([1, 2], np.float32), "constant:1/2", np.float32, 0.5),
        (symbols("a b"), "constant:2", object, 2),
    ],
    ids=["wider", "signed", "float", "symbols"],
)
def test_a_constant_takes_the_type_of_the_input(
    x: Any, border: str, dtype: Any, first: Any
) -> None:
    y = conv(x, np.ones(1, x.dtype), padding=1, border=border)
    assert (y.dtype, y[0]) == (dtype, first)


@pytest.mark.parametrize(
    ("border", "message"),
    [
        ("missing", "no cell of a padded tensor is empty; allowed: constant, edge, reflect"),
        ("nan", "no cell of a padded tensor is empty"),
        ("reflekt", "did you mean"),
        ("constant:50%", "'50%' is not a number; V is one, as in constant:-1/2"),
        ("constant:red", "'red' is not a number"),
        ("zeros:", "'' is not a number"),
        ("constant:9007199254740993", "at most 15 digits"),
        ("", "border '' is not known; allowed: constant, edge, reflect, symmetric, wrap$"),
        (None, "border is None; it must be a name: constant, edge"),
        ("edge:3", "only constant takes a value"),
    ],
)
def test_a_border_that_is_none_is_refused(border: Any, message: str) -> None:
    for call in (conv, lambda *a, **o: conv_grad([1, 1], *a, **o)):
        with pytest.raises(UsageError, match=message):
            call([1, 2], [1], border=border)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conv([1, 2], [1], padding=1, border="constant:1/2"), "give x as float64"),
        (lambda: conv([1, 2], [1], padding=1, border="constant:1e20"), "does not fit beside int64"),
        (
            lambda: conv(
                np.ones(2, np.float16), np.ones(1, np.float16), padding=1, border="constant:70000"
            ),
            "does not fit into float16",
        ),
        (
            lambda: toeplitz([1, 2], 3, padding=1, border="constant:1", padded=False),
            "affine, not linear, and there is no matrix",
        ),
        (
            lambda: toeplitz(np.full(3, 100, np.int8), 2, padding=2, border="edge", padded=False),
            "add up to more than int8 holds",
        ),
    ],
    ids=["fraction", "huge", "half", "matrix", "narrow"],
)
def test_what_has_no_answer_is_refused(call: Any, message: str) -> None:
    with pytest.raises(TensorError, match=message):
        call()
