"""Transposed convolutions, phase by phase, against stamps laid one by one in float64."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from convcli.ops import compiled_conv
from convcli.ops.conv import conv_transpose

LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "even": ((2, 5, 9, 13), (5, 7, 4, 4), {"stride": (2, 2), "padding": [(1, 1), (1, 1)]}),
    "asymmetric": ((3, 2, 7, 30), (2, 9, 5, 3), {"stride": (3, 2), "padding": [(0, 3), (2, 1)]}),
    "cells_without_taps": ((1, 3, 5, 4), (3, 2, 2, 1), {"stride": (4, 3), "padding": [(1, 0), (0, 0)], "output_padding": (2, 1)}),
    "stride_and_dilation_share_a_divisor": ((2, 3, 6, 8), (3, 4, 3, 5), {"stride": (4, 3), "dilation": (2, 2), "padding": [(2, 5), (0, 1)], "output_padding": (3, 2)}),
    "groups": ((2, 6, 4, 11), (6, 5, 3, 2), {"stride": (2, 1), "padding": [(1, 0), (0, 1)], "groups": 3}),
    "depthwise": ((2, 8, 7, 19), (8, 1, 4, 6), {"stride": (2, 3), "padding": [(1, 2), (2, 2)], "groups": 8}),
    "one_axis": ((2, 3, 301), (3, 5, 9), {"stride": (5,), "padding": [(3, 4)], "dilation": (2,), "dims": 1}),
    "three_axes": ((1, 3, 4, 5, 6), (3, 4, 2, 3, 4), {"stride": (2, 1, 3), "padding": [(0, 1), (1, 1), (2, 0)]}),
    "less_than_a_stride": ((2, 2, 1, 1), (2, 3, 3, 3), {"stride": (5, 4), "padding": [(0, 1), (1, 0)]}),
}  # fmt: skip


def stamped(x: np.ndarray, w: np.ndarray, bias: np.ndarray, options: Any) -> np.ndarray:
    """Every value of x adds the kernel, ``stride`` cells apart; what padding says is cut off."""
    rank, groups = w.ndim - 2, options.get("groups", 1)
    stride, pads = options["stride"], options["padding"]
    dilation = options.get("dilation", (1,) * rank)
    extra = options.get("output_padding", (0,) * rank)
    full = [
        (n - 1) * s + d * (k - 1) + 1 + more
        for n, s, d, k, more in zip(x.shape[2:], stride, dilation, w.shape[2:], extra, strict=True)
    ]
    parts = x.astype(np.float64).reshape(x.shape[0], groups, -1, *x.shape[2:])
    weights = w.astype(np.float64).reshape(groups, -1, *w.shape[1:])
    y = np.zeros((x.shape[0], groups, w.shape[1], *full))
    for tap in itertools.product(*map(range, w.shape[2:])):
        where = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, dilation, x.shape[2:], stride, strict=True)
        )
        y[(..., *where)] += np.einsum("ngi...,gio->ngo...", parts, weights[(..., *tap)])
    y = y.reshape(x.shape[0], -1, *full) + bias.reshape(-1, *(1,) * rank)
    inside = (slice(a, n - b) for (a, b), n in zip(pads, full, strict=True))
    return y[(..., *inside)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("name", LAYERS)
def test_stamps_add_up_exactly(
    isa: str, monkeypatch: pytest.MonkeyPatch, name: str, dtype: str
) -> None:
    shape, weight, options = LAYERS[name]
    rng = np.random.default_rng(len(name))
    x, w = (rng.integers(-8, 8, s).astype(dtype) for s in (shape, weight))
    bias = rng.integers(-8, 8, weight[1] * options.get("groups", 1)).astype(dtype)
    expected = stamped(x, w, bias, options)
    for threads in (1, 3):
        monkeypatch.setattr(compiled_conv, "cores", lambda n=threads: n)
        monkeypatch.setattr(compiled_conv, "MIN_PRODUCTS", 0)
        y = conv_transpose(x, w, bias, **options)
        np.testing.assert_array_equal(y, expected)
    assert y.dtype == (np.int64 if dtype == "int32" else dtype)
    turned = conv_transpose(np.asfortranarray(x), w[..., ::-1].copy()[..., ::-1], bias, **options)
    np.testing.assert_array_equal(turned, expected)
    monkeypatch.setenv("CONVCLI_LOOPS", "numpy")
    np.testing.assert_array_equal(conv_transpose(x, w, bias, **options), expected)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
@pytest.mark.parametrize("name", LAYERS)
def test_what_is_not_finite_reaches_the_cells_of_its_stamp_alone(
    isa: str, name: str, odd: float
) -> None:
    shape, weight, options = LAYERS[name]
    rng = np.random.default_rng(len(name))
    x, w = (rng.integers(1, 8, s).astype(np.float32) for s in (shape, weight))
    x[tuple(rng.integers(shape))] = odd
    bias = np.zeros(weight[1] * options.get("groups", 1), np.float32)
    expected = stamped(x, w, bias, options)
    assert not np.isfinite(expected).all()
    np.testing.assert_array_equal(conv_transpose(x, w, bias, **options), expected)
