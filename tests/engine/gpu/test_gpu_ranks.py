"""Ranks and extrema on the shim device against the CPU backend, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.dispatch import execute
from convcli.engine.gpu.chain_steps import run_resident
from convcli.engine.gpu.cupy_run import run_chain
from convcli.engine.gpu.host_strips import run_tiles
from convcli.engine.operations import operation_of
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

SLOW = pytest.mark.slow


def kernel(operation, height, width=0, percent=None):
    numbers = () if percent is None else (percent,)
    cells = np.ones((height, width or height))
    return Kernel(cells, name=operation, operation=operation, numbers=numbers)


def picture(dtype, shape, holes=0, seed=5):
    """Few different values; of floats zeros of both signs, subnormal numbers and infinities too."""
    rng = np.random.default_rng(seed)
    if dtype.startswith("uint"):
        step = np.iinfo(dtype).max // 85
        return (rng.integers(0, 86, shape) * step).astype(dtype)
    x = rng.normal(size=shape).round(1).astype(dtype)
    tiny = np.finfo(dtype).smallest_subnormal
    strange = [0.0, -0.0, np.inf, -np.inf, tiny, -tiny, 3 * tiny]
    x.reshape(-1)[rng.integers(0, x.size, x.size // 5)] = rng.choice(strange, x.size // 5)
    x.reshape(-1)[rng.integers(0, x.size, holes)] = np.nan
    return x


def same(shim, x, kernels, *, how=run_tiles, **options):
    """Both backends give the same samples, to the sign of a zero, and count the same."""
    kernels = kernels if isinstance(kernels, list) else [kernels]
    plan = plan_filter(x.shape, x.dtype, kernels, backend="numpy", **options)
    for one, step in zip(kernels, plan.steps, strict=True):
        assert not operation_of(one).cpu_only(step.method.problem)
    want = execute(plan, x)
    got, clipped = how(shim, plan, x)[:2]
    assert got.dtype == want.pixels.dtype
    np.testing.assert_array_equal(got, want.pixels)
    if got.dtype.kind == "f":
        there = ~np.isnan(got)
        np.testing.assert_array_equal(np.signbit(got)[there], np.signbit(want.pixels)[there])
    assert clipped == want.clipped
    return got


# Every rank of these sizes is tried on the instructions, in test_gpu_networks.py.
@pytest.mark.parametrize(
    ("dtype", "channels", "height", "width", "percent"),
    [
        ("uint8", 3, 3, 3, 50),
        *(
            pytest.param(*case, marks=SLOW)
            for case in [
                ("float32", 1, 3, 3, 70),
                ("uint16", 1, 3, 3, 50), ("float64", 1, 3, 3, 20), ("uint8", 4, 5, 5, 50),
                ("uint8", 1, 7, 7, 50), ("uint16", 3, 5, 4, 33), ("float32", 3, 5, 5, 90),
                ("float32", 1, 7, 7, 50),
            ]
        ),
    ],
)  # fmt: skip
def test_networks(shim, dtype, channels, height, width, percent):
    x = picture(dtype, (19, 37, channels))
    same(shim, x, kernel("rank", height, width, percent), border=Border("symmetric"))
    assert shim.launched == ["network"]


@pytest.mark.parametrize(
    ("height", "width"),
    [(2, 2), *(pytest.param(*s, marks=SLOW) for s in [(1, 1), (1, 7), (7, 1), (7, 2)])],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, pytest.param(4, marks=SLOW)])
def test_sizes_even_and_not_square(shim, height, width, channels):
    same(shim, picture("uint8", (17, 33, channels)), kernel("rank", height, width, 40))


@pytest.mark.parametrize("mode", BORDERS)
def test_borders(shim, mode):
    border = Border(mode, 7.0 if mode == "constant" else 0.0)
    same(shim, picture("float32", (21, 40, 1), holes=9), kernel("dilate", 9, 5), border=border)
    if mode != "missing":
        x = picture("uint8", (12, 19, 2))
        same(shim, x, kernel("rank", 3, 2, 60), border=border, padding=((0, 9), (7, 1)))
        same(shim, picture("uint8", (30, 45, 3)), kernel("erode", 8, 9), border=border)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=SLOW)])
@pytest.mark.parametrize("holes", [1, 60, 4000])
def test_what_is_not_a_number_does_not_vote(shim, dtype, holes):
    x = picture(dtype, (13, 29, 2), holes)
    got = same(shim, x, kernel("rank", 3, 3, 70))
    assert np.isnan(got).any() == (holes == 4000)
    for percent in (0, 100):
        same(shim, x, kernel("rank", 3, 3, percent))
    same(shim, x, kernel("erode", 9), border=Border("missing"))


@pytest.mark.parametrize(
    ("stride", "dilation"),
    [
        ((3, 2), (1, 4)),
        *(pytest.param(*s, marks=SLOW) for s in [((2, 1), (1, 1)), ((1, 3), (2, 2))]),
    ],
)
def test_strides_and_dilations(shim, stride, dilation):
    same(
        shim,
        picture("uint8", (23, 41, 3)),
        kernel("rank", 3, 3, 50),
        stride=stride,
        dilation=dilation,
    )
    x = picture("float32", (23, 41, 1), holes=5)
    same(shim, x, kernel("dilate", 4, 3), stride=stride, dilation=dilation)
    same(shim, x, kernel("rank", 2, 3, 50), stride=stride, dilation=dilation)


@pytest.mark.parametrize(
    ("operation", "side"),
    [
        ("erode", 8),
        ("dilate", 65),
        *(pytest.param("erode", n, marks=SLOW) for n in (2, 9, 17, 33, 65)),
        *(pytest.param("dilate", n, marks=SLOW) for n in (2, 8, 9, 17, 33)),
    ],
)
def test_erosion_and_dilation_of_any_size(shim, operation, side):
    same(shim, picture("uint8", (70, 90, 1)), kernel(operation, side))
    assert shim.launched == ["extrema" if side > 7 else "network"]


@pytest.mark.parametrize(
    ("dtype", "channels", "height", "width"),
    [
        ("uint16", 3, 11, 9),
        *(
            pytest.param(*case, marks=SLOW)
            for case in [
                ("float64", 1, 9, 12), ("uint8", 3, 12, 101), ("float32", 4, 1, 30), ("uint8", 4, 30, 1), ("uint16", 1, 100, 9),
                ("float64", 2, 50, 9), ("uint8", 5, 9, 9), ("float32", 1, 8, 70),
            ]
        ),
    ],
)  # fmt: skip
def test_extrema_of_every_type(shim, dtype, channels, height, width):
    x = picture(dtype, (57, 130, channels))
    same(shim, x, kernel("rank", height, width, 100))
    same(shim, x, kernel("erode", height, width), border=Border("wrap"))


@SLOW
def test_what_sees_too_much_of_a_row_takes_several_passes(shim):
    same(shim, picture("float64", (20, 180, 3)), kernel("dilate", 9, 101), border=Border("edge"))
    assert len(shim.launched) > 1
    assert set(shim.launched) == {"extrema"}


# A block makes 496 samples of 36 rows; a thread 16 of 4 rows.
@pytest.mark.parametrize("width", [1, 16, 17, 495, 496, 497])
@pytest.mark.parametrize("height", [1, 4, 36, 37])
def test_sizes_around_the_edges_of_blocks(shim, height, width):
    x = picture("uint8", (height, width, 1))
    same(shim, x, kernel("erode", 9))
    same(shim, x, kernel("rank", 3, 3, 50))


@pytest.mark.parametrize(
    "operation",
    [
        "open",
        "tophat",
        "range",
        *(pytest.param(o, marks=SLOW) for o in ("close", "blackhat", "gradient")),
    ],
)
def test_what_is_made_of_them(shim, operation):
    same(shim, picture("uint8", (25, 40, 3)), kernel(operation, 3))
    x = picture("float32", (25, 40, 1), holes=3)
    x[np.isinf(x)] = 9.0  # what infinities leave of each other is another matter
    same(shim, x, kernel(operation, 3, 4))


@SLOW
@pytest.mark.parametrize("operation", ["open", "blackhat", "range"])
def test_what_is_made_of_large_ones_and_of_other_types(shim, operation):
    same(shim, picture("uint16", (25, 40, 1)), kernel(operation, 9, 4), border=Border("wrap"))
    x = np.nan_to_num(picture("float64", (25, 40, 1)), posinf=9, neginf=-9)
    same(shim, x, kernel(operation, 3, 4), out_dtype="uint8", values=True)


def test_chains_with_sums(shim):
    x = picture("uint8", (40, 37, 3))
    blur = Kernel(np.ones((3, 3)), scale=1 / 9)
    chain = [blur, kernel("rank", 3, 3, 50), kernel("erode", 5)]
    plan = plan_filter(x.shape, x.dtype, chain, backend="numpy")
    want, (got, _) = execute(plan, x).pixels, run_tiles(shim, plan, x)[:2]
    assert np.abs(want.astype(int) - got.astype(int)).max() <= 1


@SLOW
def test_chains_with_changes_of_depth(shim):
    x = picture("uint8", (40, 37, 3))
    same(shim, x, [kernel("rank", 3, 3, 50), Kernel(np.eye(3))], range="float")
    assert shim.launched == ["network", "bytes"]
    chain = [kernel("rank", 3, 3, 50), kernel("erode", 5), kernel("tophat", 3)]
    same(shim, x, chain, out_dtype="uint16")


@pytest.mark.parametrize(
    "range_", ["offset", *(pytest.param(r, marks=SLOW) for r in ("clip", "abs"))]
)
def test_ranges_and_what_they_clip(shim, range_):
    x = (picture("float32", (20, 31, 1)) * 300).clip(-1e6, 1e6)
    for one in (kernel("rank", 3, 3, 60), kernel("dilate", 9)):
        same(shim, x, one, range=range_, out_dtype="uint16", values=True)


@pytest.mark.parametrize(
    ("rows", "stride"),
    [(5, 1), *(pytest.param(*c, marks=SLOW) for c in ((5, (2, 1)), (1, 1), (16, 1)))],
)
def test_strips_give_what_the_whole_gives(shim, monkeypatch, rows, stride):
    x = picture("uint8", (53, 22, 3))
    chain = [kernel("tophat", 3), kernel("rank", 3, 3, 50), kernel("dilate", 5)]
    monkeypatch.setattr("convcli.engine.gpu.host_strips.tile_rows", lambda plan, free: rows)
    for mode in ("wrap", "reflect"):
        same(shim, x, chain, border=Border(mode), stride=stride)


def test_a_picture_on_the_device_stays_there(shim):
    x = picture("uint8", (19, 64, 1))
    same(shim, x, [kernel("rank", 3, 3, 50), kernel("open", 9)], how=run_resident)


@SLOW
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_as_scipy_has_it(shim, dtype):
    x = picture(dtype, (33, 50, 1))
    plane = x[..., 0]
    for one, want in [
        (kernel("rank", 3, 3, 50), ndimage.median_filter(plane, 3, mode="mirror")),
        (kernel("erode", 15, 11), ndimage.minimum_filter(plane, (15, 11), mode="mirror")),
        (kernel("dilate", 15, 11), ndimage.maximum_filter(plane, (15, 11), mode="mirror")),
    ]:
        np.testing.assert_array_equal(same(shim, x, one)[..., 0], want)


@pytest.mark.parametrize("operation", ["erode", pytest.param("rank", marks=SLOW)])
def test_bytes_as_halves_of_floating_point(shim, monkeypatch, operation):
    """As chips before sm_90 compare them."""
    from convcli.engine.gpu import chain_steps, pick_passes

    plain = pick_passes.value_source

    def halves(*args, **kwargs):
        source = plain(*args, **kwargs)
        return source._replace(text="#define HALVES 1\n" + source.text)

    chain_steps._passes.cache_clear()
    monkeypatch.setattr(pick_passes, "value_source", halves)
    x = picture("uint8", (21, 50, 3))
    same(shim, x, kernel(operation, 3, 3, 50 if operation == "rank" else None))
    if operation == "erode":
        same(shim, x, kernel(operation, 9))
    chain_steps._passes.cache_clear()


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
@pytest.mark.parametrize(("operation", "side"), [("rank", 3), ("dilate", 9)])
def test_kernels_are_given_what_they_declare(cupy, dtype, operation, side):
    x = picture(dtype, (9, 21, 1))
    plan = plan_filter(x.shape, x.dtype, [kernel(operation, side)], backend="numpy")
    got, clipped = run_chain(plan, x)
    want = execute(plan, x)
    np.testing.assert_array_equal(got, want.pixels)
    assert clipped == want.clipped
