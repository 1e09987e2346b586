"""Bands of a JPEG decoded alone: the pixels of the whole, whatever its sampling, tables and markers."""

from __future__ import annotations

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from convcli.extensions import extension
from convcli.imaging.formats.jpeg.bands import JpegBands, again, with_all_categories
from convcli.imaging.formats.jpeg.check import ScanRows, checked_rows
from convcli.imaging.formats.jpeg.markers import DHT, frame_header, segments

compiled = pytest.mark.skipif(extension("_png").module is None, reason="needs the compiled loops")
SAMPLINGS = ["444", "422", "420", "440", "411", "gray"]


def pixels_of(kind: int, height: int, width: int) -> np.ndarray:
    """Noise, waves, or two flat halves, from black to white."""
    rng = np.random.default_rng(height)
    y, x = np.mgrid[0:height, 0:width]
    flat = np.where(y[..., None] > height // 2, 255, [0, 9, 3])
    waves = np.stack([x * 2 % 256, y * 2 % 256, x * y % 251], -1)
    return [rng.integers(0, 256, (height, width, 3)), waves, flat][kind].astype(np.uint8)


def saved(pixels: np.ndarray, sampling: str, **options: Any) -> bytes:
    if sampling in ("440", "411"):  # which Pillow does not write
        quality, optimize = options.get("quality", 75), options.get("optimize", False)
        return bytes(
            imagecodecs.jpeg8_encode(pixels, level=quality, subsampling=sampling, optimize=optimize)
        )
    image = Image.fromarray(pixels)
    out = io.BytesIO()
    if sampling == "gray":
        image.convert("L").save(out, "JPEG", **options)
    else:
        how = {"444": 0, "422": 1, "420": 2}[sampling]
        image.save(out, "JPEG", subsampling=how, **options)
    return out.getvalue()


def bands_of(data: bytes) -> JpegBands:
    frame, rows = frame_header(data), checked_rows(data)
    assert frame is not None
    assert rows is not None
    return JpegBands(data, frame, rows)


def joined(data: bytes, band_bytes: int) -> np.ndarray:
    """All rows; those that two bands have are the same in both."""
    bands, frame = bands_of(data), frame_header(data)
    assert frame is not None
    rows = b""
    for made in map(bytes, bands.rows(bytearray, band_bytes)):
        twice = min(again(frame) * bands.row_bytes, len(rows))
        assert made[:twice] == rows[len(rows) - twice :]
        rows += made[twice:]
    return np.frombuffer(rows, np.uint8)


def whole(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data))).ravel()


@compiled
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_bands_have_the_pixels_of_the_whole(sampling: str) -> None:
    rng = np.random.default_rng(SAMPLINGS.index(sampling))
    for turn in range(24):
        height, width = (int(n) for n in rng.integers(1, 150, 2))
        options: dict[str, Any] = {"quality": [1, 100, int(rng.integers(1, 101))][turn % 3]}
        options |= [{}, {"restart_marker_blocks": int(rng.integers(1, 40))},
                    {"restart_marker_rows": 1 + turn % 3}][turn // 3 % 3]  # fmt: skip
        options["optimize"] = turn % 4 > 1
        data = saved(pixels_of(turn % 3, height, width), sampling, **options)
        expected = whole(data)
        for band in (1, 3 * width * 40):
            np.testing.assert_array_equal(
                joined(data, band), expected, f"{height}x{width} {options}"
            )


@compiled
def test_a_table_that_lacks_a_code_gets_it() -> None:
    """Optimised for flat halves, the file has no code for the white that its last rows begin with."""
    rng = np.random.default_rng(3)
    pixels = np.full((64, 64, 3), 255, np.uint8)
    pixels[:32, :, 0] = np.repeat(rng.integers(0, 3, (4, 8)), 8, 0).repeat(8, 1)
    data = saved(pixels, "gray", optimize=True, quality=100)
    (table,) = [data[at + 5 : end] for marker, at, end in segments(data)
                if marker == DHT and data[at + 4] == 0]  # fmt: skip
    assert len(table) - 16 < 12
    np.testing.assert_array_equal(joined(data, 1), whole(data))


def test_room_for_codes() -> None:
    for counts, symbols in (([0, 1, 5, 1, 1, 1, 1, 1, 1], range(12)), ([1], [4]), ([], [])):
        table = bytes(counts).ljust(16, b"\0") + bytes(symbols)
        more = with_all_categories(table)
        assert more is not None
        assert more[16:].startswith(bytes(symbols))
        assert sorted(more[16:]) == list(range(12))
        assert sum(n << 16 - length for length, n in enumerate(more[:16], 1)) < 1 << 16
    full = bytes([2, *[0] * 15, 0, 1])  # both codes of one bit
    assert with_all_categories(full) is None
    assert with_all_categories(bytes([1, *[0] * 15, 16])) is None  # no category of T.81


@compiled
def test_a_table_without_room_is_left_alone() -> None:
    data = saved(pixels_of(1, 40, 40), "gray")
    frame, rows = frame_header(data), checked_rows(data)
    assert frame is not None
    assert rows is not None
    full = bytes([0, 0, 6, 4, *[0] * 12, *range(10)])
    with pytest.raises(ValueError, match="no room"):
        JpegBands(data, frame, rows._replace(tables=(full, *rows.tables[1:])))


@compiled
def test_what_cannot_be_cut_has_no_rows() -> None:
    pixels = pixels_of(1, 60, 50)
    usual = saved(pixels, "420")
    assert checked_rows(usual) is not None
    start = next(end for marker, _, end in segments(usual) if marker == 0xDA)
    for data in (
        saved(pixels, "420", progressive=True),
        usual[:-2],
        usual[: start + 99] + usual[-2:],
        usual[: start + 9] + b"\xff\0" * 4 + usual[start + 9 :],
        usual.replace(b"\xff\xdb", b"ab\xff\xdb", 1),
        usual[:start]
        + usual[start:].replace(b"\xff\0", b"\xff\xff\0", 1),  # libjpeg is of two minds
    ):
        assert checked_rows(data) is None


@compiled
@pytest.mark.parametrize(
    "wrong", ["first", "order", "marks", "shifted", "at", "dc", "blocks", "data"]
)
def test_rows_that_cannot_be_are_refused(wrong: str) -> None:
    """What stands in the marks is not believed."""
    data = saved(pixels_of(1, 64, 64), "420", restart_marker_blocks=3)
    rows = checked_rows(data)
    assert rows is not None
    band = extension("_png").module.band
    cut = {"data": data, "marks": rows.marks, "first": 4, "last": 8, "tables": rows.tables}
    cut |= {"codes": rows.tables[:4], "blocks": rows.blocks, "parts": rows.parts}
    assert band(*cut.values())
    size = len(rows.marks) // sum(1 for _ in struct.iter_unpack("48s", rows.marks))
    far = b"".join(mark[:16] + struct.pack("<q", 1 << 60) + mark[24:]
                   for (mark,) in struct.iter_unpack(f"{size}s", rows.marks))  # fmt: skip
    high = b"".join(mark[:24] + struct.pack("<4i", *[-(1 << 31)] * 4) + mark[40:]
                    for (mark,) in struct.iter_unpack(f"{size}s", rows.marks))  # fmt: skip
    cut |= {
        "first": {"first": 5},
        "order": {"first": 8, "last": 4},
        "marks": {"marks": b""},
        "shifted": {"marks": rows.marks[:-1]},
        "at": {"marks": far},
        "dc": {"marks": high},
        "blocks": {"blocks": b"\x50" * 6},
        "data": {"data": data[: len(data) // 4]},
    }[wrong]
    with pytest.raises(ValueError, match="no such rows"):
        band(*cut.values())


@compiled
def test_any_marks_are_survived() -> None:
    """They come from our own hand; but nothing is read or written where nothing is."""
    rng = np.random.default_rng(11)
    data = saved(pixels_of(0, 48, 40), "420", restart_marker_blocks=2)
    rows = checked_rows(data)
    assert rows is not None
    refused = 0
    for _ in range(400):
        marks = np.frombuffer(rows.marks, np.uint8).copy()
        for at in rng.integers(0, marks.size, 3):
            marks[at] = rng.integers(256)
        some = rng.permutation(np.frombuffer(data, np.uint8)) if rng.integers(4) == 0 else data
        try:
            extension("_png").module.band(
                some, marks.tobytes(), 0, 3 * rows.across, rows.tables, rows.tables[:4],
                rows.blocks, rows.parts,
            )  # fmt: skip
        except ValueError:
            refused += 1
    assert refused > 0


@compiled
def test_marks_amid_a_unit_or_a_stuffed_zero_are_survived() -> None:
    """No bits lie between them, or fewer than the unit has that is coded anew."""
    data = saved(pixels_of(0, 48, 40), "420", quality=100)
    rows = checked_rows(data)
    assert rows is not None
    mark = struct.Struct("<qqq4iii")
    first, last = list(mark.iter_unpack(rows.marks))[:2]
    zero = 8 * (data.index(b"\xff\0", first[2] // 8) + 1)
    places = [(zero - 8 + bit, zero + end) for bit in range(8) for end in range(8)]
    places += [(at, at + bits) for at in range(first[2], last[2], 97) for bits in (1, 40, 300)]
    refused = 0
    for begin, end in places:
        marks = mark.pack(*first[:2], begin, *first[3:]) + mark.pack(last[0], end, *last[2:])
        try:
            extension("_png").module.band(
                data, marks, 0, rows.across, rows.tables, rows.tables[:4], rows.blocks, rows.parts
            )
        except ValueError:
            refused += 1
    assert refused > len(places) // 2


def test_without_the_compiled_loops_there_are_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVCLI_LOOPS", "numpy")
    assert checked_rows(saved(pixels_of(1, 40, 40), "420")) is None
    assert ScanRows._fields[0] == "marks"
