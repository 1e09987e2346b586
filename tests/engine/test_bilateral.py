"""Bilateral means beside every window written out in float64."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.engine.regions import run_plan
from convcli.errors import UsageError
from convcli.extensions import extension
from convcli.kernels.kernel import Kernel

from .windows import reader, windows

FOOTPRINTS = [
    np.ones((3, 5)),
    np.ones((4, 2)),
    (np.hypot(*np.mgrid[-3:4, -3:4]) <= 3).astype(float),
    np.array([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 1]]),  # the centre counts nevertheless
]
SPACE = 1.7
BYTES = 255 * 1e-4 / 6
"""Weights of bytes are right to 1e-4 of themselves, which moves a mean by a sixth of that at most."""


def run(x, weights, alike, threads=1, joint=False, **options):
    border = Border(options.pop("border", "reflect"), options.pop("value", 0.0))
    kernel = Kernel(weights, operation="bilateral", numbers=(SPACE, alike, *[1.0] * joint))
    plan = plan_filter(x.shape, x.dtype, [kernel], border=border, threads=threads, **options)
    return execute(plan, x).pixels


def written_out(x, weights, alike, joint, **geometry):
    """Channels weighed together or not; NaN has no vote, and no result as a centre."""
    cells, there = windows(x, weights.shape, **geometry)
    cells = np.where(there, cells, np.nan).astype(np.float64)
    height, width = weights.shape
    row, column = (height - 1) // 2, (width - 1) // 2
    y, x = np.mgrid[:height, :width]
    near = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * SPACE**2)) * (weights != 0)
    near[row, column] = 1
    centre = cells[..., row * width + column, None]
    squares = (cells - centre) ** 2
    if joint:
        squares = np.broadcast_to(squares.sum(axis=2, keepdims=True), cells.shape)
    weigh = near.ravel() * np.exp(-squares / (2 * alike**2))
    votes = ~np.isnan(weigh)
    weigh = np.where(votes, weigh, 0)
    with np.errstate(all="ignore"):
        found = (weigh * np.where(votes, cells, 0)).sum(-1) / weigh.sum(-1)
    return np.where(np.isnan(squares[..., row * width + column]), np.nan, found)


def picture(rng, dtype, shape):
    if dtype.startswith("float"):
        x = rng.normal(0.5, 0.2, shape).astype(dtype)
        x[rng.random(shape) < 0.1] = np.nan
        return x
    ends = np.iinfo(dtype)
    return rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)


SCALE = {"uint8": 255, "int8": 255, "uint16": 65535, "int16": 65535, "int32": 2**32, "float32": 1, "float64": 1}  # fmt: skip


@pytest.mark.parametrize("dtype", SCALE)
@pytest.mark.parametrize("channels", [1, 2, 3, 9])
def test_every_window_written_out(loops, dtype, channels):
    """But for bytes, weights are right to some units in the last place."""
    rng = np.random.default_rng(channels)
    alike = 0.2 * SCALE[dtype]
    fine = {"uint8": 1e-4 / 6, "int32": 1e-13, "float64": 1e-13}.get(dtype, 1e-6)
    for number, border in enumerate([*BORDERS, "constant"]):
        weights = FOOTPRINTS[(number + channels) % len(FOOTPRINTS)]
        geometry = {
            "border": border,
            "padding": ["same", "valid", "full"][number % 3],
            "stride": 1 + number % 3,
            "dilation": 1 + number % 4 // 3,
        }
        if border == "constant":
            geometry["value"] = 0.3 if dtype.startswith("float") else 17.0
        x = picture(rng, dtype, (12, 37 + number, channels))
        joint = bool(number % 2)
        want = written_out(x, weights, alike, joint, **geometry)
        raster = {"values": True, "range": "float"}
        got = run(x, weights, alike, joint=joint, **raster, **geometry)
        reach = float(np.nanmax(np.abs(x.astype(float))))
        np.testing.assert_allclose(got, want, rtol=0, atol=fine * reach, err_msg=str(geometry))
        if dtype in ("uint8", "uint16", "int16") and border != "missing":
            whole = run(x, weights, alike, joint=joint, values=True, **geometry)
            assert whole.dtype == x.dtype
            off = np.abs(whole - np.rint(want))
            # A result that lies half way between two levels, but for a rounding, may become either.
            halves = np.abs(want - np.floor(want) - 0.5) < fine * reach
            assert off[~halves].max(initial=0) == 0
            assert off.max() <= 1


def test_levels_and_colours():
    """Of a picture sigma is in levels of 255 at every depth, and colours are weighed together."""
    rng = np.random.default_rng(7)
    x = rng.integers(0, 256, (14, 15, 3), np.uint8)
    want = written_out(x, FOOTPRINTS[2], 60.0, True)
    for dtype, white in (("uint8", 255), ("uint16", 65535), ("float32", 1.0)):
        some = (x * (white / 255)).astype(dtype)
        got = run(some, FOOTPRINTS[2], 60.0, range="float").astype(float) * (255 / white)
        np.testing.assert_allclose(got, want, atol=BYTES)
    apart = run(x, FOOTPRINTS[2], 60.0, range="float", values=True)
    np.testing.assert_allclose(apart, written_out(x, FOOTPRINTS[2], 60.0, False), atol=BYTES)
    assert np.abs(apart - want).max() > 5


def test_flat_areas_and_steps_stay(loops):
    """To the bit where all are alike, and where a step is many sigmas high."""
    x = np.full((9, 40, 3), 0.1, np.float32)
    x[:, 17:] = 0.7
    np.testing.assert_array_equal(run(x, np.ones((5, 5)), 0.02 * 255), x)


def test_a_turned_footprint_has_its_centre_where_it_stands(loops):
    x = np.random.default_rng(8).integers(0, 256, (9, 11, 1), np.uint8)
    got = run(x, FOOTPRINTS[3], 90.0, flip=True, range="float")
    want = written_out(x, FOOTPRINTS[3][::-1, ::-1], 90.0, False)
    np.testing.assert_allclose(got, want, atol=BYTES)


def test_far_values_weigh_nothing(loops):
    x = np.full((7, 9, 1), 100.0, np.float32)
    x[3, 4], x[3, 5], x[0, 0] = -3.4e38, 3.4e38, np.inf
    got = run(x, np.ones((3, 3)), 1.0, values=True)
    np.testing.assert_array_equal(got, np.where(np.isinf(x), np.nan, x))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_parts_and_threads_have_the_same_bits(loops, dtype):
    rng = np.random.default_rng(5)
    kernel = Kernel(FOOTPRINTS[2], operation="bilateral", numbers=(SPACE, 40.0))
    chain = [kernel, Kernel(np.ones((3, 1)) / 3)]
    x = picture(rng, dtype, (150, 90, 3))
    for options in ({}, {"stride": 2, "dilation": 2}):
        plan = plan_filter(x.shape, dtype, chain, threads=3, range="float", **options)
        whole = execute(plan, x).pixels
        one = plan_filter(x.shape, dtype, chain, threads=1, range="float", **options)
        np.testing.assert_array_equal(execute(one, x).pixels, whole)
        for rows, cols in (((0, 7), (3, 20)), ((11, 38), (1, 2)), ((20, 31), (0, 22))):
            part, _ = run_plan(plan, reader(x), ((rows,), (cols,)))
            np.testing.assert_array_equal(part, whole[slice(*rows), slice(*cols)])


def test_sigmas_above_0():
    for numbers in ((), (1.0,), (1.0, 0.0), (-1.0, 2.0)):
        with pytest.raises(UsageError, match="its two numbers are sigmas, each above 0"):
            plan_filter((3, 3, 1), "uint8", [Kernel([[1]], operation="bilateral", numbers=numbers)])


def test_a_sigma_whose_square_is_no_number_makes_all_alike():
    x = picture(np.random.default_rng(4), "uint8", (9, 12, 3))
    for joint in (False, True):
        np.testing.assert_array_equal(
            run(x, FOOTPRINTS[0], 1.7e308, joint=joint), run(x, FOOTPRINTS[0], 1e9, joint=joint)
        )


@pytest.mark.parametrize("isa", ["avx512", "avx2", "base"])
def test_every_instruction_set(isa):
    """To a rounding: each makes exponentials in its own way."""
    module = extension("_windows").module
    if module is None or isa not in module.isas():
        pytest.skip(f"this processor or build has no {isa}")
    rng, before = np.random.default_rng(9), module.isa()
    for dtype, fine in (("uint8", BYTES), ("uint16", 0.05), ("float32", 2e-6), ("float64", 1e-13)):
        for channels in (1, 2, 3):
            x = picture(rng, dtype, (23, 85, channels))
            how = {"range": "float", "joint": True, "values": True}
            try:
                module.isa(isa)
                got = run(x, FOOTPRINTS[2], 0.1 * SCALE[dtype], **how)
            finally:
                module.isa(before)
            want = written_out(x, FOOTPRINTS[2], 0.1 * SCALE[dtype], True)
            np.testing.assert_allclose(got, want, rtol=0, atol=fine)
