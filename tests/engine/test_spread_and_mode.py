"""Variances, deviations and modes beside every window written out."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.engine.regions import run_plan
from convcli.errors import UsageError
from convcli.kernels.kernel import Kernel

from .windows import reader, windows

VARIANCE, STDDEV = ("spread", (0,)), ("spread", (1,))
FOOTPRINTS = [
    np.ones((3, 4)),
    np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]),
    np.array([[1, 0, 0, 1], [0, 0, 2, 0], [-1, 1, 0, 1]]),
    np.ones((1, 5)),
    (np.hypot(*np.mgrid[-3:4, -3:4]) <= 3.2).astype(float),
]


def run(x, weights, operation, numbers=(), threads=1, **options):
    border = Border(options.pop("border", "reflect"), options.pop("value", 0.0))
    kernel = Kernel(weights, operation=operation, numbers=numbers)
    plan = plan_filter(x.shape, x.dtype, [kernel], border=border, threads=threads, **options)
    return execute(plan, x).pixels


def picture(rng, dtype, levels=None, shape=(13, 17, 2)):
    if dtype.startswith("float"):
        x = (
            rng.normal(size=shape).astype(dtype)
            if levels is None
            else rng.integers(-levels, levels, shape).astype(dtype) / 4
        )
        x[rng.random(shape) < 0.1] = np.nan
        return x
    ends = np.iinfo(dtype)
    x = rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)
    return x if levels is None else (x % levels).astype(dtype)


def trials(rng, dtype):
    for number, border in enumerate([*BORDERS, "constant"]):
        geometry = {
            "border": border,
            "padding": ["same", "valid", "full"][number % 3],
            "stride": 1 + number % 2,
            "dilation": 1 + number % 4 // 3,
        }
        if border == "constant":
            geometry["value"] = 3.0 if number else -1.5
        yield FOOTPRINTS[number % len(FOOTPRINTS)], geometry


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "int32", "float32", "float64"]
)
def test_spread_of_every_window_written_out(loops, dtype):
    rng = np.random.default_rng(1)
    for weights, geometry in trials(rng, dtype):
        x = picture(rng, dtype)
        cells, there = windows(x, weights.shape, **geometry)
        votes = there & (weights != 0).ravel()
        values = np.where(votes, cells.astype(np.float64), np.nan)
        with np.errstate(all="ignore"):
            n = votes.sum(-1)
            mean = np.nansum(values, -1) / n
            want = np.where(n > 0, np.nansum((values - mean[..., None]) ** 2, -1) / n, np.nan)
        reach = np.nanmax(np.abs(x.astype(float))) ** 2
        got = run(x, weights, *VARIANCE, range="float", **geometry)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-13 * reach, err_msg=str(geometry))
        got = run(x, weights, *STDDEV, range="float", **geometry)
        np.testing.assert_allclose(got, np.sqrt(want), rtol=1e-6, atol=2e-7 * reach**0.5)


def test_whole_numbers_are_exact(loops):
    rng = np.random.default_rng(2)
    for dtype, offset in (("uint16", 65000), ("int32", 10**7)):
        x = (rng.integers(0, 3, (9, 11, 1)) + offset).astype(dtype)
        weights = np.ones((3, 5))
        cells, _ = windows(x, weights.shape)
        found = run(
            x, weights, *VARIANCE, range="float", out_dtype="float64", bounds=(0, 2 * offset)
        )
        for got, window in zip(found.ravel(), cells.reshape(-1, 15).tolist(), strict=True):
            mean = Fraction(sum(window), 15)
            assert got == float(sum((v - mean) ** 2 for v in window) / 15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_small_deviation_about_a_large_mean(loops, dtype):
    rng = np.random.default_rng(3)
    x = rng.normal(1e4, 0.1, (70, 60, 1)).astype(dtype)
    x[:8, :8] = 1e30  # far samples spoil no other's
    got = run(x, np.ones((7, 7)), *STDDEV, padding="valid")[8:, 8:]
    want = np.lib.stride_tricks.sliding_window_view(x[8:, 8:, 0].astype(np.longdouble), (7, 7))
    np.testing.assert_allclose(got[..., 0], want.std((-1, -2)), rtol=1e-6)
    flat = np.full((9, 9, 1), 1e4 / 3, dtype)
    assert not run(flat, np.ones((3, 3)), *STDDEV).any()


def test_levels_of_spread():
    x = np.array([[[0], [255], [0], [255]]], np.uint8)
    pair = np.ones((1, 2))
    assert run(x, pair, *STDDEV).ravel().tolist() == [128, 128, 128, 128]  # 127.5
    assert run(x, pair, *STDDEV, out_dtype="uint16").ravel().tolist() == [32768] * 4
    floats = run(x, pair, *VARIANCE, range="clip", out_dtype="float32")
    assert floats.ravel().tolist() == [0.25] * 4
    assert run(x, pair, *VARIANCE, range="float").ravel().tolist() == [16256.25] * 4


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int64", "float32", "float64"])
@pytest.mark.parametrize("levels", [4, None])
def test_mode_of_every_window_written_out(loops, dtype, levels):
    rng = np.random.default_rng(4)
    for weights, geometry in trials(rng, dtype):
        if dtype[0] != "f" and geometry["border"] == "missing":
            geometry["padding"] = "valid"
        if dtype == "int64" and geometry["border"] in ("constant", "missing"):
            continue
        x = picture(rng, dtype, levels)
        cells, there = windows(x, weights.shape, **geometry)
        votes = there & (weights != 0).ravel()
        shape = cells.shape[:-1]
        want = np.empty(shape, cells.dtype if dtype[0] != "f" else np.float64)
        for at in np.ndindex(shape):
            values, counts = np.unique(cells[at][votes[at]], return_counts=True)
            want[at] = values[counts.argmax()] if len(values) else np.nan
        if dtype[0] != "f":
            want = want if want.dtype.kind == "i" else np.rint(want)
            want = np.clip(want, np.iinfo(dtype).min, np.iinfo(dtype).max)
        got = run(x, weights, "mode", **geometry)
        np.testing.assert_array_equal(got, want.astype(dtype), err_msg=str(geometry))


@pytest.mark.parametrize("weights", [np.ones((3, 4)), np.ones((19, 15)), FOOTPRINTS[1]])
def test_modes_of_more_values_than_bytes_number(weights, monkeypatch):
    """Too many in all rows, few enough in some; -0, NaN and windows of nothing among them."""
    rng = np.random.default_rng(5)
    x = (np.arange(70)[:, None] * 5 + rng.integers(0, 9, (70, 30))).astype(np.float32)[..., None]
    x[40:] = rng.normal(size=(30, 30, 1))
    x[rng.random(x.shape) < 0.1] = -0.0
    x[5:30, 3:25] = np.nan
    got = run(x, weights, "mode")
    monkeypatch.setenv("CONVCLI_LOOPS", "numpy")
    np.testing.assert_array_equal(got.view(np.int32), run(x, weights, "mode").view(np.int32))
    assert np.isnan(got).any()


@pytest.mark.parametrize("operation", [VARIANCE, STDDEV, ("mode", ())])
def test_parts_and_threads_have_the_same_bits(loops, operation):
    rng = np.random.default_rng(5)
    kernel = Kernel(FOOTPRINTS[2], operation=operation[0], numbers=operation[1])
    chain = [kernel, Kernel(np.ones((3, 1)) / 3)]
    for dtype in ("uint8", "float32"):
        x = picture(rng, dtype, shape=(700, 90, 3), levels=9)
        plans = [
            plan_filter(x.shape, dtype, chain, border=Border("wrap"), stride=(2, 1), threads=n)
            for n in (1, 3)
        ]
        whole, again = (execute(plan, x).pixels for plan in plans)
        np.testing.assert_array_equal(whole, again)
        part, _ = run_plan(plans[0], reader(x), (((170, 175),), ((4, 20),)))
        np.testing.assert_array_equal(part, whole[170:175, 4:20])


def test_what_is_no_footprint_is_refused():
    for operation in ("spread", "mode"):
        for weights in ([[0, 0]], np.ones((1, 2, 2, 2))):
            with pytest.raises(UsageError, match="footprint"):
                plan_filter((9, 9, 2), "uint8", [Kernel(weights, operation=operation)])
