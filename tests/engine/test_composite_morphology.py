"""Openings, closings, top hats, gradients and ranges: beside their parts, and their laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.engine.regions import run_plan
from convcli.kernels.kernel import Kernel

from .windows import reader

DISK = (np.hypot(*np.mgrid[-3:4, -3:4]) <= 3.2).astype(float)
FOOTPRINTS = [
    np.ones((3, 5)),
    np.ones((4, 2)),
    np.array([[1, 0, 0, 1], [0, 0, 1, 0], [1, 1, 0, 1.0]]),
    DISK,
]
ODD = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1.0]])


def run(x, weights, operation, numbers=(), threads=1, **options):
    border = Border(options.pop("border", "reflect"), options.pop("value", 0.0))
    kernel = Kernel(weights, operation=operation, numbers=numbers)
    plan = plan_filter(x.shape, x.dtype, [kernel], border=border, threads=threads, **options)
    return execute(plan, x).pixels


def picture(dtype, shape=(21, 18, 2)):
    rng = np.random.default_rng(1)
    if dtype.startswith("float"):
        x = rng.normal(size=shape).astype(dtype)
        x[rng.random(shape) < 0.1] = np.nan
        return x
    ends = np.iinfo(dtype)
    return rng.integers(ends.min // 2, ends.max // 2, shape, dtype)


def parts(x, weights, operation, numbers=(), **options):
    """The same as a chain by hand; each difference in numbers that hold it."""

    def one(x, kind, **more):
        return run(x, weights, kind, numbers, **more)

    inner = {k: v for k, v in options.items() if k in ("border", "value", "dilation")}
    centred = {"border": "edge", "stride": options.get("stride", 1)}
    wide = np.float64 if x.dtype.kind == "f" else np.int64
    if operation in ("open", "tophat"):
        found = one(one(x, "erode", **inner), "dilate", **options)
    elif operation in ("close", "blackhat"):
        found = one(one(x, "dilate", **inner), "erode", **options)
    else:
        return one(x, "dilate", **options).astype(wide) - one(x, "erode", **options)
    if operation in ("open", "close"):
        return found
    sign = 1 if operation == "tophat" else -1
    stride = centred["stride"]
    starts = []
    for n, k in zip(x.shape, weights.shape, strict=False):
        span = (k - 1) * options.get("dilation", 1) + 1
        before = max((-(-n // stride) - 1) * stride + span - n, 0) // 2
        starts.append((span - 1) // 2 - before)
    at = x[starts[0] :: stride, starts[1] :: stride][: found.shape[0], : found.shape[1]]
    return sign * (at.astype(wide) - found)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("operation", ["open", "close", "tophat", "blackhat", "gradient"])
def test_as_its_parts(loops, operation, dtype):
    x = picture(dtype)
    if dtype == "int64" and operation not in ("open", "close"):
        x //= 2**12  # a difference has to fit into float64
    bounds = (x.min(), x.max()) if dtype == "int64" else None
    for number, border in enumerate(BORDERS):
        weights = FOOTPRINTS[number % 4]
        options = {"border": border, "stride": 1 + number % 2, "dilation": 1 + number % 3 // 2}
        if border == "constant":
            options["value"] = 7.0
        if border == "missing" and dtype[0] != "f":
            weights = DISK
        got = run(x, weights, operation, bounds=bounds, **options)
        want = parts(x, weights, operation, **options)
        if dtype[0] != "f":
            want = np.clip(want, np.iinfo(dtype).min, np.iinfo(dtype).max)
        np.testing.assert_array_equal(got, want.astype(dtype), err_msg=str((border, number)))


def test_range_is_the_largest_less_the_smallest_of_the_same_cells(loops):
    for dtype, weights in (("uint8", np.ones((4, 3))), ("uint16", ODD), ("int16", np.ones((2, 2)))):
        x = picture(dtype)
        cells = {"footprint": weights[..., None] != 0, "mode": "mirror"}
        origin = tuple(-((n + 1) % 2) for n in (*weights.shape, 1))
        want = ndimage.maximum_filter(x, origin=origin, **cells).astype(int)
        want -= ndimage.minimum_filter(x, origin=origin, **cells)
        got = run(x, weights, "range")
        np.testing.assert_array_equal(got, np.clip(want, 0, np.iinfo(dtype).max))


def test_as_scipy_has_them():
    x = picture("float64")[:, :, :1]
    x[np.isnan(x)] = 0
    for ours, theirs in (
        ("open", ndimage.grey_opening),
        ("close", ndimage.grey_closing),
        ("tophat", ndimage.white_tophat),
        ("blackhat", ndimage.black_tophat),
        ("gradient", ndimage.morphological_gradient),
    ):
        flat = theirs(x, footprint=ODD[..., None] != 0, mode="mirror")
        np.testing.assert_array_equal(run(x, ODD, ours), flat)
        gray = theirs(x, structure=ODD[..., None], mode="mirror")
        got = run(x, ODD, ours, (1,), values=True)
        np.testing.assert_allclose(got, gray, rtol=0, atol=1e-15)


@pytest.mark.parametrize("border", BORDERS)
def test_opening_and_closing_are_dual_ordered_and_idempotent(border):
    for weights in FOOTPRINTS:
        x = picture("float32")
        x[np.isnan(x)] = 0.25
        below, above = (run(x, weights, kind, border=border) for kind in ("open", "close"))
        mirrored = weights[::-1, ::-1]
        if border != "constant" and all(n % 2 for n in weights.shape):
            np.testing.assert_array_equal(above, -run(-x, mirrored, "open", border=border))
        symmetric = (weights == mirrored).all() and (weights == weights[::-1]).all()
        symmetric &= all(n % 2 for n in weights.shape)
        if border in ("wrap", "missing") or (symmetric and border in ("reflect", "symmetric")):
            assert (below <= x).all()
            assert (above >= x).all()
            np.testing.assert_array_equal(run(below, weights, "open", border=border), below)
            np.testing.assert_array_equal(run(above, weights, "close", border=border), above)


def test_a_footprint_without_its_centre_where_nothing_votes(loops):
    """A value that nothing votes for is none for the next step either, whole numbers too."""
    x = np.array([[[9], [4], [6]]], np.uint8)
    beside = np.array([[0, 0, 1.0]])
    # Eroded: 4 6 -, and dilated back to the right: - 4 6.
    assert run(x, beside, "open", border="missing").ravel().tolist() == [0, 4, 6]
    got = run(x.astype("float32"), beside, "open", border="missing").ravel()
    np.testing.assert_array_equal(got, [np.nan, 4, 6])
    got = run(x, beside, "tophat", border="missing", range="float").ravel()
    np.testing.assert_array_equal(got, [np.nan, 0, 0])


@pytest.mark.parametrize("operation", ["open", "blackhat", "gradient"])
@pytest.mark.parametrize("border", BORDERS)
def test_parts_of_chains_have_the_bits_of_the_whole(border, operation):
    """Borders far wider than the part too: what an inner step reads is looked up."""
    x = np.nan_to_num(picture("float32", (43, 37, 1)))
    chain = [
        Kernel(FOOTPRINTS[2], operation=operation),
        Kernel(np.ones((3, 1)) / 3),
        Kernel(ODD, operation="close"),
    ]
    plans = [
        plan_filter(x.shape, x.dtype, chain, border=Border(border), stride=(1, 2), threads=n)
        for n in (1, 2)
    ]
    whole, again = (execute(plan, x).pixels for plan in plans)
    np.testing.assert_array_equal(whole, again)
    for rows, cols in (((0, 4), (0, 2)), ((17, 20), (3, 5)), ((40, 43), (0, 5))):
        part, _ = run_plan(plans[0], reader(x), ((rows,), (cols,)))
        np.testing.assert_array_equal(part, whole[slice(*rows), slice(*cols)])


def test_only_what_is_needed_is_read():
    shape = (4000, 3000, 1)
    plan = plan_filter(shape, "uint8", [Kernel(np.ones((3, 3)), operation="open")])
    step = plan.steps[0]
    rows, _ = step.axes
    tile = step.tile[0]
    assert rows.needed(((tile, tile + 1),)) == ((tile - 2, 2 * tile + 2),)
    assert step.rows.effective_kernel == 5


def test_ranges_and_depths():
    x = np.array([[[3], [200], [90], [100]]], np.uint8)
    box = np.ones((1, 3))
    assert run(x, box, "tophat").ravel().tolist() == [0, 110, 0, 10]
    assert run(x, box, "tophat", out_dtype="uint16").ravel().tolist() == [0, 28270, 0, 2570]
    assert run(x, box, "open", range="float").ravel().tolist() == [3, 90, 90, 90]
    assert run(x, box, "gradient", padding="valid").ravel().tolist() == [197, 110]
    assert run(x, box, "tophat", padding="valid").ravel().tolist() == [110, 0]
