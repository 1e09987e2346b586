"""Thresholds beside NumPy's comparison, in every type, at every border, in chains and in parts."""

from __future__ import annotations

import numpy as np
import pytest

from convcli import UsageError, filter_image
from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.engine.regions import run_plan
from convcli.kernels.load import load_chain, load_kernel

from .windows import reader, windows

PICTURES = {"uint8": 1.0, "uint16": 257.0, "float32": 1 / 255, "float64": 1 / 255}
RASTERS = ["int8", "int16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def picture(dtype, shape=(14, 11, 3)):
    rng = np.random.default_rng(1)
    if dtype.startswith("float"):
        x = (rng.integers(-9, 265, shape) / 255).astype(dtype)
        x[rng.random(shape) < 0.1] = np.nan
        return x
    ends = np.iinfo(dtype)
    return rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("dtype", PICTURES)
@pytest.mark.parametrize("level", [-300, 0, 100, 127.5, 128, 254.9, 255, 300])
def test_pictures_become_black_and_white(dtype, level):
    """Beside exact fractions: a level of 100 is 25700 of 65535."""
    x = np.nan_to_num(picture(dtype), nan=0.25)
    x[0, :4, 0] = np.array([100, 128, 0, 255]) * PICTURES[dtype]
    white = 1 if dtype[0] == "f" else np.iinfo(dtype).max
    want = np.where(x.astype(np.float64) > level * PICTURES[dtype], white, 0).astype(dtype)
    got = filter_image(x, f"threshold:{level}")
    assert got.dtype == x.dtype
    np.testing.assert_array_equal(got, want)


def test_levels_of_sixteen_bits_are_found_again():
    x = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    for level in (1, 12345, 12346, 65534):
        got = filter_image(x, f"threshold:{level / 257!r}")
        np.testing.assert_array_equal(got, np.where(x > level, 65535, 0))


@pytest.mark.parametrize("dtype", RASTERS)
def test_rasters_become_ones_and_zeros(dtype):
    x = picture(dtype, (14, 11, 5))
    level = 0.5 if dtype[0] == "f" else float(np.iinfo(dtype).max // 3)
    if dtype in ("int64", "uint64"):
        x, level = x // 2**12, level // 2**12  # what floats beside missing samples hold
    x.flat[0] = level
    got = filter_image(x, f"threshold:{level!r}", values=True)
    assert got.dtype == x.dtype
    want = np.where(np.isnan(x), np.nan, x > level) if dtype[0] == "f" else x > level
    np.testing.assert_array_equal(got, want.astype(dtype))


def test_missing_samples_stay_missing():
    x = np.array([[1, 9, -5], [7, -5, 3]], np.int16)
    got = filter_image(x, "threshold:3", nodata=-5)
    assert got.tolist() == [[0, 1, -5], [1, -5, 0]]
    assert filter_image(x, "threshold:3", nodata=-5, fill=True).tolist() == got.tolist()
    for nodata in (0, 1):
        with pytest.raises(UsageError, match=f"threshold:3 gives 1 and 0, and {nodata} says"):
            filter_image(x, "threshold:3", nodata=nodata)
        again = filter_image(x, "threshold:3", nodata=(nodata, 255 * 2))
        assert (again == 510).sum() == (x == nodata).sum()


def test_alpha_is_left_as_it_is():
    x = picture("uint8", (6, 7, 4))
    x[:2, :3, 3] = 0
    for linear in (False, True):
        got = filter_image(x, "threshold:100", linear=linear)
        np.testing.assert_array_equal(got[..., 3], x[..., 3])
        np.testing.assert_array_equal(got[:2, :3], x[:2, :3])
        if not linear:
            want = np.where(x[..., :3] > 100, 255, 0)
            np.testing.assert_array_equal(got[2:, :, :3], want[2:])
    brown = np.full((2, 2, 3), [120, 100, 90], np.uint8)
    assert len(np.unique(filter_image(brown, "threshold:100", luma=True))) > 1  # chroma stays


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_what_stands_outside_is_compared_too(dtype):
    x = picture(dtype)
    level = 100 * PICTURES.get(dtype, 1.0)
    kernel = load_kernel("threshold:100")
    for border in BORDERS:
        if border == "missing" and dtype[0] != "f":
            continue
        for padding, stride in (("same", 2), (2, 1), (2, 3)):
            outside = 3 * level if border == "constant" else 0.0
            more = {"value": outside} if border == "constant" else {}
            pad = {"padding": "full", "stride": stride} if padding == 2 else {"stride": stride}
            shape = (3, 3) if padding == 2 else (1, 1)
            cells, there = windows(x, shape, border=border, **pad, **more)
            at = 4 if padding == 2 else 0  # the middle of a window that reaches as far out
            values = np.where(there, cells, np.nan)[..., at]
            padding = 1 if padding == 2 else padding
            plan = plan_filter(
                x.shape, dtype, [kernel], border=Border(border, outside), padding=padding,
                stride=stride,
            )  # fmt: skip
            got = execute(plan, x).pixels
            white = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
            want = np.where(np.isnan(values), np.nan, np.where(values > level, white, 0))
            np.testing.assert_array_equal(got, want.astype(dtype), err_msg=f"{border} {padding}")


def test_in_a_chain_it_sees_what_is_between_the_kernels():
    x = picture("uint8", (9, 8, 1))[..., 0]
    mean = np.pad(x.astype(float), 1, mode="reflect")
    mean = np.lib.stride_tricks.sliding_window_view(mean, (3, 3)).sum((-2, -1)) / 9
    bright = mean > 127.75
    np.testing.assert_array_equal(filter_image(x, "box:3 | threshold:127.75"), 255 * bright)
    opened = filter_image((255 * bright).astype(np.uint8), "max:3")
    np.testing.assert_array_equal(filter_image(x, "box:3 | threshold:127.75 | max:3"), opened)
    halves = filter_image(x, "threshold:127 | box:1x2", depth="float")
    assert set(np.unique(halves)) == {0.0, 0.5, 1.0}


def test_depths_and_ranges():
    x = np.array([[3, 200]], np.uint8)
    assert filter_image(x, "threshold:100", depth=16).tolist() == [[0, 65535]]
    assert filter_image(x, "threshold:100", depth="float").tolist() == [[0.0, 1.0]]
    assert filter_image(x, "threshold:100", range="offset").tolist() == [[128, 255]]
    assert filter_image(x, "threshold:100", depth="int16").tolist() == [[0, 1]]
    assert filter_image(x, "threshold:100", range="stretch").tolist() == [[0, 255]]
    with pytest.raises(UsageError, match="no sum"):
        filter_image(x, "threshold:100", scale=2)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_parts_and_threads_have_the_same_bits(dtype):
    x = picture(dtype, (900, 400, 3))
    chain = load_chain("threshold:90 | box:3 | threshold:140")
    plans = [plan_filter(x.shape, dtype, chain, threads=n, stride=(1, 2)) for n in (1, 3)]
    whole, again = (execute(plan, x) for plan in plans)
    np.testing.assert_array_equal(whole.pixels, again.pixels)
    part, _ = run_plan(plans[0], reader(x), (((411, 430),), ((7, 29),)))
    np.testing.assert_array_equal(part, whole.pixels[411:430, 7:29])


def test_what_is_clipped_is_counted():
    x = np.array([[[3], [200], [9]]], np.uint8)
    plan = plan_filter(x.shape, x.dtype, [load_kernel("threshold:100")], range="offset")
    assert execute(plan, x).clipped == 1
