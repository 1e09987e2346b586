"""Pools against a naive loop, and their gradients against finite differences."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from convcli.arithmetic.window import pool_window
from convcli.errors import ShapeError, TensorError
from convcli.ops.avg_pooling import avg_pool, avg_pool_grad, global_avg_pool
from convcli.ops.max_pooling import global_max_pool, max_pool, max_pool_grad
from convcli.ops.polynomial import symbols
from convcli.ops.pool_geometry import counts


def draw(rng: np.random.Generator) -> tuple[tuple[int, ...], dict[str, Any]]:
    rank = int(rng.integers(1, 4))
    kernel = tuple(int(v) for v in rng.permutation([2, 3, 4])[:rank])
    return (
        (2, 3, *(int(v) for v in rng.permutation([7, 8, 9])[:rank])),
        {
            "kernel_size": kernel,
            "stride": tuple(int(v) for v in rng.integers(1, 4, rank)),
            "padding": [(int(rng.integers(0, k // 2 + 1)), int(rng.integers(0, 2))) for k in kernel],
            "dilation": tuple(int(v) for v in rng.integers(1, 3, rank)),
            "ceil_mode": bool(rng.integers(2)),
        },
    )  # fmt: skip


def naive(x: np.ndarray, options: dict[str, Any], include: bool) -> tuple[Any, Any, Any]:
    """Maxima, their places, and means, by the definitions."""
    axes = []
    for n, k, s, (before, after), d in zip(
        x.shape[2:], *(options[o] for o in ("kernel_size", "stride", "padding", "dilation")), strict=True
    ):  # fmt: skip
        room = n + before + after - d * (k - 1) - 1
        count = -(-room // s) + 1 if options["ceil_mode"] else room // s + 1
        if options["ceil_mode"] and (count - 1) * s >= n + before:
            count -= 1
        axes.append([[(i * s + t * d - before) for t in range(k)] for i in range(count)])
    shape = (*x.shape[:2], *(len(a) for a in axes))
    best, where, mean = np.empty(shape), np.empty(shape, int), np.empty(shape)
    for out in itertools.product(*(range(len(a)) for a in axes)):
        cells = list(itertools.product(*(a[i] for a, i in zip(axes, out, strict=True))))
        real = [c for c in cells if all(0 <= i < n for i, n in zip(c, x.shape[2:], strict=True))]
        on_padded = [
            c
            for c in cells
            if all(
                i < n + after
                for i, n, (_, after) in zip(c, x.shape[2:], options["padding"], strict=True)
            )
        ]
        for n, c in np.ndindex(x.shape[:2]):
            values = [x[(n, c, *cell)] for cell in real]
            at = (n, c, *out)
            best[at] = max(values)
            where[at] = np.ravel_multi_index(real[int(np.argmax(values))], x.shape[2:])
            mean[at] = sum(values) / len(on_padded if include else real)
    return best, where, mean


@pytest.mark.parametrize("seed", range(30))
def test_pools_equal_the_naive_loop(backend: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, options = draw(rng)
    x = rng.permutation(int(np.prod(shape))).reshape(shape).astype(float)
    include = bool(seed % 2)
    try:
        best, indices = max_pool(backend.put(x), **options, return_indices=True)
    except ShapeError as error:
        assert "padding alone" in str(error)  # a dilated window between the cells
        return
    mean = avg_pool(backend.put(x), **options, count_include_pad=include)
    expected = naive(x, options, include)
    np.testing.assert_array_equal(backend.get(best), expected[0])
    np.testing.assert_array_equal(backend.get(max_pool(backend.put(x), **options)), expected[0])
    np.testing.assert_array_equal(backend.get(indices), expected[1])
    np.testing.assert_allclose(backend.get(mean), expected[2], rtol=1e-13)


@pytest.mark.parametrize("seed", range(6))
def test_gradients_equal_central_differences(backend: Any, seed: int) -> None:
    rng = np.random.default_rng(seed + 50)
    shape, options = draw(rng)
    options["dilation"] = 1
    x = rng.permutation(int(np.prod(shape))).reshape(shape).astype(float)
    for pool, grad in ((max_pool, max_pool_grad), (avg_pool, avg_pool_grad)):
        grad_y = rng.standard_normal(pool(x, **options).shape)
        actual = backend.get(grad(backend.put(grad_y), backend.put(x), **options))
        for flat in rng.choice(x.size, 15, replace=False):
            index = np.unravel_index(flat, x.shape)
            step = np.zeros_like(x)
            step[index] = 0.25
            high, low = pool(x + step, **options), pool(x - step, **options)
            assert ((high - low) * grad_y).sum() / 0.5 == pytest.approx(actual[index], abs=1e-9)


@pytest.mark.parametrize("at", range(4))
def test_nan_wins_wherever_it_stands(backend: Any, at: int) -> None:
    """As in PyTorch; the first of several."""
    x = np.array([[[3.0, -1.0], [9.0, 2.0]]])
    x.flat[at] = np.nan
    best, indices = max_pool(backend.put(x), 2, return_indices=True, dims=2)
    assert np.isnan(backend.get(best)).all()
    assert backend.get(indices).ravel().tolist() == [at]
    assert np.isnan(backend.get(max_pool(backend.put(x), 2, dims=2))).all()
    grad = backend.get(max_pool_grad(backend.put(np.ones((1, 1, 1))), backend.put(x), 2, dims=2))
    assert grad.ravel().tolist() == [float(place == at) for place in range(4)]


def test_ceil_mode_drops_a_window_that_begins_beyond_the_input() -> None:
    x = np.arange(9.0)
    options: dict[str, Any] = {"stride": 4, "padding": 2, "ceil_mode": True}
    assert max_pool(x, 4, **options).tolist() == [1, 5, 8]
    assert avg_pool(x, 4, **options).tolist() == [0.25, 3.5, 21 / 4]
    assert avg_pool(x, 4, **options, count_include_pad=False).tolist() == [0.5, 3.5, 7]


@pytest.mark.parametrize("include", [True, False])
def test_counts_are_the_divisors_of_the_arithmetic(include: bool) -> None:
    window = pool_window(11, 4, stride=3, padding=(2, 1), dilation=2, ceil_mode=True)
    expected = [window.divisor(i, count_include_pad=include) for i in range(window.output)]
    assert counts(window, include).tolist() == expected


def test_types() -> None:
    assert max_pool(np.zeros((4, 4), np.uint8), 2).dtype == np.uint8
    assert avg_pool(np.array([1, 2], np.int8), 2).tolist() == [1.5]
    assert avg_pool(np.full(4000, 60000, np.float16), 4000).tolist() == [60000.0]
    assert max_pool(np.array([-128, -128], np.int8), 2, padding=1).tolist() == [-128, -128]
    assert np.isnan(max_pool([1.0, float("nan"), 3.0], 3)).all()
    _, where = max_pool([-np.inf, -np.inf], 2, return_indices=True)
    assert where.tolist() == [0]
    with pytest.raises(TensorError, match="symbols"):
        max_pool(symbols("1 a"), 2, dims=1)
    with pytest.raises(TensorError, match="symbols"):
        max_pool_grad([1], symbols("1 a"), 2, dims=1)
    thirds = np.array([Fraction(1, 3), Fraction(-1, 2)], object)
    assert max_pool(thirds, 2, dims=1).tolist() == [Fraction(1, 3)]
    assert avg_pool(thirds, 2, dims=1).tolist() == [Fraction(-1, 12)]
    assert max_pool_grad([7], thirds, 2, dims=1).tolist() == [7, 0]


def test_global_pools(backend: Any) -> None:
    x = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    assert backend.get(global_avg_pool(backend.put(x))).shape == (2, 3, 1, 1)
    np.testing.assert_allclose(global_avg_pool(x), x.mean(axis=(2, 3), keepdims=True))
    np.testing.assert_array_equal(global_max_pool(x[0], dims=1), x[0].max(axis=-1, keepdims=True))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: max_pool([1, 2], 3), "the output is empty"),
        (lambda: max_pool([1, 2, 3], 2, stride=0), "stride is 0"),
        (lambda: max_pool(np.zeros((2, 2, 2, 2, 2, 2)), 2), "2x2x2x2x2x2"),
        (lambda: max_pool([1, 2, 3], 2, padding=2), "padding alone"),
        (lambda: avg_pool_grad([1.0], [1.0, 2, 3], 1), "grad_y has shape 1"),
    ],
    ids=["too_large", "stride_0", "too_many_axes", "all_padding", "grad_shape"],
)
def test_errors_name_the_rule(call: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        call()
