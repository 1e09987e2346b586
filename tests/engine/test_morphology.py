"""Erosion and dilation beside every window written out, and the laws that bind them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.engine.regions import run_plan
from convcli.errors import UsageError
from convcli.kernels.kernel import Kernel
from convcli.ops.max_pooling import max_pool

from .windows import reader, windows


def picture(rng, dtype, shape=(13, 17, 2), holes=0.1):
    if dtype.startswith("float"):
        x = rng.normal(size=shape).astype(dtype)
        x[rng.random(shape) < 0.2] = -0.0
        x[rng.random(shape) < 0.05] = np.inf
        x[rng.random(shape) < holes] = np.nan
        return x
    ends = np.iinfo(dtype)
    return rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)


def run(x, kernel, threads=1, **options):
    border = Border(options.pop("border", "reflect"), options.pop("value", 0.0))
    plan = plan_filter(x.shape, x.dtype, [kernel], border=border, threads=threads, **options)
    return execute(plan, x).pixels


def reference(x, weights, operation, *, gray=False, **geometry):
    """The extremum of all cells that vote, by sorting nothing and looking at each window."""
    turned = operation == "dilate"
    weights = weights[::-1, ::-1] if turned else weights
    cells, there = windows(x, weights.shape, mirrored=turned, **geometry)
    counts = there if gray else there & (weights != 0).ravel()
    if gray:
        cells = cells + weights.ravel() * (1 if operation == "dilate" else -1)
    least = np.iinfo(np.int64).min if cells.dtype.kind == "i" else -np.inf
    if operation == "dilate":
        found = np.where(counts, cells, least).max(-1)
    else:
        found = np.where(counts, cells, np.inf if cells.dtype.kind == "f" else ~least).min(-1)
    voted = counts.any(-1)
    return found if voted.all() else np.where(voted, found, np.nan)


FOOTPRINTS = [
    np.ones((3, 3)),
    np.ones((1, 6)),
    np.ones((7, 2)),
    np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]),
    np.array([[1, 0, 0, 1], [0, 0, 2, 0], [-1, 1, 0, 1]]),
    np.array([[0, 0, 0], [0, 0, 3]]),
    (np.hypot(*np.mgrid[-4:5, -4:5]) <= 4.2).astype(float),
]


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "int32", "float32", "float64"]
)
@pytest.mark.parametrize("operation", ["erode", "dilate"])
def test_every_window_written_out(loops, operation, dtype):
    rng = np.random.default_rng(len(dtype))
    for number in range(24):
        weights = np.asarray(FOOTPRINTS[number % len(FOOTPRINTS)], float)
        x = picture(rng, dtype)
        geometry = {
            "border": str(rng.choice(list(BORDERS))),
            "padding": ["same", "same_lower", "full", "valid", 2][rng.integers(5)],
            "stride": int(rng.integers(1, 4)),
            "dilation": int(rng.integers(1, 3)),
        }
        if geometry["border"] == "constant":
            geometry["value"] = float(rng.choice([0.0, 3.0, -1.5, 300.0]))
        if geometry["border"] == "missing" and dtype[0] != "f":
            geometry |= {"padding": "valid"}
        if min(weights.shape) > 6:
            geometry |= {"dilation": 1}
        got = run(x, Kernel(weights, operation=operation), **geometry)
        want = reference(x, weights, operation, **geometry)
        if dtype[0] != "f":
            want = np.clip(np.rint(want), np.iinfo(dtype).min, np.iinfo(dtype).max)
        np.testing.assert_array_equal(got, want.astype(dtype), err_msg=f"{weights} {geometry}")


@pytest.mark.parametrize("operation", ["erode", "dilate"])
def test_64_bits_stay_what_they_are(loops, operation):
    rng = np.random.default_rng(3)
    for dtype in ("int64", "uint64"):
        x = picture(rng, dtype)
        got = run(x, Kernel(np.ones((3, 1)), operation=operation), border="edge")
        above, below = np.roll(x, 1, 0), np.roll(x, -1, 0)
        above[0], below[-1] = x[0], x[-1]
        pick = np.minimum if operation == "erode" else np.maximum
        np.testing.assert_array_equal(got, pick(pick(above, x), below))


def test_outside_that_does_not_vote_and_a_footprint_that_meets_nothing(loops):
    x = np.arange(12, dtype=np.uint8).reshape(3, 4, 1) + 7
    box = Kernel(np.ones((3, 3)), operation="erode")
    want = ndimage.minimum_filter(x, (3, 3, 1), mode="constant", cval=255)
    np.testing.assert_array_equal(run(x, box, border="missing"), want)
    right = Kernel([[0, 0, 1]], operation="dilate")
    got = run(x.astype("float32"), right, border="missing")
    np.testing.assert_array_equal(got[:, 0], np.nan)  # the mirrored footprint looks to the left
    np.testing.assert_array_equal(got[:, 1:], x[:, :-1])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
@pytest.mark.parametrize("operation", ["erode", "dilate"])
def test_gray_levels_are_subtracted_and_added(loops, operation, dtype):
    rng = np.random.default_rng(5)
    for number, border in enumerate(BORDERS):
        x = picture(rng, dtype)
        if dtype == "int32":
            x //= 4
        weights = rng.integers(-20, 21, (3, 4)).astype(float) + (0.5 if number % 2 else 0)
        kernel = Kernel(weights, operation=operation, numbers=(1,))
        unit = {"uint16": 257.0, "float32": 1 / 255}.get(dtype, 1.0)
        geometry = {"border": border, "stride": 1 + number % 2}
        got = run(x, kernel, **geometry)
        want = reference(x, weights * unit, operation, gray=True, **geometry)
        if dtype == "float32":
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)
        else:
            ends = np.iinfo(dtype)
            want = np.clip(np.rint(want), ends.min, ends.max)
            np.testing.assert_array_equal(got, want.astype(dtype), err_msg=border)


def test_gray_dilation_and_erosion_as_scipy_has_them(loops):
    rng = np.random.default_rng(6)
    x = rng.integers(0, 256, (19, 23, 1)).astype(np.float64)
    weights = rng.integers(0, 30, (5, 3)).astype(float)
    for operation in ("erode", "dilate"):
        kernel = Kernel(weights, operation=operation, numbers=(1,))
        scipys = ndimage.grey_erosion if operation == "erode" else ndimage.grey_dilation
        want = scipys(x, structure=weights[..., None], mode="mirror")
        np.testing.assert_array_equal(run(x, kernel, values=True), want)


@pytest.mark.parametrize("border", [*BORDERS, "constant:9"])
def test_erosion_and_dilation_are_dual(border):
    """``dilate:B(x) = -erode:mirrored B(-x)``, a constant negated with it."""
    rng = np.random.default_rng(7)
    mode, _, value = border.partition(":")
    x = rng.normal(size=(11, 14, 1)).astype(np.float32) * 20
    for weights in FOOTPRINTS[:-1]:
        for stride, padding in ((1, "same"), (2, "full")):
            options = {"border": mode, "padding": padding, "stride": stride}
            dilated = run(
                x, Kernel(weights, operation="dilate"), value=float(value or 0), **options
            )
            # A row or column of nothing puts the anchor in the middle, for it to be mirrored.
            around = weights[::-1, ::-1]
            if padding == "same":
                around = np.pad(around, [(0, (n + 1) % 2) for n in weights.shape])
            mirrored = Kernel(around, operation="erode")
            eroded = run(-x, mirrored, value=-float(value or 0), **options)
            np.testing.assert_array_equal(dilated, -eroded)


@pytest.mark.parametrize("border", ["wrap", "missing"])
def test_opening_takes_away_and_is_idempotent_for_any_footprint(border):
    rng = np.random.default_rng(8)
    for weights in FOOTPRINTS:
        x = rng.normal(size=(16, 12, 2)).astype(np.float32)

        def opened(x, weights=weights):
            eroded = run(x, Kernel(weights, operation="erode"), border=border)
            return run(eroded, Kernel(weights, operation="dilate"), border=border)

        once = opened(x)
        there = ~np.isnan(once)
        assert (once <= x)[there].all()
        np.testing.assert_array_equal(opened(once), once)


@pytest.mark.parametrize("border", ["reflect", "symmetric"])
def test_opening_is_idempotent_for_symmetric_footprints_at_mirrored_borders(border):
    rng = np.random.default_rng(12)
    for weights in (np.ones((3, 5)), FOOTPRINTS[3], FOOTPRINTS[-1], np.array([[1, 0, 1]])):
        x = rng.normal(size=(16, 13, 2)).astype(np.float32)
        once = run(run(x, Kernel(weights, operation="erode"), border=border),
                   Kernel(weights, operation="dilate"), border=border)  # fmt: skip
        twice = run(run(once, Kernel(weights, operation="erode"), border=border),
                    Kernel(weights, operation="dilate"), border=border)  # fmt: skip
        assert (once <= x).all()
        assert (once < x).any()
        np.testing.assert_array_equal(twice, once)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_max_pooling_is_the_largest_with_a_stride(loops, dtype):
    """Finite data, no padding or one that does not vote, no ceil mode."""
    rng = np.random.default_rng(13)
    x = picture(rng, "uint8", (21, 26, 3)).astype(dtype)
    for (height, width), stride, padding in (((2, 2), 2, 0), ((3, 2), (3, 1), 0), ((3, 3), 2, 1)):
        pooled = max_pool(
            np.moveaxis(x, -1, 0)[None], (height, width), stride=stride, padding=padding
        )
        kernel = Kernel(np.ones((height, width)), operation="rank", numbers=(100.0,))
        got = run(
            x, kernel, stride=stride, padding=padding, border="missing" if padding else "reflect"
        )
        np.testing.assert_array_equal(np.moveaxis(got, -1, 0)[None], pooled)


def test_parts_threads_and_chains_have_the_same_bits(loops):
    rng = np.random.default_rng(9)
    x = picture(rng, "float32", (61, 47, 3))
    chain = [
        Kernel(FOOTPRINTS[3], operation="dilate"),
        Kernel(np.ones((1, 3)) / 3),
        Kernel(FOOTPRINTS[4], operation="erode"),
    ]
    one, many = (
        plan_filter(x.shape, "float32", chain, stride=(2, 1), border=Border("wrap"), threads=n)
        for n in (1, 3)
    )
    whole = execute(one, x).pixels
    np.testing.assert_array_equal(whole.view(np.int32), execute(many, x).pixels.view(np.int32))
    want = (((2, 5), (6, 8)), ((4, 20), (30, 47)))
    part, _ = run_plan(one, reader(x), want)
    rows, cols = np.r_[2:5, 6:8], np.r_[4:20, 30:47]
    np.testing.assert_array_equal(part, whole[rows[:, None], cols])


def test_ranges_and_depths(loops):
    x = np.array([[[3], [200], [90]]], np.uint8)
    box = Kernel(np.ones((1, 3)), operation="erode")
    assert run(x, box, out_dtype="uint16").ravel().tolist() == [771, 771, 23130]
    assert run(x, box, range="offset").ravel().tolist() == [131, 131, 218]
    assert run(x.astype("int16") - 100, box, range="abs").ravel().tolist() == [97, 97, 10]
    floats = run(x, box, range="float")
    assert floats.dtype == np.float32
    assert floats.ravel().tolist() == [3, 3, 90]
    right = Kernel([[0, 0, 1]], operation="erode")
    assert run(x, right, border="edge").ravel().tolist() == [200, 90, 90]
    assert run(x, right, border="edge", flip=True).ravel().tolist() == [3, 3, 200]


def test_what_is_no_footprint_is_refused():
    for weights, fault in (([[0, 0]], "all are 0"), (np.ones((1, 2, 2, 2)), "rows and columns")):
        with pytest.raises(UsageError, match=fault):
            plan_filter((9, 9, 2), "uint8", [Kernel(weights, operation="erode")])
