"""Animations and documents: what all frames claim together, and chains that lead nowhere."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import GifImagePlugin, Image

from convcli.engine.backends import NUMPY
from convcli.errors import InputError
from convcli.imaging.formats.png.write import apng_parts
from convcli.imaging.formats.tiff import read as tiff_read
from convcli.imaging.formats.tiff.pages import walk_pages
from convcli.imaging.header import Metadata
from convcli.imaging.limits import FRAME_BYTES
from convcli.imaging.opening import decode_picture
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame
from convcli.imaging.stages.carry_out import Counts, SampleCounts
from convcli.imaging.stages.filter import Filter
from convcli.kernels.load import load_kernel

RNG = np.random.default_rng(11)


def pages(*shapes: tuple[int, ...], dtype: str = "uint8", **options: Any) -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(
        out, bigtiff=options.pop("bigtiff", False), byteorder=options.pop("byteorder", "<")
    ) as writer:
        for shape in shapes:
            pixels = RNG.integers(0, 200, shape).astype(dtype)
            writer.write(pixels, metadata=None, **options)
    return out.getvalue()


def saved(fmt: str, mode: str, count: int = 20) -> bytes:
    out = io.BytesIO()
    frames = [
        Image.fromarray(RNG.integers(0, 256, (9, 11, 3), dtype=np.uint8)).convert(mode)
        for _ in range(count)
    ]
    frames[0].save(out, fmt, save_all=True, append_images=frames[1:])
    return out.getvalue()


SMALL_FIRST = [(3, 4), *[(9, 11)] * 19]
FILES = {
    "gif": saved("GIF", "P"),
    "webp": saved("WEBP", "RGB"),
    "avif": saved("AVIF", "RGB"),
    "apng": b"".join(
        apng_parts([Frame(RNG.integers(0, 9, (9, 11, 2), np.uint8))] * 20, 20, Metadata())
    ),
    "apng_16": b"".join(
        apng_parts([Frame(RNG.integers(0, 9, (9, 11, 3), np.uint16))] * 20, 20, Metadata())
    ),
    "tiff": pages(*SMALL_FIRST),
    "tiff_large_first": pages(*reversed(SMALL_FIRST)),
    "tiff_bilevel": saved("TIFF", "1"),
    "tiff_palette": saved("TIFF", "P"),
    "tiff_rgb": pages(*[(h, w, 3) for h, w in SMALL_FIRST], photometric="rgb"),
    "tiff_16_rgb": pages(*[(h, w, 3) for h, w in SMALL_FIRST], dtype="uint16", photometric="rgb"),
    "tiff_float": pages(*SMALL_FIRST, dtype="float32", byteorder=">"),
    "bigtiff_planes": pages(*[(3, 9, 11)] * 20, photometric="rgb", bigtiff=True),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_limit_holds_for_the_bytes_of_all_frames(kind: str) -> None:
    taken = sum(frame.pixels.nbytes for frame in decode_picture(FILES[kind], "x").frames)
    least = -(-taken // FRAME_BYTES)
    assert decode_picture(FILES[kind], "x", max_pixels=least).n_frames == 20
    with pytest.raises(InputError, match=r"20 frames are .* bytes of samples.*--max-pixels"):
        decode_picture(FILES[kind], "x", max_pixels=least - 1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_every_page_is_held_to_the_limit_of_one(dtype: str) -> None:
    data = pages((3, 4), (9, 11), (3, 4), dtype=dtype)
    assert decode_picture(data, "x", max_pixels=99).n_frames == 3
    with pytest.raises(InputError, match="11x9 is 99 pixels"):
        decode_picture(data, "x", max_pixels=98)


@pytest.mark.parametrize("kind", [k for k in FILES if "tiff" in k])
def test_pages_are_found_as_tifffile_finds_them(kind: str) -> None:
    with tifffile.TiffFile(io.BytesIO(FILES[kind])) as file:
        wanted = [(p.imagewidth, p.imagelength, p.samplesperpixel) for p in file.pages]
        item = max(file.pages[0].bitspersample // 8, 1)
    palette = 3 if kind == "tiff_palette" else 1
    found = list(walk_pages(io.BytesIO(FILES[kind]), "x"))
    assert found == [(w, h, samples * palette * item) for w, h, samples in wanted]


def next_offsets(data: bytes) -> list[int]:
    """Where each directory of a little-endian TIFF says where the next one is."""
    found, at = [4], 4
    while (first := struct.unpack_from("<I", data, at)[0]) != 0:
        at = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
        found.append(at)
    return found


class Watched(io.BytesIO):
    """Counts the bytes that are read of a file."""

    taken = 0

    def read(self, count: int | None = -1, /) -> bytes:
        got = super().read(count)
        self.taken += len(got)
        return got


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(("count", "back_to"), [(3, 0), (150, 0), (150, 40)])
def test_a_ring_of_pages_is_walked_once(dtype: str, count: int, back_to: int) -> None:
    data = bytearray(pages(*[(2, 3, 3)] * count, dtype=dtype, photometric="rgb"))
    places = next_offsets(data)
    data[places[-1] : places[-1] + 4] = data[places[back_to] : places[back_to] + 4]
    file = Watched(data)
    assert len(list(walk_pages(file, "x"))) == count
    assert file.taken < 2 * len(data)
    assert decode_picture(bytes(data), "x").n_frames == count


def test_directories_that_overlap_are_refused_before_they_are_read_again_and_again() -> None:
    """Each of 2,000 counts the same entries, in a file of 50 KB."""
    count, step = 2000, 12
    data = bytearray(b"II*\0\x08\0\0\0" + bytes(2 * count * step))
    for number in range(count):
        at = 8 + number * step
        struct.pack_into("<H", data, at, count)
        struct.pack_into("<I", data, at + 2 + 12 * count, at + step)
    file = Watched(data)
    with pytest.raises(InputError, match="share what belongs to one page"):
        list(walk_pages(file, "x"))
    assert file.taken < 3 * len(data)
    with pytest.raises(InputError, match="share what belongs to one page"):
        decode_picture(bytes(data), "x.tif")


def test_tags_that_all_point_at_the_same_bytes_are_refused() -> None:
    shared = 10_000
    entries = [(256, 4, 1, 3), (257, 4, 1, 3)] + [(700, 1, shared, 0)] * 300
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4 + shared)
    with pytest.raises(InputError, match="share what belongs to one page"):
        decode_picture(data, "x.tif")


def test_many_pages_are_read_without_a_list_to_search(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pages(*[(3, 4)] * 6)
    few = decode_picture(data, "x")
    monkeypatch.setattr(tiff_read, "MAX_PAGES", 5)
    monkeypatch.setattr(tiff_read, "open_with_pillow", None)  # it would search
    many = decode_picture(data, "x")
    assert (many.n_frames, many.space, many.dtype) == (6, few.space, few.dtype)
    for one, other in zip(few.frames, many.frames, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_a_gif_is_read_in_a_time_that_grows_with_its_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, calls = GifImagePlugin.GifImageFile._seek, []

    def counted(self: Any, frame: int, update_image: bool = True) -> Any:
        calls.append(frame)
        return real(self, frame, update_image)

    monkeypatch.setattr(GifImagePlugin.GifImageFile, "_seek", counted)
    taken = []
    for count in (20, 40):
        calls.clear()
        data = saved("GIF", "P", count)
        calls.clear()
        assert len(list(decode_picture(data, "x").frames)) == count
        taken.append(len(calls))
    assert taken[1] <= 2.2 * taken[0]


def test_what_was_counted_of_a_frame_is_not_added_up_again_for_every_other() -> None:
    class Number(int):
        """One that knows how often numbers were added."""

        added = 0

        def __radd__(self, other: int) -> Number:
            Number.added += 1
            return Number(int(other) + int(self))

    counts, frames = Counts(), 100
    for frame in range(1, frames + 1):
        with counts.aside():  # a survey looks at a frame before it is made
            counts.add(SampleCounts(1000, 1000))
        counts.add(SampleCounts(Number(7), Number(frame % 2)))
        assert counts.total[:2] == (7 * frame, (frame + 1) // 2)
    assert Number.added <= 6 * frames
    counts.clear()
    assert counts.total == SampleCounts()


def test_frames_that_the_cpu_took_are_not_counted_again_after_each() -> None:
    class Why(str):
        """A reason that knows how often it was looked at."""

        looked = 0

        def __bool__(self) -> bool:
            Why.looked += 1
            return len(self) > 0

    picture, frames = decode_picture(saved("PNG", "L", 1), "x"), 100
    chain = Filter(picture, (load_kernel("box:3"),), FilterOptions(backend=NUMPY))
    planned = chain.outline.plan.backend_reason
    chain.begin()
    chain.count(0.0)
    assert chain.outline.plan.backend_reason == planned
    for _ in range(frames):
        chain.counts.by_cpu(Why("device 0 failed"))
        chain.counts.by_cpu(Why("there is no device 0"))
        chain.count(0.0)
    said = f"{planned}; {frames} of {frames + 1} frames by the CPU: device 0 failed"
    assert chain.outline.plan.backend_reason == said
    assert Why.looked <= 12 * frames
    chain.begin()
    chain.counts.by_cpu("out of memory")
    chain.count(0.0)
    assert chain.outline.plan.backend_reason == "out of memory"
