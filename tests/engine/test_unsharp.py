"""Unsharp masking with a threshold beside loops in float64, and beside the weighted sum without one."""

from __future__ import annotations

import numpy as np
import pytest

from convcli import UsageError, filter_image
from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.engine.regions import run_plan
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Source
from convcli.imaging.stages.filter import Filter
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_chain, load_kernel

from .windows import reader, windows

UNEVEN = np.array([[1, 0, 2], [3, 4, 1], [0, 2, 3], [1, 1, 2.0]])


def picture(dtype, shape=(13, 17, 2)):
    """Steps of many heights, and noise."""
    rng = np.random.default_rng(1)
    steps = np.cumsum(rng.integers(0, 3, shape), 1) * 4 + rng.integers(0, 9, shape)
    if dtype.startswith("float"):
        x = (steps / 200).astype(dtype)
        x[rng.random(shape) < 0.1] = np.nan
        return x
    return (steps * (257 if dtype == "uint16" else 1)).astype(dtype)


def naive(x, kernel, level=1.0, **geometry):
    """Before it is rounded: one value for every window, in float64."""
    amount, threshold = kernel.numbers
    weights = kernel.weights / kernel.weights.sum()
    cells, there = windows(x, weights.shape, **geometry)
    height, width = weights.shape
    centre = (height - 1) // 2 * width + (width - 1) // 2
    values = np.where(there, cells.astype(np.float64), 0)
    own = np.where(there[..., centre], values[..., centre], np.nan)
    away = (weights.ravel() * there * (own[..., None] - values)).sum(-1)
    return np.where(np.abs(away) > threshold * level, own + amount * away, own), away


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_every_window_written_out(loops, dtype):
    for number, border in enumerate(BORDERS):
        if border == "missing" and dtype[0] != "f":
            continue  # whole numbers hold no value for what is missing
        geometry = {
            "border": border,
            "padding": ["same", "valid", "full"][number % 3],
            "stride": 1 + number % 2,
            "dilation": 1 + number % 4 // 3,
        }
        x = picture(dtype)
        level = {"uint16": 257.0, "float32": 1 / 255, "float64": 1 / 255}.get(dtype, 1.0)
        geometry |= {"value": 3.0} if border == "constant" else {}
        weights = UNEVEN if number % 2 else load_kernel("unsharp:1.2,threshold=1").weights
        kernel = Kernel(weights, operation="unsharp", numbers=(1.5, 6.1))
        want, away = naive(x, kernel, level, **geometry)
        assert (np.abs(away) > 6.1 * level).any()
        assert (np.abs(away) < 6.1 * level).any()
        options = geometry | {"border": Border(border, geometry.get("value", 0.0))}
        options.pop("value", None)
        plan = plan_filter(x.shape, dtype, [kernel], **options)
        got = execute(plan, x).pixels
        if dtype[0] == "f":
            size = 2e-6 if dtype == "float32" else 1e-13  # a few roundings of values about 1
            np.testing.assert_allclose(got, want, rtol=size, atol=size, err_msg=str(geometry))
        else:  # Gaussian weights are no whole numbers: ties may fall to either side
            want = np.clip(want, np.iinfo(dtype).min, np.iinfo(dtype).max)
            assert np.abs(got - want).max() <= 0.5 + 0.01


def test_what_differs_little_is_left_to_the_bit(loops):
    """And without a threshold worth the name it is the weighted sum."""
    for dtype in ("uint8", "uint16", "float32"):
        x = np.nan_to_num(picture(dtype, (40, 50, 3)))
        x[0, 0] = -0.0
        kept = filter_image(x, "unsharp:1,2,threshold=255")
        assert kept.tobytes() == x.tobytes()
        plain = filter_image(x, "unsharp:1,2").astype(float)
        all_of_it = filter_image(x, "unsharp:1,2,threshold=0").astype(float)
        assert np.abs(plain - all_of_it).max() <= (1 if dtype[0] == "u" else 1e-6)
        some = filter_image(x, "unsharp:1,2,threshold=4")
        stays = some == x
        assert 0 < stays.mean() < 1
        assert (np.abs(some - all_of_it)[~stays] <= (1 if dtype[0] == "u" else 1e-6)).all()


def test_the_binomial_blur_is_exact(loops):
    """Differences of 255/256 and 1 level are told apart."""
    x = np.full((5, 5, 1), 100, np.uint8)
    x[2, 2] = 100 + 9  # which is 9 (1 - 36/256) above its blur
    away = 9 * (1 - 36 / 256)
    for threshold, want in ((away, 109), (float(np.nextafter(away, 0)), 109 + round(away))):
        assert filter_image(x[..., 0], f"unsharp:threshold={threshold!r}")[2, 2] == want


def test_missing_samples_stand_for_the_centre():
    x = picture("float32", (30, 33, 1))[..., 0]
    plain = filter_image(x, "unsharp:1,2")
    masked = filter_image(x, "unsharp:1,2,threshold=0")
    np.testing.assert_allclose(masked, plain, rtol=0, atol=2e-6)
    assert np.isnan(masked).sum() == np.isnan(x).sum() > 9
    raster = np.where(np.isnan(x), -9, np.nan_to_num(x) * 100).astype(np.int16)
    options = {"nodata": -9, "depth": "float64", "border": "missing"}
    got = filter_image(raster, "unsharp:1,2,threshold=5", **options)
    held = np.where(raster == -9, np.nan, raster.astype(float))[..., None]
    want, _ = naive(held, load_kernel("unsharp:1,2,threshold=5"), border="missing")
    np.testing.assert_allclose(got, np.nan_to_num(want[..., 0], nan=-9), rtol=1e-12, atol=1e-12)
    with pytest.raises(UsageError, match="leave --fill out"):
        filter_image(x, "unsharp:1,2,threshold=5", fill=True)


def test_alpha_is_left_and_what_is_transparent_does_not_vote():
    x = picture("uint8", (20, 21, 3))
    alpha = np.full((20, 21, 1), 200, np.uint8)
    alpha[:5, :6] = 0
    got = filter_image(np.dstack([x, alpha]), "unsharp:1,2,threshold=5")
    np.testing.assert_array_equal(got[..., 3:], alpha)
    np.testing.assert_array_equal(got[:5, :6, :3], x[:5, :6])
    other = x.copy()
    other[:5, :6] = 255
    again = filter_image(np.dstack([other, alpha]), "unsharp:1,2,threshold=5")
    np.testing.assert_array_equal(got[5:, 6:], again[5:, 6:])


@pytest.mark.parametrize("spec", ["unsharp:2,1.5,threshold=4", "unsharp:40,1,threshold=4"])
def test_parts_and_threads_have_the_same_bits(loops, spec):
    chain = [*load_chain("box:3"), *load_chain(spec)]
    for dtype in ("uint8", "float32"):
        x = picture(dtype, (700, 150, 1))
        plans = [
            plan_filter(x.shape, dtype, chain, border=Border("wrap"), stride=(2, 1), threads=n)
            for n in (1, 3)
        ]
        whole, again = (execute(plan, x).pixels for plan in plans)
        np.testing.assert_array_equal(whole, again)
        part, _ = run_plan(plans[0], reader(x), (((97, 103),), ((4, 20),)))
        np.testing.assert_array_equal(part, whole[97:103, 4:20])


def test_holes_have_the_same_bits_in_parts():
    x = picture("float32", (300, 150, 1))
    header = Source("memory", "gray", False, x.dtype, x.shape[:2], [Frame(x)])
    chain = Filter(header, load_chain("unsharp:2,1.5,threshold=4"), FilterOptions(threads=2))
    stage = chain.stage(header.first, simple=False)
    whole = stage.pixels
    for rows, cols in (((0, 9), (0, 11)), ((120, 140), (70, 150)), ((290, 300), (3, 9))):
        part = stage.read(((rows,), (cols,)))
        np.testing.assert_array_equal(part, whole[slice(*rows), slice(*cols)])
