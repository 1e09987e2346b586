"""``convcli kernel sheet``: every tile is what ``filter_image`` makes of the small picture."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.errors import UsageError
from convcli.imaging.api import filter_image
from convcli.imaging.contact_sheet import small_picture, tiles
from convcli.imaging.in_memory import given_picture
from convcli.imaging.shapes import Image, Rect, Text
from convcli.kernels.catalogue import GROUPS, PRESETS
from convcli.show.draw.layout import Drawing
from convcli.show.draw.theme import theme_of
from convcli.show.kernel_sheet import GROUP, asked_for, kernel_sheet

RNG = np.random.default_rng(19)


def picture(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, np.uint8)


def sheet(pixels: np.ndarray, *kernels: str, width: int | None = None) -> Drawing:
    return kernel_sheet(given_picture(pixels), asked_for(kernels), theme_of("light"), width=width)


def images(drawing: Drawing) -> list[Image]:
    return [shape for shape in drawing.frames[0][0] if isinstance(shape, Image)]


def words(drawing: Drawing) -> list[str]:
    return [shape.text for shape in drawing.frames[0][0] if isinstance(shape, Text)]


@pytest.mark.parametrize("shape", [(37, 53), (37, 53, 3)])
def test_tiles_are_what_the_filter_makes(shape: tuple[int, ...]) -> None:
    pixels = picture(*shape)
    chains = ["sobel", "gaussian:2", "gaussian:1 | sobel | invert", "median:5", "-1 0 2"]
    drawn = images(sheet(pixels, *chains))
    expected = [pixels, *(filter_image(pixels, chain) for chain in chains)]
    for image, result in zip(drawn, expected, strict=True):
        rgb = result if result.ndim == 3 else np.repeat(result[..., None], 3, -1)
        assert (image.rows, image.columns) == shape[:2]
        assert np.array_equal(np.frombuffer(image.rgb, np.uint8).reshape(rgb.shape), rgb)


def test_what_is_faint_is_stretched_and_says_so() -> None:
    ramp = np.tile(np.arange(60, dtype=np.uint8) * 4, (40, 1))
    drawing = sheet(ramp, "dgauss-x:2")
    made = np.frombuffer(images(drawing)[1].rgb, np.uint8)
    assert made.reshape(40, 60, 3)[..., 0].tolist() == (
        filter_image(ramp, "dgauss-x:2", range="stretch").tolist()
    )
    assert "13x13, --range stretch" in words(drawing)
    black = sheet(np.zeros((9, 9), np.uint8), "gaussian")
    assert not any("stretch" in word for word in words(black))


def test_a_large_picture_is_made_small_first_by_means() -> None:
    pixels = picture(64, 96, 3)
    small = small_picture(given_picture(pixels), 24, 24).first.pixels
    means = pixels.reshape(16, 4, 24, 4, 3).mean((1, 3))
    assert small.shape == (16, 24, 3)
    assert np.abs(small - means).max() <= 1  # rounded to whole levels along each axis in turn


def test_transparent_pixels_lend_their_colour_to_nobody() -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, 1::2] = [200, 100, 50, 255]
    pixels[:, 0::2, :3] = 255  # white that nobody sees
    small = small_picture(given_picture(pixels), 4, 4).first.pixels
    assert np.abs(small[..., :3].astype(int) - [200, 100, 50]).max() <= 1
    assert np.abs(small[..., 3].astype(int) - 127.5).max() <= 1


def test_deep_samples_and_rasters_are_shown_from_black_to_white() -> None:
    deep = np.array([[0, 65535], [257 * 7, 257 * 90]], np.uint16)
    assert small_picture(given_picture(deep), 2, 2).first.pixels[..., 0].tolist() == [
        [0, 255],
        [7, 90],
    ]
    heights = np.array([[-100, 400], [150, 150]], np.int16)
    drawing = sheet(heights, "median")
    assert small_picture(given_picture(heights), 2, 2).first.pixels.max() == 255
    assert "Values are shown from the smallest (black) to the largest (white)." in words(drawing)


def test_every_preset_has_a_tile_in_its_group() -> None:
    drawing = sheet(picture(11, 13, 3))
    said = words(drawing)
    headings = [s.text for s in drawing.frames[0][0] if isinstance(s, Text) and s.size == GROUP]
    assert headings == list(GROUPS)
    assert {p.example if p.required else p.name for p in PRESETS.values()} <= {*said}
    assert len(images(drawing)) == len(PRESETS)  # the picture itself, and all but variance
    assert any(word.startswith("variance of a picture") for word in said)


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 900), (700, 3), (300, 400)])
@pytest.mark.parametrize("width", [None, 64, 3000])
def test_nothing_hangs_over_the_page_and_no_tiles_overlap(
    size: tuple[int, int], width: int | None
) -> None:
    drawing = sheet(picture(*size), "sobel", "box", "invert", "emboss", width=width)
    canvas, found = drawing.canvas, images(drawing)
    assert len(found) == 5
    for image in found:
        assert min(image.x, image.y) >= 0
        assert image.y + image.height <= canvas.height
        assert image.x + image.width <= canvas.width
    for number, a in enumerate(found):
        for b in found[:number]:
            apart = b.x + b.width <= a.x or a.x + a.width <= b.x
            assert apart or b.y + b.height <= a.y or a.y + a.height <= b.y
    if width:
        assert canvas.width >= width


def test_a_preset_that_cannot_run_is_refused_only_where_it_was_named() -> None:
    small = small_picture(given_picture(picture(9, 9)), 9, 9)
    everything = list(tiles(small, asked_for([])))
    refused = {tile.asked.text: tile.refusal for tile in everything if tile.rgb is None}
    assert [*refused] == ["variance"] and "--depth float" in refused["variance"]
    with pytest.raises(UsageError, match="--depth float"):
        list(tiles(small, asked_for(["variance"])))
    frames = [s for s in sheet(picture(9, 9)).frames[0][0] if isinstance(s, Rect) and s.dash]
    assert len(frames) == len(refused)
