"""JPEGs that lack pixels, which libjpeg makes up: said, with the row."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.extensions import extension
from convcli.imaging.formats.jpeg import check as jpeg_check
from convcli.imaging.formats.jpeg.check import jpeg_faults
from convcli.imaging.formats.jpeg.markers import segments
from convcli.imaging.opening import decode_picture

compiled = pytest.mark.skipif(extension("_png").module is None, reason="needs the compiled loops")
y, x = np.mgrid[0:101, 0:123]
RGB = np.stack([x * 2 % 256, y * 2 % 256, x * y % 251], -1).astype(np.uint8)

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "420": ("RGB", {}),
    "422": ("RGB", {"subsampling": 1, "quality": 97}),
    "444": ("RGB", {"subsampling": 0, "optimize": True}),
    "gray": ("L", {"quality": 20}),
    "cmyk": ("CMYK", {}),
    "restarts": ("RGB", {"restart_marker_blocks": 5}),
    "progressive": ("RGB", {"progressive": True}),
    "progressive_gray": ("L", {"progressive": True, "quality": 97}),
    "progressive_restarts": ("RGB", {"progressive": True, "restart_marker_rows": 1}),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def saved(kind: str, pixels: np.ndarray = RGB) -> bytes:
    mode, options = KINDS[kind]
    out = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(out, "JPEG", **options)
    return out.getvalue()


def scan_of(data: bytes) -> int:
    """Where the first coded data begin."""
    return [end for _, _, end in segments(data)][-1]


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@kinds
@pytest.mark.parametrize("size", [(101, 123), (8, 8), (1, 1), (17, 3)])
def test_a_whole_file_has_no_fault(kind: str, size: tuple[int, int]) -> None:
    data = saved(kind, RGB[: size[0], : size[1]])
    assert jpeg_faults(data) == []
    assert jpeg_faults(data + b"what follows") == []
    assert jpeg_check._by_padding(data) == []


@compiled
@kinds
def test_rows_that_lack_are_named(kind: str) -> None:
    """The rows above, but for the one that is blended with it, are those of the whole file."""
    data = saved(kind)
    whole, start = pixels_of(data), scan_of(data)
    for part in (0.1, 0.4, 0.9):
        cut = data[: start + int((len(data) - start) * part)].rstrip(b"\xff") + b"\xff\xd9"
        faults = jpeg_faults(cut)
        assert faults
        named = [fault for fault in faults if "from there on" in fault]
        if "progressive" in kind:  # all rows are there, some of them coarse
            assert named or "coarse" in faults[-1] or "no end mark" in faults[-1]
            continue
        assert len(named) == 1
        row = int(named[0].split("in row ")[1].split(" of 101")[0])
        got = pixels_of(cut)
        np.testing.assert_array_equal(got[: max(row - 1, 0)], whole[: max(row - 1, 0)])
        assert (got[row : row + 16] != whole[row : row + 16]).any()
        (other,) = jpeg_check._by_padding(cut)
        assert 0 <= int(other.split("in row ")[1].split(" of 101")[0]) - row + 1 <= 17


@kinds
def test_a_picture_with_made_up_rows_says_so(kind: str) -> None:
    data = saved(kind)
    middle = (scan_of(data) + len(data)) // 2
    picture = decode_picture(data[:middle].rstrip(b"\xff") + b"\xff\xd9", "x.jpg")
    assert picture.notes
    assert decode_picture(data, "x.jpg").notes == []


def test_large_ones_say_so_too() -> None:
    data = saved("420", np.tile(RGB, (11, 10, 1)))
    (note,) = decode_picture(data[: len(data) // 2].rstrip(b"\xff") + b"\xff\xd9", "x.jpg").notes
    assert "of 1111; from there on some are made up" in note


@compiled
def test_damage_of_every_kind_is_named() -> None:
    data = saved("restarts")
    start = scan_of(data)
    first = data.index(b"\xff\xd0")
    for damaged, says in (
        (data[:start] + b"\xff\0" * 4 + data[start:], "are damaged in row 0 of 101"),
        (data.replace(b"\xff\xd1", b"\xff\xd3", 1), "lack a restart marker in row 16 of 101"),
        (data[:first] + data[first + 2 :], "lack a restart marker in row 0 of 101"),
        (data[:-2] + b"abc" + data[-2:], "3 bytes between its parts were left out"),
        (data[:first] + b"ab" + data[first:], "2 bytes between its parts were left out"),
        (data[:2] + b"abcd" + data[2:], "4 bytes between its parts were left out"),
        (data[:-2], "it has no end mark"),
        (data[: start - 2] + b"\x20" + data[start - 1 :], "headed as one of another kind"),
    ):
        assert says in " ".join(jpeg_faults(damaged)), says
    data = saved("progressive")
    last = data.rindex(b"\xff\xc4")
    assert jpeg_faults(data[:last] + b"\xff\xd9") == [
        "some of its scans are not there, so its pixels are coarse"
    ]


@compiled
@pytest.mark.parametrize("kind", ["cmyk", "420"])
def test_a_colour_transform_that_is_not_known_is_said(kind: str) -> None:
    """In Adobe's APP14; libjpeg takes the usual one."""
    data = saved(kind)
    app14 = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"
    if kind == "cmyk":
        data = data[:2] + data[next(end for marker, _, end in segments(data) if marker == 0xEE) :]
    for transform, known in ((0, True), (1, kind == "420"), (2, kind == "cmyk"), (105, False)):
        (*faults,) = jpeg_faults(data[:2] + app14 + bytes([transform]) + data[2:])
        if kind != "cmyk" or transform != 1:
            assert (faults == []) == known, transform


@compiled
def test_bytes_of_fill_before_a_marker_are_no_fault() -> None:
    """T.81, B.1.1.2; and the zero after a coded 0xff is none either."""
    data = saved("restarts")
    at = data.index(b"\xff\xd1")
    assert jpeg_faults(data[:at] + b"\xff\xff" + data[at:]) == []
    assert data.count(b"\xff\0") > 1


@compiled
def test_tables_may_come_from_elsewhere() -> None:
    """As in TIFF."""
    data = saved("420")
    tables, rest = b"\xff\xd8", b"\xff\xd8"
    for marker, at, end in segments(data):
        if marker in (0xDB, 0xC4):
            tables += data[at:end]
        else:
            rest += data[at:end]
    rest += data[scan_of(data) :]
    assert jpeg_faults(rest, tables + b"\xff\xd9") == []
    assert jpeg_faults(rest[: len(rest) // 2] + b"\xff\xd9", tables + b"\xff\xd9")


@compiled
def test_tables_that_nobody_gives_are_the_usual_ones() -> None:
    """As libjpeg has it, for frames of MJPEG."""
    data = saved("420")
    head = b"".join(data[at:end] for marker, at, end in segments(data) if marker != 0xC4)
    bare = data[:2] + head + data[scan_of(data) :]
    assert bare.count(b"\xff\xc4") == 0
    np.testing.assert_array_equal(pixels_of(bare), pixels_of(data))
    assert jpeg_faults(bare) == []
    assert jpeg_faults(bare[: len(bare) // 2] + b"\xff\xd9")


@compiled
@kinds
def test_any_damage_is_passed_over(kind: str) -> None:
    rng = np.random.default_rng(5)
    data = saved(kind, RGB[:40, :50])
    for _ in range(200):
        bad = bytearray(data)
        for at in rng.integers(2, len(bad), 3):
            bad[at] = rng.integers(256)
        assert all("\n" not in fault for fault in jpeg_faults(bytes(bad)))


TABLE = bytes([0, 1] + [0] * 14 + [0])
NONE = (b"",) * 8


@compiled
@pytest.mark.parametrize(
    "wrong",
    [
        {"at": -1},
        {"at": 5},
        {"units": -1},
        {"restart": -1},
        {"tables": NONE},
        {"tables": (bytes([3, *[0] * 15, 1, 2, 3]), *NONE[1:])},
        {"tables": (TABLE[:9], *NONE[1:])},
        {"blocks": b""},
        {"blocks": bytes(11)},
        {"blocks": b"\x40"},
        {"first": 5, "last": 64},
        {"first": 5, "last": 4},
        {"first": -1},
        {"first": 1, "last": 9, "progressive": True},
        {"across": -1},
        {"across": 1},
        {"across": 1, "parts": b"\4"},
        {"across": 1, "parts": b"\0", "progressive": True},
    ],
)
def test_a_scan_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    from importlib import import_module

    usual: dict[str, Any] = {"data": b"\0\0\0\0", "at": 0, "units": 1, "restart": 0}
    usual |= {"tables": (TABLE,) * 8, "blocks": b"\0", "first": 0, "last": 63}
    usual |= {"refines": False, "progressive": False, "known": bytearray()}
    usual |= {"parts": b"", "across": 0}
    scan = import_module("convcli._png").scan
    assert scan(*usual.values())[1:3] == (0, 1)
    with pytest.raises(ValueError, match="no such scan"):
        scan(*(usual | wrong).values())
