"""Large JPEGs are encoded in bands; every decoder must read them as if they were not."""

from __future__ import annotations

import io
import itertools
import os
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from convcli.errors import UsageError
from convcli.imaging.formats import format_of_name
from convcli.imaging.formats.jpeg import write as jpeg_write
from convcli.imaging.formats.jpeg.write import jpeg_parts
from convcli.imaging.header import Metadata
from convcli.imaging.opening import decode_picture
from convcli.imaging.sink import encode_picture
from convcli.imaging.source import Frame, Source

RNG = np.random.default_rng(7)
# No scaled standard tables: rows and columns differ, as cameras' own do.
CAMERA = [[2 + 3 * (i % 8) + 5 * (i // 8) for i in range(64)], [9 + i for i in range(64)]]
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands of 32 rows for pictures about 128 wide, from 4,096 pixels on."""
    monkeypatch.setattr(jpeg_write, "BAND_PIXELS", 4300)
    monkeypatch.setattr(jpeg_write, "LARGE", 1 << 12)


def photograph(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Slopes, edges and noise, so that a misplaced block shows."""
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    level = 90 + 60 * np.sin(x / 9 + c) + 50 * np.cos(y / 7 - c) + 40 * ((x // 13 + y // 11) % 2)
    return np.clip(level + RNG.normal(0, 4, level.shape), 0, 255).astype(np.uint8)


def picture(pixels: NDArray[np.uint8], **jpeg: Any) -> Source:
    space = {1: "gray", 3: "rgb", 4: "cmyk"}[pixels.shape[2]]
    meta = Metadata(jpeg=jpeg)
    return Source("JPEG", space, False, pixels.dtype, pixels.shape[:2], [Frame(pixels)], meta=meta)


def whole(pixels: NDArray[np.uint8], **options: Any) -> bytes:
    """The same picture, encoded by Pillow in one go."""
    out = io.BytesIO()
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[pixels.shape[2]]
    data = np.ascontiguousarray(pixels)
    image = Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), data.tobytes())
    image.save(out, "JPEG", **options)
    return out.getvalue()


def segments(jpeg: bytes) -> list[tuple[int, bytes]]:
    """Every segment before the entropy-coded data, as (marker, body)."""
    found, at = [], 2
    while True:
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        found.append((jpeg[at + 1], jpeg[at + 4 : at + 2 + length]))
        at += 2 + length
        if found[-1][0] == 0xDA:
            return found


def restarts(jpeg: bytes) -> list[int]:
    """The restart markers in order: after FF, entropy-coded data has 00 or one of them."""
    scan = jpeg[jpeg.rindex(b"\xff\xda") :]
    return [b - 0xD0 for a, b in itertools.pairwise(scan) if a == 0xFF and 0xD0 <= b <= 0xD7]


def decoded(jpeg: bytes) -> dict[str, NDArray[Any]]:
    """By every decoder at hand."""
    out = {
        "pillow": np.asarray(Image.open(io.BytesIO(jpeg))),
        "imagecodecs": np.asarray(imagecodecs.jpeg8_decode(jpeg)),
    }
    try:
        import cv2

        out["opencv"] = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED)
    except ImportError:
        pass
    try:
        import pyvips

        out["libvips"] = pyvips.Image.new_from_buffer(jpeg, "", fail_on="warning").numpy()
    except (ImportError, OSError):
        pass
    return out


HEIGHTS = (64, 65, 79, 80, 81, 95, 96, 97, 320, 333)


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("subsampling", [0, 1, 2, None], ids=["444", "422", "420", "gray"])
def test_every_decoder_reads_bands_as_one_picture(subsampling: int | None) -> None:
    for height in HEIGHTS:
        for width in (123, 128, 129):
            pixels = photograph(height, width, 1 if subsampling is None else 3)
            options: dict[str, Any] = {"qtables": CAMERA}
            if subsampling is not None:
                options["subsampling"] = subsampling
            banded = b"".join(
                jpeg_parts(picture(pixels, **options | {"qtables": dict(enumerate(CAMERA))}), None)
            )
            expected = decoded(whole(pixels, **options))
            assert restarts(banded) == [i % 8 for i in range(-(-height // 32) - 1)]
            for name, got in decoded(banded).items():
                np.testing.assert_array_equal(got, expected[name], f"{name} {height}x{width}")


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("quality", [1, 50, 90, 100])
def test_a_quality_gives_the_same_pixels_in_bands(quality: int) -> None:
    pixels = photograph(150, 131, 3)
    for name, got in decoded(b"".join(jpeg_parts(picture(pixels), quality))).items():
        np.testing.assert_array_equal(got, decoded(whole(pixels, quality=quality))[name])


@pytest.mark.usefixtures("small_bands")
def test_the_file_does_not_depend_on_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = photograph(333, 130, 3)
    quality, tables = picture(pixels), picture(pixels, qtables=dict(enumerate(CAMERA)))

    def files(threads: int) -> tuple[bytes, bytes]:
        ways = ((quality, 85), (tables, None))
        usual, camera = (b"".join(jpeg_parts(*way, threads=threads)) for way in ways)
        return usual, camera

    made = {files(threads) for threads in range(1, 8)}
    # Systems without files in memory encode into buffers.
    monkeypatch.delattr(os, "memfd_create", raising=False)
    made |= {files(threads) for threads in (1, 2)}
    assert len(made) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_bands_of_a_quality_have_the_bytes_that_pillow_makes(channels: int) -> None:
    pixels = photograph(47, 61, channels)
    space = "gray" if channels == 1 else "rgb"
    samplings: list[dict[str, Any]] = [{}]
    if channels == 3:
        samplings += [{"subsampling": number} for number in range(3)]
    for quality, sampling in itertools.product(range(1, 101), samplings):
        expected = whole(pixels, quality=quality, **sampling)
        with Image.open(io.BytesIO(expected)) as image:
            tables = tuple(map(tuple, image.quantization.values()))
        assert jpeg_write._quality_of(tables, space) == quality
        for how in ({"quality": quality}, {"qtables": list(map(list, tables))}):
            assert jpeg_write._band_encoder(space, sampling | how)(pixels) == expected
    assert jpeg_write._quality_of(tuple(map(tuple, CAMERA[: min(channels, 2)])), space) is None
    assert jpeg_write._quality_of((*tables, tuple(CAMERA[0])), space) is None


@pytest.mark.usefixtures("small_bands")
def test_the_header_is_that_of_one_picture_but_for_the_restart_interval() -> None:
    pixels = photograph(150, 131, 3)
    source = picture(pixels)
    meta = source.meta
    meta.icc, meta.xmp, meta.dpi = ICC, b"<x:xmpmeta/>", (300.0, 240.0)
    meta.comments = [b"a comment"]
    thumbnail = whole(photograph(16, 16, 3))  # with a frame header of its own
    meta.exif = b"II*\0\x08\0\0\0\0\0\0\0\0\0" + thumbnail
    options = {
        "quality": 90,
        "icc_profile": ICC,
        "exif": b"Exif\0\0" + meta.exif,
        "xmp": meta.xmp,
        "comment": b"a comment",
        "dpi": (300, 240),
    }
    got, expected = segments(b"".join(jpeg_parts(source, None))), segments(whole(pixels, **options))
    intervals = [body for marker, body in got if marker == 0xDD]
    assert [int.from_bytes(body, "big") for body in intervals] == [9 * 2]  # MCUs of 16x16
    assert [segment for segment in got if segment[0] != 0xDD] == expected


@pytest.mark.usefixtures("small_bands")
def test_metadata_come_back() -> None:
    source = picture(photograph(150, 131, 3))
    meta = source.meta
    meta.icc, meta.xmp, meta.dpi = ICC * 40, b"<x:xmpmeta/>", (72.0, 72.0)
    meta.comments = [b"words"]
    back = decode_picture(b"".join(jpeg_parts(source, 80, threads=2)), "o.jpg").meta
    assert (back.icc, back.xmp, back.comments, back.dpi) == (
        ICC * 40,
        meta.xmp,
        [b"words"],
        meta.dpi,
    )


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize(
    ("channels", "jpeg"),
    [(4, {}), (3, {"progressive": True, "qtables": dict(enumerate(CAMERA))})],
    ids=["cmyk", "progressive"],
)
def test_what_is_not_encoded_in_bands(channels: int, jpeg: dict[str, Any]) -> None:
    pixels = photograph(150, 131, channels)
    written = b"".join(jpeg_parts(picture(pixels, **jpeg), None, threads=2))
    options: dict[str, Any] = {"progressive": True, "qtables": CAMERA} if jpeg else {"quality": 90}
    assert written == whole(pixels, **options)


def test_only_large_pictures_are_encoded_in_bands() -> None:
    for height, bands in ((1023, False), (1024, True)):
        pixels = photograph(height, 1024, 1)
        written = b"".join(jpeg_parts(picture(pixels), 90))
        assert bool(restarts(written)) is bands
        np.testing.assert_array_equal(
            decoded(written)["pillow"], decoded(whole(pixels, quality=90))["pillow"]
        )


def test_the_largest_jpeg_and_one_row_more() -> None:
    """65,500 is libjpeg's limit either way."""
    for height, width in ((65500, 17), (17, 65500)):
        pixels = photograph(height, width, 1)
        got = decoded(b"".join(jpeg_parts(picture(pixels), 90, threads=2)))["pillow"]
        np.testing.assert_array_equal(got, decoded(whole(pixels, quality=90))["pillow"])
    for height, width in ((65501, 17), (65536, 17), (17, 65501)):
        source = picture(np.zeros((height, width, 1), np.uint8))
        with pytest.raises(UsageError, match="pixels a side, only 65500; use"):
            encode_picture(source, format_of_name("jpeg"), "o.jpg", threads=2)
