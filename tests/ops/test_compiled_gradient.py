"""The compiled gradient for the weights against sums in float64, for every instruction set."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from convcli.extensions import extension
from convcli.ops import compiled_gradient
from convcli.ops.conv_geometry import conv_geometry
from convcli.ops.gradients import Gradients, conv_grad, conv_transpose_grad

LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "panels_and_a_rest": ((2, 7, 13, 41), (37, 7, 3, 2), {"padding": [(1, 2), (0, 1)]}),
    "rows_longer_than_a_block": ((1, 3, 2, 1100), (9, 3, 1, 5), {"padding": (0, 3)}),
    "images_smaller_than_a_block": ((11, 5, 3, 4), (33, 5, 3, 3), {"padding": 1}),
    "nothing_around": ((3, 4, 11, 9), (17, 4, 2, 3), {"stride": (2, 1), "dilation": (1, 2)}),
    "pointwise": ((2, 19, 6, 7), (18, 19, 1, 1), {}),
    "depthwise": ((2, 5, 12, 23), (5, 1, 3, 3), {"groups": 5, "padding": 1}),
    "depthwise_strides": ((1, 6, 14, 37), (12, 1, 5, 4), {"groups": 6, "stride": (2, 3), "padding": 2}),
    "groups": ((3, 6, 9, 13), (34, 3, 2, 3), {"groups": 2, "stride": (1, 2), "dilation": (3, 2)}),
    "one_axis": ((2, 5, 900), (9, 5, 8), {"padding": [(7, 3)], "stride": 3}),
    "three_axes": ((2, 3, 6, 7, 8), (18, 3, 2, 3, 2), {"padding": [(1, 0), (0, 2), (2, 1)], "dilation": (2, 1, 3)}),
    "three_axes_thin": ((2, 4, 5, 9, 7), (4, 2, 3, 2, 2), {"groups": 2, "padding": 1, "stride": (1, 2, 2)}),
    "kernel_larger_than_input": ((1, 2, 3, 2), (10, 2, 7, 5), {"padding": "full"}),
}  # fmt: skip


def summed(grad: np.ndarray, x: np.ndarray, shape: tuple[int, ...], options: Any) -> np.ndarray:
    """The definition, tap by tap in float64."""
    rank, groups = len(shape) - 2, options.get("groups", 1)

    def each(name: str, usual: int) -> list[Any]:
        value = options.get(name, usual)
        return list(value) if isinstance(value, tuple | list) else [value] * rank

    stride, dilation, pads = each("stride", 1), each("dilation", 1), each("padding", 0)
    if options.get("padding") == "full":
        pads = [d * (k - 1) for d, k in zip(dilation, shape[2:], strict=True)]
    pads = [p if isinstance(p, tuple) else (p, p) for p in pads]
    x = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *pads])
    x = x.reshape(x.shape[0], groups, -1, *x.shape[2:])
    grad = grad.astype(np.float64).reshape(x.shape[0], groups, -1, *grad.shape[2:])
    result = np.empty((groups, shape[0] // groups, *shape[1:]))
    for tap in itertools.product(*map(range, shape[2:])):
        cells = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, s, n in zip(tap, dilation, stride, grad.shape[3:], strict=True)
        )
        with np.errstate(invalid="ignore"):  # infinity less infinity
            result[(..., *tap)] = np.einsum(
                "ngop,ngcp->goc",
                grad.reshape(*grad.shape[:3], -1),
                x[(..., *cells)].reshape(*x.shape[:3], -1),
            )
    return result.reshape(shape)


def drawn(name: str, dtype: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, Any]:
    shape, weight, options = LAYERS[name]
    rng = np.random.default_rng([len(name), seed])
    x, w = (rng.integers(-8, 8, s).astype(dtype) for s in (shape, weight))
    g = conv_geometry(shape, weight, **options)
    return rng.integers(-8, 8, g.small_shape).astype(dtype), x, w, options


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_whole_numbers_are_summed_exactly(
    isa: str, monkeypatch: pytest.MonkeyPatch, name: str, dtype: str
) -> None:
    grad, x, w, options = drawn(name, dtype)
    exact = summed(grad, x, w.shape, options)
    for threads in (1, 3):
        monkeypatch.setattr(compiled_gradient, "cores", lambda n=threads: n)
        monkeypatch.setattr(compiled_gradient, "MIN_PRODUCTS", 0)
        found = conv_grad(grad, x, w, **options)
        assert found.weight.dtype == dtype
        np.testing.assert_array_equal(found.weight, exact)
    # Other ways for the numbers to lie in memory, and to be written down.
    turned = conv_grad(grad[..., ::-1].copy()[..., ::-1], np.asfortranarray(x), w, **options)
    np.testing.assert_array_equal(turned.weight, exact)
    whole = conv_grad(grad.astype(np.int16), x.astype(np.int64), w.astype(np.int8), **options)
    np.testing.assert_array_equal(whole.weight, exact)
    assert whole.weight.dtype == np.int64


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_not_finite_reaches_the_weights_that_met_it(isa: str, name: str) -> None:
    for seed, odd in enumerate((np.inf, -np.inf, np.nan)):
        grad, x, w, options = drawn(name, "float32", seed)
        rng = np.random.default_rng(seed)
        for array in (x, grad) if seed else (x,):
            array[tuple(rng.integers(array.shape))] = odd
        found = conv_grad(grad, x, w, **options).weight
        np.testing.assert_array_equal(found, summed(grad, x, w.shape, options).astype(np.float32))


@pytest.mark.parametrize("name", ["images_smaller_than_a_block", "depthwise", "one_axis"])
def test_rounding_is_that_of_blocks_and_the_same_for_any_threads(
    isa: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    grad, x, w, options = drawn(name, "float32")
    rng = np.random.default_rng(5)
    grad, x = (rng.standard_normal(a.shape).astype(np.float32) for a in (grad, x))
    monkeypatch.setattr(compiled_gradient, "MIN_PRODUCTS", 0)
    results = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(compiled_gradient, "cores", lambda n=threads: n)
        results.append(conv_grad(grad, x, w, **options).weight)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)
    # As many additions as windows at most (Higham 2002, 3.1); blocks need fewer.
    windows = grad.size // grad.shape[1]
    bound = summed(abs(grad), abs(x), w.shape, options)
    error = abs(results[0] - summed(grad, x, w.shape, options))
    assert (error <= windows * 2**-24 * bound).all()
    assert error.max() > 0


def test_a_transposed_convolution_has_the_same_gradient_with_its_operands_exchanged(
    isa: str,
) -> None:
    _, x, w, options = drawn("groups", "float64")
    options = {**options, "stride": 1}  # no cells are skipped, whose number would have to be said
    grad = np.random.default_rng(8).integers(-8, 8, (3, 34, 6, 9)).astype(np.float64)
    back = conv_transpose_grad(x, grad, w, **options)
    assert isinstance(back, Gradients)
    np.testing.assert_array_equal(back.weight, summed(grad, x, w.shape, options))


def right() -> dict[str, Any]:
    """Two groups of 2 and 3 channels, windows of 2x3 cells, 3x4 of them."""
    return {
        "numbers": np.array([2, 1, 1, 1, 1, 0, 0]),
        "x": np.ones((2, 4, 4, 6), np.float32),
        "grad": np.ones((2, 6, 3, 4), np.float32),
        "out": np.zeros((6, 2, 2, 3), np.float32),
        "piece": 0,
        "pieces": 1,
    }


WRONG: dict[str, dict[str, Any]] = {
    "numbers_missing": {"numbers": np.array([2, 1, 1, 1, 1, 0])},
    "no_groups": {"numbers": np.array([0, 1, 1, 1, 1, 0, 0])},
    "groups_do_not_divide": {"numbers": np.array([3, 1, 1, 1, 1, 0, 0])},
    "no_stride": {"numbers": np.array([2, 0, 1, 1, 1, 0, 0])},
    "no_dilation": {"numbers": np.array([2, 1, 1, 1, 0, 0, 0])},
    "stride_wraps": {"numbers": np.array([2, 2**62, 1, 1, 1, 0, 0])},
    "dilation_wraps": {"numbers": np.array([2, 1, 1, 2**62, 1, 0, 0])},
    "cells_wrap": {"numbers": np.array([2, 2**38, 2**38, 1, 1, 0, 0])},
    "start_far_away": {"numbers": np.array([2, 1, 1, 1, 1, 0, -(2**62)])},
    "another_batch": {"grad": np.ones((3, 6, 3, 4), np.float32)},
    "another_type": {"grad": np.ones((2, 6, 3, 4))},
    "another_rank": {"x": np.ones((2, 4, 24), np.float32)},
    "channels_do_not_fit": {"out": np.zeros((6, 3, 2, 3), np.float32)},
    "outputs_do_not_fit": {"out": np.zeros((4, 2, 2, 3), np.float32)},
    "empty": {"x": np.ones((0, 4, 4, 6), np.float32), "grad": np.ones((0, 6, 3, 4), np.float32)},
    "x_askew": {"x": np.ndarray((2, 4, 4, 6), np.float32, bytearray(2000), strides=(98, 48, 24, 4))},
    "no_piece": {"piece": 1},
    "piece_negative": {"piece": -1},
    "no_pieces": {"pieces": 0},
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_the_extension_refuses_what_would_leave_its_arrays(isa: str, name: str) -> None:
    module, fits = extension("_tensors").module, right()
    module.gradient(*fits.values())
    assert (fits["out"] == 24).all()
    with pytest.raises(ValueError, match="gradient: "):
        module.gradient(*{**right(), **WRONG[name]}.values())


def test_windows_outside_x_read_zeros(isa: str) -> None:
    given = {**right(), "numbers": np.array([2, 1, 1, 1, 1, -9, 2])}
    extension("_tensors").module.gradient(*given.values())
    assert (given["out"] == 0).all()
