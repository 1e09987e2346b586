"""Damaged, hostile and strange pictures: refused in one line, within bounds of time and memory."""

from __future__ import annotations

import io
import os
import random
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.formats.png.chunks import chunk
from convcli.imaging.opening import decode_picture

RGB = np.random.default_rng(11).integers(0, 256, (21, 17, 3), dtype=np.uint8)
FORMATS = {
    "png": {},
    "jpg": {},
    "gif": {},
    "bmp": {},
    "tif": {},
    "webp": {"lossless": True},
    "ppm": {},
    "avif": {},
}


def saved(suffix: str) -> bytes:
    out = io.BytesIO()
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper())
    Image.fromarray(RGB).save(out, kind, **FORMATS[suffix])
    return out.getvalue()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_cut_file_leaves_the_target(
    refused: Callable[..., Any], tmp_path: Path, suffix: str
) -> None:
    data = saved(suffix)
    (tmp_path / f"cut.{suffix}").write_bytes(data[: len(data) // 2])
    refused(f"cut.{suffix}")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FORMATS)
def test_1500_flipped_bits(suffix: str) -> None:
    data, rnd, outcomes = saved(suffix), random.Random(suffix), {"read": 0, "refused": 0}
    for _ in range(1500):
        bad = bytearray(data)
        bad[rnd.randrange(len(bad))] ^= 1 << rnd.randrange(8)
        try:
            # Within a size that is quickly decoded: a flipped header may claim a large picture.
            picture = decode_picture(bytes(bad), "x", max_pixels=1_000_000)
            for frame in picture.frames:
                assert frame.pixels.ndim == 3
            outcomes["read"] += 1
        except InputError as error:
            assert "\n" not in str(error)
            outcomes["refused"] += 1
    assert sum(outcomes.values()) == 1500


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_what_is_no_file_is_not_opened(
    refused: Callable[..., Any], tmp_path: Path, kind: str
) -> None:
    name = "in.png"
    if kind == "fifo":
        os.mkfifo(tmp_path / name)
    elif kind == "socket":
        server = socket.socket(socket.AF_UNIX)
        server.bind(os.path.relpath(tmp_path / name))
        server.close()
    else:
        name = "/dev/zero"
    refused(name, code=2, says="not a regular file; use - to read from a pipe")


# ---------------------------------------------------------------- headers that claim too much


def png(chunks: list[tuple[bytes, bytes]], size: int = 8, colour: int = 2) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, colour, 0, 0, 0))
    table = chunk(b"PLTE", b"\1\2\3" * 8) if colour == 3 else b""
    row = b"\0" + b"\7" * (8 * (1 if colour == 3 else 3))
    body = chunk(b"IDAT", zlib.compress(row * 8))
    between = b"".join(chunk(kind, data) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + head + between + table + body + chunk(b"IEND", b"")


def gif(frames: list[tuple[int, int, int, int]], canvas: tuple[int, int] = (8, 8)) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    image = b"\2\2\x4c\1\0"  # one pixel, compressed
    blocks = [b"\x2c" + struct.pack("<HHHHB", *frame, 0) + image for frame in frames]
    return head + b"".join(blocks) + b"\x3b"


def tiff(width: int, height: int, *, tile: int = 0, compression: int = 1) -> bytes:
    data = zlib.compress(bytes(1000)) if compression == 8 else b"\x80\0\x40" * 10
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression)]
    entries += [(262, 3, 1, 1), (277, 3, 1, 1)]
    start = 8 + 2 + 12 * (10 if tile else 9) + 4
    if tile:
        entries += [
            (322, 4, 1, tile),
            (323, 4, 1, tile),
            (324, 4, 1, start),
            (325, 4, 1, len(data)),
        ]
    else:
        entries += [(273, 4, 1, start), (278, 4, 1, height), (279, 4, 1, len(data))]
    table = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4) + data


CLAIMS = {
    "png": png([], 65535),
    "png_palette": png([], 65535, 3),
    "gif": gif([(0, 0, 1, 1)], (65535, 65535)),
    "bmp": b"BM"
    + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 65535, 65535, 1, 24, 0, 0, 0, 0, 0, 0),
    "tiff": tiff(65535, 65535),
    "tiff_deflate": tiff(65535, 65535, compression=8),
    "ppm": b"P6 65535 65535 255\n" + bytes(99),
    "pgm_16": b"P5 65535 65535 65535\n" + bytes(99),
    "pgm_text": b"P2 65535 65535 255\n" + b"1 " * 99,
    "pfm": b"Pf 65535 65535 -1.0\n" + bytes(99),
}


def jpeg_that_claims(side: int) -> bytes:
    data = bytearray(saved("jpg"))
    at = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, at + 5, side, side)
    return bytes(data)


@pytest.mark.parametrize("kind", [*CLAIMS, "jpeg"])
def test_a_claim_of_65535_is_refused_before_allocation(
    refused: Callable[..., Any], tmp_path: Path, quiet: int, kind: str
) -> None:
    data = jpeg_that_claims(65535) if kind == "jpeg" else CLAIMS[kind]
    (tmp_path / "in.png").write_bytes(data)
    assert refused("in.png", says="--max-pixels").peak < quiet


BOMB = zlib.compress(bytes(50 << 20), 9)
BOMBS = {
    "iCCP": [(b"iCCP", b"p\0\0" + BOMB)],
    "zTXt": [(b"zTXt", b"p\0\0" + BOMB)],
    "iTXt": [(b"iTXt", b"p\0\1\0\0\0" + BOMB)],
    "XMP": [(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB)],
    "eighty_zTXt": [(b"zTXt", b"p\0\0" + zlib.compress(bytes(1 << 20)))] * 80,
    "a_hundred_iCCP": [(b"iCCP", b"p\0\0" + BOMB)] * 100,
}


@pytest.mark.parametrize(
    "colour", [2, pytest.param(3, marks=pytest.mark.slow)], ids=["rgb", "palette"]
)
@pytest.mark.parametrize(
    "kind",
    [
        kind if kind in ("iCCP", "eighty_zTXt") else pytest.param(kind, marks=pytest.mark.slow)
        for kind in BOMBS
    ],
)
def test_text_and_profile_bombs_stay_folded(
    convcli: Callable[..., Any], tmp_path: Path, quiet: int, kind: str, colour: int
) -> None:
    (tmp_path / "in.png").write_bytes(png(BOMBS[kind], colour=colour))
    done = convcli("filter", "in.png", "-k", "identity", "-o", "out.png")
    assert done.code == 0, done.err
    assert done.peak < quiet
    assert "left out" in done.err
    assert (tmp_path / "out.png").stat().st_size < 1 << 20
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (8, 8)


@pytest.mark.parametrize(
    "frames",
    [
        [(0, 0, 65535, 65535)],
        [(0, 0, 65535, 65535), (0, 0, 8, 8)],
        [(0, 0, 8, 8), (0, 0, 65535, 65535), (0, 0, 8, 8)],
        [(0, 0, 1, 1), (65534, 65534, 1, 1), (0, 0, 1, 1)],
    ],
    ids=["only", "first", "second", "far_away"],
)
def test_gif_extents_bombs(
    refused: Callable[..., Any],
    tmp_path: Path,
    quiet: int,
    frames: list[tuple[int, int, int, int]],
) -> None:
    (tmp_path / "in.gif").write_bytes(gif(frames))
    assert refused("in.gif").peak < quiet


def test_frames_that_are_too_many_together_are_refused_before_the_first(
    refused: Callable[..., Any], tmp_path: Path, quiet: int
) -> None:
    (tmp_path / "in.gif").write_bytes(gif([(0, 0, 1, 1)] * 100, (6000, 4000)))
    assert refused("in.gif", says="100 frames are 7,200,000,000 bytes").peak < quiet
    page = tiff(13_000, 13_000, compression=8)
    pages = b""
    for number in range(1, 61):  # each where the last one ends, with its own places moved there
        part = bytearray(page[8:])
        start = 8 + len(pages)
        for entry in range(2, 2 + 12 * 9, 12):
            if struct.unpack_from("<H", part, entry)[0] == 273:
                struct.pack_into("<I", part, entry + 8, start + 2 + 12 * 9 + 4)
        struct.pack_into("<I", part, 2 + 12 * 9, start + len(part) if number < 60 else 0)
        pages += bytes(part)
    (tmp_path / "in.tif").write_bytes(page[:8] + pages)
    assert refused("in.tif", says="60 frames are 10,140,000,000 bytes").peak < quiet


@pytest.mark.parametrize("compression", [1, 5, 8], ids=["raw", "lzw", "deflate"])
def test_tiff_tiles_larger_than_the_picture(
    refused: Callable[..., Any], tmp_path: Path, quiet: int, compression: int
) -> None:
    (tmp_path / "in.tif").write_bytes(tiff(10, 10, tile=60000, compression=compression))
    assert refused("in.tif").peak < quiet


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "TGA", "SVG"])
def test_formats_that_are_not_read(refused: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    if kind == "SVG":
        (tmp_path / "in.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    else:
        Image.fromarray(RGB).save(tmp_path / "in.png", kind)
    refused("in.png", says="not a picture in a format that is read")


@pytest.mark.usefixtures("strace")
def test_no_program_is_started_and_no_socket_opened(
    convcli: Callable[..., Any], tmp_path: Path
) -> None:
    for suffix in FORMATS:
        (tmp_path / f"in.{suffix}").write_bytes(saved(suffix))
    watch = ("strace", "-f", "-qq", "-o", "calls", "-e", "trace=execve,socket,connect")
    names = [f"in.{suffix}" for suffix in FORMATS]
    done = convcli("filter", *names, "-k", "box:3", "-o", "out/", "-j", "1", before=watch)
    assert done.code == 0, done.err
    assert len(list((tmp_path / "out").iterdir())) == len(FORMATS)
    calls = [line for line in (tmp_path / "calls").read_text().splitlines() if "= -1" not in line]
    assert len([line for line in calls if "execve(" in line]) == 1, calls
    assert not [line for line in calls if "AF_INET" in line], calls


def test_pages_that_point_at_each_other(convcli: Callable[..., Any], tmp_path: Path) -> None:
    out = io.BytesIO()
    image = Image.fromarray(RGB)
    image.save(out, "TIFF", save_all=True, append_images=[image.convert("L")])
    data = bytearray(out.getvalue())
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    (second,) = struct.unpack_from("<I", data, first + 2 + 12 * count)
    (count,) = struct.unpack_from("<H", data, second)
    struct.pack_into("<I", data, second + 2 + 12 * count, first)
    (tmp_path / "in.tif").write_bytes(data)
    done = convcli("filter", "in.tif", "-k", "identity", "-o", "out.tif")
    assert done.code == 0, done.err
    with Image.open(tmp_path / "out.tif") as result:
        assert getattr(result, "n_frames", 1) == 2
        np.testing.assert_array_equal(np.asarray(result.convert("RGB")), RGB)


@pytest.mark.slow
def test_a_long_chain_of_empty_directories(
    refused: Callable[..., Any], tmp_path: Path, quiet: int
) -> None:
    parts = [struct.pack("<HI", 0, 8 + 6 * (i + 1)) for i in range(100_000)]
    parts[-1] = bytes(6)
    (tmp_path / "in.tif").write_bytes(b"II*\0\x08\0\0\0" + b"".join(parts))
    # Walked in a time that grows with its length alone, or the run would be taken to hang.
    assert refused("in.tif").peak < 2 * quiet
