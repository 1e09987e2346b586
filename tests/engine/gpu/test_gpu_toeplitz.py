"""Dense kernels by multiply-adds of matrices, against the NumPy backend."""

from __future__ import annotations

import numpy as np
import pytest
from gpu_parity import agrees, picture, plan_of

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.dispatch import execute
from convcli.engine.gpu.host_strips import run_tiles
from convcli.engine.gpu.step_passes import step_passes
from convcli.engine.gpu.toeplitz_tile import CLOSE, digits_of, products_for, toeplitz_tile
from convcli.kernels.kernel import Kernel


def real(height, width, gain=2.0):
    """Weights of both signs whose magnitudes sum up to ``gain``."""
    weights = np.random.default_rng(height).normal(size=(height, width))
    return Kernel(weights / np.abs(weights).sum() * gain, bias=60)


def whole(height, width, most=99, clips=1.0):
    """Whole weights of both signs, with the largest at both ends."""
    weights = np.random.default_rng(width).integers(-most, most + 1, (height, width)).astype(float)
    weights.flat[0], weights.flat[-1] = -most, most
    return Kernel(weights, scale=clips / np.abs(weights).sum(), bias=50)


REAL, RIM = real(9, 9), whole(9, 9, 127)


def check(shim, x, kernel, **options):
    plan = plan_of(x, kernel, algorithm="direct", **options)
    agrees(shim, plan, x)
    assert set(shim.launched) == {"toeplitz"}
    return plan


@pytest.mark.parametrize(
    ("kernel", "channels"),
    [
        (REAL, 3),
        (RIM, 1),
        *(pytest.param(k, c, marks=pytest.mark.slow) for k in (REAL, RIM) for c in (1, 2, 3, 4)),
    ],
    ids=lambda value: getattr(value, "scale", value),
)
def test_borders_channels(shim, kernel, channels):
    for mode in BORDERS:
        border = Border(mode, 200.0 * (mode == "constant"))
        for shape in ((85, 40, channels), (5, 7, channels)):
            check(shim, picture("uint8", shape), kernel, border=border)


@pytest.mark.parametrize(
    ("kernel", "channels"),
    [
        (real(11, 7), 2),
        (real(15, 15), 1),
        pytest.param(real(7, 12), 2, marks=pytest.mark.slow),
        pytest.param(whole(15, 15, 3000), 3, marks=pytest.mark.slow),
        pytest.param(real(15, 15), 4, marks=pytest.mark.slow),
        pytest.param(real(31, 31), 1, marks=pytest.mark.slow),
        pytest.param(real(31, 31), 3, marks=pytest.mark.slow),
        pytest.param(whole(31, 31), 4, marks=pytest.mark.slow),
        pytest.param(whole(25, 25, 4000), 1, marks=pytest.mark.slow),
        pytest.param(whole(40, 9, 1000), 2, marks=pytest.mark.slow),
        pytest.param(real(9, 57), 1, marks=pytest.mark.slow),
        pytest.param(real(51, 10), 3, marks=pytest.mark.slow),
    ],
)
def test_sizes_of_kernels(shim, kernel, channels):
    """Rows and columns that fill instructions in every way, and pictures smaller than the kernel."""
    check(shim, picture("uint8", (90, 45, channels)), kernel, border=Border("symmetric"))
    check(shim, picture("uint8", (6, 11, channels)), kernel, border=Border("wrap"))


@pytest.mark.parametrize("channels", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_sizes_around_the_edges_of_blocks(shim, channels):
    """Of 32 pixels and 80 or 48 rows."""
    tall = 16 * toeplitz_tile((9, 9), channels, 4, 2).groups
    for width in (1, 3, 31, 32, 33, 63, 64, 65):
        check(shim, picture("uint8", (18, width, channels)), REAL)
    for height in (1, 2, tall - 1, tall, tall + 1, 2 * tall + 1):
        check(shim, picture("uint8", (height, 9, channels)), RIM)


def test_a_block_walks_down(shim, monkeypatch):
    monkeypatch.setattr("convcli.engine.gpu.pass_launch.BLOCKS_WANTED", 1)
    check(shim, picture("uint8", (230, 40, 3)), REAL, border=Border("edge"))


@pytest.mark.parametrize("rows", [7, 50])
def test_tiles_of_few_rows_give_what_the_whole_gives(shim, monkeypatch, rows):
    x = picture("uint8", (60, 33, 1))
    plan = plan_of(x, REAL, algorithm="direct", border=Border("wrap"))
    once = run_tiles(shim, plan, x)
    monkeypatch.setattr("convcli.engine.gpu.host_strips.tile_rows", lambda *_: rows)
    again = run_tiles(shim, plan, x)
    np.testing.assert_array_equal(again[0], once[0])
    assert again[1] == once[1]


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        (REAL, {"padding": "valid", "flip": True}),
        (REAL, {"padding": "full"}),
        (RIM, {"padding": ((30, 0), (0, 40))}),
        (REAL, {"padding": ((0, 3), (20, 2))}),
        (REAL, {"range": "abs"}),
        (real(9, 9, 20.0), {"range": "clip"}),
        (whole(9, 9, 128, clips=9.0), {"range": "clip"}),
        pytest.param(whole(9, 9, 128), {"range": "offset"}, marks=pytest.mark.slow),
        pytest.param(whole(9, 9, 32639), {}, marks=pytest.mark.slow),
        (whole(9, 9, 90000), {}),
        pytest.param(RIM, {"range": "float"}, marks=pytest.mark.slow),
        pytest.param(RIM, {"out_dtype": "uint16"}, marks=pytest.mark.slow),
        (REAL, {"out_dtype": "uint16"}),
    ],
    ids=[
        *("valid", "full", "aside", "uneven", "abs", "clips", "whole_clips", "two_digits"),
        *("two_full_digits", "three_digits", "whole_floats", "whole_deeper", "deeper"),
    ],
)
def test_ways(shim, kernel, options):
    check(shim, picture("uint8", (50, 43, 3)), kernel, **options)


def test_sums_beyond_what_floats_hold_are_exact(shim):
    kernel = Kernel(np.full((15, 15), 30000.0) + np.eye(15), scale=1e-7)
    x = picture("uint8", (40, 40, 1))
    plan = check(shim, x, kernel, border=Border("edge"))
    assert plan.steps[0].exact
    assert plan.steps[0].accumulate == "float64"  # on the CPU


def test_hardly_a_sample_differs(shim):
    """Weights in base 256 are far closer than the level that is promised."""
    x = picture("uint8", (100, 100, 1))
    plan = plan_of(x, REAL, algorithm="direct")
    got, _ = run_tiles(shim, plan, x)
    assert np.count_nonzero(got != execute(plan, x).pixels) <= x.size // 200


@pytest.mark.parametrize(
    ("kernel", "dtype", "options"),
    [
        (real(7, 7), "uint8", {}),
        (whole(7, 7), "uint8", {}),
        (REAL, "uint16", {}),
        (REAL, "float32", {}),
        (REAL, "uint8", {"range": "float"}),
        (REAL, "uint8", {"stride": (1, 2)}),
        (REAL, "uint8", {"dilation": (2, 1)}),
        (REAL, "uint8", {"border": Border("constant", 0.5)}),
        (Kernel(np.stack([REAL.weights, REAL.weights.T]), combine="magnitude"), "uint8", {}),
        (Kernel(np.eye(40)), "uint8", {}),
    ],
    ids=[
        *("small", "small_whole", "deep", "floats", "floats_out", "strided", "dilated", "half"),
        *("members", "sparse"),
    ],
)
def test_what_is_better_done_otherwise(kernel, dtype, options):
    x = picture(dtype, (50, 43, 1))
    plan = plan_of(x, kernel, algorithm="direct", **options)
    assert [one.source.function for one in step_passes(plan.steps[0], dtype)] != ["toeplitz"]


def test_devices_without_the_instruction_take_other_kernels(shim):
    shim.multiplies_matrices = False
    for kernel, function in ((REAL, "rolling"), (RIM, "bytes")):
        x = picture("uint8", (40, 43, 1))
        shim.launched.clear()
        agrees(shim, plan_of(x, kernel, algorithm="direct"), x)
        assert shim.launched == [function]


@pytest.mark.parametrize("size", [(9, 9), (11, 7), (15, 15), (21, 21), (31, 31), (43, 9)])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_weights_are_laid_out_as_bands(size, parts):
    """Every weight stands once in each of 8 columns, one cell further down each time."""
    most = (256**parts - 1) // 255 * 127
    weights = np.random.default_rng(parts).integers(-most, most + 1, size).astype(float)
    digits = digits_of(weights, exact=True, off=0.0)
    tile = toeplitz_tile(size, 1, size[1] // 2, digits.parts)
    table = tile.table(digits)
    assert table.shape == (tile.sections, tile.steps, tile.periods, 32, parts, 2)
    cells = table.view(np.int8).reshape(*table.shape[:3], 8, 4, parts, 2, 4)
    cells = cells.transpose(5, 3, 0, 2, 1, 6, 4, 7).reshape(parts, 8, tile.rows, tile.extent)
    value = np.tensordot(256.0 ** np.arange(parts)[::-1], cells.astype(float), 1)
    for output in range(8):
        want = np.zeros((tile.rows, tile.extent))
        first = tile.lead % 4 + output
        want[: size[0], first : first + size[1]] = weights
        np.testing.assert_array_equal(value[output], want)


def test_weights_that_are_not_whole_are_close_enough_or_refused():
    weights = REAL.weights
    for off in (CLOSE, CLOSE / 257):
        digits = digits_of(weights, exact=False, off=off)
        places = 256.0 ** np.arange(digits.parts)[::-1]
        wrong = weights - np.tensordot(places, digits.digits.astype(float), 1) * digits.unit
        assert 255 * max(wrong[wrong > 0].sum(), -wrong[wrong < 0].sum()) <= off
    assert digits_of(weights, exact=False, off=1e-9) is None
    assert digits_of(weights * 1e9, exact=False, off=CLOSE) is None


def test_the_prediction_counts_what_is_launched():
    """The planner sees the cost of the kernel that a GPU would take, and transforms lose to it."""
    slow = real(40, 40).weights * 40
    x = picture("uint8", (64, 64, 1))
    step = plan_of(x, real(31, 31), algorithm="direct").steps[0]
    found = products_for(step)
    assert found.tile.cost * 2 < 31 * 31
    assert products_for(plan_of(x, Kernel(slow), algorithm="direct").steps[0]) is not None
