"""PSNR and SSIM against SciPy; the largest difference where it was put."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from convcli.errors import UsageError
from convcli.imaging.compare import STRIP, compare_pictures, difference_picture, ssim
from convcli.imaging.source import Frame, Source
from convcli.show.compare_text import comparison_document, comparison_lines

RANDOM = np.random.default_rng(11)
SPACES = {1: ("gray", False), 2: ("gray", True), 3: ("rgb", False), 4: ("rgb", True)}


def picture(*frames: np.ndarray[Any, Any]) -> Source:
    space, alpha = SPACES[frames[0].shape[2]]
    pixels = [Frame(frame) for frame in frames]
    size = frames[0].shape[:2]
    return Source(
        "PNG",
        space,
        alpha,
        frames[0].dtype,
        size,
        pixels,
        n_frames=len(frames),
        animated=len(frames) > 1,
    )


def ssim_by_scipy(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    """The definition with SciPy's Gaussian of the same 11 taps, borders cut off."""

    def blur(x: np.ndarray[Any, Any]) -> Any:
        return gaussian_filter(x, 1.5, truncate=3.5, axes=(0, 1))[5:-5, 5:-5]

    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    quality = ((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return float(quality.mean())


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("height", [11, 37, STRIP + 11], ids=lambda h: f"{h}_rows")
def test_ssim_and_psnr_are_the_definitions(channels: int, height: int) -> None:
    a = RANDOM.integers(0, 256, (height, 29, channels), np.uint8)
    noise = RANDOM.normal(0, 20, a.shape)
    b = np.clip(np.rint(a + noise), 0, 255).astype(np.uint8)
    found = compare_pictures(picture(a), picture(b), ("a", "b"))
    x, y = a / 255, b / 255
    assert found.ssim == pytest.approx(ssim_by_scipy(x, y), rel=1e-9)
    assert found.psnr == pytest.approx(10 * math.log10(1 / np.mean((x - y) ** 2)), rel=1e-12)
    assert found.equal == pytest.approx((a == b).all(-1).mean())


def test_the_largest_difference_is_found_where_it_is() -> None:
    a = RANDOM.integers(0, 65000, (STRIP + 40, 17, 3)).astype(np.uint16)
    b = a.copy()
    b[STRIP + 21, 9, 2] += 500
    b[3, 4, 1] += 499
    found = compare_pictures(picture(a), picture(b), ("a", "b"))
    assert found.where == (0, STRIP + 21, 9, 2)
    assert found.largest * found.white == pytest.approx(500)
    assert comparison_document(found)["largest"] == 500
    assert found.equal == pytest.approx(1 - 2 / (a.shape[0] * a.shape[1]))


def test_every_difference_of_bytes_is_told_as_a_whole_number() -> None:
    for level in range(1, 256):
        a, b = np.full((1, 1, 1), level, np.uint8), np.full((1, 1, 1), level // 3, np.uint8)
        found = compare_pictures(picture(a), picture(b), ("a", "b"))
        assert comparison_document(found)["largest"] == level - level // 3


def test_equal_pictures_are_infinitely_alike() -> None:
    a = RANDOM.integers(0, 256, (12, 13, 3), np.uint8)
    found = compare_pictures(picture(a), picture(a.copy()), ("a", "b"))
    assert (found.psnr, found.ssim, found.largest, found.equal) == (math.inf, 1.0, 0.0, 1.0)


def test_frames_are_compared_one_by_one() -> None:
    frames = [RANDOM.integers(0, 256, (12, 15, 3), np.uint8) for _ in range(3)]
    others = [frame.copy() for frame in frames]
    others[2][4, 5, 1] ^= 0x80
    found = compare_pictures(picture(*frames), picture(*others), ("a", "b"))
    assert found.where == (2, 4, 5, 1)
    assert found.largest * 255 == pytest.approx(128)


def test_depths_are_compared_by_their_whites() -> None:
    a = RANDOM.integers(0, 256, (12, 13, 1), np.uint8)
    found = compare_pictures(picture(a), picture(a.astype(np.uint16) * 257), ("a", "b"))
    assert found.largest < 1e-15


@pytest.mark.parametrize(
    ("shape", "words"), [((12, 14, 3), "14x12"), ((12, 13, 1), "gray"), ((12, 13, 4), "alpha")]
)
def test_pictures_that_differ_in_kind_are_refused(shape: tuple[int, int, int], words: str) -> None:
    a, b = np.zeros((12, 13, 3), np.uint8), np.zeros(shape, np.uint8)
    with pytest.raises(UsageError, match=words):
        compare_pictures(picture(a), picture(b), ("a", "b"))


def test_small_pictures_have_no_ssim() -> None:
    a = np.zeros((10, 40, 1), np.uint8)
    assert compare_pictures(picture(a), picture(a), ("a", "b")).ssim is None


def test_the_difference_picture_stretches_the_largest_to_white() -> None:
    a = np.full((5, 6, 4), 100, np.uint8)
    b = a.copy()
    b[1, 2, 0], b[3, 4, 1] = 110, 95
    shown = next(iter(difference_picture(picture(a), picture(b), 10 / 255).frames)).pixels
    assert shown.shape == (5, 6, 3)
    assert shown[1, 2, 0] == 255
    assert shown[3, 4, 1] in (127, 128)
    assert np.count_nonzero(shown) == 2


def holes(*places: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Values without NaN, but for these places."""
    values = np.random.default_rng(12).normal(0.5, 0.2, (STRIP + 20, 23, 1)).astype(np.float32)
    for place in places:
        values[place] = np.nan
    return values


@pytest.mark.parametrize("declared", [None, -7.0], ids=["nan", "declared"])
def test_missing_samples_are_left_out_and_counted(declared: float | None) -> None:
    one, two = holes((0, 0), (9, 9)), holes((0, 0), (STRIP + 1, 2), (STRIP + 1, 3))
    two[40, 5] += 0.25
    x, y = one.astype(np.float64), two.astype(np.float64)
    there = ~(np.isnan(x) | np.isnan(y))
    a, b = picture(one), picture(two)
    if declared is not None:
        b = picture(np.where(np.isnan(two), np.float32(declared), two))
        b.nodata = declared
    found = compare_pictures(a, b, ("a", "b"))
    assert (found.missing, found.alone) == (4, 3)
    assert found.mse == pytest.approx(np.mean((x - y)[there] ** 2), rel=1e-12)
    assert (found.where, found.largest) == ((0, 40, 5, 0), pytest.approx(0.25, rel=1e-6))
    assert found.equal == 1 - 4 / one.size  # three that are in one alone, and one that is not equal
    with np.errstate(invalid="ignore"):
        whole = ssim(x, y)
    assert found.ssim == pytest.approx(np.nanmean(whole), rel=1e-12)
    assert np.isnan(whole).any()
    shown = next(iter(difference_picture(a, b, found.largest).frames)).pixels[..., 0]
    assert np.argwhere(shown == 255).tolist() == [[9, 9], [40, 5], [STRIP + 1, 2], [STRIP + 1, 3]]
    assert np.count_nonzero(shown) == 4


def test_what_is_missing_in_both_is_the_same() -> None:
    a = np.full((12, 13, 1), np.nan, np.float32)
    found = compare_pictures(picture(a), picture(a), ("a", "b"))
    assert (found.psnr, found.ssim, found.largest, found.equal) == (math.inf, None, 0.0, 1.0)
    assert comparison_lines(found) == [
        "PSNR     infinite: every sample that is in both is equal",
        "SSIM     -  (needs 11x11 pixels without a missing one)",
        "largest  0",
        "equal    100.00 % of the pixels",
        "missing  156 samples, left out; 0 in one alone",
    ]


def test_alpha_is_not_missing_and_infinity_equals_itself() -> None:
    a = np.zeros((12, 13, 2), np.uint8)
    one = picture(a)
    one.nodata = 0
    assert compare_pictures(one, one, ("a", "b")).missing == 156
    b = holes()
    b[3, 4] = np.inf
    found = compare_pictures(picture(b), picture(b), ("a", "b"))
    assert (found.missing, found.psnr, found.equal) == (0, math.inf, 1.0)


def test_the_command_on_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from convcli.cli.app import run

    a = RANDOM.integers(0, 256, (20, 30, 3), np.uint8)
    b = a.copy()
    b[7, 8, 1] ^= 64
    for name, pixels in (("a", a), ("b", b)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    names = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    call: Callable[..., int] = run
    assert call(["compare", *names, "-o", str(tmp_path / "d.png")]) == 0
    out, err = capfd.readouterr()
    assert "largest  64 of 255, at row 7, column 8, channel 1" in out
    assert "times amplified" in err
    with Image.open(tmp_path / "d.png") as image:
        assert np.count_nonzero(np.asarray(image)) == 1
    assert call(["compare", *names, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["where"] == {
        "frame": 0, "row": 7, "column": 8, "channel": 1,
    }  # fmt: skip
    assert call(["compare", names[0], names[0], "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["psnr"] is None
    assert call(["compare", names[0], str(tmp_path / "no.png")]) == 2
    assert call(["compare", names[0], names[1], "-o", str(tmp_path / "d.png")]) == 2
