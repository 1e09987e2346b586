"""Containers that are whole, and pixels in them that are not: refused, never filled up unsaid."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.formats.png.chunks import chunk, walk
from convcli.imaging.formats.png.write import apng_parts
from convcli.imaging.header import Metadata
from convcli.imaging.opening import decode_picture
from convcli.imaging.source import Frame

RGB = np.random.default_rng(9).integers(0, 256, (24, 31, 3), dtype=np.uint8)


def saved(fmt: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(RGB).save(out, fmt, **options)
    return out.getvalue()


def gif(codes: list[int], width: int = 8, height: int = 4) -> bytes:
    """Codes of nine bits, of which 256 clears the table and 257 ends the picture."""
    number = sum(code << 9 * place for place, code in enumerate(codes))
    data = number.to_bytes(-(-9 * len(codes) // 8), "little")
    colours = bytes(level for level in range(256) for _ in range(3))
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0) + colours
    place = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0)
    return screen + place + bytes([8, len(data)]) + data + b"\0;"


def test_a_gif_whose_codes_end_early_is_refused() -> None:
    (frame,) = decode_picture(gif([256, *[9] * 32, 257]), "x.gif").frames
    assert frame.pixels.tolist() == np.full((4, 8, 1), 9).tolist()
    for codes in ([256, *[9] * 16, 257], [256, *[9] * 31], [256, 257], [256, 9, 300]):
        with pytest.raises(InputError):
            decode_picture(gif(codes), "x.gif")


def bmp(rows: bytes) -> bytes:
    """Four rows of eight pixels, run by run."""
    colours = bytes(level for level in range(256) for _ in range(4))
    head = struct.pack("<IiiHHIIiiII", 40, 8, 4, 1, 8, 1, len(rows), 0, 0, 256, 0)
    start = 14 + len(head) + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + colours + rows


def test_a_bmp_whose_runs_end_early_is_refused() -> None:
    row = b"\x08\x05\0\0"
    (frame,) = decode_picture(bmp(row * 4 + b"\0\1"), "x.bmp").frames
    assert frame.pixels.tolist() == np.full((4, 8, 1), 5).tolist()
    for rows in (row * 2, row * 2 + b"\0\1", row * 3 + b"\x08"):
        with pytest.raises(InputError):
            decode_picture(bmp(rows), "x.bmp")


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("less", [40, 200])
def test_a_webp_whose_pixels_end_early_is_refused(lossless: bool, less: int) -> None:
    """The lengths of file and chunk say what is there."""
    data = bytearray(saved("WEBP", lossless=lossless)[:-less])
    struct.pack_into("<I", data, 4, len(data) - 8)
    struct.pack_into("<I", data, 16, len(data) - 20)
    with pytest.raises(InputError):
        decode_picture(bytes(data), "x.webp")


@pytest.mark.parametrize("frame", [0, 1])
@pytest.mark.parametrize("less", [1, 500])
def test_a_frame_of_an_apng_that_ends_early_is_refused(frame: int, less: int) -> None:
    data = b"".join(apng_parts([Frame(RGB, 40), Frame(RGB[::-1], 80)], 2, Metadata()))
    parts = [data[:8]]
    for kind, body, _ in walk(data, "x"):
        start = {b"IDAT": 0, b"fdAT": 4}.get(kind)
        if start is not None and (kind == b"fdAT") == frame and len(body) > 8:
            rows = b"".join(b"\0" + row.tobytes() for row in RGB)
            body = bytes(body[:start]) + zlib.compress(rows[:-less])
        elif start is not None and (kind == b"fdAT") == frame:
            continue  # the end of the data that others take the place of
        parts.append(chunk(kind, bytes(body)))
    with pytest.raises(InputError, match="Not enough image data"):
        for shown in decode_picture(b"".join(parts), "x.png").frames:
            assert shown.pixels.any()
