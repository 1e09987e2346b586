"""The working of gradients and of pooling, against loops over the definition."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from convcli.ops.avg_pooling import avg_pool, avg_pool_grad
from convcli.ops.conv_geometry import conv_geometry, transposed_geometry
from convcli.ops.gradient_sums import (
    GradientSum,
    bias_gradient_sum,
    input_gradient_sum,
    weight_gradient_sum,
)
from convcli.ops.gradients import conv_grad, conv_transpose_grad
from convcli.ops.max_pooling import max_pool, max_pool_grad
from convcli.ops.pool_geometry import pool_geometry
from convcli.ops.pool_sums import pool_shares, pool_sum, quotient

RNG = np.random.default_rng(7)


def whole(*shape: int) -> Any:
    return RNG.integers(-9, 10, shape)


def pairs_of(step: GradientSum) -> Counter[Any]:
    return Counter((t.grad_at, t.other_at) for row in step.rows for t in row)


def readers(
    x: Any, w: Any, y_shape: tuple[int, ...], o: dict[str, Any], groups: int
) -> list[tuple[Any, Any, Any]]:
    """Every (output, input, weight) of a product of the forward pass, by its definition."""
    found = []
    per_out, per_in = w.shape[0] // groups, w.shape[1]
    for n, c, *place in np.ndindex(*y_shape):
        for k, *tap in np.ndindex(*w.shape[1:]):
            cell = [
                p * s + t * d - before
                for p, s, t, d, (before, _) in zip(
                    place, o["stride"], tap, o["dilation"], o["padding"], strict=True
                )
            ]
            if all(0 <= i < size for i, size in zip(cell, x.shape[2:], strict=True)):
                read = (n, c // per_out * per_in + k, *cell)
                found.append(((n, c, *place), read, (c, k, *tap)))
    return found


OPTIONS: list[dict[str, Any]] = [
    {"stride": (1, 1), "dilation": (1, 1), "padding": ((0, 0), (0, 0))},
    {"stride": (2, 1), "dilation": (1, 2), "padding": ((1, 0), (2, 3))},
    {"stride": (1, 3), "dilation": (2, 1), "padding": ((2, 1), (0, 1))},
]


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "stride", "dilation"])
def test_products_of_the_chain_rule(options: dict[str, Any], flip: bool) -> None:
    x, w = whole(2, 4, 4, 5), whole(4, 2, 2, 3)
    g = conv_geometry(x.shape, w.shape, groups=2, **options)
    grad_y = whole(*g.small_shape)
    grads = conv_grad(grad_y, x, w, groups=2, flip=flip, **options)
    found = readers(x, w, g.small_shape, options, 2)
    if flip:
        found = [(o, i, (*t[:2], 1 - t[2], 2 - t[3])) for o, i, t in found]
    for index in np.ndindex(*x.shape):
        step = input_gradient_sum(g, grad_y, w, index, flip=flip)
        assert step.value == grads.x[index]
        assert pairs_of(step) == Counter((o, t) for o, i, t in found if i == index)
    for index in np.ndindex(*w.shape):
        step = weight_gradient_sum(g, grad_y, x, index, flip=flip)
        assert step.value == grads.weight[index]
        real = Counter({k: v for k, v in pairs_of(step).items() if k[1] is not None})
        assert real == Counter((o, i) for o, i, t in found if t == index)
        assert all(t.other == 0 for row in step.rows for t in row if t.other_at is None)
    for index in np.ndindex(4):
        assert bias_gradient_sum(g, grad_y, index).value == grads.bias[index]


@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "stride", "dilation"])
def test_products_of_the_transposed_chain_rule(options: dict[str, Any]) -> None:
    """The transposed convolution reads where the convolution writes."""
    x, w = whole(2, 4, 4, 3), whole(4, 2, 2, 3)
    g = transposed_geometry(x.shape, w.shape, groups=2, **options)
    grad_y = whole(*g.big_shape)
    grads = conv_transpose_grad(grad_y, x, w, groups=2, **options)
    found = readers(grad_y, w, g.small_shape, options, 2)
    for index in np.ndindex(*x.shape):
        step = input_gradient_sum(g, grad_y, w, index, transposed=True)
        assert step.value == grads.x[index]
        assert pairs_of(step) == Counter((big, t) for small, big, t in found if small == index)
    for index in np.ndindex(*w.shape):
        step = weight_gradient_sum(g, grad_y, x, index, transposed=True)
        assert step.value == grads.weight[index]
        assert pairs_of(step) == Counter((big, small) for small, big, t in found if t == index)
    for index in np.ndindex(4):
        step = bias_gradient_sum(g, grad_y, index, transposed=True)
        assert step.value == grads.bias[index]


@pytest.mark.parametrize("border", ["edge", "reflect", "symmetric", "wrap", "constant:3"])
def test_products_through_a_border(border: str) -> None:
    x, w = whole(1, 1, 4, 5), whole(1, 1, 3, 2)
    options: dict[str, Any] = {"padding": ((2, 1), (1, 3)), "stride": (1, 2), "border": border}
    g = conv_geometry(x.shape, w.shape, **options)
    grad_y = whole(*g.small_shape)
    grads = conv_grad(grad_y, x, w, **options)
    for index in np.ndindex(*x.shape):
        assert input_gradient_sum(g, grad_y, w, index).value == grads.x[index]
    for index in np.ndindex(*w.shape):
        assert weight_gradient_sum(g, grad_y, x, index).value == grads.weight[index]


POOLS: list[dict[str, Any]] = [
    {"kernel_size": (2, 2)},
    {"kernel_size": (3, 2), "stride": (2, 1), "padding": ((1, 0), (1, 1)), "dilation": (1, 2)},
    {"kernel_size": (3, 2), "stride": (2, 3), "padding": ((0, 1), (1, 0)), "ceil_mode": True},
]


@pytest.mark.parametrize("options", POOLS, ids=["plain", "dilation", "ceil"])
@pytest.mark.parametrize("count_include_pad", [True, False])
def test_pooling_and_its_gradient(options: dict[str, Any], count_include_pad: bool) -> None:
    x = RNG.integers(0, 4, (2, 5, 6))  # few values, so that there are ties
    defaults: dict[str, Any] = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False}
    pool = pool_geometry(
        x, *(options.get(k, v) for k, v in ({"kernel_size": 0} | defaults).items()), 2
    )
    largest, places = max_pool(x, return_indices=True, dims=2, **options)
    means = avg_pool(x, count_include_pad=count_include_pad, dims=2, **options)
    grad_y = whole(*largest.shape)
    to_largest = max_pool_grad(grad_y, x, dims=2, **options)
    to_all = avg_pool_grad(grad_y, x, count_include_pad=count_include_pad, dims=2, **options)
    for index in np.ndindex(*largest.shape):
        step = pool_sum(pool, x, index, count_include_pad=count_include_pad)
        assert max(step.values) == largest[index]
        n, *first = step.winners[0]
        assert (n, first[0] * 6 + first[1]) == (index[0], places[index])
        assert all(x[at] == largest[index] for at in step.winners)
        assert step.values.count(largest[index]) == len(step.winners)
        assert step.divisor == step.count("input") + count_include_pad * step.count("padding")
        assert float(quotient(sum(step.values), step.divisor)) == pytest.approx(means[index])
    for index in np.ndindex(*x.shape):
        shares = pool_shares(pool, grad_y, x, index)
        assert sum(share.grad for share in shares) == to_largest[index]
        shares = pool_shares(pool, grad_y, x, index, count_include_pad=count_include_pad)
        total = sum(Fraction(share.grad, share.divisor) for share in shares)
        assert float(total) == pytest.approx(to_all[index])
        assert all(share.grad == grad_y[share.at] for share in shares)
