"""``filter_image`` takes what a cell of a notebook has: files, and Pillow images of other modes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from convcli.errors import InputError, UsageError
from convcli.imaging.api import filter_image

LEVELS = np.random.default_rng(4).integers(0, 256, (9, 13, 3), np.uint8)


def test_a_file_gives_what_its_pixels_give(tmp_path: Path) -> None:
    Image.fromarray(LEVELS).save(tmp_path / "in.png")
    expected = filter_image(LEVELS, "sobel").tolist()
    for path in (tmp_path / "in.png", str(tmp_path / "in.png")):
        result = filter_image(path, "sobel")
        assert isinstance(result, Image.Image)
        assert np.asarray(result).tolist() == expected


def test_a_file_is_turned_upright_and_keeps_its_profile(tmp_path: Path) -> None:
    image = Image.fromarray(LEVELS)
    exif = image.getexif()
    exif[0x0112] = 6  # lies on its side: the top is at the right
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(tmp_path / "in.png", exif=exif, icc_profile=profile)
    result = filter_image(tmp_path / "in.png", "identity")
    assert np.asarray(result).tolist() == np.rot90(LEVELS, -1).tolist()
    assert result.info["icc_profile"] == profile


def test_a_file_of_samples_gives_an_image_where_pillow_has_one(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", LEVELS[..., 0] / np.float32(255))
    result = filter_image(tmp_path / "in.npy", "box")
    assert result.mode == "F"
    expected = filter_image(LEVELS[..., 0] / np.float32(255), "box")
    assert np.asarray(result).tolist() == expected.tolist()
    np.save(tmp_path / "wide.npy", np.zeros((3, 4, 7), np.int16))
    with pytest.raises(UsageError, match="give an array instead"):
        filter_image(tmp_path / "wide.npy", "box")


@pytest.mark.parametrize("mode, told", [("1", "L"), ("P", "RGB"), ("RGBa", "RGBA")])
def test_modes_are_taken_for_what_they_stand_for(mode: str, told: str) -> None:
    source = Image.fromarray(LEVELS)
    image = source.convert("RGBA").convert(mode) if mode == "RGBa" else source.convert(mode)
    result = filter_image(image, "box")
    assert result.mode == told
    assert np.array_equal(np.asarray(result), np.asarray(filter_image(image.convert(told), "box")))


def test_a_palette_with_transparency_has_alpha() -> None:
    image = Image.new("P", (4, 3))
    image.putpalette([9, 8, 7, 200, 100, 50])
    image.info["transparency"] = 0
    assert filter_image(image, "identity").mode == "RGBA"


def test_what_is_no_picture_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "in.png").write_text("none")
    with pytest.raises(InputError, match="not a picture"):
        filter_image(tmp_path / "in.png", "sobel")
    with pytest.raises(UsageError, match="there is no such file"):
        filter_image(str(tmp_path / "gone.png"), "sobel")
    with pytest.raises(UsageError, match="only the command reads"):
        filter_image("-", "sobel")
    with pytest.raises(UsageError, match="mode 'HSV' is not taken"):
        filter_image(Image.new("HSV", (3, 3)), "sobel")
