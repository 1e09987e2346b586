"""PNGs that break the rules: refused where libpng refuses them, read with a note where it warns."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.formats.png.chunks import DEPTHS, SIGNATURE, chunk
from convcli.imaging.header import widened
from convcli.imaging.opening import decode_picture

WIDTH, HEIGHT = 13, 20
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [
    (depth, colour, laced) for colour, ds in DEPTHS.items() for depth in ds for laced in (0, 1)
]
PASSES = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2)]
"""Adam7 but for its last pass: first row, every how many, first column, every how many."""
END = chunk(b"IEND", b"")
PALETTE = chunk(b"PLTE", np.random.default_rng(2).integers(0, 256, 768, np.uint8).tobytes())


def head(depth: int = 8, colour: int = 2, *methods: int, width: int = WIDTH) -> bytes:
    body = struct.pack(">IIBBBBB", width, HEIGHT, depth, colour, *[*methods, 0, 0, 0][:3])
    return SIGNATURE + chunk(b"IHDR", body)


def stream(depth: int = 8, colour: int = 2, laced: int = 0) -> bytes:
    """Rows of noise in the order of the file, as long as they should be."""
    shapes = [(-(-(HEIGHT - y) // dy), -(-(WIDTH - x) // dx)) for y, dy, x, dx in PASSES]
    shapes = [*shapes, (HEIGHT // 2, WIDTH)] if laced else [(HEIGHT, WIDTH)]
    rng = np.random.default_rng(1)
    rows = [
        b"\0" + rng.integers(0, 256, -(-width * SAMPLES[colour] * depth // 8), np.uint8).tobytes()
        for height, width in shapes
        for _ in range(height)
    ]
    return b"".join(rows)


PIXELS = zlib.compress(stream())


def idat(data: bytes = PIXELS) -> bytes:
    return chunk(b"IDAT", data)


def wrong_sum(whole: bytes) -> bytes:
    return whole[:-1] + bytes([whole[-1] ^ 1])


def file_of(depth: int, colour: int, laced: int, raw: bytes) -> bytes:
    palette = chunk(b"PLTE", PALETTE[8 : 8 + (3 << depth)]) if colour == 3 else b""
    return head(depth, colour, 0, 0, laced) + palette + idat(zlib.compress(raw)) + END


@pytest.mark.parametrize(("depth", "colour", "laced"), KINDS)
def test_pixel_data_of_every_kind_is_whole_or_refused(depth: int, colour: int, laced: int) -> None:
    raw = stream(depth, colour, laced)
    for missing in (1, len(raw) // 2, len(raw) - 1, len(raw)):
        with pytest.raises(InputError, match="Not enough image data"):
            decode_picture(file_of(depth, colour, laced, raw[:-missing]), "x.png")
    whole = decode_picture(file_of(depth, colour, laced, raw), "x.png")
    more = decode_picture(file_of(depth, colour, laced, raw + b"\0\1"), "x.png")
    assert whole.notes == ([widened(depth)] if depth < 8 and colour == 0 else [])
    assert len(more.notes) == len(whole.notes) + 1
    assert "Too much image data" in more.notes[-1]
    (one,), (other,) = whole.frames, more.frames
    np.testing.assert_array_equal(one.pixels, other.pixels)
    if depth < 16 or colour == 0:  # Pillow halves the depth of the others
        with Image.open(io.BytesIO(file_of(depth, colour, laced, raw))) as image:
            mode = {"1": "L", "P": "RGB"}.get(image.mode, image.mode)
            expected = np.asarray(image if image.mode == mode else image.convert(mode))
        np.testing.assert_array_equal(one.pixels, expected.reshape(one.pixels.shape))


REFUSED = {
    "compression_method": (head(8, 2, 1) + idat() + END, "compression method 1; allowed: 0"),
    "filter_method": (head(8, 2, 0, 1) + idat() + END, "filter method 1; allowed: 0"),
    "filter_method_of_mng": (head(8, 2, 0, 64) + idat() + END, "filter method 64"),
    "interlace_method": (head(8, 2, 0, 0, 2) + idat() + END, "interlace method 2; allowed: 0, 1"),
    "depth_of_colour": (head(4, 2) + idat() + END, "bit depth 4; allowed: 8, 16"),
    "depth_of_palette": (head(16, 3) + PALETTE + idat() + END, "bit depth 16"),
    "colour_type": (head(8, 5) + idat() + END, "colour type 5; allowed: 0, 2, 3, 4, 6"),
    "no_width": (head(width=0) + idat() + END, "claims 0x20"),
    "too_wide": (head(width=2**31) + idat() + END, "claims 2147483648x20"),
    "second_header": (head() + head()[8:] + idat() + END, "IHDR is there twice"),
    "header_behind": (head() + idat() + head()[8:] + END, "IHDR is there twice"),
    "pixels_interrupted": (
        head() + idat(PIXELS[:99]) + chunk(b"tEXt", b"a\0b") + idat(PIXELS[99:]) + END,
        "Not enough image data",
    ),
    "sum_of_stream_behind_others": (
        head() + idat(PIXELS[:-4]) + chunk(b"tEXt", b"a\0b") + 2 * idat(PIXELS[-4:]) + END,
        "Not enough image data",
    ),
    "window_of_64_KB": (head() + idat(b"\x88\x1c" + PIXELS[2:]) + END, "invalid window size"),
    "head_of_stream": (head() + idat(b"\x78\x9d" + PIXELS[2:]) + END, "incorrect header check"),
    "dictionary": (head() + idat(b"\x78\xbb" + PIXELS[2:]) + END, "libpng refuses"),
    "sum_of_stream": (head() + idat(wrong_sum(PIXELS)) + END, "incorrect data check"),
    "no_sum_of_stream": (head() + idat(PIXELS[:-4]) + END, "Not enough image data"),
    "row_filter": (
        head() + idat(zlib.compress(b"\5" + stream()[1:])) + END,
        "bad adaptive filter value",
    ),
    "sum_of_pixels": (head() + wrong_sum(idat()) + END, "IDAT is damaged"),
    "sum_of_no_pixels": (head() + idat() + wrong_sum(idat(b"")) + END, "IDAT is damaged"),
    "sum_of_palette": (head(8, 3) + wrong_sum(PALETTE) + idat() + END, "PLTE is damaged"),
    "second_palette": (
        head(8, 3) + PALETTE + idat(zlib.compress(stream(8, 3))) + PALETTE + END,
        "PLTE is there twice",
    ),
    "second_animation": (
        head() + 2 * chunk(b"acTL", struct.pack(">II", 1, 0)) + idat() + END,
        "acTL is there twice",
    ),
    "no_palette": (head(8, 3) + idat(zlib.compress(stream(8, 3))) + END, "no palette"),
    "palette_of_4_bytes": (
        head(8, 3) + chunk(b"PLTE", b"abcd") + idat(zlib.compress(stream(8, 3))) + END,
        "libpng refuses the PNG: PLTE: invalid",
    ),
    "no_pixels": (head() + END, "no pixels"),
    "no_end": (head() + idat(), "cut short"),
    "unknown_chunk": (head() + chunk(b"ABCD", b"") + idat() + END, "ABCD is not known"),
    "unknown_chunk_behind": (head() + idat() + chunk(b"ABCD", b"") + END, "ABCD is not known"),
    "no_name": (head() + chunk(b"a\1CD", b"") + idat() + END, "a chunk is called"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_libpng_refuses_is_refused_in_one_line(kind: str) -> None:
    data, says = REFUSED[kind]
    with pytest.raises(InputError, match=says) as refused:
        decode_picture(data, "x.png")
    assert str(refused.value).startswith("x.png: ")
    assert "\n" not in str(refused.value)


GRAY, PALE = idat(zlib.compress(stream(8, 0))), idat(zlib.compress(stream(8, 3)))
CLEAR = chunk(b"tRNS", bytes(2))
REPAIRED = {
    "too_many_bytes": (head() + idat(PIXELS + b"abc") + END, "Extra compressed data"),
    "sum_of_stream_apart": (
        head() + idat(PIXELS[:-4]) + idat(bytes(4)) + END,
        "incorrect data check",
    ),
    "content_of_end": (head() + idat() + chunk(b"IEND", b"abc"), "its end mark is damaged"),
    "sum_of_end": (head() + idat() + wrong_sum(END), "its end mark is damaged"),
    "animation_behind": (
        head() + idat() + chunk(b"acTL", struct.pack(">II", 1, 0)) + END,
        "acTL behind its pixels",
    ),
    "second_palette": (head() + PALETTE + PALETTE + idat() + END, "PLTE: duplicate"),
    "palette_behind": (head() + idat() + PALETTE + END, "PLTE behind its pixels"),
    "palette_of_gray": (head(8, 0) + PALETTE + GRAY + END, "PLTE: ignored"),
    "palette_of_4_bytes": (head() + chunk(b"PLTE", b"abcd") + idat() + END, "PLTE: invalid"),
    "transparency_of_3_bytes": (
        head(8, 0) + chunk(b"tRNS", bytes(3)) + GRAY + END,
        "tRNS: invalid",
    ),
    "transparency_beside_alpha": (
        head(8, 4) + CLEAR + idat(zlib.compress(stream(8, 4))) + END,
        "tRNS: invalid with alpha",
    ),
    "transparency_longer_than_palette": (
        head(8, 3) + PALETTE + chunk(b"tRNS", bytes(257)) + PALE + END,
        "tRNS: ",
    ),
    "transparency_before_palette": (head(8, 3) + CLEAR + PALETTE + PALE + END, "tRNS: out of"),
    "transparency_behind": (head(8, 0) + GRAY + CLEAR + END, "tRNS behind its pixels"),
    "sum_of_transparency": (head(8, 0) + wrong_sum(CLEAR) + GRAY + END, "tRNS: CRC error"),
    "pixels_behind_others": (
        head() + idat() + chunk(b"tEXt", b"a\0b") + idat(b"abc") + idat(b"d") + END,
        "IDAT behind its pixels",
    ),
}


@pytest.mark.parametrize("kind", REPAIRED)
def test_what_libpng_repairs_is_read_with_a_note_that_names_it(kind: str) -> None:
    data, says = REPAIRED[kind]
    picture = decode_picture(data, "x.png")
    assert len(picture.notes) == 1
    assert says in picture.notes[0]
    colour = data[25]
    clean = {0: GRAY, 2: idat(), 3: PALETTE + PALE, 4: idat(zlib.compress(stream(8, 4)))}[colour]
    (expected,) = decode_picture(head(8, colour) + clean + END, "x.png").frames
    (frame,) = picture.frames
    np.testing.assert_array_equal(frame.pixels, expected.pixels)


@pytest.mark.parametrize("bits", [8, 9, 12, 15])
def test_a_window_smaller_than_what_is_reached_back_for_is_refused(bits: int) -> None:
    """Whole as long as nothing lies farther back than the head of the stream says."""
    raw = b"".join(b"\0" + bytes([row]) * 39 for row in range(HEIGHT)) * 50
    ihdr = struct.pack(">IIBBBBB", 13, 50 * HEIGHT, 8, 2, 0, 0, 0)
    far = zlib.compress(raw)
    first = bytes([(bits - 8) << 4 | 8])
    far = first + bytes([31 - first[0] * 256 % 31]) + far[2:]
    packer = zlib.compressobj(9, zlib.DEFLATED, max(bits, 9))
    near = packer.compress(raw) + packer.flush()
    before = SIGNATURE + chunk(b"IHDR", ihdr)
    (frame,) = decode_picture(before + idat(near) + END, "x.png").frames
    assert frame.pixels[:, 0, 0].tolist() == [*range(HEIGHT)] * 50
    if bits < 12:
        with pytest.raises(InputError, match="too far back"):
            decode_picture(before + idat(far) + END, "x.png")


def test_what_follows_the_end_does_not_count() -> None:
    """As libpng, which stops there."""
    picture = decode_picture(head() + idat() + END + b"more", "x.png")
    assert picture.notes == []


def test_of_what_may_stand_once_the_first_counts() -> None:
    """As libpng has it, which warns of the second."""
    size = [chunk(b"pHYs", struct.pack(">IIB", n, n, 1)) for n in (3937, 11811)]
    text = chunk(b"tEXt", b"a\0b")
    picture = decode_picture(head() + b"".join(size) + 2 * text + idat() + END, "x.png")
    assert picture.notes == ["a second chunk pHYs was left out"]
    assert picture.meta.dpi == pytest.approx((100, 100), abs=0.01)
    assert [kind for kind, _ in picture.meta.png_chunks].count(b"tEXt") == 2
