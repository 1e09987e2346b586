"""Every algorithm of the compiled loops against sums in float64, wherever it offers itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from convcli.ops import algorithms, compiled_conv
from convcli.ops.algorithms import DEPTHWISE, DIRECT, WINOGRAD, ConvAlgorithm
from convcli.ops.conv import conv
from convcli.ops.conv_geometry import conv_geometry
from tests.ops.operator_shapes import MORE, OPERATOR_TESTS, Layer

U = 2.0**-24
LAYERS = OPERATOR_TESTS + MORE
WINOGRAD_LAYERS = [
    layer
    for layer in LAYERS
    if layer[1][2:] == (3, 3) and not {"stride", "dilation"} & set(layer[2])
]
NAMES = {DIRECT: "direct", DEPTHWISE: "depthwise", WINOGRAD: "winograd"}


@pytest.fixture(params=algorithms.ALGORITHMS, ids=NAMES.get)
def algorithm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """One algorithm, taken wherever it makes an offer; direct convolution does the rest."""
    wanted: ConvAlgorithm = request.param
    monkeypatch.setattr(
        compiled_conv,
        "choose",
        lambda problem: DIRECT if wanted.offer(problem) is None else wanted,
    )
    compiled_conv._numbers.cache_clear()
    yield wanted
    compiled_conv._numbers.cache_clear()


def reference(x: Any, w: Any, bias: Any, largest: bool = False, **options: Any) -> Any:
    """Sums over taps and channels in float64, or of each channel's largest cell under the window."""
    g = conv_geometry(x.shape, w.shape, **options)
    pads = [(0, 0), (0, 0), *zip(g.before, g.after, strict=True)]
    padded = np.pad(x.astype(np.float64), pads)
    per_group = g.small_channels // g.groups
    y = np.zeros((g.batch, g.groups, per_group, *g.output))
    y += bias.astype(np.float64).reshape(g.groups, per_group, *(1,) * g.rank)
    views = []
    with np.errstate(all="ignore"):
        for tap in itertools.product(*map(range, g.kernel)):
            where = tuple(
                slice(t * d, t * d + (o - 1) * s + 1, s)
                for t, d, o, s in zip(tap, g.dilation, g.output, g.stride, strict=True)
            )
            cells = padded[(..., *where)].reshape(g.batch, g.groups, -1, *g.output)
            taps = w.astype(np.float64)[(..., *tap)].reshape(g.groups, per_group, -1)
            views.append((cells, taps))
        if largest:
            top = np.max([cells for cells, _ in views], axis=0)
            views = [(top, sum(taps for _, taps in views))]
        for cells, taps in views:
            y += np.einsum("ngc...,goc->ngo...", cells, taps)
    return y.reshape(g.small_shape)


def operands(layer: Layer, draw: Any) -> tuple[Any, Any, Any]:
    x, w, _ = layer
    x, w, bias = (draw(shape).astype(np.float32) for shape in (x, w, w[:1]))
    return x, w, bias


def most(layer: Layer, algorithm: ConvAlgorithm, x: Any, w: Any, bias: Any) -> Any:
    """The bound of the error that is stated for the algorithm, for each output."""
    options = layer[2]
    x, w, bias = abs(x), abs(w), abs(bias)
    least = 2.0**-149 * w[0].size
    if algorithm is WINOGRAD and layer in WINOGRAD_LAYERS:
        sums = reference(x, w, bias, largest=True, **options)
        return WINOGRAD.bound(w.shape[1]) * U * sums + least
    return (w[0].size + 1) * U * reference(x, w, bias, **options) + least


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_numbers_are_exact(isa: str, algorithm: ConvAlgorithm, dtype: str) -> None:
    rng = np.random.default_rng(1)
    for layer in LAYERS:
        x, w, bias = operands(layer, lambda shape: rng.integers(-8, 9, shape))
        y = conv(x.astype(dtype), w.astype(dtype), bias.astype(dtype), **layer[2])
        np.testing.assert_array_equal(y, reference(x, w, bias, **layer[2]), err_msg=str(layer))
        assert y.dtype == dtype


def test_errors_stay_in_their_bounds(isa: str, algorithm: ConvAlgorithm) -> None:
    rng = np.random.default_rng(2)
    worst = 0.0
    for layer in LAYERS:
        x, w, bias = operands(layer, rng.standard_normal)
        error = abs(conv(x, w, bias, **layer[2]) - reference(x, w, bias, **layer[2]))
        assert (error <= most(layer, algorithm, x, w, bias)).all(), layer
        worst = max(worst, float(error.max()))
    assert worst > 0


def alternating(shape: tuple[int, ...]) -> Any:
    """Large numbers of both signs next to small ones: most of each sum is cancelled."""
    cells = np.indices(shape)
    sign = 1 - 2 * (cells.sum(axis=0) % 2)
    return (
        sign
        * np.where(cells[-1] % 3, 1.0, 1e6)
        * (1 + np.arange(cells[0].size).reshape(shape) % 7 / 8)
    )


def test_cancellation_stays_in_the_bounds(isa: str, algorithm: ConvAlgorithm) -> None:
    for layer in LAYERS:
        x, w, bias = operands(layer, alternating)
        y = conv(x, w, bias, **layer[2])
        error = abs(y - reference(x, w, bias, **layer[2]))
        assert (error <= most(layer, algorithm, x, w, bias)).all(), layer


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "weight", "bias"])
def test_what_is_not_finite_stays_where_it_belongs(
    isa: str, algorithm: ConvAlgorithm, value: float, where: str
) -> None:
    rng = np.random.default_rng(3)
    for layer in [*WINOGRAD_LAYERS, LAYERS[12], LAYERS[17], *MORE[-6:]]:
        x, w, bias = operands(layer, rng.standard_normal)
        target = {"x": x, "weight": w, "bias": bias}[where]
        target.reshape(-1)[rng.integers(target.size, size=2)] = value
        y, wanted = conv(x, w, bias, **layer[2]), reference(x, w, bias, **layer[2])
        np.testing.assert_array_equal(np.isnan(y), np.isnan(wanted), err_msg=str(layer))
        np.testing.assert_array_equal(np.isinf(y), np.isinf(wanted), err_msg=str(layer))
        near = np.isfinite(wanted)
        np.testing.assert_allclose(y[near], wanted[near], rtol=1e-3, atol=1e-3)


def test_numbers_too_large_for_a_transform(isa: str, algorithm: ConvAlgorithm) -> None:
    """Four times the largest cell is infinite in float32; the sums are not."""
    for layer in WINOGRAD_LAYERS:
        x, w, bias = operands(layer, np.ones)
        x *= np.float32(3e38)
        w *= np.float32(1e-3 / w[0].size)
        y, wanted = conv(x, w, bias, **layer[2]), reference(x, w, bias, **layer[2])
        np.testing.assert_allclose(y, wanted, rtol=w[0].size * 2 * U)


@pytest.mark.parametrize("small", ["x", "weight"])
def test_the_smallest_numbers_are_added_exactly(
    isa: str, algorithm: ConvAlgorithm, small: str
) -> None:
    rng = np.random.default_rng(4)
    for layer in WINOGRAD_LAYERS:
        x, w, _ = operands(layer, lambda shape: rng.integers(-8, 9, shape))
        wanted = reference(x, w, 0 * w[:, 0].reshape(len(w), -1)[:, 0], **layer[2]) * 2.0**-149
        (x if small == "x" else w)[...] *= np.float32(2.0**-149)
        np.testing.assert_array_equal(conv(x, w, **layer[2]), wanted)


def test_any_layout_and_any_number_of_threads_give_the_same_bits(
    isa: str, algorithm: ConvAlgorithm, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    monkeypatch.setattr(compiled_conv, "MIN_PRODUCTS", 0)
    for layer in MORE:
        x, w, bias = operands(layer, rng.standard_normal)
        x.reshape(-1)[0] = np.inf  # done again, in the same pieces
        monkeypatch.setattr(compiled_conv, "cores", lambda: 1)
        alone = conv(x, w, bias, **layer[2])
        monkeypatch.setattr(compiled_conv, "cores", lambda: 3)
        np.testing.assert_array_equal(conv(x, w, bias, **layer[2]), alone)
        wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), np.nan, np.float32)
        wide[..., ::-2] = x
        np.testing.assert_array_equal(conv(wide[..., ::-2], w, bias, **layer[2]), alone)
        turned = np.ascontiguousarray(x.swapaxes(1, -1)).swapaxes(1, -1)
        np.testing.assert_array_equal(conv(turned, w, bias, **layer[2]), alone)


def test_winograd_is_taken_where_there_is_enough_to_gain() -> None:
    same = {"groups": 1, "kernel": (3, 3), "stride": (1, 1), "dilation": (1, 1)}
    choose = algorithms.choose
    assert choose(algorithms.ConvProblem(64, 64, outputs=(56, 56), bits=32, **same)) is WINOGRAD
    assert choose(algorithms.ConvProblem(64, 64, outputs=(2, 2), bits=32, **same)) is DIRECT
    assert choose(algorithms.ConvProblem(64, 64, outputs=(56, 56), bits=64, **same)) is DIRECT
    assert choose(algorithms.ConvProblem(1, 1, outputs=(56, 56), bits=32, **same)) is DEPTHWISE
    for changed in ({"stride": (1, 2)}, {"dilation": (2, 1)}, {"kernel": (3, 4)}):
        problem = algorithms.ConvProblem(64, 64, outputs=(56, 56), bits=32, **{**same, **changed})
        assert choose(problem) is DIRECT
