"""TIFFs whose strips or tiles are missing, short or empty: no row that is not in the file, unsaid."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.formats.shared.quiet import silence_libtiff
from convcli.imaging.opening import decode_picture, open_stored

RNG = np.random.default_rng(4)
GRAY = RNG.integers(1, 255, (40, 48), np.uint8)
DEEP = RNG.integers(1, 65535, (40, 48, 3), np.uint16)
OFFSETS, COUNTS = {"strips": 273, "tiles": 324}, {"strips": 279, "tiles": 325}
KINDS = [
    (pixels, kind, compression)
    for pixels in (GRAY, DEEP)
    for kind in ("strips", "tiles")
    for compression in (None, "zlib", "lzw")
]
kinds = pytest.mark.parametrize(("pixels", "kind", "compression"), KINDS)


def written(pixels: np.ndarray, kind: str, compression: str | None) -> bytes:
    """Five strips of eight rows, or nine tiles."""
    out = io.BytesIO()
    how: dict[str, Any] = {"tile": (16, 16)} if kind == "tiles" else {"rowsperstrip": 8}
    colour = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(out, pixels, photometric=colour, compression=compression, metadata=None, **how)
    return out.getvalue()


def changed(data: bytes, tag: int, *values: int, at: int = 0, count: int | None = None) -> bytes:
    """The file with other numbers in a tag, from number ``at`` on, or another count of them."""
    out = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        found = file.pages.first.tags[tag]
        size = struct.calcsize(f"<{'HIQ'[found.dtype // 4]}" if found.dtype != 3 else "<H")
        struct.pack_into(f"<{len(values)}{'H' if size == 2 else 'I'}", out,
                         found.valueoffset + size * at, *values)  # fmt: skip
        if count is not None:
            struct.pack_into("<I", out, found.offset + 4, count)
    return bytes(out)


def refusal(data: bytes, path: Path) -> str:
    """What is said of it, read whole and part by part."""
    path.write_bytes(data)
    with pytest.raises(InputError) as whole:
        decode_picture(data, str(path))
    with pytest.raises(InputError) as parts:
        source = open_stored(str(path))
        if source is None:
            raise whole.value  # left to be read whole
        with source:
            source.first.read(([(0, source.shape[0])], [(0, source.shape[1])]))
    assert str(parts.value).count("\n") == 0
    return str(whole.value)


@kinds
def test_what_is_missing_or_short_is_refused(
    pixels: np.ndarray, kind: str, compression: str | None, tmp_path: Path
) -> None:
    data, path = written(pixels, kind, compression), tmp_path / "x.tif"
    wanted = {"strips": 5, "tiles": 9}[kind]
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        last = file.pages.first.dataoffsets[-1] + file.pages.first.databytecounts[-1]
    fewer = changed(data, OFFSETS[kind], count=wanted - 1)
    assert f"has {wanted - 1} of the {wanted} {kind}" in refusal(fewer, path)
    more = changed(data, 257, 400)
    assert f"has {wanted} of the" in refusal(more, path)
    assert refusal(data[: last - 10], path)
    if compression is None:
        short = changed(data, COUNTS[kind], 100, at=2)
        assert f"100 bytes for number 3 of the {wanted} {kind}" in refusal(short, path)
    else:
        assert refusal(changed(data, COUNTS[kind], 20, at=2), path)


@pytest.mark.parametrize("compression", ["zlib", "lzma"])
def test_a_wrong_checksum_is_refused(compression: str, tmp_path: Path) -> None:
    """libtiff stops reading where the pixels do, before it."""
    data = bytearray(written(GRAY, "strips", compression))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        end = file.pages.first.dataoffsets[3] + file.pages.first.databytecounts[3]
    data[end - (2 if compression == "zlib" else 30)] ^= 1
    said = refusal(bytes(data), tmp_path / "x.tif")
    assert "number 4 of the 5 strips of the TIFF is damaged" in said


@pytest.mark.parametrize("pixels", [GRAY.astype(np.uint16), DEEP], ids=["gray", "rgb"])
@pytest.mark.parametrize("damage", [(2, "H", 143), (4, "I", 1 << 30), (4, "I", 0)])
def test_a_damaged_tag_of_the_layout_is_refused(
    pixels: np.ndarray, damage: tuple[int, str, int], tmp_path: Path
) -> None:
    """Its type, or how many numbers it has. Without it, of 16 bits one would be left."""
    data = bytearray(written(pixels, "strips", None))
    at, code, value = damage
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        struct.pack_into(f"<{code}", data, file.pages.first.tags[258].offset + at, value)
    assert "tag 258 is damaged" in refusal(bytes(data), tmp_path / "x.tif")


@pytest.mark.parametrize(
    ("kind", "tag", "value", "says"),
    [
        ("tiles", 323, 2**32 - 1, "claims tiles of 16x4294967295 pixels"),
        ("strips", 259, 4, "claims 16 bits for each pixel in the codes of fax machines"),
        ("tiles", 325, 0, "0 bytes for number 1 of the 9 tiles"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_tried(
    kind: str, tag: int, value: int, says: str, tmp_path: Path
) -> None:
    data = written(GRAY.astype(np.uint16), kind, None)
    with tifffile.TiffFile(io.BytesIO(data)) as file:  # one number, in its own place
        assert file.pages.first.tags[tag].count in (1, 9)
    assert says in refusal(changed(data, tag, value), tmp_path / "x.tif")


def test_strips_that_are_too_many_are_not_laid_over_the_others(tmp_path: Path) -> None:
    """As Pillow does."""
    (frame,) = decode_picture(changed(written(GRAY, "strips", None), 257, 8), "x.tif").frames
    np.testing.assert_array_equal(frame.pixels[..., 0], GRAY[:8])


def test_jpegs_that_are_smaller_than_their_strips_are_refused(tmp_path: Path) -> None:
    data = changed(written(GRAY, "strips", "jpeg"), 256, 480)
    assert "has 48x" in refusal(data, tmp_path / "x.tif")


@kinds
@pytest.mark.parametrize("tag", [256, 257])
def test_a_page_without_a_size_is_refused(
    pixels: np.ndarray, kind: str, compression: str | None, tag: int, tmp_path: Path
) -> None:
    """Or with one of a number that tags of its type cannot have, which readers pass over."""
    data = written(pixels, kind, compression)
    assert re.search(r"claims \d+x\d+ pixels", refusal(changed(data, tag, 0), tmp_path / "x.tif"))


@kinds
@pytest.mark.parametrize("counted", [False, True], ids=["without_a_length", "with_one"])
def test_what_is_empty_is_said_to_be(
    pixels: np.ndarray, kind: str, compression: str | None, counted: bool, tmp_path: Path
) -> None:
    """As GDAL and tifffile write pictures that are mostly empty."""
    data, path = written(pixels, kind, compression), tmp_path / "x.tif"
    data = changed(data, OFFSETS[kind], 0, at=1)
    if not counted:
        data = changed(data, COUNTS[kind], 0, at=1)
    path.write_bytes(data)
    expected = pixels.reshape(40, 48, -1).copy()
    expected[slice(8, 16) if kind == "strips" else slice(16), : 48 if kind == "strips" else 32][
        :, 0 if kind == "strips" else 16 :
    ] = 0
    picture = decode_picture(data, "x.tif")
    (frame,) = picture.frames
    np.testing.assert_array_equal(frame.pixels, expected)
    source = open_stored(str(path))
    assert source is not None
    with source:
        got = source.first.read(([(0, 40)], [(0, 48)]))
    np.testing.assert_array_equal(got, expected)
    assert [*picture.notes, *source.notes] == 2 * [
        f"1 of its {5 if kind == 'strips' else 9} {kind} are not there and were left empty"
    ]


@pytest.mark.parametrize("said", [0, 7])
def test_one_strip_that_gives_a_wrong_length_is_read(said: int) -> None:
    """Without compression nobody needs the length; libtiff warns and reads on."""
    out = io.BytesIO()
    tifffile.imwrite(out, GRAY, metadata=None)
    picture = decode_picture(changed(out.getvalue(), 279, said), "x.tif")
    (frame,) = picture.frames
    np.testing.assert_array_equal(frame.pixels[..., 0], GRAY)
    assert f"take 1920 bytes, and it says {said}" in picture.notes[0]


@pytest.mark.parametrize("pixels", [GRAY, np.stack([GRAY] * 3, -1)], ids=["gray", "rgb"])
def test_pixels_that_libjpeg_makes_up_are_said(pixels: np.ndarray, tmp_path: Path) -> None:
    data = written(pixels, "strips", "jpeg")
    assert decode_picture(data, "x.tif").notes == []
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        start, size = file.pages.first.dataoffsets[1], file.pages.first.databytecounts[1]
    whole = data[start : start + size]
    cut = whole[: size * 3 // 4].rstrip(b"\xff") + b"\xff\xd9"
    data = data[:start] + cut + data[start + len(cut) :]
    (note,) = decode_picture(data, "x.tif").notes
    assert re.match(
        r"number 2 of the . strips of the TIFF: its pixels end in row 0 of .*; from there on", note
    )
    path = tmp_path / "x.tif"
    path.write_bytes(data)
    source = open_stored(str(path))
    if source is not None:  # RGB is stored as YCbCr, and read whole
        with source:
            source.first.read(([(0, 40)], [(0, 48)]))
            assert any("from there on some are made up" in note for note in source.notes)


@pytest.mark.skipif(not silence_libtiff(), reason="libtiff is linked invisibly")
def test_what_libtiff_minds_and_reads_is_said() -> None:
    """Fax codes that are none: the rest of the row is made up."""
    out = io.BytesIO()
    Image.fromarray(GRAY > 100).save(out, "TIFF", compression="group4")
    data = out.getvalue()
    assert not [n for n in decode_picture(data, "x.tif").notes if "libtiff" in n]
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        start, size = file.pages.first.dataoffsets[0], file.pages.first.databytecounts[0]
    middle = start + size // 2
    data = data[:middle] + b"Z" * (start + size - middle) + data[start + size :]
    notes = decode_picture(data, "x.tif").notes
    assert any("libtiff says: " in note and "code word" in note for note in notes)


def test_a_page_whose_directory_is_not_there_is_not_left_out(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for pixels in (GRAY, GRAY[::-1]):
            writer.write(pixels, metadata=None)
    data = bytearray(out.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        first, second = file.pages[0].offset, file.pages[1].offset
    at = data.index(struct.pack("<I", second), first)
    struct.pack_into("<I", data, at, len(data) - 5)
    assert "page 2" in refusal(bytes(data), tmp_path / "x.tif")
