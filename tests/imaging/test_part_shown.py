"""Regions and masks: inside what filtering the whole gives, outside the samples as they were."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli import BackendError, ShapeError, UsageError, filter_image
from convcli.errors import InputError
from convcli.imaging.frames import FilteredFrames, filtered
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Source
from convcli.imaging.stages.blend import between, between_pixels
from convcli.imaging.stages.filter import Filter
from convcli.imaging.stages.part_shown import Mask
from convcli.kernels.load import load_chain

RNG = np.random.default_rng(18)
SEEDED = RNG.bit_generator.state
KERNELS = ["gaussian:2", "sobel", "median:4x3", "gaussian:1 | erode:disk:2 | sharpen"]


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same numbers in whatever order the tests run."""
    RNG.bit_generator.state = SEEDED


def picture(dtype: str, *shape: int) -> np.ndarray:
    white = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    return (RNG.random(shape) * white).astype(dtype)


def chosen(inside: np.ndarray, result: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The result where ``inside`` says so, ``x`` elsewhere, to the bit."""
    return np.where(inside.reshape(*x.shape[:2], *[1] * (x.ndim - 2)), result, x)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [(), (4,)], ids=["gray", "rgba"])
def test_inside_stands_what_filtering_the_whole_gives(
    kernel: str, dtype: str, channels: tuple[int, ...]
) -> None:
    x = picture(dtype, 31, 43, *channels)
    before = x.copy()
    for border in ("reflect", "wrap")[: 1 + (kernel == "gaussian:2")]:
        whole = filter_image(x, kernel, border=border)
        assert (whole != x).mean() > 0.1
        inside = np.zeros(x.shape[:2], bool)
        inside[5:17, 30:43] = True
        got = filter_image(x, kernel, border=border, region=(30, 5, 13, 12))
        np.testing.assert_array_equal(got, chosen(inside, whole, x))
        mask = RNG.integers(0, 2, x.shape[:2], np.uint8) * np.uint8(255)
        mask[:7] = mask[:, :9] = 0
        got = filter_image(x, kernel, border=border, mask=mask)
        np.testing.assert_array_equal(got, chosen(mask == 255, whole, x))
        both = filter_image(x, kernel, border=border, mask=mask, region="30,5,13x12")
        np.testing.assert_array_equal(both, chosen(inside & (mask == 255), whole, x))
    np.testing.assert_array_equal(x, before)
    for nothing in (np.zeros(x.shape[:2], np.uint8), np.zeros(x.shape[:2])):
        np.testing.assert_array_equal(filter_image(x, kernel, mask=nothing), x)
    for all_of_it in (np.full(x.shape[:2], 65535, np.uint16), np.ones(x.shape[:2], np.float32)):
        np.testing.assert_array_equal(
            filter_image(x, kernel, mask=all_of_it), filter_image(x, kernel)
        )


@pytest.mark.parametrize("kernel", ["median:3 | otsu", "canny:20,150,1"])
def test_what_depends_on_all_of_a_picture_does_so_in_a_region(kernel: str) -> None:
    """A level that is looked for; an edge that fades, followed from where it is strong."""
    x = np.full((40, 50), 60, np.uint8)
    x[20:] += np.linspace(180, 20, 50).astype(np.uint8)
    whole = filter_image(x, kernel)
    got = filter_image(x, kernel, region="25,0,20x40")
    np.testing.assert_array_equal(got[:, 25:45], whole[:, 25:45])
    np.testing.assert_array_equal(got[:, :25], x[:, :25])
    assert not np.array_equal(filter_image(x[:, 25:45], kernel), whole[:, 25:45])


@pytest.mark.parametrize("how", [{"linear": True}, {"luma": True}, {"scale": 2.5, "bias": -40}])
def test_light_and_brightness_too(how: dict[str, Any]) -> None:
    x = picture("uint8", 40, 50, 3)
    got, whole = x.copy(), filter_image(x, "unsharp:2", **how)
    got[3:20, 7:29] = whole[3:20, 7:29]
    np.testing.assert_array_equal(filter_image(x, "unsharp:2", region="7,3,22x17", **how), got)


def test_large_pictures_are_made_in_strips_of_which_some_are_hidden() -> None:
    x = np.repeat(picture("uint8", 1100, 1000, 1), 3, axis=-1)
    x[::3] //= 2
    whole = filter_image(x, "gaussian:4")
    mask = np.zeros(x.shape[:2], np.uint16)
    mask[300:700, 100:900] = 65535
    mask[400:500] //= 3
    got = filter_image(x, "gaussian:4", mask=mask)
    soft = between(x, whole, np.repeat(mask[..., None], 3, axis=-1), 65535)
    np.testing.assert_array_equal(got, soft)
    got = filter_image(x, "gaussian:4", region="1.5%,10%,50%x50%")
    want = x.copy()
    want[110:660, 15:515] = whole[110:660, 15:515]
    np.testing.assert_array_equal(got, want)


# ---------------------------------------------------------------- what lies between


def exactly(x: Any, y: Any, m: Any, white: int) -> Fraction:
    x, y, m = (Fraction(v.item() if isinstance(v, np.generic) else v) for v in (x, y, m))
    return x + (y - x) * m / white


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64"])
@pytest.mark.parametrize(("kind", "white"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_whole_numbers_are_rounded_once_half_to_even(dtype: str, kind: str, white: int) -> None:
    limits = np.iinfo(dtype)
    x, y = (RNG.integers(limits.min, limits.max, 300, dtype, endpoint=True) for _ in range(2))
    x[:2], y[:2] = (limits.min, limits.max), (limits.max, limits.min)
    m = picture(kind, 300)
    m[2:6] = [0, white, 0.5 if white == 1 else 1, 0.25 if white == 1 else white - 1]
    got = between(x, y, m, white)
    assert got.dtype == dtype
    want = [round(exactly(*cell, white)) for cell in zip(x.tolist(), y.tolist(), m, strict=True)]
    if white == 1 and limits.bits == 64:  # a share of up to 2^64 has the digits of float64
        assert max(abs(a - b) for a, b in zip(got.tolist(), want, strict=True)) <= 2 ** (64 - 52)
    else:
        assert got.tolist() == want


def test_signed_numbers_of_64_bits_do_not_overflow() -> None:
    limits = np.iinfo(np.int64)
    x = np.array([limits.min, limits.max, -5, 7], np.int64)
    y = np.array([limits.max, limits.min, 2**62, -(2**61)], np.int64)
    m = np.array([100, 200, 3, 254], np.uint8)
    want = [round(exactly(a, b, c, 255)) for a, b, c in zip(x.tolist(), y.tolist(), m, strict=True)]
    assert between(x, y, m, 255).tolist() == want


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_colours_are_blended_by_their_alpha(dtype: str, kind: str) -> None:
    x, y, white = picture(dtype, 200, 4), picture(dtype, 200, 4), int(np.iinfo(kind).max)
    x[:20, 3] = 0
    y[10:30, 3] = 0
    y[40:60, 3] = x[40:60, 3]
    m = RNG.integers(1, white, (200, 1), kind)
    got = between_pixels(x, y, m, white)
    for one, two, share, pixel in zip(x.tolist(), y.tolist(), m[:, 0], got.tolist(), strict=True):
        t = Fraction(int(share), white)
        left, right = one[3] * (1 - t), two[3] * t
        assert pixel[3] == round(left + right)
        for a, b, c in zip(one[:3], two[:3], pixel[:3], strict=True):
            there = left + right
            assert c == round((a * left + b * right) / there if there else a + (b - a) * t)


def test_no_fringe_of_hidden_colour() -> None:
    """Red beside transparent green: blurred by half, nothing of it is green."""
    x = np.zeros((9, 20, 4), np.uint8)
    x[:, :10], x[:, 10:] = (255, 0, 0, 255), (0, 255, 0, 0)
    mask = np.full((9, 20), 128, np.uint8)
    got = filter_image(x, "box:7", mask=mask)
    seen = got[got[..., 3] > 0]
    assert (seen[:, :3] == (255, 0, 0)).all()
    assert 0 < got[4, 11, 3] < 255


# ---------------------------------------------------------------- missing samples


def test_a_missing_sample_is_not_mixed_with_others() -> None:
    x = RNG.integers(0, 90, (12, 14)).astype(np.int16)
    x[3, 4], x[8, 8:11] = -1, -1
    mask = np.full(x.shape, 255, np.uint8)
    mask[:, :7] = 100
    mask[:2] = 0
    how: dict[str, Any] = {"values": True, "nodata": -1, "fill": True}
    whole = filter_image(x, "box:3", **how)
    assert whole[3, 4] != -1  # filled
    got = filter_image(x, "box:3", mask=mask, **how)
    want = between(x, whole, mask, 255)
    want[3, 4] = -1  # a missing one would be mixed in
    np.testing.assert_array_equal(got, want)
    gone = filter_image(x, "box:3", mask=mask, values=True, nodata=-1)
    assert (gone[8, 8:11] == -1).all()  # chosen
    floats = np.where(x == -1, np.nan, x).astype(np.float32)
    soft = filter_image(floats, "box:3", mask=mask, values=True, fill=True)
    assert np.isnan(soft[3, 4])
    assert not np.isnan(soft[8, 8:11]).any()
    assert np.isnan(floats).sum() == 4


def test_a_blend_that_says_missing_by_chance_moves_to_the_next() -> None:
    x = np.full((5, 6), 10, np.uint8)
    x[:, 3:] = 30
    mask = np.full(x.shape, 128, np.uint8)
    plain = filter_image(x, "box:3", mask=mask, values=True)
    by_chance = int(plain[2, 2])
    assert by_chance not in (10, 30)
    got = filter_image(x, "box:3", mask=mask, values=True, nodata=by_chance)
    assert got[2, 2] == by_chance + 1


def test_alpha_of_a_raster_says_what_is_missing_and_is_not_blended_away() -> None:
    x = RNG.integers(1, 200, (8, 9, 2), np.uint8)
    x[..., 1] = 255
    x[3, 3] = x[5, 5] = 0
    mask = np.full(x.shape[:2], 1, np.uint8)
    source = Source("memory", "gray", True, x.dtype, x.shape[:2], [Frame(x)])
    options = FilterOptions(values=True, fill=True)
    chain = Filter(source, load_chain("box:3"), options, Mask(Frame(mask[..., None]), "m"))
    got = filtered(chain, source.first).pixels
    assert {(int(r), int(c)) for r, c in np.argwhere(got[..., 1] == 0)} == {(3, 3), (5, 5)}


# ---------------------------------------------------------------- what is counted


def test_counts_are_of_what_is_shown() -> None:
    x = picture("uint8", 40, 50, 3)
    values = filter_image(x, "sharpen", depth="float64") * 255
    outside = (np.rint(values) < 0) | (np.rint(values) > 255)
    assert outside.mean() > 0.1
    mask = np.where(RNG.random((40, 50)) < 0.5, 0, RNG.integers(0, 256, (40, 50))).astype(np.uint8)
    region = np.zeros((40, 50, 1), bool)
    region[4:30, 7:20] = True
    shown = region & (mask[..., None] != 0)
    from convcli.arithmetic.region import parse_region

    for where, cover, inside in (
        ("7,4,13x26", None, region),
        (None, mask, mask[..., None] != 0),
        ("7,4,13x26", mask, shown),
    ):
        source = Source("memory", "rgb", False, x.dtype, x.shape[:2], [Frame(x)])
        options = FilterOptions(region=None if where is None else parse_region(where))
        covered = None if cover is None else Mask(Frame(cover[..., None]), "m")
        chain = Filter(source, load_chain("sharpen"), options, covered)
        list(FilteredFrames(chain, source))
        tally = chain.outline.tally
        assert tally.samples == 3 * np.count_nonzero(inside)
        assert tally.clipped == np.count_nonzero(outside & inside)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"stride": 2}, "drop --padding and --stride"),
        ({"padding": "valid"}, "drop --padding and --stride"),
        ({"padding": 1}, "drop --padding and --stride"),
        ({"depth": 16}, "drop --depth"),
        ({"range": "stretch"}, "--range stretch would mean something else there"),
        ({"range": "offset"}, "allowed: auto, clip, abs"),
        ({"nodata": (3, 4)}, "write --nodata without a colon"),
        ({"kernel": "grayscale"}, "the kernels keep the channels; these make gray"),
        (
            {"region": "30,0,21x5"},
            "the picture has 50x40 pixels, and the region 30,0,21x5 would end",
        ),
        ({"region": "60,0,1x1"}, "would end at column 61 and row 1"),
        ({"region": "0,0,0.1%x5"}, "holds none of them"),
        ({"region": (1, 2, 3)}, "four whole numbers"),
        ({"region": (-1, 2, 3, 4)}, "four whole numbers"),
        ({"region": (1, 2, 0, 4)}, "is empty"),
        ({"region": "300x200+100+50"}, "did you mean '100,50,300x200'?"),
        ({"region": "50%x50%+10%+0%"}, "did you mean '10%,0%,50%x50%'?"),
        ({"region": "20 30 10x10"}, "did you mean '20,30,10x10'?"),
        (
            {"region": "-5,0,10x10"},
            "would begin at column -5 and row 0; columns and rows are counted",
        ),
        ({"mask": np.ones((50, 40), np.uint8)}, "the mask mask has 40x50"),
        ({"mask": np.ones((40, 50, 3), np.uint8)}, "a mask is one gray picture"),
        ({"mask": np.ones((40, 50, 2), np.uint8)}, "this has alpha"),
        ({"mask": np.ones((40, 50), np.int16)}, "this has samples of int16"),
    ],
)
def test_what_would_change_other_samples_is_refused(how: dict[str, Any], said: str) -> None:
    x = picture("uint8", 40, 50, 3)
    options = {"kernel": "gaussian:1", "region": "1,2,3x4"} | how
    with pytest.raises(UsageError) as caught:
        filter_image(x, **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.5])
def test_a_mask_of_floats_goes_from_0_to_1(value: float) -> None:
    mask = np.full((6, 6), 0.5)
    mask[2, 3] = value
    with pytest.raises(InputError, match="goes from 0 to 1, and it has a sample of"):
        filter_image(picture("uint8", 6, 6), "box:3", mask=mask)


def test_a_gpu_is_refused_by_its_name() -> None:
    with pytest.raises(BackendError, match="part of a picture is filtered on the CPU"):
        filter_image(picture("uint8", 6, 6), "box:3", backend="cupy", region="1,1,2x2")


def test_a_frame_of_another_size_is_refused() -> None:
    x, y = picture("uint8", 6, 8, 1), picture("uint8", 5, 8, 1)
    from convcli.arithmetic.region import parse_region

    source = Source("memory", "gray", False, x.dtype, (6, 8), [Frame(x), Frame(y)], n_frames=2)
    inside = Filter(source, load_chain("box:3"), FilterOptions(region=parse_region("0,0,8x6")))
    with pytest.raises(ShapeError, match="the picture has 8x5 pixels"):
        list(FilteredFrames(inside, source))
    half = Filter(source, load_chain("box:3"), FilterOptions(region=parse_region("0,0,8x50%")))
    one, two = (frame.pixels for frame in FilteredFrames(half, source))
    np.testing.assert_array_equal(one[3:], x[3:])
    np.testing.assert_array_equal(two[:3], filter_image(y, "box:3")[:3])


def test_pillow_images_are_taken_and_given() -> None:
    x = picture("uint8", 20, 30, 3)
    mask = Image.fromarray(picture("uint8", 20, 30))
    got = filter_image(Image.fromarray(x), "median:3", mask=mask)
    np.testing.assert_array_equal(
        np.asarray(got), filter_image(x, "median:3", mask=np.asarray(mask))
    )


def test_a_mask_of_truth_values_is_taken() -> None:
    x = picture("uint8", 20, 30, 3)
    chosen = picture("uint8", 20, 30) > 99
    want = np.where(chosen[..., None], filter_image(x, "median:3"), x)
    np.testing.assert_array_equal(filter_image(x, "median:3", mask=chosen), want)
