"""Sizes around the edges of vectors and tiles, threads, and both kinds of loops.

Here the oracle is a shifted sum over a picture padded by ``numpy.pad``, in float64: fast enough
for pictures of several tiles.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import ndimage

from convcli.arithmetic.borders import Border
from convcli.engine import dispatch
from convcli.engine.cpu import compiled_loops
from convcli.engine.cpu.tiles import grid, work_through
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.errors import UsageError
from convcli.kernels.kernel import Kernel

SCIPY = {
    "constant": "constant",
    "edge": "nearest",
    "reflect": "mirror",
    "symmetric": "reflect",
    "wrap": "wrap",
}
EDGES = [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 511, 512, 513]


def shifted_sum(x, weights, step):
    pads = ((step.rows.before, step.rows.after), (step.cols.before, step.cols.after), (0, 0))
    padded = np.pad(x.astype(np.float64), pads, mode=step.border.mode)
    total = np.zeros(step.shape_out)
    rows, cols = step.rows, step.cols
    for (i, j), w in np.ndenumerate(weights):
        top, left = i * rows.dilation, j * cols.dilation
        total += (
            w
            * padded[
                top : top + (rows.output - 1) * rows.stride + 1 : rows.stride,
                left : left + (cols.output - 1) * cols.stride + 1 : cols.stride,
            ]
        )
    return total


def picture(shape, dtype="uint8", seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", EDGES)
def test_widths_around_vectors(width, channels, loops):
    x = picture((9, width, channels))
    for weights, algorithm in [
        (SOBEL, "direct"),
        (SOBEL, "separable"),
        (np.ones((4, 5)), "box"),
        (np.array([[0.1, -0.7], [0.33, 0.5], [0.2, 0.9]]), "direct"),
    ]:
        plan = plan_filter(x.shape, x.dtype, [Kernel(weights)], algorithm=algorithm, range="abs")
        want = np.clip(np.rint(np.abs(shifted_sum(x, weights, plan.steps[0]))), 0, 255)
        off = np.abs(execute(plan, x).pixels - want)
        assert off.max() <= (not plan.steps[0].exact)


@pytest.mark.parametrize("height", EDGES[:12])
def test_heights_around_groups_of_rows(height, loops):
    x = picture((height, 7, 2), "uint16")
    weights = np.random.default_rng(4).normal(size=(6, 3)) / 4
    plan = plan_filter(x.shape, x.dtype, [Kernel(weights, bias=99)], dilation=(3, 1))
    want = shifted_sum(x, weights, plan.steps[0]) + 99 * 257
    off = np.abs(execute(plan, x).pixels - np.clip(np.rint(want), 0, 65535))
    assert off.max() <= 1


@pytest.mark.parametrize("algorithm", ["direct", "separable", "box", "fft"])
@pytest.mark.parametrize("stride", [1, 2])
def test_many_tiles(algorithm, stride, loops):
    x = picture((301, 1403, 3))
    weights = np.full((7, 9), 2.0)
    plan = plan_filter(
        x.shape, x.dtype, [Kernel(weights, scale=1 / 126)], algorithm=algorithm, stride=stride
    )
    assert plan.steps[0].exact
    want = np.rint(shifted_sum(x, weights, plan.steps[0]) * (1 / 126))
    np.testing.assert_array_equal(execute(plan, x).pixels, want)


@pytest.mark.parametrize("size", [(40, 3), (3, 40), (33, 33), (101, 7)])
def test_large_kernels_take_transforms_that_agree(size, loops):
    x = picture((130, 90, 2))
    weights = np.random.default_rng(1).normal(size=size)
    weights /= np.abs(weights).sum() / 3
    for algorithm in ("direct", "separable", "fft"):
        try:
            plan = plan_filter(x.shape, x.dtype, [Kernel(weights, bias=100)], algorithm=algorithm)
        except UsageError:
            assert algorithm == "separable"  # full rank: more taps than it saves
            continue
        want = np.clip(np.rint(shifted_sum(x, weights, plan.steps[0]) + 100), 0, 255)
        assert np.abs(execute(plan, x).pixels - want).max() <= 1


@pytest.mark.parametrize("mode", SCIPY)
@pytest.mark.parametrize("size", [(3, 3), (4, 4), (2, 5)], ids=["odd", "even", "mixed"])
def test_scipy_agrees_on_every_border(mode, size, loops):
    x = picture((12, 17, 1), seed=3)
    weights = np.random.default_rng(2).integers(-4, 5, size).astype(float)
    plan = plan_filter(
        x.shape, x.dtype, [Kernel(weights)], border=Border(mode), range="float", out_dtype="float64"
    )
    # SciPy's centre of an even kernel is one later: its odd row and column go at the beginning.
    origin = [-(n % 2 == 0) for n in size]
    want = ndimage.correlate(x[..., 0].astype(float), weights, mode=SCIPY[mode], origin=origin)
    np.testing.assert_array_equal(execute(plan, x).pixels[..., 0], want)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 65535, 1), (65535, 1, 1), (2, 3, 4)])
@pytest.mark.parametrize("mode", SCIPY)
def test_kernel_larger_than_the_picture(shape, mode, loops):
    x = picture(shape)
    weights = np.random.default_rng(7).integers(-3, 4, (9, 11)).astype(float)
    plan = plan_filter(x.shape, x.dtype, [Kernel(weights)], border=Border(mode), range="offset")
    want = np.clip(shifted_sum(x, weights, plan.steps[0]) + 128, 0, 255)
    np.testing.assert_array_equal(execute(plan, x).pixels, want)


@pytest.mark.parametrize("algorithm", ["direct", "separable", "fft"])
def test_threads_change_no_byte(algorithm, loops, monkeypatch):
    monkeypatch.setattr(dispatch, "_WORTH_A_THREAD", 0.0)
    x = picture((211, 800, 3))
    column = np.random.default_rng(0).normal(size=11)
    kernel = Kernel(np.outer(column, column) / 9)
    results = []
    for threads in (1, 2, 7, 500):
        plan = plan_filter(x.shape, x.dtype, [kernel], threads=threads, algorithm=algorithm)
        outcome = execute(plan, x)
        results.append((outcome.pixels.tobytes(), outcome.clipped))
    assert len(set(results)) == 1


def test_a_failing_thread_stops_the_others_and_is_reported():
    calls = []

    def worker():
        def work(tile):
            calls.append(tile)
            if len(calls) == 3:
                raise MemoryError("no room")
            time.sleep(0.001)
            return 1

        return work

    tiles = grid(20_000, 10, 1, 10)  # far more than are done until the others hear of it
    with pytest.raises(MemoryError, match="no room"):
        work_through(tiles, worker, 3)
    assert len(calls) < len(tiles)


def test_views_that_are_not_contiguous(loops):
    whole = picture((20, 30, 4))
    x = whole[::2, ::-1, 1:3]
    plan = plan_filter(x.shape, x.dtype, [Kernel(SOBEL)], range="abs")
    want = np.clip(np.abs(shifted_sum(x, SOBEL, plan.steps[0])), 0, 255)
    np.testing.assert_array_equal(execute(plan, x).pixels, want)


def test_largest_sums_do_not_overflow(loops):
    """White pictures under kernels whose sums are at, and just past, what 16 bits hold."""
    for total in (128, 129, 256, 257, 258, 65537, 65794):
        for sign in (1, -1):
            weights = (
                np.full((1, total), float(sign))
                if total < 300
                else np.array([[sign * float(total)]])
            )
            x = np.full((2, 3, 1), 255, np.uint8)
            plan = plan_filter(
                x.shape, x.dtype, [Kernel(weights)], range="float", out_dtype="float64"
            )
            assert (execute(plan, x).pixels == sign * 255.0 * total).all()


def test_not_a_number_stays_where_it_is(loops):
    x = np.zeros((90, 80, 1), np.float32)
    x[40, 40] = np.nan
    x[10, 10] = np.inf
    kernel = Kernel(np.random.default_rng(0).normal(size=(5, 5)))
    for algorithm in ("direct", "fft"):
        plan = plan_filter(x.shape, x.dtype, [kernel], algorithm=algorithm)
        bad = ~np.isfinite(execute(plan, x).pixels[..., 0])
        expected = np.zeros((90, 80), bool)
        expected[38:43, 38:43] = expected[8:13, 8:13] = True
        np.testing.assert_array_equal(bad, expected)
    plan = plan_filter(x.shape, x.dtype, [kernel], out_dtype="uint8")
    assert (execute(plan, x).pixels[38:43, 38:43] == 0).all()


def test_float16_is_read_and_written_as_float32(loops):
    x = np.linspace(0, 1, 60, dtype=np.float16).reshape(5, 12, 1)
    plan = plan_filter(x.shape, x.dtype, [Kernel([[1.0]])])
    out = execute(plan, x).pixels
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, x.astype(np.float32))


def test_stretch_maps_the_extremes(loops):
    x = picture((30, 40, 3))
    plan = plan_filter(x.shape, x.dtype, [Kernel(SOBEL)], range="stretch", out_dtype="uint16")
    outcome = execute(plan, x)
    sums = shifted_sum(x, SOBEL, plan.steps[0])
    assert (outcome.low, outcome.high) == (sums.min(), sums.max())
    want = np.rint((sums - sums.min()) * (65535 / (sums.max() - sums.min())))
    np.testing.assert_array_equal(outcome.pixels, want)
    flat = np.full((4, 4, 1), 9, np.uint8)
    plan = plan_filter(flat.shape, flat.dtype, [Kernel(SOBEL)], range="stretch")
    assert not execute(plan, flat).pixels.any()


def test_depth_changes_map_white_to_white(loops):
    x = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    identity = Kernel([[1.0]])
    wide = execute(plan_filter(x.shape, x.dtype, [identity], out_dtype="uint16"), x).pixels
    np.testing.assert_array_equal(wide, x.astype(np.uint16) * 257)
    back = execute(plan_filter(x.shape, "uint16", [identity], out_dtype="uint8"), wide).pixels
    np.testing.assert_array_equal(back, x)


def test_numpy_loops_are_used_when_asked(monkeypatch):
    monkeypatch.setenv("CONVCLI_LOOPS", "numpy")
    monkeypatch.setattr(compiled_loops.CompiledMethod, "run", None)
    x = picture((5, 6, 1))
    plan = plan_filter(x.shape, x.dtype, [Kernel(SOBEL)])
    assert plan.loops[:2] == ("numpy", "CONVCLI_LOOPS=numpy")
    assert execute(plan, x).pixels.shape == x.shape


def test_a_wrong_choice_of_loops_is_refused(monkeypatch):
    monkeypatch.setenv("CONVCLI_LOOPS", "fortran")
    with pytest.raises(UsageError, match="'fortran'; allowed: numpy, compiled, compiled:SET"):
        dispatch.loops()
