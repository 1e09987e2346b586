"""Damaged pictures: refused, or exactly right; never wrong pixels, a crash or a hang."""

from __future__ import annotations

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.formats.png.chunks import chunk
from convcli.imaging.formats.png.write import apng_parts, encode_png
from convcli.imaging.header import Metadata
from convcli.imaging.limits import check_frames, check_size
from convcli.imaging.opening import decode_picture
from convcli.imaging.source import Frame

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (9, 11, 3), dtype=np.uint8)


def saved(fmt: str, mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(RGB).convert(mode).save(out, fmt, **options)
    return out.getvalue()


def animated_gif() -> bytes:
    out = io.BytesIO()
    frames = [Image.fromarray(np.roll(RGB, i, 0)).quantize(16) for i in range(3)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=[50, 70, 90])
    return out.getvalue()


FILES = {
    "png": saved("PNG"),
    "png_palette": saved("PNG", "P"),
    "png_bilevel": saved("PNG", "1"),
    "png_16_rgb": encode_png(RGB.astype(np.uint16) * 257, Metadata()),
    "apng": b"".join(apng_parts([Frame(RGB, 40), Frame(RGB[::-1], 80)], 2, Metadata())),
    "jpeg": saved("JPEG"),
    "jpeg_progressive": saved("JPEG", progressive=True),
    "gif": saved("GIF", "P"),
    "gif_animated": animated_gif(),
    "bmp": saved("BMP"),
    "bmp_palette": saved("BMP", "P"),
    "tiff": saved("TIFF"),
    "tiff_lzw": saved("TIFF", compression="tiff_lzw"),
    "tiff_deflate": saved("TIFF", compression="tiff_adobe_deflate"),
    "webp": saved("WEBP"),
    "webp_lossless": saved("WEBP", lossless=True),
    "ppm": saved("PPM"),
    "pgm_16": b"P5\n11 9\n65535\n" + RGB[..., :2].tobytes(),
    "pbm": saved("PPM", "1"),
    "avif": saved("AVIF"),
}


def pixels_of(data: bytes) -> list[np.ndarray]:
    return [frame.pixels for frame in decode_picture(data, "file").frames]


@pytest.mark.parametrize("kind", FILES)
def test_cut_at_every_byte(kind: str) -> None:
    data = FILES[kind]
    whole = pixels_of(data)
    refused = 0
    for length in range(len(data)):
        try:
            got = pixels_of(data[:length])
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
            continue
        assert len(got) == len(whole), f"{kind} cut to {length} of {len(data)} lost frames"
        for a, b in zip(got, whole, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=f"{kind} cut to {length} of {len(data)}")
    assert refused > len(data) // 2


@pytest.mark.parametrize("kind", FILES)
def test_flipped_bits_are_decoded_or_refused(kind: str) -> None:
    data = FILES[kind]
    rnd = random.Random(kind)
    for _ in range(200):
        bad = bytearray(data)
        bad[rnd.randrange(len(bad))] ^= 1 << rnd.randrange(8)
        try:
            for pixels in pixels_of(bytes(bad)):
                assert pixels.ndim == 3
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"hello, this is text\n" * 9, "not a picture"),
        (b"%PDF-1.4 ...", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
    ],
    ids=["empty", "text", "pdf", "postscript", "svg"],
)
def test_what_is_no_picture(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_picture(data, "x.png")


def png_that_claims(width: int, height: int) -> bytes:
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_size_is_refused_by_the_header() -> None:
    with pytest.raises(InputError, match=r"65535x65535 is 4,294,836,225 pixels.*--max-pixels"):
        decode_picture(png_that_claims(65535, 65535), "x.png")


@pytest.mark.parametrize(
    ("width", "height", "refused"),
    [(10, 10, False), (1, 100, False), (101, 1, True), (0, 9, True), (9, 0, True)],
)
def test_sizes_that_are_refused(width: int, height: int, refused: bool) -> None:
    if refused:
        with pytest.raises(InputError, match=rf"x: .*{width}x{height}"):
            check_size("x", width, height, 100)
    else:
        check_size("x", width, height, 100)


@pytest.mark.parametrize(
    ("frames", "taken", "refused"),
    [(2, 1600, False), (2, 1601, True), (1, 3200, False), (1700, 1700, True)],
)
def test_all_frames_together_are_sixteen_bytes_a_pixel_at_most(
    frames: int, taken: int, refused: bool
) -> None:
    if refused:
        with pytest.raises(InputError, match=rf"x: its {frames:,} frames are {taken:,} bytes"):
            check_frames("x", frames, taken, 100)
    else:
        check_frames("x", frames, taken, 100)


def test_frames_of_an_animation_are_counted() -> None:
    frames = [Image.fromarray(np.full((10, 10), level, np.uint8)) for level in range(17)]
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match=r"17 frames are 5,100 bytes.*--max-pixels"):
        decode_picture(data.getvalue(), "x", max_pixels=100)
    assert decode_picture(data.getvalue(), "x", max_pixels=319).n_frames == 17


@pytest.mark.parametrize("kind", FILES)
def test_max_pixels_holds_on_every_decoder(kind: str) -> None:
    with pytest.raises(InputError, match="--max-pixels"):
        decode_picture(FILES[kind], "x", max_pixels=98)
    assert pixels_of(FILES[kind])[0].shape[:2] == (9, 11)


def test_tiff_with_a_loop_of_directories_ends() -> None:
    data = bytearray(FILES["tiff"])
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    (frame,) = pixels_of(bytes(data))
    np.testing.assert_array_equal(frame, RGB)


@pytest.mark.parametrize("mode", ["YCbCr", "LAB"])
def test_modes_that_cannot_be_kept_are_named(mode: str) -> None:
    out = io.BytesIO()
    Image.fromarray(RGB).convert(mode).save(out, "TIFF")
    with pytest.raises(InputError, match=r"YCbCr|LAB|CIELAB"):
        decode_picture(out.getvalue(), "x.tif")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_malformed_profile_is_left_out_with_a_note(kind: str) -> None:
    data = saved(kind, icc_profile=b"not a profile")
    picture = decode_picture(data, "x")
    assert picture.meta.icc is None
    assert picture.notes == ["its ICC profile is malformed and was left out"]


def test_malformed_exif_is_left_out_with_a_note() -> None:
    data = saved("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    picture = decode_picture(data, "x.jpg")
    assert picture.meta.exif is None
    assert any("EXIF" in note for note in picture.notes)


@pytest.mark.parametrize("megabytes", [40, 70])
@pytest.mark.parametrize(
    "kind",
    [
        *("png", "png_palette"),
        *(pytest.param(k, marks=pytest.mark.slow) for k in ("png_bilevel", "png_16_rgb", "apng")),
    ],
)
def test_metadata_bombs_are_not_unfolded(kind: str, megabytes: int) -> None:
    """Whatever reads the pixels: the profile is left out, and said."""
    whole = FILES[kind]
    bomb = chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(megabytes << 20), 9))
    damaged = bytearray(chunk(b"tEXt", b"Title\0what"))
    damaged[-1] ^= 1
    picture = decode_picture(whole[:33] + bomb + bytes(damaged) + whole[33:], "x.png")
    assert picture.meta.icc is None
    assert any("iCCP" in note for note in picture.notes)
    assert any("tEXt is damaged" in note for note in picture.notes)
    usual = decode_picture(whole, "x.png")
    assert picture.n_frames == usual.n_frames
    for one, other in zip(picture.frames, usual.frames, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {}),
        ("RGB", {"progressive": True, "subsampling": 0}),
        ("RGB", {"keep_rgb": True}),
        ("L", {}),
        ("CMYK", {}),
    ],
    ids=["rgb", "progressive", "rgb_kept", "gray", "cmyk"],
)
def test_large_jpegs_equal_pillow_and_cut_ones_are_refused(
    mode: str, options: dict[str, object]
) -> None:
    y, x = np.mgrid[0:1030, 0:1040]
    rgb = np.stack([x % 256, y % 256, (x * y) % 251], -1).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(rgb).convert(mode).save(out, "JPEG", quality=90, **options)
    data = out.getvalue()
    expected = np.asarray(Image.open(io.BytesIO(data)))
    for whole in (data, data + bytes(100)):
        np.testing.assert_array_equal(pixels_of(whole)[0], expected.reshape(1030, 1040, -1))
    for length in (len(data) // 3, len(data) // 2, len(data) - 3000, len(data) - 1000):
        with pytest.raises(InputError):
            pixels_of(data[:length])
