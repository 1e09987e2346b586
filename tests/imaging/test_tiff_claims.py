"""What the header of a TIFF says: sizes believed or not, resolution, kinds that are not read."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from convcli.errors import InputError
from convcli.imaging.formats import format_of_name
from convcli.imaging.formats.shared.array_file import MOST_FOLDED
from convcli.imaging.opening import decode_picture, open_stored
from convcli.imaging.options import MAX_PIXELS
from convcli.imaging.sink import encode_picture
from convcli.imaging.source import Frame, Source


def claiming(width: int, height: int, rows: int, compression: int, strips: int) -> bytes:
    """A gray TIFF of so many strips of ``rows`` rows, all of them at byte 8."""
    tables = 8 + 2 + 12 * 9 + 4
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression)]
    entries += [(262, 3, 1, 1), (273, 4, strips, tables), (277, 3, 1, 1), (278, 4, 1, rows)]
    entries += [(279, 4, strips, tables + 4 * strips)]
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4)
    each = rows * width if compression == 1 else 1
    return head + struct.pack("<I", 8) * strips + struct.pack("<I", each) * strips


SIDE = int(MAX_PIXELS**0.5)


@pytest.mark.parametrize(
    ("width", "height", "rows", "compression", "strips", "size", "believed"),
    [
        (0, 9, 9, 1, 2, 0, False),
        (9, 0, 9, 1, 2, 0, False),
        (100, 100, 50, 1, 2, 10_000, True),
        (100, 100, 50, 1, 2, 9_999, False),
        (100, 100, 50, 8, 2, -(-10_000 // MOST_FOLDED), True),
        (1000, 1000, 500, 8, 2, 1_000_000 // MOST_FOLDED - 1, False),
        (1000, 1000, 500, 8, 2, -(-1_000_000 // MOST_FOLDED), True),
        (1000, 1000, 300, 8, 4, 10_000, True),
        (1000, 1000, 300, 8, 3, 10_000, False),  # the last rows have no strip
        (SIDE, 2 * SIDE, SIDE, 8, 2, 3 * MAX_PIXELS // MOST_FOLDED, True),
        (SIDE + 1, 2 * SIDE + 2, SIDE + 1, 8, 2, 3 * MAX_PIXELS // MOST_FOLDED, False),
    ],
)
def test_a_claim_is_believed_if_the_file_can_hold_it(
    tmp_path: Path, width: int, height: int, rows: int, compression: int, strips: int, size: int,
    believed: bool,
) -> None:  # fmt: skip
    """Otherwise it is read whole, where ``--max-pixels`` decides."""
    data = claiming(width, height, rows, compression, strips)
    path = tmp_path / "x.tif"
    path.write_bytes(data)
    with path.open("r+b") as file:
        file.truncate(max(size, len(data) if believed else size or len(data)))
    if not believed and size and size < len(data):
        pytest.skip("the header alone is longer")
    source = open_stored(str(path))
    assert (source is not None) == believed
    if source is not None:
        source.close()


def written(pixels: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, metadata=None, **options)
    return out.getvalue()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
@pytest.mark.parametrize("unit, factor", [("INCH", 1.0), ("CENTIMETER", 2.54)])
def test_resolution_is_that_of_each_axis_in_dots_per_inch(
    dtype: str, unit: str, factor: float
) -> None:
    data = written(np.zeros((4, 5), dtype), resolution=(300, 150), resolutionunit=unit)
    assert decode_picture(data, "x").meta.dpi == pytest.approx((300 * factor, 150 * factor))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
@pytest.mark.parametrize("numbers", [(0, 150), (300, 0)])
def test_a_resolution_of_zero_is_none(dtype: str, numbers: tuple[int, int]) -> None:
    data = written(np.zeros((4, 5), dtype), resolution=numbers, resolutionunit="INCH")
    assert decode_picture(data, "x").meta.dpi is None


def test_resolution_without_a_unit_says_nothing() -> None:
    data = written(np.zeros((4, 5), np.uint16), resolution=(3, 2), resolutionunit="NONE")
    assert decode_picture(data, "x").meta.dpi is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (written(np.zeros((4, 5, 3), np.uint16), photometric="cielab"), "CIELAB is not read"),
        (written(np.zeros((2, 16, 16), np.uint16), volumetric=True, tile=(2, 16, 16)), "not read"),
        (written(np.zeros((4, 5), np.float32), photometric="miniswhite"), "0 is white"),
        (
            written(np.zeros((4, 6, 6), np.uint16), photometric="separated", planarconfig="contig"),
            "6 samples per pixel",
        ),
        (
            written(np.zeros((4, 5, 4), np.uint16), photometric="rgb", extrasamples=["assocalpha"]),
            "premultiplied",
        ),
    ],
    ids=["lab", "volume", "white_is_zero", "six_samples", "premultiplied"],
)
def test_kinds_that_are_not_read_are_named(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        decode_picture(data, "x.tif")


def test_white_is_zero_is_turned_round() -> None:
    for dtype, white in (("uint8", 255), ("uint16", 65535)):
        pixels = np.array([[0, 1, white]], dtype)
        (frame,) = decode_picture(written(pixels, photometric="miniswhite"), "x").frames
        assert frame.pixels.ravel().tolist() == [white, white - 1, 0]


def test_planes_are_put_side_by_side() -> None:
    pixels = np.random.default_rng(1).integers(0, 65536, (3, 4, 5), dtype=np.uint16)
    (frame,) = decode_picture(
        written(pixels, photometric="rgb", planarconfig="separate"), "x"
    ).frames
    np.testing.assert_array_equal(frame.pixels, pixels.transpose(1, 2, 0))


def test_pages_of_other_kinds_are_refused() -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(np.zeros((4, 5), np.float64), metadata=None)
        writer.write(np.zeros((4, 5), np.float32), metadata=None)
    with pytest.raises(InputError, match="mix kinds"):
        decode_picture(out.getvalue(), "x.tif")


def test_xmp_is_written_as_bytes() -> None:
    """XMP specification, part 3: tag 700, of type BYTE."""
    picture = Source("TIFF", "gray", False, np.dtype("uint8"), (4, 5), [])
    picture.frames = [Frame(np.zeros((4, 5, 1), np.uint8))]
    picture.meta.xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    data = encode_picture(picture, format_of_name("tiff"), "o.tif")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages.first.tags[700]
        assert (int(tag.dtype), bytes(tag.value)) == (1, picture.meta.xmp)
    assert decode_picture(data, "x").meta.xmp == picture.meta.xmp


@pytest.mark.parametrize(
    ("shape", "dtype", "photometric", "space"),
    [
        ((4, 5, 4), "uint8", "separated", "cmyk"),
        ((4, 5), "uint16", "minisblack", "gray"),
        ((4, 5), "float32", "minisblack", "gray"),
    ],
)
def test_pages_of_one_kind_are_frames(
    shape: tuple[int, ...], dtype: str, photometric: str, space: str
) -> None:
    pages = [np.full(shape, level).astype(dtype) for level in (1, 200)]
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for page in pages:
            writer.write(page, photometric=photometric, metadata=None)
    picture = decode_picture(out.getvalue(), "x.tif")
    assert (picture.n_frames, picture.space, picture.dtype) == (2, space, np.dtype(dtype))
    for frame, page in zip(picture.frames, pages, strict=True):
        np.testing.assert_array_equal(frame.pixels, page.reshape(4, 5, -1))


def with_tag(data: bytes, tag: int, kind: int, count: int, value: bytes) -> bytes:
    """A little-endian TIFF one of whose tags has another type and value; another tag if it is 0."""
    (at,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, at)
    table = [bytearray(data[at + 2 + 12 * i : at + 14 + 12 * i]) for i in range(entries)]
    for entry in table:
        if struct.unpack_from("<H", entry)[0] == tag:
            where = value if len(value) <= 4 else struct.pack("<I", len(data))
            entry[:] = struct.pack("<HHI", tag if kind else 65000, kind or 1, count)
            entry += where.ljust(4, b"\0")
    table.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    end = at + 2 + 12 * entries
    behind = value if len(value) > 4 else b""
    return data[: at + 2] + b"".join(table) + data[end:] + behind


@pytest.mark.parametrize("tag", [256, 257], ids=["width", "height"])
@pytest.mark.parametrize(("kind", "form"), [(4, "I"), (9, "i"), (13, "I"), (16, "Q"), (18, "Q")])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_size_of_any_type_is_held_to_the_limit(
    tag: int, kind: int, form: str, dtype: str
) -> None:
    value = struct.pack(f"<{form}", 10**9 if form in "Ii" else 10**11)
    data = with_tag(written(np.zeros((4, 5, 3), dtype)), tag, kind, 1, value)
    with pytest.raises(InputError, match=r"at most|Dimensions|too large"):
        decode_picture(data, "x.tif")


SPARED = (274, 282, 283, 296)
"""Orientation and resolution: no picture is refused for them."""
PYTHON_WORDS = re.compile("object|attribute|index|unpack|not supported|argument|tuple|bytes-like")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_tags_that_are_missing_or_of_another_type_are_done_without_or_named(
    dtype: str, tmp_path: Path
) -> None:
    """In words of pictures, not of Python."""
    pixels = np.random.default_rng(2).integers(0, 256, (4, 5, 3)).astype(dtype)
    tags = [(274, 3, 1, 1, True)]
    data = written(
        pixels, photometric="rgb", resolution=(3, 2), resolutionunit="INCH", extratags=tags
    )
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        present = [tag.code for tag in file.pages.first.tags]
    path = tmp_path / "x.tif"
    for tag in present:
        for kind, count, value in [(0, 0, b""), (1, 1, b"\1"), (2, 2, b"7\0"), (3, 0, b""),
                                   (3, 3, b"\1\0" * 3), (12, 1, bytes(8)), (99, 1, b"")]:  # fmt: skip
            path.write_bytes(with_tag(data, tag, kind, count, value))
            for read in (lambda: decode_picture(path.read_bytes(), "x"), opened(path)):
                try:
                    read()
                except InputError as error:
                    assert tag not in SPARED, (tag, kind, str(error))
                    assert not PYTHON_WORDS.search(str(error)), (tag, kind, str(error))


def opened(path: Path) -> Callable[[], None]:
    def read() -> None:
        source = open_stored(str(path))
        if source is not None:
            source.close()

    return read
