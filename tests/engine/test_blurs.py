"""Blurs of bytes in 16 bits (blur.h): within one level of float64, wherever tiles and vectors end."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.algorithms.separable_correlation import Blur
from convcli.engine.cpu.c_loops import c_loops, loops
from convcli.engine.cpu.pairs import MOST_ERROR, pairs_of
from convcli.engine.cpu.tiles import Tile
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

pytestmark = pytest.mark.skipif(not loops().compiled, reason="runs the compiled loops")
BLURRING = pytest.mark.parametrize("isa", ["avx2", "avx512"], indirect=True)
"""The instruction sets that have blurs."""


def bell(sigma, radius):
    taps = np.exp(-np.square(np.arange(-radius, radius + 1) / sigma) / 2)
    return taps / taps.sum()


def lopsided(taps):
    line = np.arange(1.0, taps + 1) ** 1.3
    return line / line.sum()


LINES = {
    "gaussian_1": (bell(1, 3), bell(1, 3)),
    "other_sides": (bell(0.8, 2), bell(3, 9)),
    "even_sides": (
        np.array([0.1913, 0.3087, 0.3087, 0.1913]),
        np.array([0.0841, 0.4159, 0.4159, 0.0841]),
    ),
    "no_partners": (lopsided(4), lopsided(5)),
    "zeros_between": (
        np.array([0.3113, 0, 0.3774, 0, 0.3113]),
        np.array([0.2391, 0, 0, 0.5, 0.2609]),
    ),
    "darker": (bell(1, 2) * 0.7, bell(2, 4) * 0.9),
    "long": (bell(9, 27), bell(7, 21)),
}


def planned(shape, column, row, **options):
    kernel = Kernel(np.outer(column, row))
    plan = plan_filter(shape, "uint8", [kernel], algorithm="separable", backend="numpy", **options)
    return kernel, plan


def reference(x, kernel, mode, **value):
    """Unrounded, in float64, on a padded picture."""
    weights = kernel.weights
    pads = [((k - 1) // 2, k // 2) for k in weights.shape]
    padded = np.pad(x.astype(float), [*pads, (0, 0)], mode, **value)
    windows = np.lib.stride_tricks.sliding_window_view(padded, weights.shape, (0, 1))
    return np.einsum("hwcij,ij->hwc", windows, weights, optimize=True)


def picture(height, width, channels):
    x = np.random.default_rng(height + width).integers(0, 256, (height, width, channels))
    x[: height // 3] = 255  # where sums are largest
    return x.astype(np.uint8)


@pytest.mark.parametrize("mode", BORDERS)
@pytest.mark.parametrize("name", LINES)
def test_borders(isa, name, mode):
    x = picture(33, 45, 3)
    kernel, plan = planned(x.shape, *LINES[name], border=Border(mode, 77.0))
    assert isinstance(plan.steps[0].method, Blur) == (isa != "base")
    constant = BORDERS[mode].cell is None
    value = {"constant_values": 77} if constant else {}
    want = reference(x, kernel, "constant" if constant else mode, **value)
    assert np.abs(execute(plan, x).pixels - want).max() < 0.5 + MOST_ERROR


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("samples", [1, 2, 63, 64, 65, 127, 128, 129, 1023, 1025, 2047, 2049, 2500])
def test_widths_around_vectors_and_blocks(isa, samples, channels):
    x = picture(9, -(-samples // channels), channels)
    kernel, plan = planned(x.shape, *LINES["other_sides"], border=Border("edge"))
    want = reference(x, kernel, "edge")
    assert np.abs(execute(plan, x).pixels - want).max() < 0.5 + MOST_ERROR


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5, 7, 8, 9, 127, 128, 129, 131])
def test_heights_and_more_threads_than_rows(isa, height):
    x = picture(height, 40, 3)
    kernel, plan = planned(x.shape, *LINES["gaussian_1"], border=Border("symmetric"))
    plan = plan._replace(threads=7)
    want = reference(x, kernel, "symmetric")
    assert np.abs(execute(plan, x).pixels - want).max() < 0.5 + MOST_ERROR


@pytest.mark.parametrize("dilation", [2, (1, 3), (5, 2)])
def test_dilated(isa, dilation):
    x = picture(41, 53, 2)
    column, row = LINES["other_sides"]
    _, plan = planned(x.shape, column, row, dilation=dilation, border=Border("constant", 9.0))
    assert isinstance(plan.steps[0].method, Blur) == (isa != "base")
    down, across = (dilation, dilation) if isinstance(dilation, int) else dilation
    spread = np.zeros(((len(column) - 1) * down + 1, (len(row) - 1) * across + 1))
    spread[::down, ::across] = np.outer(column, row)
    want = reference(x, Kernel(spread), "constant", constant_values=9)
    assert np.abs(execute(plan, x).pixels - want).max() < 0.5 + MOST_ERROR


def test_as_scipy_has_it(isa):
    x = picture(60, 70, 3)
    _, plan = planned(x.shape, bell(2, 6), bell(2, 6), border=Border("reflect"))
    want = ndimage.gaussian_filter(x.astype(float), (2, 2, 0), mode="mirror", truncate=3)
    got = execute(plan, x).pixels.astype(int)
    assert np.abs(got - np.rint(want)).max() <= 1
    assert (got != np.rint(want)).mean() < 0.02


@pytest.mark.parametrize("level", [0, 1, 2, 127, 128, 200, 254, 255])
@pytest.mark.parametrize("name", [n for n in LINES if n != "darker"])
def test_flat_areas_keep_their_level(isa, name, level):
    x = np.full((20, 30, 3), level, np.uint8)
    _, plan = planned(x.shape, *LINES[name])
    assert (execute(plan, x).pixels == level).all()


def worked_out(x, column, row):
    """The loops' arithmetic, step by step in wider integers: 8 bits behind the point."""

    def along(values, pairs, taps, start, axis):
        pads = [(0, 0)] * 3
        pads[axis] = (taps - 1) // 2, taps // 2
        padded = np.pad(values, pads, "reflect")
        runs = np.lib.stride_tricks.sliding_window_view(padded, taps, axis)
        terms = ((runs[..., a] + runs[..., b] + 1 >> 1) * w >> 16 for a, b, w in pairs)
        return sum(terms, start)

    down, across = pairs_of(column), pairs_of(row)
    lines = along(x.astype(np.int64) << 8, across, len(row), len(across) // 2, 1)
    return along(lines, down, len(column), len(down) // 2 + 128, 0) >> 8


@BLURRING
@pytest.mark.parametrize("name", LINES)
def test_bit_for_bit_whatever_the_tiles(isa, monkeypatch, name):
    from convcli.engine.cpu import compiled_loops

    x = picture(70, 90, 3)
    column, row = LINES[name]
    _, plan = planned(x.shape, column, row)
    total = row.sum()
    want = worked_out(x, column * total, row / total)
    np.testing.assert_array_equal(execute(plan, x).pixels, want)
    tiles = [Tile(0, 33, 0, 90), Tile(33, 70, 0, 41), Tile(33, 70, 41, 90)]
    monkeypatch.setattr(compiled_loops, "grid", lambda *_: tiles)
    np.testing.assert_array_equal(execute(plan, x).pixels, want)


def test_a_value_that_the_border_does_not_use_does_no_harm(isa):
    x = picture(20, 30, 3)
    _, plan = planned(x.shape, *LINES["gaussian_1"], border=Border("edge", 300.0))
    _, usual = planned(x.shape, *LINES["gaussian_1"], border=Border("edge"))
    np.testing.assert_array_equal(execute(plan, x).pixels, execute(usual, x).pixels)


def test_the_most_pairs_leave_white_as_it_is(isa):
    most = c_loops().MOST_PAIRS
    line = np.full(2 * most, 0.5 / most)
    x = np.full((300, 300, 1), 255, np.uint8)
    _, plan = planned(x.shape, bell(1, 3), line)
    assert (execute(plan, x).pixels == 255).all()


def test_what_is_not_bytes_or_strided_has_no_pairs():
    kernel = Kernel(np.outer(*LINES["gaussian_1"]))
    for dtype, options in (("uint16", {}), ("float32", {}), ("uint8", {"stride": 2})):
        plan = plan_filter((20, 20, 3), dtype, [kernel], algorithm="separable", **options)
        assert not isinstance(plan.steps[0].method, Blur)


@pytest.mark.parametrize(
    ("taps", "what"),
    [
        ([(0, 0, 0, 40000.0), (0, 0, 3, 30000.0)], "weights of a pair that differ"),
        ([(0, 0, 0, 40000.0)], "half a pair"),
        ([(0, 0, 0, 40000.5), (0, 0, 3, 40000.5)], "a weight that is not whole"),
        ([(0, 0, 0, 70000.0), (0, 0, 3, 70000.0)], "a weight above 16 bits"),
        ([(0, 0, 0, 65536.0), (0, 0, 3, 65536.0)], "a weight of 1"),
        ([(0, 0, 0, 40000.0)] * 4, "more than 1 in all"),
        ([(0, 0, 0, 40000.0)] * 2 + [(0, 0, 1, 25537.0)] * 2, "a little more than 1 in all"),
        ([(0, 0, 0, 0.0)] * 2, "no weight"),
        ([(0, 0, 0, float("nan"))] * 2, "no number"),
    ],
)
@BLURRING
def test_the_loops_refuse(isa, monkeypatch, taps, what):
    x = picture(20, 30, 1)
    _, plan = planned(x.shape, *LINES["gaussian_1"])
    right = Blur.lists
    monkeypatch.setattr(Blur, "lists", lambda blur: ([taps], right(blur)[1]))
    with pytest.raises(ValueError, match="pairs of taps"):
        execute(plan, x)
