"""Pictures whose rows flow from the decoder to the encoder are those that are made whole."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.arithmetic.borders import Border
from convcli.arithmetic.region import parse_region
from convcli.errors import ConvcliError
from convcli.extensions import extension
from convcli.imaging import opening, row_stream, schedule
from convcli.imaging.flowing import FlowingPlane
from convcli.imaging.formats.png import rows as png_rows
from convcli.imaging.formats.png.chunks import chunk
from convcli.imaging.formats.png.plain import PlainFile
from convcli.imaging.formats.png.write import encode_png
from convcli.imaging.header import Header, Metadata
from convcli.imaging.opening import decode_picture
from convcli.imaging.options import FilterOptions
from convcli.imaging.row_stream import DoesNotFlow, RowStream
from convcli.imaging.schedule import flowing_sizes, part_schedule
from convcli.imaging.stages.filter import Filter
from convcli.kernels.load import load_chain
from convcli.runs import run_job
from convcli.runs.batch import Batch
from convcli.runs.request import Report, Request
from convcli.system.machine import Buffer

RNG = np.random.default_rng(20)
READERS = {"convcli-ahead", "convcli-jpeg", "convcli-rows"}
"""Threads that end with what they read."""
compiled = pytest.mark.skipif(extension("_png").module is None, reason="needs the compiled loops")


def flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so small that every picture flows in many bands, whatever is asked."""
    monkeypatch.setattr(row_stream, "FLOWING", 1)
    monkeypatch.setattr(row_stream, "FIRST_BYTES", 3000)
    monkeypatch.setattr(row_stream, "AHEAD_BYTES", 1000)
    monkeypatch.setattr(png_rows, "BAND_BYTES", 700)
    monkeypatch.setattr(schedule, "BAND", 1)
    monkeypatch.setattr(run_job, "fits", lambda source, limits: False)


def smooth(shape: tuple[int, ...], dtype: str = "uint8") -> np.ndarray:
    top = np.iinfo(dtype).max
    ramps = np.add.outer(np.arange(shape[0]) * 3, np.arange(shape[1]) * 5)[..., None]
    noise = RNG.integers(0, top // 3, shape)
    made: np.ndarray = ((ramps * top // 700 + noise) % (top + 1)).astype(dtype)
    return made


def filtered(source: Path, target: Path, kernels: str, **said: Any) -> Report:
    mask, quick = said.pop("mask", None), said.pop("compression", "default")
    request = Request(
        inputs=(str(source),),
        kernels=tuple(step for text in kernels.split("+") for step in load_chain(text)),
        options=FilterOptions(**{"threads": 2, **said}),
        output=str(target),
        mask=mask,
        compression=quick,
    )
    (report,) = Batch(request).run()
    assert isinstance(report, Report)
    return report


CASES: list[tuple[str, dict[str, Any]]] = [
    ("gaussian:2", {}),
    ("gaussian:2", {"threads": 1}),
    ("sobel-x", {"compression": "small"}),
    ("box:5+median:3+laplacian", {}),
    ("box:9", {"stride": (2, 3), "padding": 2}),
    ("gaussian:1", {"border": Border("wrap")}),
    ("sobel-x", {"range": "stretch"}),
    ("otsu", {}),
    ("unsharp:2", {"linear": True}),
    ("canny", {}),
    ("gaussian:1", {"region": parse_region("20,30,40x50")}),
    ("box:3", {"mask": "mask.png"}),
    ("gaussian:2", {"depth": "uint16"}),
]


@compiled
@pytest.mark.parametrize(
    ("channels", "dtype"), [(3, "uint8"), (3, "uint16"), (4, "uint8"), (1, "uint8")]
)
def test_the_bytes_are_those_of_the_whole_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int, dtype: str
) -> None:
    source, mask = tmp_path / "in.png", tmp_path / "mask.png"
    pixels = smooth((331, 113, channels), dtype)
    source.write_bytes(encode_png(pixels, Metadata(dpi=(72, 72))))
    mask.write_bytes(encode_png(smooth((331, 113, 1)), Metadata()))
    monkeypatch.chdir(tmp_path)
    whole = [filtered(source, tmp_path / f"w{n}.png", k, **o) for n, (k, o) in enumerate(CASES)]
    assert {report.parts for report in whole} == {1}
    flow(monkeypatch)
    for number, (kernels, said) in enumerate(CASES):
        target = tmp_path / f"f{number}.png"
        report = filtered(source, target, kernels, **said)
        assert target.read_bytes() == (tmp_path / f"w{number}.png").read_bytes(), (kernels, said)
        assert report.parts > 1 or kernels in ("canny", "otsu"), kernels  # one tile is all of it
        assert report.warnings == whole[number].warnings
        assert report.outline.tally == whole[number].outline.tally
        assert report.outline.levels == whole[number].outline.levels
    assert not [t for t in threading.enumerate() if t.name in READERS]


def with_chunks(png: bytes, *behind: bytes) -> bytes:
    return png[:-12] + b"".join(behind) + png[-12:]


def in_chunks_of(size: int, png: bytes) -> bytes:
    """The same picture, its data in chunks of a size, as libpng writes them."""
    out, at, data = [png[:8]], 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        if kind == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        else:
            parts = range(0, len(data), size) if kind == b"IEND" else ()
            out += [chunk(b"IDAT", data[start : start + size]) for start in parts]
            out.append(png[at : at + 12 + length])
        at += 12 + length
    return b"".join(out)


@compiled
@pytest.mark.parametrize("size", [7, 64, 1000, 10**6])
def test_what_stands_behind_the_pixels_is_carried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    flow(monkeypatch)
    text, pixels = chunk(b"tEXt", b"Comment\0behind"), smooth((90, 70, 3))
    png = in_chunks_of(size, encode_png(pixels, Metadata(dpi=(72, 72))))
    (tmp_path / "in.png").write_bytes(with_chunks(png, text) + b"more")
    with monkeypatch.context() as no_other_way:
        no_other_way.setattr(opening, "decode_picture", None)
        report = filtered(tmp_path / "in.png", tmp_path / "out.png", "identity")
    made = (tmp_path / "out.png").read_bytes()
    assert any("what follows its end" in note for note in report.warnings)
    picture = decode_picture(made, "out.png")
    np.testing.assert_array_equal(picture.first.pixels, pixels)
    assert (b"tEXt", b"Comment\0behind") in picture.meta.png_chunks


def damaged(png: bytes) -> bytes:
    return png[: len(png) // 2] + bytes([png[len(png) // 2] ^ 1]) + png[len(png) // 2 + 1 :]


def interrupted(png: bytes) -> bytes:
    """A chunk that is none of pixel data among many of one size, where nobody looks first."""
    first = png.index(b"IDAT") - 4
    size = struct.unpack(">I", png[first : first + 4])[0] + 12
    at = first + 3 * size
    return png[:at] + chunk(b"tEXt", b"k\0".ljust(size - 12, b"x")) + png[at:]


def one_row_short(png: bytes) -> bytes:
    ihdr = bytearray(png[16:29])
    ihdr[7] += 1
    return png[:8] + chunk(b"IHDR", bytes(ihdr)) + png[33:]


def one_row_more(png: bytes) -> bytes:
    ihdr = bytearray(png[16:29])
    ihdr[7] -= 1
    return png[:8] + chunk(b"IHDR", bytes(ihdr)) + png[33:]


@compiled
@pytest.mark.parametrize(
    "spoil",
    [
        damaged,
        interrupted,
        one_row_short,
        one_row_more,
        lambda png: png[:-500],
        lambda png: png[:-12],
    ],
)
def test_damage_is_told_as_ever_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    source = tmp_path / "in.png"
    source.write_bytes(spoil(in_chunks_of(400, encode_png(smooth((90, 70, 3)), Metadata()))))

    def told() -> str:
        try:
            made = filtered(source, tmp_path / "out.png", "identity")
        except ConvcliError as error:
            return f"{type(error).__name__} {error}"
        return f"{made.warnings} {(tmp_path / 'out.png').read_bytes()!r}"

    ordinary = told()
    (tmp_path / "out.png").unlink(missing_ok=True)
    flow(monkeypatch)
    assert told() == ordinary
    assert {path.name for path in tmp_path.iterdir()} <= {"in.png", "out.png"}
    assert not [t for t in threading.enumerate() if t.name in READERS]


def counted_rows(height: int, made: list[int]) -> Any:
    def make(room: Any) -> Any:
        for row in range(height):
            band = room(4)
            band[:] = struct.pack(">I", row)
            made.append(row)
            yield memoryview(band)

    return make


def test_rows_are_made_once_from_top_to_bottom_and_anew_for_those_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(row_stream, "FIRST_BYTES", 40)
    monkeypatch.setattr(row_stream, "AHEAD_BYTES", 20)
    made: list[int] = []
    stream = RowStream(1000, 4, counted_rows(1000, made))

    def rows(start: int, stop: int, hold: int = 0) -> list[int]:
        parts = [(first, bytes(view)) for first, view in stream.rows(start, stop, stop - hold)]
        assert [first for first, _ in parts] == list(range(start, stop))
        return list(struct.unpack(f">{stop - start}I", b"".join(part for _, part in parts)))

    for start in range(0, 900, 30):
        assert rows(start, start + 35, hold=10) == list(range(start, start + 35))
        assert next(first for first, _, _ in stream._bands) == start + 25  # no more is held
        assert len(made) <= start + 35 + 20
    assert made == list(range(len(made)))
    assert rows(895, 902, hold=10) == list(range(895, 902))  # held
    assert made.count(0) == 1
    assert rows(5, 12) == list(range(5, 12))
    assert made.count(0) == 2
    stream.close()
    assert not stream._thread.is_alive()


def test_rows_that_do_not_come_are_no_end_of_waiting() -> None:
    stream = RowStream(7, 4, counted_rows(5, []), "x.png")
    assert [first for first, _ in stream.rows(0, 5, 0)] == [0, 1, 2, 3, 4]
    with pytest.raises(DoesNotFlow, match=r"x\.png"):
        list(stream.rows(5, 6, 5))
    stream.close()


def test_room_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_stream, "FIRST_BYTES", 1 << 17)  # less than what is held
    monkeypatch.setattr(row_stream, "AHEAD_BYTES", 1 << 17)
    rooms: list[Any] = []

    def make(room: Any) -> Any:
        for number in range(500):
            rooms.append(room(1 << 16))
            rooms[-1][:4] = struct.pack(">I", number)
            yield memoryview(rooms[-1])

    stream = RowStream(500, 1 << 16, make)
    for start in range(0, 490, 10):
        for first, view in stream.rows(start, start + 10, start + 6):
            assert bytes(view[:4]) == struct.pack(">I", first)
    stream.close()
    assert len(rooms) >= 490
    assert len({id(room) for room in rooms}) < 50
    assert len({id(room) for room in rooms}) < 50  # as all are kept here, each id is of one


@pytest.mark.parametrize("keeps", [False, True])
def test_bands_in_turn_share_room_but_with_those_who_still_have_one(keeps: bool) -> None:
    pixels = smooth((100, 7, 3), "uint16")

    def make(_: Any) -> Any:
        return (memoryview(row.tobytes()) for row in pixels)

    plane = FlowingPlane(RowStream(100, 42, make), (100, 7, 3), pixels.dtype, lambda: None)
    plane.in_turn = True
    kept: list[np.ndarray] = []
    rooms = set()
    for start, stop in ((0, 12), (8, 20), (19, 22), (22, 50), (45, 74), (60, 100), (3, 9)):
        got = plane.read((((start, stop),), ((0, 7),)))
        np.testing.assert_array_equal(got, pixels[start:stop])
        rooms.add(got.ctypes.data)
        kept.append(got[:, 1:, :2] if keeps else pixels[start:stop, 1:, :2])
        del got
        for before, (first, last) in zip(kept, ((0, 12), (8, 20), (19, 22)), strict=False):
            np.testing.assert_array_equal(before, pixels[first:last, 1:, :2])
    plane.close()
    if keeps:
        assert len(rooms) == 7


@compiled
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"padding": "valid"},
        {"stride": 3},
        {"linear": True},
        {"region": parse_region("20,30,30x500")},
        {"flip": True},
    ],
    ids=lambda said: "".join(said) or "plain",
)
@pytest.mark.parametrize("channels", [3, 4])
def test_rows_are_made_once_for_a_filter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], channels: int
) -> None:
    begun: list[RowStream] = []
    begin = RowStream._begin
    monkeypatch.setattr(RowStream, "_begin", lambda self: (begun.append(self), begin(self)))
    source = tmp_path / "in.png"
    source.write_bytes(encode_png(smooth((801, 53, channels)), Metadata()))
    flow(monkeypatch)
    filtered(source, tmp_path / "out.png", "laplacian+sobel-x", **said)
    assert len(begun) == 1


def part_of_a_gigapixel(kernels: str, dtype: str) -> tuple[int, int]:
    """Rows of its bands and their bytes."""
    picture = Header("PNG", "rgb", False, np.dtype(dtype), (25820, 38730), name="a.png")
    chain = Filter(picture, load_chain(kernels), FilterOptions(threads=2))
    made = part_schedule(
        chain,
        200 << 20,
        simple=True,
        whole_rows=True,
        sizes=flowing_sizes(chain),
    )
    rows = made.places[0].bottom
    return rows, rows * 38730 * 3 * np.dtype(dtype).itemsize


@pytest.mark.skipif(extension("_loops").module is None, reason="needs the compiled loops")
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("kernels", ["gaussian:3", "sobel-x", "box:5", "gaussian:2 sobel-x"])
def test_bands_of_long_rows_are_low(kernels: str, dtype: str) -> None:
    rows, size = part_of_a_gigapixel(kernels.split()[0], dtype)
    assert size < 4 << 20
    assert rows >= 8


def test_what_lies_in_one_band_is_a_view_that_stays() -> None:
    """Bands of 12 rows, of which each has two of the one before once more."""
    rows = np.arange(102 * 5 * 2, dtype=np.uint16).reshape(102, 5, 2)

    def make(room: Callable[[int], Buffer]) -> Iterator[memoryview]:
        for first in range(0, 100, 10):
            band = memoryview(room(12 * 20))
            band[:] = rows[first : first + 12].tobytes()
            yield band

    stream = RowStream(102, 20, make, again=2)
    plane = FlowingPlane(stream, (102, 5, 2), rows.dtype, lambda: None)
    views = [plane.read((((start, start + 4),), ((0, 5),))) for start in range(0, 98, 2)]
    across = plane.read((((80, 95),), ((0, 5),)))
    plane.close()
    for number, view in enumerate(views):
        np.testing.assert_array_equal(view, rows[2 * number : 2 * number + 4])
        assert not view.flags.owndata  # bands overlap, so none of these lies in two
        assert not view.flags.writeable
    np.testing.assert_array_equal(across, rows[80:95])
    assert across.flags.owndata


def test_a_dry_run_finds_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_stream, "FLOWING", 1)
    source = tmp_path / "in.png"
    source.write_bytes(damaged(encode_png(smooth((40, 50, 3)), Metadata())))
    request = Request(
        (str(source),), tuple(load_chain("box")), output=str(tmp_path / "out.png"), dry_run=True
    )
    with pytest.raises(ConvcliError, match=r"in\.png"):
        list(Batch(request).run())


@compiled
@pytest.mark.parametrize("kind", [b"tRNS", b"ABCD", b"acTL"])
def test_chunks_that_change_pixels_are_seen_behind_them_before_any_is_read(
    kind: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "in.png"
    path.write_bytes(with_chunks(encode_png(smooth((40, 50, 3)), Metadata()), chunk(kind, b"12")))
    with pytest.raises(png_rows.Unusual):
        PlainFile(os.open(path, os.O_RDONLY))


@pytest.mark.parametrize("suffix", [".pgm", ".bmp"])
def test_arrays_of_gray_pictures_have_no_axis_of_channels(suffix: str, tmp_path: Path) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / "out.npy"
    Image.fromarray(smooth((20, 31, 1))[..., 0]).save(source)
    filtered(source, target, "identity")
    assert np.load(target).shape == (20, 31)


def test_a_bmp_whose_rows_are_too_short_is_refused_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow(monkeypatch)
    source = tmp_path / "in.bmp"
    Image.fromarray(smooth((8, 22, 1))[..., 0]).save(source)
    data = bytearray(source.read_bytes())
    data[28] = 1  # bits per pixel, beside a palette of 256 grays
    source.write_bytes(data)
    with pytest.raises(ConvcliError, match="cannot be decoded as BMP"):
        filtered(source, tmp_path / "out.tif", "identity")
