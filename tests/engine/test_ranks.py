"""Ranks beside a loop that sorts: every type, border, stride, dilation, footprint, with NaN."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from scipy import ndimage

from convcli.arithmetic.borders import Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.engine.regions import run_plan
from convcli.errors import ConvcliError, UsageError
from convcli.extensions import extension
from convcli.kernels.kernel import Kernel

from .windows import reader

WHOLE = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
TYPES = [*WHOLE, "float32", "float64"]


def rank(footprint, percent=50.0):
    return Kernel(np.asarray(footprint) * 1, operation="rank", numbers=(percent,))


def noise(rng, shape, dtype, holes=0.0):
    if "float" in dtype:
        x = rng.standard_normal(shape).astype(dtype)
        x[rng.random(shape) < 0.1] = -0.0
        x[rng.random(shape) < 0.05] = np.inf
        x[rng.random(shape) < holes] = np.nan
        return x
    ends = np.iinfo(dtype)
    x = rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)
    few = rng.integers(0, 4, shape).astype(dtype)
    return np.where(rng.random(shape) < 0.5, few, x)


def padded(x, axis, before, after, border):
    widths = [(0, 0)] * 3
    widths[axis] = (before, after)
    if border.mode in ("constant", "missing"):
        value = np.nan if border.mode == "missing" else border.value
        return np.pad(x, widths, constant_values=value)
    return np.pad(x, widths, mode=border.mode)


def sorted_ranks(x, footprint, percent, border=None, stride=(1, 1), dilation=(1, 1)):
    """The definition, window by window."""
    border, sizes = border or Border(), []
    for axis in (0, 1):
        extent = dilation[axis] * (footprint.shape[axis] - 1) + 1
        outputs = -(-x.shape[axis] // stride[axis])
        total = max((outputs - 1) * stride[axis] + extent - x.shape[axis], 0)
        # What lies behind the last window, if the stride leaves a rest, is never read.
        x = padded(x, axis, total // 2, total - total // 2, border)
        sizes.append(outputs)
    want = np.empty((*sizes, x.shape[2]), x.dtype)
    for r, c, ch in np.ndindex(want.shape):
        top, left = r * stride[0], c * stride[1]
        window = x[top:, left:, ch][:: dilation[0], :: dilation[1]]
        cells = window[: footprint.shape[0], : footprint.shape[1]][footprint != 0]
        votes = np.sort(cells[cells == cells])
        number = int(Fraction(str(percent)) * len(votes) // 100)
        want[r, c, ch] = votes[min(number, len(votes) - 1)] if len(votes) else np.nan
    return want


def filtered(x, kernel, **how):
    return execute(plan_filter(x.shape, x.dtype, [kernel], **how), x).pixels


def some_footprint(rng):
    shape = rng.integers(1, 8, 2)
    cells = (rng.random(shape) < 0.6) if rng.random() < 0.5 else np.ones(shape)
    cells = np.where(cells, rng.integers(1, 4, shape), 0)
    cells[tuple(rng.integers(0, shape))] = 1
    return cells


BORDERS = [
    *map(Border, ("reflect", "edge", "symmetric", "wrap")),
    Border("constant"),
    Border("constant", 3.0),
]


@pytest.mark.parametrize("dtype", TYPES)
def test_any_footprint_and_geometry(dtype, loops):
    rng = np.random.default_rng(TYPES.index(dtype))
    for trial in range(8):
        x = noise(rng, (*rng.integers(3, 17, 2), rng.integers(1, 4)), dtype, holes=trial % 3 / 4)
        footprint, border = some_footprint(rng), BORDERS[rng.integers(len(BORDERS))]
        percent = rng.choice([0, 10, 50, 73.5, 99.9, 100])
        stride, dilation = rng.integers(1, 4, 2).tolist(), rng.integers(1, 3, 2).tolist()
        how = {"border": border, "stride": stride, "dilation": dilation, "values": True}
        want = sorted_ranks(x, footprint, percent, border, stride, dilation)
        np.testing.assert_array_equal(filtered(x, rank(footprint, percent), **how), want)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("side", [(3, 3), (5, 5), (7, 7), (9, 9), (4, 6), (15, 15), (13, 21)])
def test_rectangles_are_scipy_s(dtype, side, loops):
    if loops == "numpy" and side[0] > 9 and dtype != "uint8":
        return
    x = noise(np.random.default_rng(7), (41, 67, 1), dtype)
    x[20:, 30:] = x[3, 4]
    # SciPy's even windows sit one cell earlier than ours.
    origin = [-((n + 1) % 2) for n in side]
    want = ndimage.median_filter(x[..., 0], side, mode="mirror", origin=origin)
    np.testing.assert_array_equal(filtered(x, rank(np.ones(side)))[..., 0], want)


DISK = np.hypot(*np.mgrid[-4:5, -4:5]) <= 4.3


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("algorithm", ["histograms", "levels", "slide", "network", "select"])
def test_every_algorithm_gives_the_same(dtype, algorithm):
    """Over sizes and places at which tiles and blocks end, for all ranks."""
    rng = np.random.default_rng(11)
    done = 0
    for shape, footprint, percent in [
        ((70, 140, 1), np.ones((9, 13)), 50),
        ((133, 65, 2), np.ones((24, 3)), 20),
        ((5, 290, 3), np.ones((4, 20)), 99.9),
        ((40, 50, 1), DISK, 50),
        ((30, 41, 2), rng.random((6, 5)) < 0.5, 0),
        ((25, 30, 1), np.ones((1, 90)), 100),
        ((25, 530, 1), np.ones((60, 7)), 5),
    ]:
        holes = 0.2 if done % 2 else 0.0
        x = noise(rng, shape, dtype, holes)
        try:
            plan = plan_filter(shape, dtype, [rank(footprint, percent)], algorithm=algorithm)
        except UsageError as error:
            assert algorithm in str(error)
            continue
        x[: shape[0] // 2, : shape[1] // 2] = x[0, 0]
        np.testing.assert_array_equal(
            execute(plan, x).pixels, by_sorting(x, footprint, percent), strict=True
        )
        done += 1
    if algorithm in ("histograms", "levels") and dtype[-1] != "8":
        assert not done
    elif extension("_ranks").module is not None:
        assert done >= (2 if algorithm == "levels" else 4)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("border", [Border(), Border("constant", 7.0), Border("missing")])
def test_small_medians_in_place(dtype, border):
    """Inside rows are read where they are; edges, and bands with NaN, are not."""
    rng = np.random.default_rng(3)
    for shape, side, dilation in [
        ((75, 150, 1), 3, 1),
        ((39, 41, 3), 5, (3, 2)),
        ((2, 90, 2), 7, 1),
    ]:
        x = noise(rng, shape, dtype)
        if "float" in dtype:
            x[:, 20], x[:, 21] = -0.0, 0.0
            x[shape[0] // 2, 70 % shape[1]] = np.nan
        kernel, how = [rank(np.ones((side, side)))], {"border": border, "dilation": dilation}
        want, got = (
            execute(plan_filter(shape, dtype, kernel, algorithm=name, **how), x).pixels
            for name in ("select", "network")
        )
        np.testing.assert_array_equal(got.view("u1"), want.view("u1"))


@pytest.mark.parametrize("isa", ["avx512", "avx2", "base"])
@pytest.mark.parametrize("low, high", [(0, 255), (3, 77)])
def test_levels_that_jump(low, high, isa, request):
    """From row to row and from window to window: blocks that are searched from the row before."""
    module = extension("_ranks").module
    if module is None or isa not in module.isas():
        pytest.skip(f"this processor or build has no {isa}")
    request.addfinalizer(partial(module.isa, module.isa()))
    module.isa(isa)
    rng = np.random.default_rng(high)
    x = np.where(np.kron(rng.random((5, 26)) < 0.5, np.ones((11, 17))) > 0, low, high)
    x[20:30] += rng.integers(-low, 255 - high + 1, x[20:30].shape)
    x[30:40] = np.arange(x.shape[1]) * 5 % 256
    x = x.astype(np.uint8)
    for side, percent in (((11, 12), 50), ((3, 70), 50), ((4, 17), 0), ((4, 17), 100)):
        plan = plan_filter(
            (*x.shape, 1), "uint8", [rank(np.ones(side), percent)], algorithm="histograms"
        )
        number = min(int(side[0] * side[1] * percent // 100), side[0] * side[1] - 1)
        origin = [-((n + 1) % 2) for n in side]
        want = ndimage.rank_filter(x, number, side, mode="mirror", origin=origin)
        np.testing.assert_array_equal(execute(plan, x[..., None]).pixels[..., 0], want)
    cells = rng.random((9, 15)) < 0.6
    for percent in (20, 100):
        plan = plan_filter((*x.shape, 1), "uint8", [rank(cells, percent)], algorithm="levels")
        number = min(int(cells.sum() * percent // 100), cells.sum() - 1)
        want = ndimage.rank_filter(x, number, footprint=cells, mode="mirror")
        np.testing.assert_array_equal(execute(plan, x[..., None]).pixels[..., 0], want)


def by_sorting(x, footprint, percent):
    """The definition on mirrored borders, all windows at once."""
    pads = [((n - 1) // 2, n // 2) for n in footprint.shape]
    wide = np.pad(x, [*pads, (0, 0)], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(wide, footprint.shape, (0, 1))
    cells = np.sort(windows[..., footprint != 0], axis=-1)  # NaN comes last
    votes = (cells == cells).sum(axis=-1)
    number = np.floor(votes.astype(object) * Fraction(str(percent)) / 100).astype(int)
    number = np.clip(number, 0, np.maximum(votes - 1, 0))
    return np.take_along_axis(cells, number[..., None], axis=-1)[..., 0]


@pytest.mark.parametrize("side", [(3, 3), (4, 5), (15, 15)])
def test_any_increasing_map_commutes(side, loops):
    """Ranks know of the order alone; the map goes to other values and to another type."""
    rng = np.random.default_rng(14)
    x = rng.integers(0, 256, (31, 28, 2), dtype=np.uint8)
    steps = np.cumsum(rng.integers(1, 200, 256))
    for table in (steps.astype(np.uint16), np.sqrt(steps).astype(np.float32) - 40):
        for percent in (50.0, 20.0):
            kernel = rank(np.ones(side), percent)
            plans = (plan_filter(x.shape, t, [kernel]) for t in (x.dtype, table.dtype))
            before, after = plans
            np.testing.assert_array_equal(
                table[execute(before, x).pixels], execute(after, table[x]).pixels
            )


def test_nothing_votes(loops):
    x = np.full((9, 11, 2), np.nan, np.float32)
    x[4, 5, 1] = 3
    found = filtered(x, rank(np.ones((3, 3)), 90))
    assert np.isnan(found[..., 0]).all()
    assert np.isnan(found[..., 1]).sum() == 99 - 9
    assert np.nanmax(found) == np.nanmin(found) == 3


def test_outside_does_not_vote(loops):
    x = noise(np.random.default_rng(5), (7, 9, 1), "uint8")
    want = sorted_ranks(x.astype("float32"), np.ones((4, 5)), 30, Border("missing"))
    found = filtered(x, rank(np.ones((4, 5)), 30), border=Border("missing"))
    np.testing.assert_array_equal(found, want.astype("uint8"))


@pytest.mark.parametrize("border", [Border("constant", 99.5), Border("constant", -7.0)])
def test_outside_stands_what_the_type_lacks(border, loops):
    x = noise(np.random.default_rng(6), (7, 9, 2), "uint16")
    for percent in (0, 50):
        want = sorted_ranks(x.astype(float), np.ones((3, 5)), percent, border)
        found = filtered(x, rank(np.ones((3, 5)), percent), border=border, values=True)
        np.testing.assert_array_equal(found, np.clip(np.rint(want), 0, 65535))


def test_the_largest_numbers_stay_exact_through_a_chain(loops):
    x = (2**63 - 1 - np.arange(63, dtype=np.int64)).reshape(7, 9, 1)
    chain = [rank(np.ones((3, 3)), 20), rank(np.ones((1, 3)), 100)]
    want = sorted_ranks(sorted_ranks(x, np.ones((3, 3)), 20), np.ones((1, 3)), 100)
    np.testing.assert_array_equal(execute(plan_filter(x.shape, x.dtype, chain), x).pixels, want)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_in_a_chain_of_other_depth(dtype, loops):
    x = noise(np.random.default_rng(8), (12, 17, 3), "uint8")
    chain = [rank(np.ones((3, 3))), Kernel([[1, 0, -1]]), rank(np.ones((3, 3)), 80)]
    plan = plan_filter(x.shape, x.dtype, chain, range="abs", out_dtype=dtype)
    middle = ndimage.median_filter(x, (3, 3, 1), mode="mirror").astype(float)
    slope = ndimage.correlate1d(middle, [1, 0, -1], axis=1, mode="mirror")
    white = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    want = np.abs(sorted_ranks(slope, np.ones((3, 3)), 80)) * (white / 255)
    np.testing.assert_allclose(execute(plan, x).pixels, want.astype(dtype), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_parts_and_threads_give_the_same(dtype, loops):
    x = noise(np.random.default_rng(9), (150, 260, 2), dtype, holes=0.1)
    for side in ((3, 3), (7, 5)):
        plans = [plan_filter(x.shape, dtype, [rank(np.ones(side))], threads=n) for n in (1, 3)]
        whole = execute(plans[0], x).pixels
        part, _ = run_plan(plans[1], reader(x), (((60, 93),), ((31, 233),)))
        np.testing.assert_array_equal(execute(plans[1], x).pixels, whole)
        np.testing.assert_array_equal(part, whole[60:93, 31:233])


def test_a_view_and_float16(loops):
    x = noise(np.random.default_rng(10), (9, 22, 3), "float16".replace("16", "32"))
    half = np.nan_to_num(x, posinf=9).astype(np.float16)
    want = sorted_ranks(half.astype(np.float32), np.ones((3, 3)), 50)
    np.testing.assert_array_equal(filtered(half, rank(np.ones((3, 3)))), want)
    turned = x[:, ::-2]
    want = sorted_ranks(turned, np.ones((3, 3)), 50)
    np.testing.assert_array_equal(filtered(turned, rank(np.ones((3, 3)))), want)


@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        (rank(np.ones((3, 3)), 101), "percent is 101"),
        (rank(np.zeros((3, 3))), "no cell"),
        (Kernel(np.ones((3, 1, 3, 3)), operation="rank"), "one footprint"),
    ],
)
def test_refused(kernel, said):
    with pytest.raises(ConvcliError, match=said):
        filtered(np.zeros((5, 5, 1), np.uint8), kernel)
