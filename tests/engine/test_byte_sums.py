"""Sums of bytes in 16 bits (bytes.h): every width, border and weight that they may meet."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from convcli.arithmetic.borders import Border
from convcli.engine.cpu.box_mean import reciprocal
from convcli.engine.cpu.c_loops import loops
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

pytestmark = pytest.mark.skipif(not loops().compiled, reason="of the compiled loops")

SHARPEN = [[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]]
WEIGHTS = {
    "sharpen": SHARPEN,
    "even_taps": [[-1, 0, 1], [-2, 0, 2]],
    "one_tap": [[0, 3]],
    "largest_pair": [[127, 1], [-1, -127]],
    "pair_too_large": [[100, -29], [-90, 28]],
    "weight_too_large": [[128, 0], [0, -128]],
    "above_signed_16_bits": np.full((15, 17), 1),
    "tall": np.arange(-4, 5)[:, None],
}


def reference(x, weights, pad, mode="reflect", **value):
    """Sums in 64-bit integers, tap by tap, on a padded picture."""
    weights = np.asarray(weights)
    (top, bottom), (left, right) = pad
    padded = np.pad(x.astype(np.int64), ((top, bottom), (left, right), (0, 0)), mode, **value)
    height, width = (n - k + 1 for n, k in zip(padded.shape, weights.shape, strict=False))
    total = np.zeros((height, width, x.shape[2]), np.int64)
    for (i, j), w in np.ndenumerate(weights):
        total += int(w) * padded[i : i + height, j : j + width]
    return total


def picture(height, width, channels=3):
    x = np.random.default_rng(height * width).integers(0, 256, (height, width, channels))
    x[x > 200], x[x < 30] = 255, 0
    return x.astype(np.uint8)


def same_pads(shape):
    return tuple(((k - 1) // 2, k // 2) for k in shape)


def outcome(x, weights, scale=1.0, **options):
    kernel = Kernel(weights, scale=scale)
    plan = plan_filter(x.shape, x.dtype, [kernel], algorithm="direct", backend="numpy", **options)
    return plan, execute(plan, x)


@pytest.mark.parametrize("width", [18, 85, 86, 257, 700])
@pytest.mark.parametrize("name", WEIGHTS)
def test_clipped_sums_and_their_count(isa, name, width):
    x, weights = picture(37, width), np.asarray(WEIGHTS[name])
    pads = same_pads(weights.shape)
    want = reference(x, weights, pads)
    _, got = outcome(x, weights, padding=pads)
    np.testing.assert_array_equal(got.pixels, want.clip(0, 255))
    assert got.clipped == np.count_nonzero((want < 0) | (want > 255))


def test_the_sums_are_the_ones_meant():
    """What must be in 16 bits is."""
    x = picture(20, 30)
    kinds = {name: outcome(x, w)[0].steps[0].accumulate for name, w in WEIGHTS.items()}
    assert kinds.pop("above_signed_16_bits") == "uint16"
    assert set(kinds.values()) == {"int16"}


@pytest.mark.parametrize("range_", ["abs", "offset", "float"])
def test_other_ranges(isa, range_):
    x, weights = picture(19, 300, 1), [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    sums = reference(x, weights, ((1, 1), (1, 1)))
    want = {"abs": abs(sums).clip(0, 255), "offset": (sums + 128).clip(0, 255), "float": sums}
    _, got = outcome(x, weights, range=range_)
    np.testing.assert_array_equal(got.pixels, want[range_])
    if range_ == "abs":
        assert got.clipped == np.count_nonzero(abs(sums) > 255)


@pytest.mark.parametrize("value", [0, 77, 255, -20, 300])
def test_a_constant_border_of_any_value(isa, value):
    x, weights = picture(11, 90), SHARPEN
    _, got = outcome(x, weights, border=Border("constant", value))
    want = reference(x, weights, ((1, 1), (1, 1)), "constant", constant_values=value)
    np.testing.assert_array_equal(got.pixels, want.clip(0, 255))


@pytest.mark.parametrize("mode", ["edge", "symmetric", "wrap"])
def test_pads_wider_than_the_picture(isa, mode):
    x, pads = picture(5, 7), ((9, 2), (0, 90))
    _, got = outcome(x, SHARPEN, padding=pads, border=Border(mode))
    np.testing.assert_array_equal(got.pixels, reference(x, SHARPEN, pads, mode).clip(0, 255))


def test_no_padding_reads_to_the_last_byte(isa):
    """The last row in place ends where the buffer does, and chunks may not read behind it."""
    for width in (85, 88, 342):
        x = picture(9, width)
        _, got = outcome(x, SHARPEN, padding=0)
        want = reference(x, SHARPEN, ((0, 0), (0, 0)))
        np.testing.assert_array_equal(got.pixels, want.clip(0, 255))


@pytest.mark.parametrize("options", [{"stride": 2}, {"dilation": 3}, {"stride": (1, 3)}])
def test_strides_and_dilations(isa, options):
    x = picture(31, 305)
    d = options.get("dilation", 1)
    wide = np.zeros((2 * d + 1, 2 * d + 1), int)
    wide[::d, ::d] = SHARPEN
    down, across = np.broadcast_to(options.get("stride", 1), 2)
    _, got = outcome(x, SHARPEN, padding=d, **options)
    want = reference(x, wide, ((d, d), (d, d)))[::down, ::across]
    np.testing.assert_array_equal(got.pixels, want.clip(0, 255))


@pytest.mark.parametrize("height", [1, 2, 3, 129, 260])
@pytest.mark.parametrize(
    ("shape", "width"), [((3, 3), 21), ((3, 3), 700), ((5, 1), 43), ((2, 7), 9)]
)
def test_means_of_two_rows_at_a_time(isa, shape, height, width):
    """Tiles of 128 rows, the last row of some left over; wider than the block of sums, and less."""
    x, n = picture(height, width), shape[0] * shape[1]
    pads = same_pads(shape)
    _, got = outcome(
        x,
        np.ones(shape),
        scale=1 / n,
        padding=pads,
        border=Border("constant", 200),
    )
    want = reference(x, np.ones(shape), pads, "constant", constant_values=200)
    np.testing.assert_array_equal(got.pixels, np.rint(want / n))


@pytest.mark.parametrize("dilation", [(1, 2), (2, 1), (1, 400)])
def test_means_of_samples_apart(isa, dilation):
    """Columns apart are added up as neighbours are, up to a distance; rows apart are not."""
    x, (down, across) = picture(30, 1100, 1), dilation
    wide = np.zeros((2 * down + 1, 2 * across + 1))
    wide[::down, ::across] = 1
    pads = ((down, down), (across, across))
    _, got = outcome(x, np.ones((3, 3)), scale=1 / 9, padding=pads, dilation=dilation)
    np.testing.assert_array_equal(got.pixels, np.rint(reference(x, wide, pads) / 9))


def test_a_large_mean_is_written_past_the_caches(isa):
    x = picture(2900, 3900)
    assert x.nbytes > 32 << 20
    _, got = outcome(x, np.ones((3, 3)), scale=1 / 9, padding=0)
    columns = sum(x[i : i + 2898].astype(np.uint16) for i in range(3))
    want = sum(columns[:, j : j + 3898] for j in range(3))
    np.testing.assert_array_equal(got.pixels, (want + np.uint16(4)) // np.uint16(9))


@pytest.mark.parametrize("shape", [(3, 3), (1, 5), (5, 7), (2, 5), (9, 15)])
def test_means_are_divided_alike(isa, shape):
    x, n = picture(40, 310), shape[0] * shape[1]
    pads = same_pads(shape)
    plan = plan_filter(
        x.shape, x.dtype, [Kernel(np.ones(shape), scale=1 / n)], padding=pads, algorithm="direct"
    )
    want = np.rint(reference(x, np.ones(shape), pads) / n)
    np.testing.assert_array_equal(execute(plan, x).pixels, want)


OTHER_DIVISORS = sorted({*range(2, 258)} - {3, 9, 25, 49, 225})


@pytest.mark.parametrize(
    "divisor",
    [3, 9, 25, 49, 225, 1000, *(pytest.param(n, marks=pytest.mark.slow) for n in OTHER_DIVISORS)],
)
def test_the_division_is_that_of_float64(divisor):
    """Every sum of bytes, with the numbers that the loops would be given."""
    high = min(divisor * 255, 65535)
    add, multiply, shift = reciprocal(1 / divisor, high)
    if not multiply:
        assert divisor % 2 == 0 or divisor > 200  # halves to even, or too large for 16 bits
        return
    sums = range(high + 1)
    assert all((s + add) * multiply >> 16 + shift == round(Fraction(s, divisor)) for s in sums)


def test_a_stack_and_a_bank(isa):
    x = picture(14, 200)
    rows = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    sums = [reference(x, w, ((1, 1), (1, 1))) for w in (rows, rows.T)]
    plan = plan_filter(x.shape, x.dtype, [Kernel(np.stack([rows, rows.T]), combine="maximum")])
    np.testing.assert_array_equal(execute(plan, x).pixels, np.maximum(*sums).clip(0, 255))
    bank = np.array([[1, 2, -3], [0, 1, 1]])[:, :, None, None]
    plan = plan_filter(x.shape, x.dtype, [Kernel(bank)])
    want = np.stack([x.astype(int) @ w for w in bank[:, :, 0, 0]], axis=-1)
    np.testing.assert_array_equal(execute(plan, x).pixels, want.clip(0, 255))


@pytest.mark.parametrize("scale", [1 / 2, 1 / 7, 0.37])
def test_a_difference_is_not_divided_as_a_mean_is(isa, scale):
    """Its absolute value stays within a byte, but the sums are of either sign."""
    x = picture(40, 131, 1)
    kernel = Kernel([[-1, 1]], scale=scale, absolute=True)
    plan = plan_filter(
        x.shape, x.dtype, [kernel], padding=0, backend="numpy", algorithm="direct", range="auto"
    )
    assert not plan.steps[0].requantize.clip
    sums = reference(x, [[-1, 1]], ((0, 0), (0, 0)))
    np.testing.assert_array_equal(execute(plan, x).pixels, np.rint(np.abs(sums) * scale))
