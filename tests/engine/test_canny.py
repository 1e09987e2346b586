"""Canny's edges beside loops over every pixel, and scikit-image's on a picture of its own."""

from __future__ import annotations

from collections import deque
from math import ceil, exp, hypot

import numpy as np
import pytest

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.engine.regions import run_plan
from convcli.errors import UsageError
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel

from .windows import reader

PADS = {"edge": "edge", "reflect": "reflect", "symmetric": "symmetric", "wrap": "wrap"}


def run(x, low, high, sigma, threads=1, border="reflect", value=0.0, joint=False, **options):
    radius = ceil(3 * sigma)
    side = 2 * radius + 1
    numbers = (low, high, sigma, *[1.0] * joint)
    kernel = Kernel(np.ones((side, side)), operation="canny", numbers=numbers)
    how = {"border": Border(border, value), "threads": threads, **options}
    plan = plan_filter(x.shape, x.dtype, [kernel], **how)
    return execute(plan, x).pixels


def row_of(sigma):
    radius = ceil(3 * sigma)
    taps = [exp(-n * n / (2 * sigma**2)) for n in range(-radius, radius + 1)] if sigma else [1.0]
    return [tap / sum(taps) for tap in taps]


def correlated(plane, row, other, border, value):
    """Rows by one list of weights, columns by another, cell by cell; outside as NumPy pads."""
    ry, rx = len(row) // 2, len(other) // 2
    pad = ((ry, ry), (rx, rx))
    how = {"constant_values": value} if border == "constant" else {}
    wide = np.pad(plane, pad, "edge" if border == "missing" else border, **how)
    height, width = plane.shape
    down = sum(w * wide[n : n + height] for n, w in enumerate(row))
    return sum(w * down[:, n : n + width] for n, w in enumerate(other))


def written_out(x, low, high, sigma, border="reflect", value=0.0):
    """Edges of the colours together, ``(rows, columns)``; NaN is no part of it here."""
    height, width, colours = x.shape
    row = row_of(sigma)
    middle = len(row) // 2
    unit = 4 * (row[middle] + row[middle + 1] if middle else 1.0)
    slopes = {}
    for c in range(colours):
        blurred = correlated(x[..., c].astype(float), row, row, border, value)
        gx = correlated(blurred, [1, 2, 1], [-1, 0, 1], border, value)
        gy = correlated(blurred, [-1, 0, 1], [1, 2, 1], border, value)
        for at in np.ndindex(height, width):
            own = gx[at], gy[at]
            if at not in slopes or hypot(*own) > hypot(*slopes[at]):
                slopes[at] = own

    def size(at):
        gx, gy = slopes.get(at, (0.0, 0.0))
        return float(np.sqrt(gx * gx + gy * gy))

    alike = 2.0**-18 * max(map(size, slopes))
    ridge = set()
    for at in np.ndindex(height, width):
        gx, gy = slopes[at]
        if not (gx or gy) or size(at) < low * unit:
            continue
        tall = abs(gy) >= abs(gx)
        share = abs(gx) / abs(gy) if tall else abs(gy) / abs(gx)
        turn = 1 if (gx < 0) == (gy < 0) else -1
        on, aslant = ((1, 0), (1, turn)) if tall else ((0, 1), (turn, 1))
        ahead, behind = (
            size((at[0] + w * on[0], at[1] + w * on[1])) * (1 - share)
            + size((at[0] + w * aslant[0], at[1] + w * aslant[1])) * share
            for w in (1, -1)
        )
        if size(at) > behind + alike and size(at) + alike >= ahead:
            ridge.add(at)
    found = np.zeros((height, width), bool)
    queue = deque(at for at in ridge if size(at) >= high * unit)
    seen = set(queue)
    while queue:
        at = queue.popleft()
        found[at] = True
        for y in (-1, 0, 1):
            for z in (-1, 0, 1):
                next_to = at[0] + y, at[1] + z
                if next_to in ridge and next_to not in seen:
                    seen.add(next_to)
                    queue.append(next_to)
    return found


def blobs(rng, shape, dtype="uint8", white=255):
    """Large squares and a little noise: edges that cross each other."""
    height, width, colours = shape
    x = rng.integers(0, 5, (height // 5 + 1, width // 6 + 1, colours))
    x = np.repeat(np.repeat(x, 5, axis=0), 6, axis=1)[:height, :width] * (white // 5)
    return (x + rng.integers(0, white // 6, shape)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(31, 43, 1), (27, 38, 3)])
def test_whole_numbers_without_a_blur_are_exact(loops, dtype, shape):
    """Ties too: gradients are whole numbers, and all else is done in float64."""
    rng = np.random.default_rng(shape[0])
    x = blobs(rng, shape, dtype)
    borders = [*(b for b in BORDERS if b != "missing"), "constant"]
    for border in borders[shape[2] :: 3] if dtype == "uint8" else borders[len(dtype) % 4 :: 4]:
        how = {"border": border, "value": 40.0 if border == "constant" else 0.0}
        for low, high in ((0, 40), (30, 60)):
            want = written_out(x, low, high, 0, **how)
            got = run(x, low, high, 0, joint=True, values=True, threads=2, **how)
            assert got.shape == (*shape[:2], 1)
            np.testing.assert_array_equal(got[..., 0] != 0, want, err_msg=f"{how} {low} {high}")
            assert 0 < want.mean() < 0.5


@pytest.mark.parametrize("sigma", [0.6, 1.4, 2.5])
def test_blurred_floats(loops, sigma):
    """Of noise, where nothing is as steep as its neighbour but for a rounding."""
    rng = np.random.default_rng(3)
    for shape in ((25, 37, 1), (22, 29, 3)):
        x = rng.random(shape)
        for border in ("reflect", "wrap", "edge"):
            want = written_out(x, 0.05, 0.15, sigma, border)
            got = run(x, 0.05, 0.15, sigma, border=border, joint=True, values=True)
            np.testing.assert_array_equal(got[..., 0] != 0, want)
            assert want.any()


def test_thresholds_are_steps_between_flat_areas():
    """Whatever the blur and the depth, a step of just so many levels is an edge of one pixel."""
    for sigma in (0, 0.7, 1.4, 3):
        for dtype, level, base, height in (
            ("uint8", 1, 60, 30),
            ("uint8", 1, 200, 3),  # what is added rounds as what it stands on is large
            ("uint16", 257, 60, 30),
            ("float32", 1 / 255, 252, 1),
            ("float64", 1 / 255, 60, 30),
        ):
            x = np.full((9, 40, 1), base * level, dtype)
            x[:, 20:] += np.asarray(height * level, dtype)
            assert not run(x, height + 0.01, height + 0.01, sigma).any()
            edges = run(x, height - 0.01, height - 0.01, sigma)
            assert edges.max() == (1 if level < 1 else 255 * level)
            assert ((edges != 0).sum(axis=1) == 1).all()
            assert edges[:, 19].all()


def test_each_band_of_a_raster_is_for_itself():
    x = blobs(np.random.default_rng(5), (30, 31, 3), "int16")
    got = run(x, 20, 60, 1.4, values=True)
    assert got.dtype == np.int16
    assert set(np.unique(got)) == {0, 1}
    for band in range(3):
        one = run(x[..., band : band + 1], 20, 60, 1.4, values=True)
        np.testing.assert_array_equal(got[..., band : band + 1], one)


@pytest.mark.parametrize("border", [*BORDERS, "constant"])
def test_where_a_window_lacks_a_sample_there_is_no_edge(loops, border):
    rng = np.random.default_rng(6)
    x = blobs(rng, (40, 45, 2), "float32")
    full = run(x, 0, 0, 1.0, border="edge" if border == "missing" else border, values=True)
    holed, lost = x.copy(), np.zeros(x.shape, bool)
    lost[3, 7, 0] = lost[20, 44, 0] = lost[39, 30, 1] = lost[25:28, 10, 1] = True
    holed[lost] = np.nan
    got = run(holed, 0, 0, 1.0, border=border, values=True)
    np.testing.assert_array_equal(np.isnan(got), lost)
    pad = {"constant_values": border == "missing"} if border in ("missing", "constant") else {}
    mode = "constant" if pad else border
    near = np.pad(lost, ((4, 4), (4, 4), (0, 0)), mode, **pad)  # 3 of the blur, 1 of the slope
    near = np.lib.stride_tricks.sliding_window_view(near, (9, 9), (0, 1)).any((-2, -1))
    assert not got[near & ~lost].any()
    # A pixel beside such ones may be a ridge that was none: they count as flat.
    beyond = np.pad(near, ((1, 1), (1, 1), (0, 0)), constant_values=True)
    beyond = np.lib.stride_tricks.sliding_window_view(beyond, (3, 3), (0, 1)).any((-2, -1))
    np.testing.assert_array_equal(got[~beyond], full[~beyond])
    assert got[~beyond].any()
    joint = run(holed, 0, 0, 1.0, border=border, values=True, joint=True)[..., 0]
    np.testing.assert_array_equal(np.isnan(joint), lost.any(-1))
    assert not np.nan_to_num(joint)[near.any(-1)].any()


def test_a_long_line_is_followed_to_its_end(loops):
    """A spiral that is as high as ``high`` at one end alone."""
    x = np.zeros((121, 121), np.uint8)
    at, steps, y, z = [60, 60], 4, 0, 4
    path = []
    for turn in range(24):
        for _ in range(steps):
            at[0] += (y > 0) - (y < 0)
            at[1] += (z > 0) - (z < 0)
            path.append(tuple(at))
        y, z = z, -y
        steps += 4 * (turn % 2)
    for place in path:
        x[place] = 80
    x[path[0]] = 255
    got = run(x[..., None], 20, 90, 0)[..., 0]
    want = written_out(x[..., None], 20, 90, 0)
    np.testing.assert_array_equal(got != 0, want)
    assert want.sum() > 1000
    assert not run(x[..., None], 20, 255, 0).any()


SKIMAGE = (
    "00f29a0 009e8e8 2188855 1f0d05d 00033d2 007241e 07dcc21 "
    "0c00841 080089e 04fe933 0de3940 332025e 061a253 050c648 "
)
"""Of scikit-image 0.26.0, a row of 26 bits in hexadecimal: ``feature.canny(x, sigma=1,
low_threshold=0.25, high_threshold=0.8, mode="nearest")[3:-3, 3:-3]``."""


def test_scikit_image_has_the_same_edges(loops):
    """Its thresholds are those of Sobel's sums, four times a step that the blur makes smaller."""
    x = np.random.default_rng(2).random((20, 32))
    row = row_of(1.0)
    unit = 4 * (row[3] + row[4])
    got = run(x[..., None], 0.25 / unit, 0.8 / unit, 1.0, border="edge", values=True)[3:-3, 3:-3, 0]
    want = [[int(bit) for bit in f"{int(word, 16):026b}"] for word in SKIMAGE.split()]
    np.testing.assert_array_equal(got, want)


def test_parts_and_threads_have_the_same_bits():
    x = blobs(np.random.default_rng(7), (90, 70, 3))
    chain = [load_kernel("gaussian:0.8"), load_kernel("canny:10,30,1"), load_kernel("dilate:3")]
    plan = plan_filter(x.shape, x.dtype, chain, threads=3)
    whole = execute(plan, x).pixels
    assert whole.shape == (90, 70, 1)
    one = plan_filter(x.shape, x.dtype, chain, threads=1)
    np.testing.assert_array_equal(execute(one, x).pixels, whole)
    for rows, cols in (((0, 7), (3, 20)), ((40, 90), (1, 70))):
        part, _ = run_plan(plan, reader(x), ((rows,), (cols,)))
        np.testing.assert_array_equal(part, whole[slice(*rows), slice(*cols)])


@pytest.mark.parametrize(
    "how",
    [{"stride": 2}, {"dilation": 2}, {"padding": "valid"}, {"padding": "full"}, {"padding": 3}],
)
def test_every_pixel_is_needed(how):
    with pytest.raises(
        UsageError, match="takes no --stride and --dilation but 1, and no --padding"
    ):
        plan_filter((20, 20, 1), "uint8", [load_kernel("canny")], **how)
