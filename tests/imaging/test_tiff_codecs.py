"""TIFFs that Pillow opens and decodes wrongly, or not at all: tifffile does."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.imaging.opening import decode_picture

RNG = np.random.default_rng(11)


def written(pixels: np.ndarray, order: str = "<", **options: Any) -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out, byteorder=order) as writer:
        writer.write(pixels, metadata=None, **options)
    return out.getvalue()


def pixels_of(data: bytes) -> np.ndarray:
    (frame,) = decode_picture(data, "x").frames
    return frame.pixels


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("packing", [None, "zlib", "lzw", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}])
def test_floats_of_either_byte_order(order: str, packing: str | None, layout: dict) -> None:
    pixels = RNG.normal(0, 1, (19, 21)).astype(np.float32)
    data = written(pixels, order, compression=packing, photometric="minisblack", **layout)
    np.testing.assert_array_equal(pixels_of(data)[..., 0], pixels)


@pytest.mark.parametrize("packing", [None, "zlib", "lzw", "packbits"])
def test_gray_and_alpha_in_planes(packing: str | None) -> None:
    planes = RNG.integers(0, 256, (2, 9, 11), np.uint8)
    how = {"photometric": "minisblack", "planarconfig": "separate", "extrasamples": ["unassalpha"]}
    data = written(planes, compression=packing, **how)
    np.testing.assert_array_equal(pixels_of(data), np.moveaxis(planes, 0, -1))


def test_a_compression_that_pillow_may_lack() -> None:
    pixels = RNG.integers(0, 256, (9, 11, 3), np.uint8)
    how = {"compression": "webp", "compressionargs": {"level": -1}}  # lossless
    data = written(pixels, photometric="rgb", **how)
    np.testing.assert_array_equal(pixels_of(data), pixels)


def test_floats_that_are_no_numbers_are_read_as_they_are_whoever_wrote_them() -> None:
    """Whether they are missing or refused is said elsewhere."""
    pixels = np.ones((4, 4), np.float32)
    pixels[1, 2], pixels[3, 3] = np.nan, -np.inf
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "TIFF")
    for data in (out.getvalue(), written(pixels, photometric="minisblack")):
        np.testing.assert_array_equal(pixels_of(data)[..., 0], pixels)
