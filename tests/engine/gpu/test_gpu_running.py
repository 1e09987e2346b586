"""Boxes by running sums on a device, to the bit what the NumPy backend makes."""

from __future__ import annotations

import numpy as np
import pytest
from gpu_parity import agrees, picture, plan_of

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.gpu.blocks import running_tile
from convcli.engine.gpu.kernel_source import Shape
from convcli.kernels.kernel import Kernel


def box(height, width, **options):
    return Kernel(np.ones((height, width)), scale=1 / (height * width), **options)


def check(shim, x, kernel, how="box", done="running", **options):
    plan = plan_of(x, kernel, algorithm=how, **options)
    assert plan.steps[0].exact
    agrees(shim, plan, x)
    assert set(shim.launched) == {done}


DEPTHS = [("uint8", 1), ("uint8", 3), ("uint16", 1), ("uint16", 3)]
MORE = [("uint8", n) for n in (2, 4, 5, 6, 7, 8)] + [("uint16", n) for n in (2, 4, 5)]


@pytest.mark.parametrize(
    ("dtype", "channels"), [*DEPTHS, *(pytest.param(*one, marks=pytest.mark.slow) for one in MORE)]
)
def test_borders_depths_channels(shim, dtype, channels):
    for mode in BORDERS:
        border = Border(mode, 7.0 * (mode == "constant"))
        for shape in ((37, 150, channels), (5, 7, channels)):
            check(shim, picture(dtype, shape), box(8, 11), border=border)


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 21), (21, 1), (5, 4), (16, 15), (31, 31), (2, 40), (100, 101), (258, 3)],
)
def test_sizes_of_boxes(shim, height, width):
    """One sum in a word from 258 rows on, since 257 bytes are the most that fit into half of one."""
    check(shim, picture("uint8", (45, 140, 3)), box(height, width), border=Border("symmetric"))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("width", range(1, 40, 3))
def test_every_place_of_a_window_in_its_chunk(shim, width, dtype):
    for channels in (1, 3):
        check(shim, picture(dtype, (9, 130, channels)), box(20, width), border=Border("wrap"))


def test_white_fills_what_holds_the_sums(shim):
    """257 rows of white bytes fill 16 bits, and their neighbours in the word must not notice."""
    x = np.zeros((300, 60, 1), np.uint8)
    x[:, ::3] = 255
    for height in (257, 258):
        check(shim, x, box(height, 2), border=Border("edge"))
    x = np.full((40, 60, 1), 65535, np.uint16)
    x[3:9, 5:50] = 0
    check(shim, x, box(30, 31), border=Border("constant", 65535.0))


def test_sizes_around_the_edges_of_blocks(shim):
    tile = running_tile(Shape(1, (7, 6), (1, 1), (1, 1), 1), 2, 1)
    for width in (
        1,
        2,
        15,
        16,
        17,
        *(n * tile.block.samples + k for n in (1, 2) for k in (-1, 0, 1)),
    ):
        for height in (1, 2, *(n * tile.rows + k for n in (1, 2) for k in (-1, 0, 1))):
            check(shim, picture("uint8", (height, width, 1)), box(7, 6))


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        (box(9, 9), {"padding": "full"}),
        (box(9, 9), {"padding": ((30, 0), (0, 40))}),
        (box(9, 9), {"padding": "valid"}),
        (box(9, 9, bias=-40), {"range": "abs"}),
        (box(9, 9), {"range": "float"}),
        (box(9, 9), {"out_dtype": "uint16"}),
        (Kernel(np.full((9, 9), 1 / 40)), {"range": "clip"}),
        (Kernel(np.full((9, 9), -3.0), scale=1 / 300), {"range": "offset"}),
    ],
    ids=["full", "aside", "valid", "abs", "float", "deeper", "clips", "negative"],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_ways(shim, kernel, options, dtype):
    check(shim, picture(dtype, (50, 83, 3)), kernel, **options)


@pytest.mark.parametrize(
    ("how", "done"), [("box", "running"), ("separable", "across_down"), ("direct", "bytes")]
)
def test_the_plan_says_how(shim, how, done):
    check(shim, picture("uint8", (40, 30, 3)), box(9, 7), how, done)


@pytest.mark.parametrize("rows", [1, 7, 16])
def test_tiles_of_few_rows_give_what_the_whole_gives(shim, monkeypatch, rows):
    monkeypatch.setattr("convcli.engine.gpu.host_strips.tile_rows", lambda *_: rows)
    for mode in ("reflect", "wrap"):
        check(shim, picture("uint8", (33, 70, 1)), box(12, 13), border=Border(mode))


@pytest.mark.parametrize(
    ("dtype", "kernel", "options"),
    [
        ("float32", box(9, 9), {}),
        ("uint8", box(4, 4), {}),
        ("uint8", box(9, 9), {"stride": (1, 2)}),
        ("uint8", box(9, 9), {"dilation": 2}),
        ("uint8", box(9, 9), {"border": Border("constant", 0.5)}),
        ("uint16", box(200, 200), {}),
        ("uint8", box(3, 1200), {}),
        ("uint8", Kernel(np.ones((2, 9, 9)), combine="maximum"), {}),
    ],
    ids=["floats", "small", "strided", "dilated", "half", "sums_too_large", "too_wide", "members"],
)
def test_what_does_not_fit_is_done_otherwise(shim, dtype, kernel, options):
    x = picture(dtype, (24, 50, 1))
    how = "box" if kernel.combine == "none" else "separable"  # a set of kernels is no box
    agrees(shim, plan_of(x, kernel, algorithm=how, **options), x)
    assert "running" not in shim.launched


def test_a_chunk_is_whole_words_of_whole_pixels():
    for channels in range(1, 9):
        for item in (1, 2):
            for before in range(40):
                tile = running_tile(Shape(channels, (9, 9), (1, 1), (1, 1), 1), before, item)
                assert tile.samples % channels == 0
                assert tile.samples * item % 4 == 0
                assert tile.reach * tile.samples >= 9 * channels
                assert tile.block.samples > 0
