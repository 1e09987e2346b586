"""Random convolutions against naive loops in float64, adjoints and finite differences."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from convcli.ops.conv import conv, conv_transpose
from convcli.ops.gradients import conv_grad, conv_transpose_grad

CASES_PER_GROUP = 50
GROUPS = 20


@dataclass
class Case:
    x: np.ndarray
    weight: np.ndarray
    bias: np.ndarray | None
    options: dict[str, Any]


def draw(rng: np.random.Generator, dtype: str) -> Case:
    """A convolution that fits, with N, C, C_out and every spatial size different."""
    rank = int(rng.integers(1, 4))
    groups = int(rng.integers(1, 4))
    batch, per_in, per_out = rng.permutation([1, 2, 3])
    sizes = rng.permutation([6, 7, 8, 9] if rank < 3 else [4, 5, 6])[:rank]
    kernel = rng.permutation([1, 2, 3, 4])[:rank]
    stride = rng.integers(1, 4, rank)
    dilation = rng.integers(1, 3, rank)
    pads = []
    for n, k, d in zip(sizes, kernel, dilation, strict=True):
        span = d * (k - 1) + 1
        before, after = (int(v) for v in rng.integers(0, 4, 2))
        while n + before + after < span:
            after += 1
        pads.append((before, after))
    named = rng.integers(0, 6)
    padding: Any = {0: "same", 1: "same_lower", 2: "full"}.get(int(named), pads)
    shape = (batch, per_in * groups, *sizes)
    weight_shape = (per_out * groups, per_in, *kernel)

    def values(shape: Any) -> np.ndarray:
        if dtype.startswith(("int", "uint")):
            low = 0 if dtype[0] == "u" else -100
            return rng.integers(low, 100, shape).astype(dtype)
        return rng.standard_normal(shape).astype(dtype)

    return Case(
        values(shape),
        values(weight_shape),
        values(weight_shape[0]) if rng.integers(2) else None,
        {
            "stride": tuple(int(v) for v in stride),
            "dilation": tuple(int(v) for v in dilation),
            "groups": groups,
            "padding": padding,
        },
    )


def pads_of(case: Case) -> list[tuple[int, int]]:
    """Padding by the definitions, written out again."""
    padding = case.options["padding"]
    if not isinstance(padding, str):
        return padding
    pads = []
    for n, k, s, d in zip(
        case.x.shape[2:],
        case.weight.shape[2:],
        case.options["stride"],
        case.options["dilation"],
        strict=True,
    ):
        span = d * (k - 1) + 1
        if padding == "full":
            pads.append((span - 1, span - 1))
        else:
            total = max((-(-n // s) - 1) * s + span - n, 0)
            halves = (total // 2, total - total // 2)
            pads.append(halves if padding == "same" else halves[::-1])
    return pads


def naive_conv(case: Case) -> np.ndarray:
    """Sum of products, one output at a time, in float64 (or Python's integers)."""
    whole = case.x.dtype.kind in "iu"
    x = case.x.astype(object if whole else np.float64)
    w = case.weight.astype(object if whole else np.float64)
    x = np.pad(x, [(0, 0), (0, 0), *pads_of(case)])
    stride, dilation, groups = (case.options[k] for k in ("stride", "dilation", "groups"))
    kernel = w.shape[2:]
    out_shape = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True)
    ]
    y = np.zeros((x.shape[0], w.shape[0], *out_shape), x.dtype)
    per_in, per_out = w.shape[1], w.shape[0] // groups
    for i in itertools.product(*map(range, out_shape)):
        for k in itertools.product(*map(range, kernel)):
            at = tuple(a * s + b * d for a, s, b, d in zip(i, stride, k, dilation, strict=True))
            for o in range(w.shape[0]):
                for c in range(per_in):
                    cell = x[(slice(None), o // per_out * per_in + c, *at)]
                    y[(slice(None), o, *i)] += w[(o, c, *k)] * cell
    if case.bias is not None:
        bias = case.bias.astype(x.dtype)
        y += bias.reshape(-1, *(1,) * len(kernel))
    return y


def close(actual: np.ndarray, expected: np.ndarray, dtype: str) -> None:
    assert actual.shape == expected.shape
    if dtype.startswith(("int", "uint")):
        assert actual.dtype == np.int64
        assert (actual.astype(object) == expected).all()
        return
    assert actual.dtype == np.dtype(dtype)
    tolerance = {"float64": 1e-12, "float32": 2e-5, "float16": 2e-3}[dtype]
    scale = np.abs(expected).max() + 1
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8", "float16"])
@pytest.mark.parametrize(
    "group", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, GROUPS // 5))]
)
def test_conv_equals_the_naive_loop(backend: Any, dtype: str, group: int) -> None:
    rng = np.random.default_rng([group, len(dtype), ord(dtype[0])])
    for _ in range(CASES_PER_GROUP):
        case = draw(rng, dtype)
        bias = None if case.bias is None else backend.put(case.bias)
        y = conv(backend.put(case.x), backend.put(case.weight), bias, **case.options)
        close(backend.get(y), naive_conv(case), dtype)


@pytest.mark.parametrize("dtype", ["float64", "int64"])
@pytest.mark.parametrize("group", range(4))
def test_conv_transpose_is_the_adjoint(backend: Any, dtype: str, group: int) -> None:
    """<conv(x), y> == <x, conv_transpose(y)>, exactly for whole numbers."""
    rng = np.random.default_rng([7, group, len(dtype)])
    for _ in range(CASES_PER_GROUP):
        case = draw(rng, dtype)
        x, w = backend.put(case.x), backend.put(case.weight)
        y = conv(x, w, **case.options)
        v = backend.put(rng.integers(-9, 9, y.shape).astype(dtype))
        options = {**case.options, "padding": pads_of(case)}
        # The sizes that the stride skips over come back as output padding.
        natural = [
            (o - 1) * s + d * (k - 1) + 1 - sum(p)
            for o, s, d, k, p in zip(
                y.shape[2:], options["stride"], options["dilation"], w.shape[2:], pads_of(case), strict=True
            )
        ]  # fmt: skip
        extra = tuple(n - m for n, m in zip(x.shape[2:], natural, strict=True))
        back = conv_transpose(v, w, output_padding=extra, **options)
        assert back.shape == x.shape
        left, right = (backend.get(y) * backend.get(v)).sum(), (case.x * backend.get(back)).sum()
        if dtype == "int64":
            assert left == right
        else:
            assert left == pytest.approx(right, rel=1e-10, abs=1e-9)
        grad = conv_grad(v, x, w, **case.options)
        np.testing.assert_allclose(backend.get(grad.x), backend.get(back), rtol=1e-12, atol=1e-12)


def slope(function: Any, at: np.ndarray, index: tuple[int, ...]) -> float:
    step = np.zeros_like(at)
    step[index] = 1e-3
    return float(function(at + step) - function(at - step)) / 2e-3


@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "conv_transpose"])
@pytest.mark.parametrize("seed", range(8))
def test_gradients_equal_central_differences(backend: Any, transposed: bool, seed: int) -> None:
    rng = np.random.default_rng(seed + 100)
    case = draw(rng, "float64")
    operation, gradient = (conv_transpose, conv_transpose_grad) if transposed else (conv, conv_grad)
    options = dict(case.options)
    x, w = case.x, case.weight
    if transposed:
        options["padding"] = 0
        # An x for the transposed operation has the channels that the convolution gives.
        x = rng.standard_normal((x.shape[0], w.shape[0], *x.shape[2:]))
    channels = w.shape[1] * options["groups"] if transposed else w.shape[0]
    bias = rng.standard_normal(channels)
    put = backend.put
    grad_y = rng.standard_normal(operation(x, w, bias, **options).shape)
    grads = gradient(put(grad_y), put(x), put(w), **options)
    for name, at, actual in (("x", x, grads.x), ("w", w, grads.weight), ("b", bias, grads.bias)):
        actual = backend.get(actual)
        assert actual.shape == at.shape

        def loss(value: np.ndarray, name: str = name) -> float:
            operands = {"x": x, "w": w, "b": bias, name: value}
            y = operation(operands["x"], operands["w"], operands["b"], **options)
            return float((grad_y * y).sum())

        for flat in rng.choice(at.size, min(at.size, 12), replace=False):
            index = np.unravel_index(flat, at.shape)
            assert slope(loss, at, index) == pytest.approx(actual[index], rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_flip_is_convolution_of_the_reversed_kernel(backend: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = draw(rng, "float64")
    reverse = (..., *(slice(None, None, -1),) * (case.weight.ndim - 2))
    # Whole numbers: exact in whatever order a BLAS adds them.
    case.x, case.weight = np.rint(8 * case.x), np.rint(8 * case.weight)
    x, w = backend.put(case.x), backend.put(case.weight)
    flipped = backend.put(np.ascontiguousarray(case.weight[reverse]))
    y = conv(x, w, flip=True, **case.options)
    np.testing.assert_array_equal(backend.get(y), backend.get(conv(x, flipped, **case.options)))
    grad = conv_grad(y, x, w, flip=True, **case.options)
    other = conv_grad(y, x, flipped, **case.options)
    np.testing.assert_array_equal(backend.get(grad.x), backend.get(other.x))
    np.testing.assert_array_equal(backend.get(grad.weight), backend.get(other.weight)[reverse])


def test_blocks_of_every_shape_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """One output per block, one row, several images: the cuts must not show."""
    rng = np.random.default_rng(3)
    x, w = rng.integers(-9, 9, (5, 4, 13, 11)), rng.integers(-9, 9, (6, 2, 3, 2))
    options: dict[str, Any] = {"padding": (2, 1), "stride": (1, 2), "groups": 2}
    whole = conv(x, w, **options)
    grad = conv_grad(whole, x, w, **options)
    for budget in (1, 400, 3000, 40_000):
        monkeypatch.setattr("convcli.ops.sliding_window.BLOCK_BYTES", budget)
        np.testing.assert_array_equal(conv(x, w, **options), whole)
        pieces = conv_grad(whole, x, w, **options)
        np.testing.assert_array_equal(pieces.x, grad.x)
        np.testing.assert_array_equal(pieces.weight, grad.weight)


@pytest.mark.parametrize("loops", ["compiled", "numpy"])
def test_infinities_are_answered_without_a_warning(
    loops: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loops == "numpy":
        monkeypatch.setenv("CONVCLI_LOOPS", "numpy")
    x, w = np.ones((1, 2, 5, 6)), np.ones((3, 2, 2, 2))
    x[0, 0, 2, 3], x[0, 1, 2, 4], w[1] = np.inf, -np.inf, 0
    y = conv(x, w)
    assert np.isnan(y[0, 0, 1:3, 3]).all()  # infinity less infinity
    assert (y[0, 0, 1:3, 2] == np.inf).all()
    assert (y[0, 0, 1:3, 4] == -np.inf).all()
    assert np.isnan(y[0, 1, 1:3, 2:5]).all()  # infinity times 0
    assert np.isfinite(y[0, :, 0]).all()


def test_a_flag_that_blas_leaves_behind_is_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """BLAS computes lanes beyond the matrix out of what lies in memory, and drops them."""
    multiply = np.matmul

    def careless(*operands: Any, out: Any = None) -> Any:
        np.subtract(np.float32(np.inf), np.array([np.inf], np.float32))
        return multiply(*operands, out=out)

    with pytest.raises(RuntimeWarning, match="invalid value"):
        careless(np.ones((2, 2)), np.ones((2, 2)))
    rng = np.random.default_rng(4)
    x, w = rng.integers(-9, 9, (2, 3, 9, 8)), rng.integers(-9, 9, (4, 3, 3, 2))
    usual = conv(x, w, stride=2), conv_grad(conv(x, w), x, w)
    monkeypatch.setattr(np, "matmul", careless)
    np.testing.assert_array_equal(conv(x, w, stride=2), usual[0])
    for one, two in zip(conv_grad(conv(x, w), x, w), usual[1], strict=True):
        np.testing.assert_array_equal(one, two)
