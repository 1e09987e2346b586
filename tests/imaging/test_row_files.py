"""Netpbm, PFM and BMP read and written in bands: the samples and the bytes of the whole way."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.engine.cpu.tiles import Tile
from convcli.errors import InputError
from convcli.imaging.formats import Coding, format_of_suffix
from convcli.imaging.header import Header, Metadata
from convcli.imaging.opening import decode_picture, open_stored
from convcli.imaging.options import FilterOptions
from convcli.imaging.sink import PlanePart, encode_picture, open_sink
from convcli.imaging.source import Frame, Source
from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Report, Request

RNG = np.random.default_rng(11)
H, W = 23, 37
GRAY, RGB = (RNG.integers(0, 256, (H, W, c), np.uint8) for c in (1, 3))
FLOATS = RNG.standard_normal((H, W, 3)).astype(np.float32)
BITS = RNG.integers(0, 2, (H, W, 1), np.uint8)


def bmp(pixels: np.ndarray, mode: str) -> bytes:
    image, out = Image.fromarray(pixels.squeeze()), io.BytesIO()
    if mode == "P":
        image.putpalette(RNG.integers(0, 256, 768, np.uint8).tobytes())
    image.convert(mode).save(out, "BMP", dpi=(72, 144))
    return out.getvalue()


def bmp_of_words(bits: int, top_down: bool) -> bytes:
    """Pixels of 16 or 32 bits, as Windows' programs write them."""
    body = RNG.integers(0, 256, H * (-(-W * bits // 32) * 4), np.uint8).tobytes()
    height = -H if top_down else H
    head = struct.pack("<IiiHHIIiiII", 40, W, height, 1, bits, 0, len(body), 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 54 + len(body), 0, 0, 54) + head + body


LEVELS = RNG.integers(0, 1001, (H, W, 3), np.uint16)
FILES: dict[str, tuple[str, bytes, Any]] = {
    "gray": (".pgm", b"P5 37\n23 255\n" + GRAY.tobytes(), GRAY),
    "colour, said more": (".ppm", b"P6#a\n#b\n37 23 255\n" + RGB.tobytes() + b" \nP6", RGB),
    "16 bits": (
        ".ppm",
        b"P6 37 23 65535\n" + (RGB * 256.0).astype(">u2").tobytes(),
        RGB.astype(np.uint16) * 256,
    ),
    "any maximum": (
        ".ppm",
        b"P6 37 23 1000\n" + LEVELS.astype(">u2").tobytes(),
        np.rint(LEVELS / 1000 * 65535).astype(np.uint16),
    ),
    "bits": (
        ".pbm",
        b"P4 37 23\n" + np.packbits(BITS[..., 0], axis=1).tobytes(),
        (1 - BITS) * np.uint8(255),
    ),
    "floats": (".pfm", b"PF 37 23 -2\n" + FLOATS[::-1].astype("<f4").tobytes(), FLOATS),
    "floats, high first": (".pfm", b"PF 37 23 1\n" + FLOATS[::-1].astype(">f4").tobytes(), FLOATS),
    "bmp": (".bmp", bmp(RGB, "RGB"), RGB),
    "gray bmp": (".bmp", bmp(GRAY, "L"), GRAY),
    "bits of a bmp": (".bmp", bmp(BITS[..., 0] > 0, "1"), BITS * np.uint8(255)),
    "palette": (".bmp", bmp(GRAY, "P"), None),
    "16 bits a pixel, from the top": (".bmp", bmp_of_words(16, True), None),
    "32 bits a pixel": (".dib", bmp_of_words(32, False), None),
}


@pytest.mark.parametrize("name", FILES)
def test_regions_are_those_of_the_whole_picture(name: str, tmp_path: Path) -> None:
    suffix, data, pixels = FILES[name]
    path = tmp_path / f"x{suffix}"
    path.write_bytes(data)
    whole = decode_picture(data, "x")
    if pixels is None:
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(whole.first.pixels, pixels)
    source = open_stored(str(path))
    assert source is not None
    assert source.is_stored
    with source:
        assert (source.shape, source.dtype, source.space) == (whole.shape, whole.dtype, whole.space)
        assert (source.meta, source.notes) == (whole.meta, whole.notes)
        plane = source.first
        for top, bottom, left, right in (
            (0, H, 0, W),
            (3, 9, 5, 36),
            (22, 23, 8, 9),
            (0, 1, 8, 10),
        ):
            got = plane.read((((top, bottom),), ((left, right),)))
            np.testing.assert_array_equal(got, pixels[top:bottom, left:right])
        got = plane.read((((5, 7), (0, 2)), ((30, 37), (1, 2))))
        rows, cols = [5, 6, 0, 1], [*range(30, 37), 1]
        np.testing.assert_array_equal(got, pixels[rows][:, cols])


@pytest.mark.parametrize(
    ("suffix", "space", "alpha", "pixels"),
    [
        (".pgm", "gray", False, GRAY),
        (".ppm", "rgb", False, RGB.astype(np.uint16) * 257),
        (".pfm", "rgb", False, FLOATS),
        (".bmp", "gray", False, GRAY),
        (".bmp", "rgb", False, RGB),
        (".bmp", "rgb", True, np.concatenate([RGB, GRAY], axis=2)),
    ],
)
def test_bands_fill_the_file_that_is_encoded_whole(
    suffix: str,
    space: str,
    alpha: bool,
    pixels: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meta = Metadata(dpi=(72.0, 144.0), comments=[b"one\ntwo"], pfm_scale=3.0)
    header = Header("X", space, alpha, pixels.dtype, (H, W), meta=meta)
    picture = Source.of(header, [Frame(pixels)])
    fmt = format_of_suffix(f"x{suffix}")
    assert fmt is not None
    assert fmt.whole_rows(meta, space, alpha)
    monkeypatch.setattr("convcli.imaging.formats.shared.row_file.PIECE", 5 * pixels[0].nbytes)
    whole = b"".join(encode_picture(picture, fmt, "x"))
    path = tmp_path / f"x{suffix}"
    with open_sink(str(path), fmt, header, picture, overwrite=False, coding=Coding()) as sink:
        sink.write(
            (PlanePart(Tile(top, bottom, 0, W)), pixels[top:bottom])
            for top, bottom in ((0, 7), (7, 8), (8, 23))
        )
    assert path.read_bytes() == whole
    back = decode_picture(whole, "x")
    np.testing.assert_array_equal(back.first.pixels, pixels)
    if suffix == ".bmp" and not alpha:  # as Pillow lays it down
        out = io.BytesIO()
        Image.fromarray(pixels.squeeze()).save(out, "BMP", dpi=(72, 144))
        assert whole == out.getvalue()


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".ppm", FILES["colour, said more"][1][:2000]),
        (".ppm", b"P6 37 23 70000\n" + bytes(20_000)),
        (".ppm", b"P6 37 x 255\n" + bytes(20_000)),
        (".ppm", b"P6 99999 99999 255\n" + bytes(2000)),
        (".pfm", b"Pf 37 23 0\n" + bytes(20_000)),
        (".bmp", FILES["bmp"][1][:2000]),
        (".ppm", b"P6"),
    ],
    ids=["cut", "maximum", "letters", "huge", "scale", "cut bmp", "two bytes"],
)
def test_what_is_damaged_is_told_as_of_the_whole_file(
    suffix: str, data: bytes, tmp_path: Path
) -> None:
    """By the way in parts, or by leaving it to the whole way."""
    path = tmp_path / f"x{suffix}"
    path.write_bytes(data)
    with pytest.raises(InputError) as whole:
        decode_picture(data, str(path))
    try:
        assert open_stored(str(path)) is None
    except InputError as error:
        assert str(error) == str(whole.value)


def test_what_is_something_else_or_says_too_much_is_read_whole(tmp_path: Path) -> None:
    """Another format by its name, text, and a header that does not end soon."""
    long = b"P6" + b"#" + b"a" * (1 << 17) + b"\n1 1 255\nabc"
    for number, data in enumerate((FILES["bmp"][1], b"P3 1 1 255 1 2 3", long)):
        path = tmp_path / f"{number}.ppm"
        path.write_bytes(data)
        assert open_stored(str(path)) is None
        assert decode_picture(data, "x").first.pixels.size


def test_a_bmp_that_could_not_say_its_size_is_refused(tmp_path: Path) -> None:
    fmt = format_of_suffix("x.bmp")
    assert fmt is not None
    header = Header("X", "rgb", False, np.dtype(np.uint8), (1 << 16, 1 << 15))
    picture = Source.of(header, [])
    path = str(tmp_path / "x.bmp")
    with (
        pytest.raises(Exception, match=r"x\.bmp: cannot be encoded as BMP: File size is too large"),
        open_sink(path, fmt, header, picture, overwrite=False, coding=Coding()),
    ):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("source", "target"), [(".ppm", ".ppm"), (".bmp", ".ppm"), (".ppm", ".bmp")]
)
def test_bands_give_the_file_of_the_whole_way(
    source: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = RNG.integers(0, 256, (1500, 1100, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"x{source}")
    made = []
    for name, flows_from in (("whole", 1 << 40), ("bands", 0)):
        monkeypatch.setattr("convcli.imaging.row_stream.FLOWING", flows_from)
        out = str(tmp_path / f"{name}{target}")
        request = Request(
            (str(tmp_path / f"x{source}"),),
            (load_kernel("gaussian:3"),),
            output=out,
            options=FilterOptions(threads=2),
        )
        (report,) = Batch(request).run()
        assert isinstance(report, Report)
        made.append((report.parts > 1, Path(out).read_bytes()))
    (whole, expected), (bands, got) = made
    assert (whole, bands) == (False, True)
    assert got == expected
