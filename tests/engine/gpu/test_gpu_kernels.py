"""The CUDA sources against the NumPy backend: compiled by g++, run block by block on the CPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from gpu_parity import agrees, picture, plan_of

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.gpu.chain_steps import run_resident
from convcli.engine.gpu.host_strips import run_tiles
from convcli.engine.gpu.passes import passes_of
from convcli.kernels.kernel import Kernel

RNG = np.random.default_rng(1)
OTHERS = [mode for mode in BORDERS if mode not in ("constant", "wrap")]
SOBEL = Kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], absolute=True)
REAL = Kernel(RNG.normal(size=(4, 5)) / 4, bias=3)
BLUR = Kernel(np.outer([0.2, 0.5, 0.31], [0.4, 0.1, 0.3, 0.2]))
ROBERTS = Kernel([[[1, 0], [0, -1]], [[0, 1], [-1, 0]]], combine="magnitude")
COMPASS = Kernel(RNG.integers(-3, 6, (4, 3, 3)).astype(float), combine="maximum")
LARGE = Kernel(RNG.normal(size=(13, 19)) / 15)
TALL = Kernel(np.outer(RNG.random(33), RNG.random(29)) / 250)
WHOLE_LARGE = Kernel(RNG.integers(-99, 100, (12, 11)).astype(float), scale=1 / 999)
TABLE = Kernel(RNG.integers(0, 3, (150, 140)).astype(float), scale=1 / 20000)
MIX = Kernel(RNG.normal(size=(2, 3, 3, 2)) / 4)
SEPIA = Kernel(RNG.random((3, 3, 1, 1)))


@pytest.mark.slow
@pytest.mark.parametrize("mode", BORDERS)
@pytest.mark.parametrize("channels", [1, 3, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "dtype", ["uint8", "float32", pytest.param("uint16", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "kernel", [SOBEL, REAL, BLUR, ROBERTS], ids=["whole", "real", "separable", "magnitude"]
)
def test_borders_depths_channels(shim, kernel, dtype, channels, mode):
    x = picture(dtype, (11, 29, channels))
    agrees(shim, plan_of(x, kernel, border=Border(mode, 1.0 * (mode == "constant"))), x)
    whole = dtype == "uint8" and kernel in (SOBEL, ROBERTS)
    assert set(shim.launched) == {"bytes" if whole else "rolling"}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint8", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "channels", [*(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2)), 3]
)
@pytest.mark.parametrize(
    ("stride", "dilation"),
    [((2, 1), (1, 2)), ((1, 2), (3, 1)), ((3, 2), (2, 3)), ((4, 5), (1, 1))],
    ids=["rows_strided", "columns_strided", "both", "stride_over_kernel"],
)
@pytest.mark.parametrize("kernel", [REAL, LARGE], ids=["rolling", "wide"])
def test_strides_and_dilations(shim, kernel, stride, dilation, channels, dtype):
    x = picture(dtype, (23, 41, channels))
    options = {
        "stride": stride,
        "dilation": dilation,
        "algorithm": "direct",
        "border": Border("wrap"),
    }
    agrees(shim, plan_of(x, kernel, **options), x)


@pytest.mark.parametrize(
    ("dtype", "target", "range_"),
    [("uint8", "uint16", "offset"), ("uint16", "uint8", "clip"), ("float32", "uint8", "clip")],
)
def test_values_keep_their_units(shim, dtype, target, range_):
    """No ratio between types: the ends alone differ."""
    x = picture(dtype, (13, 22, 2))
    x = x * 300 if dtype == "float32" else x
    for kernel in (Kernel([[1, 2], [-3, 1]], bias=7), BLUR):
        plan = plan_of(x, kernel, out_dtype=target, range=range_, values=True)
        agrees(shim, plan, x)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 2), (5, 5), (9, 2)])
@pytest.mark.parametrize(
    "mode",
    ["constant", "wrap", *(pytest.param(m, marks=pytest.mark.slow) for m in OTHERS)],
)
def test_whole_weights_on_bytes(shim, height, width, mode):
    rng = np.random.default_rng(height * 10 + width)
    weights = rng.integers(-127, 128, (height, width)).astype(float)
    weights.flat[0], weights.flat[-1] = -127, 127
    x = picture("uint8", (19, 83, 3), seed=height)
    options = {"algorithm": "direct", "border": Border(mode, 255.0 * (mode == "constant"))}
    for scale, range_ in [(1.0, "clip"), (1 / 64, "abs"), (1 / 999, "offset"), (1.0, "float")]:
        agrees(shim, plan_of(x, Kernel(weights, scale=scale), range=range_, **options), x)
    assert set(shim.launched) == {"bytes"}
    across = {"stride": (1, 2), "dilation": (1, 3), "padding": ((0, 9), (7, 1))}
    agrees(shim, plan_of(x, Kernel(weights, bias=7), **options, **across), x)


@pytest.mark.parametrize(
    ("height", "width", "channels", "mode"),
    [(5, 5, 1, "wrap"), (6, 4, 3, "constant"), (9, 6, 1, "edge"), (6, 4, 4, "symmetric")],
)
def test_whole_columns_times_rows_on_bytes(shim, height, width, channels, mode):
    """Neighbours share the sums of columns; the plan says that it is separable."""
    rng = np.random.default_rng(height * 10 + width)
    columns = rng.integers(-127, 128, (2, height, 1)).astype(float)
    columns[:, 0], columns[:, -1] = -127, 127
    rows = rng.integers(1, 300, (2, 1, width)) * rng.choice([-1.0, 1.0], (2, 1, width))
    rows[:, 0, :2] = 0, 1  # the rest is no multiple of anything
    pair = columns * rows
    x = picture("uint8", (19, 83, channels), seed=height)
    options = {"algorithm": "separable", "border": Border(mode, 255.0 * (mode == "constant"))}
    across = {"stride": (1, 2), "padding": ((0, 9), (7, 1))}
    gaps = {"dilation": (1, 3)}
    factored = []
    for kernel, more in (
        (Kernel(pair[0], scale=1 / 64), {"range": "abs"}),
        (Kernel(pair[1], bias=7), across),
        (Kernel(pair[1]), gaps),
        (Kernel(pair, combine="maximum"), {"range": "offset"}),
        (Kernel(pair, combine="magnitude"), {"range": "float"}),
    ):
        plan = plan_of(x, kernel, **options, **more)
        agrees(shim, plan, x)
        (passed,) = passes_of(plan.steps[0], "uint8")
        factored.append("#define FACTORED 1" in passed.source.text)
    assert factored[0]  # with gaps, or of two kernels, a thread may see more than it can hold
    direct = {**options, "algorithm": "direct"}
    (passed,) = passes_of(plan_of(x, Kernel(pair[0]), **direct).steps[0], "uint8")
    assert not passed.separable
    assert "#define FACTORED 1" not in passed.source.text


@pytest.mark.parametrize("bias", [0, 1000, 1200, 2**31])
@pytest.mark.parametrize("range_", ["clip", "offset"])
def test_the_formula_stays_in_its_integers(shim, bias, range_):
    """A sum just below 2^31: what is added to it may lead beyond."""
    row = np.array([[336859.0, 336861, 336860, 336860, 336860]])
    x = np.full((9, 21, 1), 255, np.uint8)
    for kernel in (Kernel(np.ones((5, 1)) @ row, bias=bias), Kernel(np.ones((3, 3)), bias=bias)):
        agrees(shim, plan_of(x, kernel, range=range_, algorithm="separable"), x)


@pytest.mark.parametrize(
    ("weights", "options"),
    [
        (np.full((3, 3), 128.0), {}),
        (RNG.normal(size=(3, 3)) / 4, {}),
        (np.eye(3), {"border": Border("constant", 0.5)}),
        (np.eye(3), {"border": Border("constant", -1.0)}),
        (np.eye(3), {"stride": (2, 1)}),
        (np.eye(3), {"dilation": (2, 1)}),
        (np.eye(40), {}),
    ],
    ids=["too_large", "fractions", "border_half", "border_negative", "strided", "dilated", "tall"],
)
def test_what_does_not_fit_into_bytes_is_done_otherwise(shim, weights, options):
    x = picture("uint8", (45, 83, 3))
    agrees(shim, plan_of(x, Kernel(weights), algorithm="direct", **options), x)
    assert "bytes" not in shim.launched


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("out_dtype", ["uint8", "uint16"])
def test_what_is_not_a_number_is_black_and_not_counted(shim, dtype, out_dtype):
    x = np.full((4, 33, 1), 0.4, dtype)
    x[:, :20] = [[[np.nan]], [[-np.inf]], [[1e30]], [[0.5]]]
    plan = plan_of(x, Kernel([[1.0]]), out_dtype=out_dtype, range="clip", algorithm="direct")
    got, clipped = run_tiles(shim, plan, x)
    white = np.iinfo(out_dtype).max
    assert got[:, 0, 0].tolist() == [0, 0, white, round(white / 2)]
    assert clipped == 40
    agrees(shim, plan, x)


# A thread makes 16 samples and a block 512 of a row; strips of 4 rows, blocks of 16.
@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 31, 32, 33, 511, 512, 513])
@pytest.mark.parametrize("height", [1, 3, 4, 5, 16, 17])
def test_sizes_around_the_edges_of_blocks(shim, height, width):
    x = picture("uint8", (height, width, 1))
    agrees(shim, plan_of(x, SOBEL, algorithm="direct", range="offset"), x)
    agrees(shim, plan_of(x, LARGE, algorithm="direct", border=Border("symmetric")), x)


@pytest.mark.parametrize("padding", ["valid", "full", ((0, 9), (7, 1)), ((30, 0), (0, 40))])
@pytest.mark.parametrize("mode", BORDERS)
def test_paddings_wider_than_the_picture(shim, mode, padding):
    x = picture("uint8", (9, 13, 3))
    agrees(shim, plan_of(x, REAL, padding=padding, border=Border(mode)), x)


@pytest.mark.parametrize(
    ("kernel", "dtype", "functions"),
    [
        (LARGE, "uint8", ["toeplitz"]),
        (LARGE, "uint16", ["wide"]),
        (LARGE, "float64", ["wide"]),
        (WHOLE_LARGE, "uint16", ["wide"]),
        (COMPASS, "uint8", ["bytes"]),
        (COMPASS, "uint16", ["rolling"]),
        (TABLE, "uint8", ["wide"]),
        (MIX, "uint8", ["bank"]),
        (MIX, "float32", ["bank"]),
        (SEPIA, "uint16", ["bank"]),
    ],
    ids=[
        "large",
        "large_uint16",
        "float64",
        "int32_sums",
        "compass",
        "compass_uint16",
        "weights_in_memory",
        "bank",
        "bank_float",
        "bank_1x1",
    ],
)
def test_kinds_of_kernel(shim, kernel, dtype, functions):
    x = picture(dtype, (31, 37, 3))
    options = {} if kernel.is_bank else {"algorithm": "direct"}
    agrees(shim, plan_of(x, kernel, border=Border("edge"), **options), x)
    assert shim.launched == functions


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["constant", "reflect", "wrap"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_two_passes_of_a_large_separable_kernel(shim, dtype, mode):
    x = picture(dtype, (27, 53, 3))
    border = Border(mode, 0.5 if mode == "constant" else 0.0)
    agrees(shim, plan_of(x, TALL, algorithm="separable", border=border, stride=(2, 1)), x)
    assert len(shim.launched) == 2


@pytest.mark.parametrize("algorithm", ["box", "separable", "fft"])
def test_other_algorithms(shim, algorithm):
    x = picture("uint8", (40, 30, 3))
    kernel = Kernel(np.full((9, 7), 1 / 63))
    agrees(shim, plan_of(x, kernel, algorithm=algorithm, border=Border("symmetric")), x)


@pytest.mark.slow
@pytest.mark.parametrize("out_dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
def test_every_pair_of_depths(shim, dtype, out_dtype):
    x = picture(dtype, (7, 21, 1))
    agrees(shim, plan_of(x, REAL, out_dtype=out_dtype), x)


@pytest.mark.parametrize("range_", ["clip", "abs", "offset", "float"])
def test_every_range_counts_what_it_clips(shim, range_):
    x = picture("uint8", (64, 33, 3))
    agrees(shim, plan_of(x, SOBEL, range=range_), x)


def reached(x, weights):
    """Outputs that a tap connects with an input that is not finite; zeros around the picture."""
    (kh, kw), (h, w) = weights.shape, x.shape[:2]
    bad = np.pad(~np.isfinite(x[..., 0]), ((kh // 2, kh - 1), (kw // 2, kw - 1)))
    found = np.zeros((h, w), bool)
    for i, j in np.argwhere(weights):
        top, left = i + kh // 2 - (kh - 1) // 2, j + kw // 2 - (kw - 1) // 2
        found |= bad[top : top + h, left : left + w]
    return found


def test_what_is_not_a_number_stays_where_it_is(shim):
    x = picture("float32", (30, 40, 1))
    x[12, 17] = np.inf
    x[3, 4] = np.nan
    holes = np.where(LARGE.weights > 0, LARGE.weights, 0.0)
    for weights in (SOBEL.weights, holes):
        plan = plan_of(
            x, Kernel(weights), algorithm="direct", range="float", border=Border("constant")
        )
        got, _ = run_tiles(shim, plan, x)
        np.testing.assert_array_equal(~np.isfinite(got[..., 0]), reached(x, weights))


CHAIN = [BLUR, SOBEL, Kernel(np.full((5, 5), 1 / 25))]


@pytest.mark.parametrize("rows", [1, 2, 7, 16])
@pytest.mark.parametrize("mode", BORDERS)
def test_tiles_give_what_the_whole_gives(shim, monkeypatch, mode, rows):
    x = picture("uint8", (37, 22, 3))
    plan = plan_of(x, CHAIN, border=Border(mode), stride=(2, 1), padding="full")
    whole = run_tiles(shim, plan, x)
    monkeypatch.setattr("convcli.engine.gpu.host_strips.tile_rows", lambda plan, free: rows)
    tiled = run_tiles(shim, plan, x)
    np.testing.assert_array_equal(tiled[0], whole[0])
    assert tiled[1] == whole[1]
    agrees(shim, plan, x)


@pytest.mark.parametrize("width", [64, 21], ids=["aligned", "copied"])
@pytest.mark.parametrize("start", [0, 1, 8])
def test_a_picture_on_the_device_stays_there(shim, width, start):
    """Also a part of something larger, that begins at any address."""
    memory = np.zeros(19 * width + 64, np.uint8)
    first = -memory.ctypes.data % 16 + start
    x = memory[first : first + 19 * width].reshape(19, width, 1)
    x[...] = picture("uint8", (19, width, 1))
    agrees(shim, plan_of(x, CHAIN), x, run_resident)


@pytest.mark.slow
def test_random_filters(shim):
    path = Path(__file__).parents[1] / "test_filter_reference.py"
    spec = importlib.util.spec_from_file_location("reference_cases", path)
    cases = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cases)
    done = 0
    for seed in range(36):
        x, kernels, options = cases.random_case(seed + 5000)
        try:
            plan = plan_of(x, kernels, **options)
        except ValueError as error:
            assert "the output is empty" in str(error)
            continue
        agrees(shim, plan, x)
        done += 1
    assert done > 24
