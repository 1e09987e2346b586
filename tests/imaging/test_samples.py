"""Samples, however many, deep and ordered: all of them, as they are meant, or a word of it."""

from __future__ import annotations

import io
import itertools
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.formats.png.chunks import Ihdr, assemble, chunk
from convcli.imaging.header import widened
from convcli.imaging.opening import decode_picture, open_stored
from convcli.imaging.source import Source
from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Request

RNG = np.random.default_rng(11)
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, UNKNOWN = 0, 1, 2, 3, 5, 77
TAKES = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, UNKNOWN: 1}
BYTE, SHORT, LONG, QUAD = 1, 3, 4, 16
FORMATS = {BYTE: "B", SHORT: "H", LONG: "I", QUAD: "Q"}
COLOURS = RNG.integers(0, 65536, (3, 65536))


def packed(samples: np.ndarray, bits: int, backwards: bool) -> bytes:
    """Rows of samples (rows, samples a row), each row from a byte on."""
    shifts = np.arange(bits - 1, -1, -1)
    rows = np.packbits((samples[..., None] >> shifts & 1).reshape(len(samples), -1), axis=1)
    if backwards:
        rows = np.packbits(np.unpackbits(rows, axis=1).reshape(-1, 8)[:, ::-1])
    return rows.tobytes()


def tiff(
    pixels: np.ndarray,
    kind: int | None,
    bits: int = 8,
    *,
    planes: bool = False,
    backwards: bool = False,
    big: bool = False,
    extra: tuple[int, ...] = (),
    extra_type: int = SHORT,
) -> bytes:
    """An uncompressed TIFF, byte by byte: no library writes all that is found."""
    height, width, count = pixels.shape
    if planes:
        strips = [packed(pixels[..., i], bits, backwards) for i in range(count)]
    else:
        strips = [packed(pixels.reshape(height, -1), bits, backwards)]
    start, pointer = (16, QUAD) if big else (8, LONG)
    tags: dict[int, tuple[int, Any]] = {
        256: (SHORT, [width]),
        257: (SHORT, [height]),
        258: (SHORT, [bits] * count),
        259: (SHORT, [1]),
        262: (SHORT, [kind]),
        266: (SHORT, [2 if backwards else 1]),
        273: (pointer, [start + i * len(strips[0]) for i in range(len(strips))]),
        277: (SHORT, [count]),
        278: (SHORT, [height]),
        279: (pointer, [len(strip) for strip in strips]),
        284: (SHORT, [2 if planes else 1]),
        320: (SHORT, COLOURS[:, : 2**bits].ravel()),
        338: (extra_type, extra),
    }
    tags = {tag: value for tag, value in tags.items() if tag != 262 or kind is not None}
    tags = {t: v for t, v in tags.items() if (t != 320 or kind == PALETTE) and len(v[1])}
    room, entry = struct.calcsize(FORMATS[pointer]), "HHQ" if big else "HHI"
    directory = start + sum(map(len, strips))
    table = directory + (8 if big else 2) + len(tags) * (4 + 2 * room) + room
    head, behind = struct.pack(">Q" if big else ">H", len(tags)), b""
    for tag, (form, values) in tags.items():
        value = struct.pack(f">{len(values)}{FORMATS[form]}", *map(int, values))
        if len(value) > room:
            value, behind = struct.pack(f">{FORMATS[pointer]}", table + len(behind)), behind + value
        head += struct.pack(f">{entry}", tag, form, len(values)) + value.ljust(room, b"\0")
    magic = b"MM\0+\0\x08\0\0" if big else b"MM\0*"
    first = struct.pack(f">{FORMATS[pointer]}", directory)
    return magic + first + b"".join(strips) + head + bytes(room) + behind


def only_frame(picture: Source) -> np.ndarray:
    (frame,) = picture.frames
    return frame.pixels


def refusal(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        decode_picture(data, "x.tif")
    message = str(caught.value)
    assert "\n" not in message and "object" not in message and "raw mode" not in message
    return message


# ------------------------------------------------------------------ how many there are


MEANINGS = [(), (0,), (1,), (2,), (999,)]
"""ExtraSamples: not there; no meaning; premultiplied alpha; alpha; what Corel Draw writes."""


BY_PILLOW = [(RGB, (1,)), (PALETTE, (2,))]
"""Colours divided by premultiplied alpha, and palettes with alpha: other pixels than are stored."""


@pytest.mark.parametrize(
    ("kind", "bits"), [*itertools.product(TAKES, [8]), *itertools.product([0, RGB, CMYK], [16])]
)
def test_samples_beyond_the_colours_are_alpha_bands_or_refused(kind: int, bits: int) -> None:
    """Never left out; and nobody weights colours by what is not said to be alpha."""
    for count, planes, meaning in itertools.product(range(1, 9), (False, True), MEANINGS):
        extra = count - TAKES[kind]
        if meaning and extra < 1:
            continue
        pixels = RNG.integers(0, 2**bits, (3, 5, count))
        said = meaning + (0,) * (extra - 1) if meaning else ()
        data = tiff(pixels, kind, bits, planes=planes, extra=said)
        if bits == 8 and not planes and (kind, said) in BY_PILLOW:
            assert decode_picture(data, "x.tif").alpha
            continue
        alpha = said == (2,) or (kind == RGB and said in ((), (999,)))
        many = kind in (BLACK_IS_ZERO, RGB) and extra > 0 and not (extra == 1 and alpha)
        if many and set(said) <= {0}:
            picture = decode_picture(data, "x.tif")
            assert (picture.space, picture.bands, picture.alpha) == ("bands", count, False)
            np.testing.assert_array_equal(only_frame(picture), pixels)
            continue
        if (
            kind == UNKNOWN
            or extra not in (0, 1)
            or (extra == 1 and (kind == PALETTE or not alpha))
        ):
            says = "of kind 77" if kind == UNKNOWN else f"{count} samples|premultiplied"
            assert re.search(says, refusal(data))
            continue
        picture = decode_picture(data, "x.tif")
        expected = COLOURS[:, pixels[..., 0]].transpose(1, 2, 0) >> 8 if kind == PALETTE else pixels
        if kind == WHITE_IS_ZERO:
            expected = 2**bits - 1 - pixels
        assert picture.alpha == (extra == 1)
        np.testing.assert_array_equal(only_frame(picture), expected)


@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize(("count", "kind"), [(6, "separated"), (7, "separated")])
def test_inks_are_refused_whatever_reads_them(
    compression: str | None, planes: str, count: int, kind: str, tmp_path: Path
) -> None:
    pixels = RNG.integers(0, 256, (4, 6, count), dtype=np.uint8)
    stored = np.moveaxis(pixels, -1, 0) if planes == "separate" else pixels
    path = tmp_path / "bands.tif"
    tifffile.imwrite(path, stored, photometric=kind, planarconfig=planes, compression=compression)
    assert f"{count} samples" in refusal(path.read_bytes())
    assert open_stored(str(path)) is None  # nor read in parts


def test_extra_samples_of_another_type_are_understood() -> None:
    pixels = RNG.integers(0, 256, (3, 5, 2))
    picture = decode_picture(tiff(pixels, BLACK_IS_ZERO, extra=(2,), extra_type=BYTE), "x")
    assert picture.alpha
    np.testing.assert_array_equal(only_frame(picture), pixels)


# ------------------------------------------------------------------ what they mean


def test_samples_without_their_depth_are_refused() -> None:
    """Where one number a sample is too much for the entry, it is lost with the end of the file."""
    data = tiff(RNG.integers(0, 256, (3, 5, 3)), RGB)
    assert "258" in refusal(data.replace(struct.pack(">HHI", 258, SHORT, 3), bytes(8)))


@pytest.mark.parametrize("bits", [1, 8, 16])
@pytest.mark.parametrize("count", [1, 3])
def test_a_tiff_that_does_not_say_what_0_is_is_refused(bits: int, count: int) -> None:
    assert "262" in refusal(tiff(RNG.integers(0, 2, (3, 5, count)), None, bits))


@pytest.mark.parametrize("compression", ["tiff_ccitt", "group3", "group4", "jpeg"])
def test_fax_says_itself_that_0_is_white(compression: str) -> None:
    image = Image.fromarray(RNG.integers(0, 2, (9, 40), dtype=np.uint8) * 255)
    out = io.BytesIO()
    image.convert("L" if compression == "jpeg" else "1").save(out, "TIFF", compression=compression)
    with tifffile.TiffFile(io.BytesIO(out.getvalue())) as file:
        at, kind = file.pages.first.tags[262].offset, file.pages.first.photometric
    data = bytearray(out.getvalue())
    data[at : at + 2] = (263).to_bytes(2, "little")  # another tag
    if compression == "jpeg":
        assert "262" in refusal(bytes(data))
        return
    got = only_frame(decode_picture(bytes(data), "x"))[..., 0]
    np.testing.assert_array_equal(got if kind == WHITE_IS_ZERO else 255 - got, image)


# ------------------------------------------------------------------ how deep they are


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 12])
@pytest.mark.parametrize("kind", [WHITE_IS_ZERO, BLACK_IS_ZERO, PALETTE])
def test_odd_depths_are_read_and_named(bits: int, kind: int) -> None:
    pixels = RNG.integers(0, 2**bits, (5, 11, 1))
    levels = 2**bits - 1 - pixels if kind == WHITE_IS_ZERO else pixels
    for planes, backwards, big in itertools.product((False, True), repeat=3):
        data = tiff(pixels, kind, bits, planes=planes, backwards=backwards, big=big)
        if kind == PALETTE and bits == 12:
            assert "palette" in refusal(data)
            continue
        picture = decode_picture(data, "x")
        if kind == PALETTE:
            expected = COLOURS[:, : 2**bits][:, pixels[..., 0]].transpose(1, 2, 0) >> 8
        else:
            expected = np.rint(levels * 255 / (2**bits - 1)) if bits < 8 else levels
        np.testing.assert_array_equal(only_frame(picture), expected)
        assert picture.notes == ([] if kind == PALETTE else [widened(bits)])


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.pbm"])
def test_one_bit_that_becomes_eight_is_said(name: str, tmp_path: Path) -> None:
    Image.fromarray(np.eye(9, dtype=np.uint8) * 255).convert("1").save(tmp_path / name)
    request = Request(
        (str(tmp_path / name),), (load_kernel("identity"),), output=str(tmp_path / f"o{name[1:]}")
    )
    (report,) = Batch(request).run()
    assert report.warnings == ["its 1-bit samples were widened to 8 bits"]


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_of_a_gray_png_are_said(bits: int) -> None:
    rows = b"".join(b"\0" + packed(row[None], bits, False) for row in np.eye(9, dtype=np.uint8))
    pixels = [chunk(b"IDAT", zlib.compress(rows))]
    data = b"".join(assemble(Ihdr(9, 9, bits, 0, False), [], pixels))
    assert decode_picture(data, "x").notes == [widened(bits)]


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_depth_that_is_lost_with_an_avif_is_said(bits: int) -> None:
    if not imagecodecs.AVIF.available:
        pytest.skip("needs imagecodecs with AVIF")
    pixels = np.full((16, 16, 3), 2**bits // 3, np.uint8 if bits == 8 else np.uint16)
    picture = decode_picture(imagecodecs.avif_encode(pixels, bitspersample=bits), "x")
    assert abs(only_frame(picture).astype(int) - 85).max() <= 2
    assert [f"{bits}-bit" in note for note in picture.notes] == [True] * (bits > 8)
