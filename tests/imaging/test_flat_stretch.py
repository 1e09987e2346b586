"""``--range stretch`` of what is flat but for rounding: one value, and contrast where there is any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convcli import filter_image
from convcli.cli import app
from convcli.engine.dispatch import execute
from convcli.engine.numerics import EPS32
from convcli.engine.plan import plan_filter
from convcli.engine.rounding import rounding
from convcli.kernels.load import load_chain

KERNELS = ["gabor:8,45", "log:3", "dog:2", "unsharp:3", "laplacian", "gaussian:2 | log:2"]


def flat(dtype: str, level: float = 100) -> NDArray[Any]:
    white = {"uint8": 255, "uint16": 65535}.get(dtype, 1.0)
    return np.full((60, 70, 3), level / 255 * white, dtype)


def beside_holes(x: NDArray[Any]) -> NDArray[Any]:
    x[10:20, 30:35] = np.nan
    return x


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("x", "how"),
    [
        (flat("uint8"), {}),
        (flat("uint16", 201), {}),
        (flat("float32"), {}),
        (flat("float64", 77), {}),
        (flat("uint8"), {"linear": True}),
        (flat("float32", 201), {"linear": True}),
        (flat("uint8"), {"luma": True}),
        (beside_holes(flat("float32") * 1000), {"values": True}),
    ],
)
def test_a_flat_picture_stays_flat(kernel: str, x: NDArray[Any], how: dict[str, Any]) -> None:
    got = filter_image(x, kernel, range="stretch", **how)
    assert len(np.unique(got[~np.isnan(got)])) == 1


@pytest.mark.parametrize("kernel", ["dog:2", "unsharp:3", "log:3"])
def test_a_flat_picture_beside_transparency_stays_flat(kernel: str) -> None:
    alpha = np.random.default_rng(1).integers(100, 256, (60, 70, 1)).astype(np.uint8)
    got = filter_image(np.concatenate([flat("uint8"), alpha], axis=-1), kernel, range="stretch")
    assert len(np.unique(got[..., :3])) == 1


@pytest.mark.parametrize("kernel", ["log:3", "dog:2", "gabor:8,45"])
def test_a_slope_has_no_second_derivative(kernel: str) -> None:
    """Flat is the result, not the picture."""
    slope = np.broadcast_to(np.linspace(0.1, 0.9, 160, dtype=np.float32)[:, None], (70, 160, 1))
    if kernel.startswith("gabor"):
        slope = np.full_like(slope, 0.3)
    got = filter_image(slope, kernel, range="stretch", padding="valid")
    exact = filter_image(slope.astype(np.float64), kernel, range="float", padding="valid")
    assert np.ptp(exact) < 1e-6, "what is tested"
    assert len(np.unique(got)) == 1


@pytest.mark.parametrize("kernel", ["gaussian:3", "log:2", "dog:2", "unsharp:2", "gabor:8,45"])
@pytest.mark.parametrize("how", [{}, {"linear": True}])
def test_a_single_level_is_stretched(kernel: str, how: dict[str, Any]) -> None:
    x = flat("uint8")
    x[30, 40] += 1
    got = filter_image(x, kernel, range="stretch", **how)
    assert (got.min(), got.max()) == (0, 255)
    far = got[:10]
    assert np.ptp(far.astype(int)) <= 1, "and its noise is not"


@pytest.mark.parametrize("kernel", ["gaussian:2", "log:2", "box:5"])
@pytest.mark.parametrize(("low", "contrast"), [(0.0, 1e-9), (1000.0, 0.05), (-3e6, 300.0)])
def test_low_contrast_is_stretched(kernel: str, low: float, contrast: float) -> None:
    """What counts is how large the samples are, not how large those of their type can be."""
    x = low + contrast * np.random.default_rng(2).random((60, 70, 1))
    got = filter_image(x.astype(np.float32), kernel, range="stretch", values=True)
    want = filter_image(
        x.astype(np.float32).astype(np.float64), kernel, range="stretch", values=True
    )
    assert (got.min(), got.max()) == (0, 1)
    assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.99


def test_what_is_missing_does_not_count() -> None:
    x = np.random.default_rng(3).random((40, 50, 1)).astype(np.float32)
    x[:5, :5] = -1e30
    got = filter_image(x, "gaussian:2", range="stretch", values=True, nodata=-1e30)
    there = got[got != np.float32(-1e30)]
    assert (there.min(), there.max()) == (0, 1)


@pytest.mark.parametrize("kernel", ["identity", "median:3", "max:3"])
def test_what_rounds_nothing_is_stretched_whatever_it_is(kernel: str) -> None:
    x = np.ones((20, 20, 1), np.float32)
    x[10:] = np.nextafter(np.float32(1), np.float32(2))
    got = filter_image(x, kernel, range="stretch", values=True)
    assert (got.min(), got.max()) == (0, 1)


def test_sums_of_whole_numbers_round_nothing() -> None:
    for dtype in ("uint8", "uint16", "int32"):
        for kernel in ("laplacian", "sobel", "box:5", "gaussian-5x5"):
            plan = plan_filter((60, 70, 1), dtype, load_chain(kernel), range="stretch")
            assert rounding(plan, 255.0) == 0.0
    x = np.full((60, 70, 1), 60_000, np.uint16)
    x[30, 40] += 1
    got = filter_image(x, "box:15", range="stretch")
    assert (got.min(), got.max()) == (0, 65535)


def test_the_bound_holds_for_every_algorithm() -> None:
    """A slope is its own blur; what is off, is so by rounding, and the bound is near it."""
    slope = np.broadcast_to(np.linspace(0, 1, 300, dtype=np.float32)[:, None], (200, 300, 1))
    slope = np.ascontiguousarray(slope)
    for algorithm in ("direct", "separable", "box", "fft"):
        kernels, how = load_chain("box:31"), {"padding": "valid", "algorithm": algorithm}
        plan = plan_filter(slope.shape, "float32", kernels, range="stretch", **how)
        exact = plan_filter(slope.shape, "float64", kernels, range="float", **how)
        values = execute(plan._replace(range="float"), slope).pixels
        off = np.ptp(values - execute(exact, slope.astype(np.float64)).pixels)
        assert off <= rounding(plan, 1.0) < 70 * EPS32, algorithm


def test_the_engine_alone_does_the_same() -> None:
    x = flat("uint8")
    plan = plan_filter(x.shape, "uint8", load_chain("log:3"), range="stretch")
    assert not execute(plan, x).pixels.any()
    x[30, 40] += 1
    assert np.ptp(execute(plan, x).pixels) == 255


@pytest.mark.parametrize(("raised", "want"), [(0, 0), (1, 255)])
def test_in_parts_as_in_one_piece(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], raised: int, want: int
) -> None:
    x = np.full((3000, 700), 100, np.uint8)
    x[1500, 300] += raised
    source, target = tmp_path / "a.npy", tmp_path / "b.npy"
    np.save(source, x)
    line = ["-k", "log:3", "--range", "stretch", "--memory", "150M", "--json"]
    assert app.run(["filter", str(source), *line, "-o", str(target)]) == 0
    assert json.loads(capfd.readouterr().out)["parts"] > 1
    assert np.ptp(np.load(target)) == want
