"""Separable kernels whose blocks sum in shared memory, against the NumPy backend."""

from __future__ import annotations

import numpy as np
import pytest
from gpu_parity import agrees, picture, plan_of

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.gpu.blocks import SHARED_BYTES, across_down_tile
from convcli.engine.gpu.kernel_source import Shape
from convcli.kernels.kernel import Kernel

RNG = np.random.default_rng(8)


def separable(height, width, terms=1, seed=0):
    rng = np.random.default_rng(seed)
    weights = sum(np.outer(rng.normal(size=height), rng.normal(size=width)) for _ in range(terms))
    return weights / np.abs(weights).sum()


UNEVEN = Kernel(separable(10, 13), bias=20, scale=2)
WHOLE = Kernel(
    np.outer(RNG.integers(-3, 9, 11), RNG.integers(-3, 9, 9)).astype(float), scale=1 / 99
)
HEAVY = Kernel(np.outer(RNG.integers(1, 99, 9), RNG.integers(1, 99, 10)).astype(float), scale=1e-6)
PAIR = Kernel(
    np.stack([separable(9, 11, seed=1), separable(9, 11, seed=2)]) * 4, combine="magnitude"
)
RANK_TWO = Kernel(separable(25, 27, terms=2))
TALL = Kernel(separable(61, 9))
FLAT = Kernel(separable(9, 41))
HOW = {"algorithm": "separable"}


def check(shim, x, kernel, how=HOW, done="across_down", **options):
    agrees(shim, plan_of(x, kernel, **how, **options), x)
    assert set(shim.launched) == {done}


SOME = [("uint8", 1), ("uint8", 3), ("uint16", 4), ("float32", 2), ("float64", 1)]


@pytest.mark.parametrize(("dtype", "channels"), SOME)
def test_borders_depths_channels(shim, dtype, channels):
    for mode in BORDERS:
        border = Border(mode, 0.25 * (mode == "constant" and dtype[0] == "f"))
        for shape in ((37, 150, channels), (5, 7, channels)):
            check(shim, picture(dtype, shape), UNEVEN, border=border)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("kernel", "dtype"),
    [
        *((WHOLE, dtype) for dtype in ("uint8", "uint16", "float32", "float64")),
        *((FLAT, dtype) for dtype in ("uint8", "uint16", "float32", "float64")),
        *((TALL, dtype) for dtype in ("uint8", "uint16", "float32")),
    ],
)
def test_kernels_depths_channels(shim, kernel, dtype, channels):
    done = "across_down"
    if kernel is FLAT and (dtype, channels) == ("float64", 4):
        done = "wide"  # of so many doubles a block would hold few rows: two passes cost less
    if kernel is WHOLE and (dtype, channels) == ("uint8", 1):
        done = "bytes"  # whole columns of bytes, whose sums neighbours share
    for mode in ("reflect", "wrap", "constant"):
        check(shim, picture(dtype, (70, 90, channels)), kernel, done=done, border=Border(mode))


def test_sizes_around_the_edges_of_blocks(shim):
    tile = across_down_tile(
        Shape(1, (10, 13), (1, 1), (1, 1), 1), 1, 1, ("uint8", "float32", "uint8"), 10
    )
    for width in (1, 2, 15, 16, 17, *(n * tile.columns + k for n in (1, 2) for k in (-1, 0, 1))):
        for height in (1, 2, *(n * tile.rows + k for n in (1, 2) for k in (-1, 0, 1))):
            check(shim, picture("uint8", (height, width, 1)), UNEVEN)


def test_a_block_walks_down_several_tiles(shim, monkeypatch):
    monkeypatch.setattr("convcli.engine.gpu.pass_launch.BLOCKS_WANTED", 1)
    for kernel, channels in ((UNEVEN, 3), (TALL, 1)):
        check(shim, picture("uint8", (400, 40, channels)), kernel, border=Border("edge"))


@pytest.mark.parametrize(
    ("kernel", "dtype"), [(WHOLE, "uint8"), (WHOLE, "uint16"), (HEAVY, "uint16")]
)
def test_whole_weights_are_exact(shim, kernel, dtype):
    x = picture(dtype, (45, 140, 3))
    plan = plan_of(x, kernel, **HOW, border=Border("symmetric"))
    assert plan.steps[0].exact
    check(shim, x, kernel, border=Border("symmetric"))


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        (PAIR, {}),
        (RANK_TWO, {}),
        (UNEVEN, {"dilation": (2, 3)}),
        (UNEVEN, {"padding": "full"}),
        (UNEVEN, {"padding": ((30, 0), (0, 40))}),
        (UNEVEN, {"padding": "valid", "flip": True}),
        (UNEVEN, {"range": "float"}),
        (Kernel(UNEVEN.weights * 5), {"range": "clip"}),
        (UNEVEN, {"out_dtype": "uint16", "range": "abs"}),
    ],
    ids=["members", "terms", "dilated", "full", "aside", "valid", "float", "clips", "deeper"],
)
def test_ways(shim, kernel, options):
    check(shim, picture("uint8", (50, 83, 3)), kernel, **options)


@pytest.mark.parametrize("rows", [1, 7, 16])
def test_tiles_of_few_rows_give_what_the_whole_gives(shim, monkeypatch, rows):
    monkeypatch.setattr("convcli.engine.gpu.host_strips.tile_rows", lambda *_: rows)
    for mode in ("reflect", "wrap"):
        check(shim, picture("uint8", (33, 70, 1)), UNEVEN, border=Border(mode))


def test_what_is_not_a_number_stays_where_it_is(shim):
    """A weight of zero leaves infinity out, and nothing beyond the kernel is reached."""
    weights = np.outer([1.0, 0, 2, 0, 0, 1, 1, 0, 3], [2.0, 1, 0, 0, 1, 1, 0, 1, 4]) / 60
    x = picture("float32", (40, 60, 1))
    x[12, 17], x[30, 50] = np.inf, np.nan
    plan = plan_of(x, Kernel(weights), **HOW, range="float", border=Border("constant"))
    from convcli.engine.gpu.host_strips import run_tiles

    got, _ = run_tiles(shim, plan, x)
    want = np.zeros((40, 60), bool)
    for i, j in np.argwhere(weights):
        for row, column in ((12, 17), (30, 50)):
            at = row - i + 4, column - j + 4
            if 0 <= at[0] < 40 and 0 <= at[1] < 60:
                want[at] = True
    np.testing.assert_array_equal(~np.isfinite(got[..., 0]), want)


@pytest.mark.parametrize(
    ("kernel", "options", "functions"),
    [
        (UNEVEN, {"stride": (2, 1)}, {"wide", "rolling"}),
        (Kernel(separable(7, 8)), {}, {"rolling"}),
        (Kernel(separable(150, 9)), {}, {"wide", "rolling"}),
    ],
    ids=["strided", "low", "too_tall"],
)
def test_what_does_not_fit_is_done_otherwise(shim, kernel, options, functions):
    x = picture("uint8", (160, 50, 1))
    agrees(shim, plan_of(x, kernel, **HOW, **options), x)
    assert set(shim.launched) <= functions


@pytest.mark.parametrize(
    "types", [("uint8", "float32"), ("float32", "float32"), ("float64", "float64")]
)
def test_tiles_fit_into_what_they_say(types):
    """Every number of the source follows from the sizes; and a larger kernel never costs less."""
    before = 0.0
    for taps in range(9, 70, 4):
        shape = Shape(3, (taps, taps), (1, 1), (1, 1), 1)
        tile = across_down_tile(shape, 1, 1, (*types, types[0]), 3)
        if tile is None:
            assert taps > 20
            continue
        assert tile.rows % tile.staged == 0
        assert tile.staged * tile.columns % 128 == 0
        assert tile.cost >= before * 0.95
        before = tile.cost
    assert SHARED_BYTES <= 48 << 10
