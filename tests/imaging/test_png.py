"""The PNG writer against three readers, and the chunks that travel along."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from convcli.errors import InputError
from convcli.extensions import extension
from convcli.imaging.formats.png import plain as png_plain
from convcli.imaging.formats.png import write as png_write
from convcli.imaging.formats.png.chunks import chunk, read_ihdr, walk
from convcli.imaging.formats.png.metadata import read_metadata
from convcli.imaging.formats.png.plain import read_plain
from convcli.imaging.formats.png.write import apng_parts, encode_png
from convcli.imaging.header import Metadata
from convcli.imaging.opening import decode_picture
from convcli.imaging.source import Frame

RNG = np.random.default_rng(11)
PAETH = 4
compiled = pytest.mark.skipif(extension("_png").module is None, reason="needs the compiled loops")


def noisy(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return RNG.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_width_decodes_identically(channels: int, dtype: str) -> None:
    for width in range(1, 71):
        pixels = noisy((width % 7 + 1, width, channels), dtype)
        data = encode_png(pixels, Metadata())
        decoded = np.asarray(imagecodecs.png_decode(data)).reshape(pixels.shape)
        np.testing.assert_array_equal(decoded, pixels)
        if dtype == "uint8":
            image = Image.open(io.BytesIO(data))
            np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)
        ours = next(iter(decode_picture(data, "x").frames)).pixels
        np.testing.assert_array_equal(ours, pixels)


def flat(shape: tuple[int, ...]) -> np.ndarray:
    return np.full(shape, 77, np.uint8)


def smooth_across(shape: tuple[int, ...]) -> np.ndarray:
    row = np.arange(shape[1])[None, :, None] + RNG.integers(0, 2, shape)
    return (row + RNG.integers(0, 200, (shape[0], 1, 1))).astype(np.uint8)


def smooth_down(shape: tuple[int, ...]) -> np.ndarray:
    column = np.arange(shape[0])[:, None, None] + RNG.integers(0, 2, shape)
    return (column + RNG.integers(0, 200, (1, shape[1], 1))).astype(np.uint8)


@pytest.mark.parametrize("loops", ["compiled", "numpy"])
@pytest.mark.parametrize(
    ("make", "kinds"),
    [
        (flat, {png_write.NONE}),
        (smooth_across, {png_write.SUB, PAETH}),
        (smooth_down, {png_write.UP, PAETH}),
    ],
    ids=["flat_none", "smooth_across_sub", "smooth_down_up"],
)
def test_the_row_filter_suits_the_picture(
    make: Callable[[tuple[int, ...]], np.ndarray],
    kinds: set[int],
    loops: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if loops == "numpy":
        monkeypatch.setenv("CONVCLI_LOOPS", "numpy")
    pixels = make((40, 50, 3))
    data = encode_png(pixels, Metadata())
    raw = zlib.decompress(b"".join(bytes(b) for k, b, _ in walk(data, "x") if k == b"IDAT"))
    taken = np.frombuffer(raw, np.uint8).reshape(40, -1)[1:, 0]
    assert np.isin(taken, list(kinds)).mean() > 0.7
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_rows_are_filtered_as_the_specification_says(
    isa: str, channels: int, dtype: str
) -> None:
    smooth = np.cumsum(noisy((31, 37, channels), "uint8") % 9, axis=1) * 3
    pixels = (smooth + noisy((31, 37, channels), "uint8") % 5).astype(dtype)
    data = encode_png(pixels, Metadata())
    raw = zlib.decompress(b"".join(bytes(b) for k, b, _ in walk(data, "x") if k == b"IDAT"))
    kinds = np.frombuffer(raw, np.uint8).reshape(31, -1)[:, 0].tolist()
    expected = raw_png(pixels, kinds)
    other = zlib.decompress(b"".join(bytes(b) for k, b, _ in walk(expected, "x") if k == b"IDAT"))
    assert raw == other


@pytest.mark.parametrize("loops", ["compiled", "numpy"])
def test_photographs_are_at_most_6_percent_larger_than_pillow(
    loops: str, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loops == "numpy":
        monkeypatch.setenv("CONVCLI_LOOPS", "numpy")
    with Image.open(samples / "portrait.png") as image:
        photo = image.convert("RGB")
    out = io.BytesIO()
    photo.save(out, "PNG")
    ours = encode_png(np.asarray(photo), Metadata())
    small = encode_png(np.asarray(photo), Metadata(), compression="small")
    assert len(ours) <= 1.06 * len(out.getvalue())
    assert len(small) < 0.99 * len(ours)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(small))), np.asarray(photo))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_many_strips_are_one_stream(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setitem(png_write.STRIP_BYTES, "default", 1000)
    monkeypatch.setattr(png_write, "THREADED_BYTES", 0)
    pixels = noisy((97, 53, 3), "uint8")
    data = encode_png(pixels, Metadata(), threads=threads)
    stream = b"".join(bytes(body) for kind, body, _ in walk(data, "x") if kind == b"IDAT")
    assert len(zlib.decompress(stream)) == 97 * (53 * 3 + 1)
    np.testing.assert_array_equal(imagecodecs.png_decode(data), pixels)
    assert data == encode_png(pixels, Metadata(), threads=1)


def test_an_animation_keeps_equal_frames() -> None:
    pixels = noisy((8, 9, 4), "uint8")
    frames = [Frame(pixels, 50), Frame(pixels, 70), Frame(pixels[::-1].copy(), 90)]
    data = b"".join(apng_parts(frames, 3, Metadata(loop=4)))
    image = Image.open(io.BytesIO(data))
    assert image.n_frames == 3
    assert image.info["loop"] == 4
    for index, frame in enumerate(frames):
        image.seek(index)
        assert image.info["duration"] == frame.duration
        np.testing.assert_array_equal(np.asarray(image), frame.pixels)


def test_metadata_of_every_kind_comes_back() -> None:
    out = io.BytesIO()
    info = PngInfo()
    info.add_text("Title", "a title")
    info.add_text("Long", "x" * 5000, zip=True)
    info.add_itxt("Author", "Ünïcode", "de", "Autor")
    info.add(b"tIME", struct.pack(">HBBBBB", 2026, 1, 2, 3, 4, 5))
    info.add(b"gAMA", struct.pack(">I", 45455))
    exif = Image.Exif()
    exif[0x010F] = "maker"
    Image.fromarray(noisy((5, 6, 3), "uint8")).save(
        out, "PNG", pnginfo=info, dpi=(300, 150), exif=exif
    )
    picture = decode_picture(out.getvalue(), "x")
    again = encode_png(next(iter(picture.frames)).pixels, picture.meta)
    before, after = Image.open(io.BytesIO(out.getvalue())), Image.open(io.BytesIO(again))
    before.load(), after.load()
    assert after.text == before.text
    assert after.info["dpi"] == before.info["dpi"]
    assert after.info["gamma"] == before.info["gamma"]
    assert after.getexif()[0x010F] == "maker"
    kinds = [kind for kind, _, _ in walk(again, "x")]
    assert b"tIME" in kinds


@pytest.mark.parametrize("colour", ["gray", "rgb"])
def test_one_transparent_colour_at_16_bits_becomes_alpha(colour: str) -> None:
    pixels = noisy((4, 5, 1 if colour == "gray" else 3), "uint16")
    key = pixels[2, 3].astype(">u2").tobytes()
    data = encode_png(pixels, Metadata())
    data = data[:33] + chunk(b"tRNS", key) + data[33:]
    picture = decode_picture(data, "x")
    got = next(iter(picture.frames)).pixels
    assert picture.alpha
    np.testing.assert_array_equal(got[..., :-1], pixels)
    assert got[2, 3, -1] == 0
    assert (got[..., -1] == 0).sum() == (pixels == pixels[2, 3]).all(-1).sum()


def test_a_damaged_text_chunk_is_left_out_with_a_note() -> None:
    data = encode_png(noisy((3, 3, 1), "uint8"), Metadata())
    bad = bytearray(data[:33] + chunk(b"tEXt", b"Title\0abc") + data[33:])
    bad[45] ^= 1
    meta, notes = read_metadata(bytes(bad), "x")
    assert meta.png_chunks == []
    assert notes == ["the chunk tEXt is damaged and was left out"]


def test_a_damaged_header_is_refused() -> None:
    data = bytearray(encode_png(noisy((3, 3, 1), "uint8"), Metadata()))
    data[18] ^= 1
    with pytest.raises(InputError, match="header is damaged"):
        read_ihdr(bytes(data), "x")


# --------------------------------------------------- the compiled reader of plain PNGs


def decode_plain(data: bytes) -> np.ndarray | None:
    plain = read_plain(io.BytesIO(data), len(data), 1 << 20)
    if plain is None:
        return None
    header = plain.header
    samples = np.frombuffer(plain.pixels, f"u{header.depth // 8}")
    return samples.reshape(header.height, header.width, -1)


def raw_png(pixels: np.ndarray, kinds: list[int]) -> bytes:
    """A PNG whose rows take the filters ``kinds`` in turn, made by the specification's words."""
    height, _, channels = pixels.shape
    step = channels * pixels.dtype.itemsize
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    out = bytearray()
    for y in range(height):
        x = rows[y].astype(int)
        a = np.concatenate([np.zeros(step, int), x[:-step]])
        b = rows[y - 1].astype(int) if y else np.zeros_like(x)
        c = np.concatenate([np.zeros(step, int), b[:-step]])
        p = a + b - c
        pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
        paeth = np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
        kind = kinds[y % len(kinds)]
        out.append(kind)
        out += ((x - [0, a, b, (a + b) // 2, paeth][kind]) % 256).astype(np.uint8).tobytes()
    header = struct.pack(
        ">IIBBBBB",
        pixels.shape[1],
        height,
        pixels.dtype.itemsize * 8,
        {1: 0, 2: 4, 3: 2, 4: 6}[channels],
        *(0, 0, 0),
    )
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(out))), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@compiled
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_row_filter_is_undone(isa: str, channels: int, dtype: str) -> None:
    for width in (1, 2, 3, 17, 64):
        pixels = noisy((23, width, channels), dtype)
        for kinds in ([0], [1], [2], [3], [4], [4, 3, 1, 2, 0]):
            data = raw_png(pixels, kinds)
            got = decode_plain(data)
            assert got is not None
            np.testing.assert_array_equal(got, pixels)


def test_what_is_damaged_is_left_to_the_library() -> None:
    pixels = noisy((40, 30, 3), "uint8")
    data = raw_png(pixels, [4, 1, 2])
    for at in range(0, len(data) - 12, 7):
        bad = bytearray(data)
        bad[at] ^= 0x10
        assert decode_plain(bytes(bad)) is None
    for end in range(len(data)):
        assert decode_plain(data[:end]) is None


@compiled
def test_a_wrong_sum_of_the_pixels_is_left_to_the_library() -> None:
    data = raw_png(noisy((9, 5, 3), "uint8"), [1])
    stream = bytearray(next(body for kind, body, _ in walk(data, "x") if kind == b"IDAT"))
    assert decode_plain(data[:33] + chunk(b"IDAT", bytes(stream)) + data[-12:]) is not None
    stream[-1] ^= 1
    assert decode_plain(data[:33] + chunk(b"IDAT", bytes(stream)) + data[-12:]) is None


@compiled
def test_pixel_data_in_pieces_of_any_size() -> None:
    """Chunks of one byte, of none, of more than is read at a time; rows across all of them."""
    pixels = noisy((700, 900, 3), "uint8")
    pixels[200:400] = 7  # of which a little unfolds to much
    data = raw_png(pixels, [4, 1, 2, 0, 3])
    stream = b"".join(bytes(body) for kind, body, _ in walk(data, "x") if kind == b"IDAT")
    assert len(stream) > png_plain.SLAB_BYTES
    for sizes in ([len(stream)], [8192], [0, 1, 70000, 3, 0], [786432 - 41 + k for k in range(13)]):
        parts, at, turn = [], 0, 0
        while at < len(stream):
            size = sizes[turn % len(sizes)]
            parts.append(chunk(b"IDAT", stream[at : at + size]))
            at, turn = at + size, turn + 1
        again = data[:33] + b"".join(parts) + data[-12:]
        for read in (again, again[:-12] + b"tail"):
            got = decode_plain(read)
            assert (got is None) == (read is not again)
        np.testing.assert_array_equal(decode_plain(again), pixels)


@compiled
def test_more_after_the_pixels_than_there_should_be_is_left_to_the_library() -> None:
    data = raw_png(noisy((9, 5, 3), "uint8"), [1])
    extra = data[:-12] + chunk(b"IDAT", b"more") + data[-12:]
    assert decode_plain(extra) is None
    assert decode_plain(data[:-12] + chunk(b"IDAT", b"") + data[-12:]) is not None


def test_too_many_and_too_few_rows_are_left_to_the_library() -> None:
    data = raw_png(noisy((9, 5, 3), "uint8"), [1])
    for rows in (8, 10):
        header = struct.pack(">IIBBBBB", 5, rows, 8, 2, 0, 0, 0)
        assert decode_plain(data[:8] + chunk(b"IHDR", header) + data[33:]) is None


@compiled
def test_an_unknown_row_filter_is_refused() -> None:
    rows = np.zeros((2, 4), np.uint8)
    rows[1, 0] = 5
    with pytest.raises(ValueError, match="unknown filter"):
        import_module("convcli._png").unfilter(rows, bytearray(4), 0, bytearray(6), 0, 3, 3)


@compiled
@pytest.mark.parametrize(
    ("begun", "have", "done", "row_bytes", "step"),
    [
        (4, 0, 0, 3, 2),
        (4, 0, 0, 3, 0),
        (6, 0, 0, 5, 5),
        (8, 0, 0, 7, 7),
        (10, 0, 0, 9, 9),
        (4, 0, 0, 3, -3),
        (4, 0, 0, 3, 5),
        (4, 0, 0, 0, 3),
        (4, 0, 3, 3, 3),
        (4, 0, -1, 3, 3),
        (3, 0, 0, 3, 3),
        (4, 4, 0, 3, 3),
        (4, -1, 0, 3, 3),
        (4, 0, 1, 3, 3),
        (4, 0, 0, 2**63 - 1, 1),
    ],
)
def test_the_loop_trusts_no_count(
    begun: int, have: int, done: int, row_bytes: int, step: int
) -> None:
    unfilter = import_module("convcli._png").unfilter
    assert unfilter(bytes(9), bytearray(4), 3, bytearray(9), 0, 3, 3) == (3, 0)
    with pytest.raises(ValueError, match="rows"):
        unfilter(bytes(8), bytearray(begun), have, bytearray(6), done, row_bytes, step)


FILTER = {"pixels": bytes(12), "above": bytes(6), "out": 14, "count": 2, "row_bytes": 6, "step": 3}


@pytest.mark.parametrize(
    "wrong",
    [
        {"pixels": bytes(11)},
        {"out": 13},
        {"above": bytes(5)},
        {"count": 3},
        {"count": -1},
        {"count": 2**62},
        {"row_bytes": 0},
        {"row_bytes": -6},
        {"row_bytes": 2**63 - 1},
        {"row_bytes": 2**62, "count": 0, "step": 2**62 + 1},
        {"step": 0},
        {"step": -3},
        {"step": 7},
    ],
    ids=lambda wrong: "_".join(f"{k}" for k in wrong),
)
def test_the_filters_trust_no_count(wrong: dict[str, Any]) -> None:
    module = import_module("convcli._png")

    def run(**changes: Any) -> bytes:
        call = FILTER | changes
        out = bytearray(call.pop("out"))
        pixels, above, *rest = call.values()
        module.filter(pixels, above, out, *rest)
        return bytes(out)

    assert len(run()) == len(run(above=b"")) == 14
    with pytest.raises(ValueError, match="the rows do not fit"):
        run(**wrong)


@compiled
def test_the_sum_of_every_chunk_of_pixels_is_compared() -> None:
    """Where the pixels are whole: nothing else would notice."""
    data = raw_png(noisy((40, 30, 3), "uint8"), [4, 1, 2])
    stream = next(bytes(body) for kind, body, _ in walk(data, "x") if kind == b"IDAT")
    third = len(stream) // 3
    parts = [
        chunk(b"IDAT", stream[:third]),
        chunk(b"IDAT", stream[third : 2 * third]),
        chunk(b"IDAT", stream[2 * third :]),
    ]
    assert decode_plain(data[:33] + b"".join(parts) + data[-12:]) is not None
    for damaged in range(3):
        for byte in (1, 2, 3, 4):
            bad = [bytearray(part) for part in parts]
            bad[damaged][-byte] ^= 1
            assert decode_plain(data[:33] + b"".join(bad) + data[-12:]) is None


def test_bodies_are_gathered_and_summed() -> None:
    gather = import_module("convcli._png").gather
    bodies = [bytes(range(200)) + b"!" * n for n in (0, 1, 15, 16, 17, 40)] + [b""]
    data = b"".join(chunk(b"IDAT", body) for body in bodies) + chunk(b"IEND", b"")
    whole = b"".join(bodies)
    for room in (len(whole), 7, 16, 100):
        left, crc, at, got = len(bodies[0]), zlib.crc32(b"IDAT"), 8, b""
        while left >= 0:
            out = bytearray(room)
            used, made, left, crc = gather(data[at:], left, crc, out)
            at, got = at + used, got + bytes(out[:made])
        assert got == whole
        assert data[at:] == chunk(b"IEND", b"")
    for damaged in (b"IDAT", b"IDAT\x00"):  # of a type, and of a body
        bad = data.replace(damaged, damaged[:-1] + b"\x7f", 1)
        with pytest.raises(ValueError, match="damaged"):
            gather(bad[8:], len(bodies[0]), zlib.crc32(bad[4:8]) ^ 1, bytearray(len(whole)))


@pytest.mark.parametrize("length", [0, 1 << 7, 0x7F, 1 << 23, 0x7FFFFFFF])
def test_the_length_of_the_next_chunk_is_told(length: int) -> None:
    """The specification's limit is 2**31 - 1."""
    gather = import_module("convcli._png").gather
    body = chunk(b"IDAT", b"abc")[8:]
    following = struct.pack(">I4s", length, b"IDAT")
    crc = zlib.crc32(b"IDAT")
    assert gather(body + following, 3, crc, bytearray(3)) == (15, 3, length, crc)
    with pytest.raises(ValueError, match="damaged"):
        gather(body + struct.pack(">I4s", length | 1 << 31, b"IDAT"), 3, crc, bytearray(3))


@pytest.mark.parametrize("unit", [0, 1])
def test_the_size_of_a_pixel_is_told_per_inch(unit: int) -> None:
    """In the file per metre: 11,811 is 300 per inch of 25.4 mm; without a unit it is a shape."""
    data = raw_png(noisy((4, 5, 3), "uint8"), [0])
    size = chunk(b"pHYs", struct.pack(">IIB", 11811, 5906, unit))
    dpi = decode_picture(data[:33] + size + data[33:], "x").meta.dpi
    assert dpi == (pytest.approx((300, 150), abs=0.02) if unit else None)
