"""TIFFs of measured values: every type, any number of bands, masks, overviews, no-data values."""

from __future__ import annotations

import io
import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from convcli.engine.cpu.tiles import Tile
from convcli.engine.numerics import DTYPES
from convcli.errors import InputError
from convcli.imaging.formats import Coding, format_of_name
from convcli.imaging.metadata.carry import carry
from convcli.imaging.opening import decode_picture, decoded_bytes, open_stored
from convcli.imaging.options import FilterOptions
from convcli.imaging.sink import PlanePart, open_sink
from convcli.imaging.source import Frame, Source
from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Report, Request

RNG = np.random.default_rng(17)
H, W = 37, 51
TIFF = format_of_name("tiff")
UNITS = {"strips": {"rowsperstrip": 9}, "tiles": {"tile": (16, 32)}}
UNPREDICTED = ("int64", "uint64", "float16")
"""By tifffile, when it writes."""
CODECS = [None, "lzw", "adobe_deflate", "zstd", "lzma", "packbits"]


def values(dtype: str, *shape: int) -> np.ndarray:
    """Noise over the whole range of a type, its ends too."""
    if np.dtype(dtype).kind == "f":
        return (RNG.normal(0, 1, shape) * 1e4).astype(dtype)
    ends = np.iinfo(dtype)
    noise = RNG.integers(ends.min, ends.max, shape, np.dtype(dtype), endpoint=True)
    noise.flat[0], noise.flat[-1] = ends.min, ends.max
    return noise


def written(pixels: np.ndarray, planes: bool, order: str = "<", **how: Any) -> bytes:
    """A TIFF of an array ``(H, W, C)`` by tifffile."""
    out = io.BytesIO()
    data = np.moveaxis(pixels, -1, 0) if planes else pixels
    if pixels.shape[2] > 1:
        how["planarconfig"] = "separate" if planes else "contig"
    with tifffile.TiffWriter(out, byteorder=order, bigtiff=how.pop("big", False)) as writer:
        data = pixels[..., 0] if pixels.shape[2] == 1 else data
        writer.write(
            np.ascontiguousarray(data), **{"photometric": "minisblack", "metadata": None, **how}
        )
    return out.getvalue()


def in_parts(data: bytes, folder: Path) -> tuple[Source, np.ndarray]:
    """The same file opened, and its pixels by three odd parts."""
    path = folder / "x.tif"
    path.write_bytes(data)
    source = open_stored(str(path))
    assert source is not None
    with source:
        height, width, _ = source.first.shape
        rows = (0, height // 3), (height // 3, height - 5), (height - 5, height)
        cols = (0, 7), (7, width)
        parts = [[source.first.read(((r,), (c,))) for c in cols] for r in rows]
    return source, np.concatenate([np.concatenate(row, axis=1) for row in parts])


# ------------------------------------------------------------------ types, bands, layouts


LAYOUTS = list(itertools.product([1, 2, 5], UNITS, [False, True]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_and_number_of_bands_is_read_whole_and_in_parts(
    dtype: str, tmp_path: Path
) -> None:
    """Compressions, byte orders, BigTIFF go round, so that each meets each layout."""
    for number, (bands, units, planes) in enumerate(LAYOUTS):
        for turn in range(2):
            codec = CODECS[(number + 3 * turn + DTYPES.index(dtype)) % len(CODECS)]
            pixels = values(dtype, H, W, bands)
            how: dict[str, Any] = {"compression": codec, "big": turn == 1, **UNITS[units]}
            if codec not in (None, "packbits", "lzma") and dtype not in UNPREDICTED:
                how["predictor"] = turn == 0
            data = written(pixels, planes, "<>"[turn], **how)
            source, parts = in_parts(data, tmp_path)
            picture = decode_picture(data, "x")
            (frame,) = picture.frames
            for header in (source, picture):
                assert (header.space, header.alpha) == ("gray" if bands == 1 else "bands", False)
                assert header.shape == pixels.shape
                assert header.dtype == ("float32" if dtype == "float16" else dtype)
            for got in (frame.pixels, parts):
                assert got.dtype == source.dtype
                np.testing.assert_array_equal(got, pixels)


@pytest.mark.parametrize(
    ("codec", "planes", "dtype", "bands"),
    [
        ("lerc", False, "float32", 4),
        ("lerc", True, "int16", 4),
        ("jpeg2000", False, "uint16", 4),
        ("jpegxl", True, "uint16", 4),
        ("webp", False, "uint8", 3),
    ],
)
def test_compressions_that_few_have(
    codec: str, planes: bool, dtype: str, bands: int, tmp_path: Path
) -> None:
    pixels = values(dtype, H, W, bands)
    how: dict[str, Any] = {"compression": codec, "tile": (32, 48)}
    if codec in ("webp", "jpeg2000"):
        how["compressionargs"] = {"lossless": True} if codec == "webp" else {"level": 0}
    data = written(pixels, planes, photometric="rgb" if bands == 3 else "minisblack", **how)
    expected = tifffile.imread(io.BytesIO(data))
    expected = np.moveaxis(expected, 0, -1) if planes else expected
    assert expected.shape == pixels.shape
    _, parts = in_parts(data, tmp_path)
    np.testing.assert_array_equal(parts, expected)
    (frame,) = decode_picture(data, "x").frames
    np.testing.assert_array_equal(frame.pixels, expected)


@pytest.mark.parametrize(
    ("kind", "samples", "said", "layout"),
    [
        ("rgb", 4, (0,), ("bands", 4, False)),
        ("rgb", 5, (0, 2), ("bands", 4, True)),
        ("rgb", 6, (0, 0, 0), ("bands", 6, False)),
        ("rgb", 4, (2,), ("rgb", 3, True)),
        ("minisblack", 2, (2,), ("gray", 1, True)),
        ("minisblack", 3, (0, 0), ("bands", 3, False)),
        ("minisblack", 6, (0, 0, 0, 0, 2), ("bands", 5, True)),
    ],
)
@pytest.mark.parametrize("planes", [False, True])
def test_alpha_is_what_the_file_says(
    kind: str, samples: int, said: tuple[int, ...], layout: tuple[str, int, bool], planes: bool,
    tmp_path: Path,
) -> None:  # fmt: skip
    pixels = values("uint16", H, W, samples)
    data = written(pixels, planes, photometric=kind, extrasamples=said)
    source, parts = in_parts(data, tmp_path)
    picture = decode_picture(data, "x")
    for header in (source, picture):
        assert (header.space, header.colours, header.alpha) == layout
    np.testing.assert_array_equal(parts, pixels)
    np.testing.assert_array_equal(picture.first.pixels, pixels)


@pytest.mark.parametrize("said", [(2, 0), (1, 0), (0, 1), (2, 2)])
def test_alpha_among_bands_is_refused(said: tuple[int, ...], tmp_path: Path) -> None:
    data = written(values("uint8", H, W, 3), False, extrasamples=said)
    with pytest.raises(InputError, match="3 samples per pixel"):
        decode_picture(data, "x")
    (tmp_path / "x.tif").write_bytes(data)
    assert open_stored(str(tmp_path / "x.tif")) is None


# ------------------------------------------------------------------ writing


def rewritten(pixels: np.ndarray, folder: Path, whole: bool, **said: Any) -> bytes:
    """A file of ours: encoded whole, or filled part by part."""
    compression = said.pop("compression", None)
    header = Source("TIFF", said.pop("space"), said.pop("alpha"), pixels.dtype, (H, W), **said)
    header.meta.compression = compression
    header.frames = [Frame(pixels)]
    if whole:
        return bytes(TIFF.encode(header, Coding()))
    path = folder / "out.tif"
    with open_sink(str(path), TIFF, header, header, overwrite=True, coding=Coding()) as sink:
        tops = (0, 10, 30, H)
        sink.write(
            (PlanePart(Tile(top, end, 0, W)), pixels[top:end])
            for top, end in itertools.pairwise(tops)
        )
    return path.read_bytes()


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "float16"])
def test_every_type_and_number_of_bands_is_written(dtype: str, whole: bool, tmp_path: Path) -> None:
    for (bands, alpha), compression in itertools.product(
        [(1, False), (1, True), (3, False), (5, True)], [1, 8, 5, 50000]
    ):
        pixels = values(dtype, H, W, bands + alpha)
        said = {"space": "gray" if bands == 1 else "bands", "bands": bands * (bands > 1)}
        data = rewritten(
            pixels, tmp_path, whole, alpha=alpha, compression=compression, nodata=7, **said
        )
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            (page,) = file.pages
            np.testing.assert_array_equal(page.asarray().reshape(pixels.shape), pixels)
            assert page.photometric == 1
            assert tuple(page.extrasamples) == (0,) * (bands - 1) + (2,) * alpha
            assert page.tags[42113].value == "7"
        again = decode_picture(data, "x")
        assert (again.space, again.colours, again.alpha) == (said["space"], bands, alpha)
        assert (again.nodata, again.shape) == (7, pixels.shape)
        np.testing.assert_array_equal(again.first.pixels, pixels)


# ------------------------------------------------------------------ no data


def declaring(text: bytes, dtype: str = "float32", kind: str = "minisblack") -> bytes:
    tags = [(42113, 2, len(text), text, True)]
    return written(np.ones((H, W, 1), dtype), False, photometric=kind, extratags=tags)


@pytest.mark.parametrize(
    ("dtype", "text", "value"),
    [
        ("float32", b"nan\0", np.nan),
        ("float32", b"NaN \0\0", np.nan),
        ("float32", b"1.#QNAN\0", np.nan),
        ("float32", b"-1.#IND\0", np.nan),
        ("float32", b"-inf\0", -np.inf),
        ("float32", b"-3.4028234663852886e+38\0", -3.4028234663852886e38),
        ("float32", b"-3.4028235e+38 \0", -3.4028234663852886e38),
        ("float32", b"-9999.9\0", float(np.float32(-9999.9))),
        ("float64", b"-1.7976931348623157e+308\0", -1.7976931348623157e308),
        ("float64", b"0.1\0", 0.1),
        ("uint16", b" 65535\0", 65535),
        ("uint16", b"1e3\0", 1000),
        ("uint8", b"-0.0\0", 0),
        ("uint8", b"255.0\0\0\0", 255),
    ],
)
def test_what_is_missing_is_read(dtype: str, text: bytes, value: float, tmp_path: Path) -> None:
    data = declaring(text, dtype)
    source, _ = in_parts(data, tmp_path)
    for header in (source, decode_picture(data, "x")):
        assert header.nodata is not None
        np.testing.assert_equal(header.nodata, value)
        assert isinstance(header.nodata, float if dtype.startswith("f") else int)
        assert header.notes == []


@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        ("uint8", "-9999"),
        ("uint8", "256"),
        ("uint8", "0.5"),
        ("uint16", "nan"),
        ("uint16", "1_0"),
        ("uint8", "none"),
        ("float32", "-1.7976931348623157e+308"),
        ("float32", "9" * 400),
    ],
)
def test_what_no_sample_can_be_is_ignored_with_a_note(
    dtype: str, text: str, tmp_path: Path
) -> None:
    data = declaring(text.encode() + b"\0", dtype)
    source, _ = in_parts(data, tmp_path)
    for header in (source, decode_picture(data, "x")):
        assert header.nodata is None
        assert header.notes == [f"its no-data value {text!r} is none of {dtype} and was ignored"]


def test_what_is_missing_turns_with_white_and_is_no_colour_of_a_table() -> None:
    assert decode_picture(declaring(b"255\0", "uint8", "miniswhite"), "x").nodata == 0
    table = np.zeros((3, 256), np.uint16)
    tags = [(42113, 2, 2, b"0\0", True)]
    data = written(
        np.ones((H, W, 1), np.uint8), False, colormap=table, photometric="palette", extratags=tags
    )
    picture = decode_picture(data, "x")
    assert picture.nodata is None
    assert picture.notes == ["its no-data value is an entry of its colour table and was ignored"]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("dtype", "value", "text"),
    [
        ("float64", -9999.0, "-9999"),
        ("float64", float("nan"), "nan"),
        ("float64", 0.1, "0.1"),
        ("float64", -3.4028234663852886e38, "-3.4028234663852886e+38"),
        ("uint16", 65535, "65535"),
        ("uint8", None, None),
    ],
)
def test_what_is_missing_is_written(
    dtype: str, value: Any, text: str | None, whole: bool, tmp_path: Path
) -> None:
    pixels = np.ones((H, W, 1), dtype)
    data = rewritten(pixels, tmp_path, whole, space="gray", alpha=False, nodata=value)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert file.pages.first.tags.valueof(42113) == text


def test_the_file_s_own_words_stay_while_they_are_true(tmp_path: Path) -> None:
    picture = decode_picture(declaring(b"-9999.90\0"), "x")
    for change, text in ((picture.nodata, "-9999.90"), (1.5, "1.5"), (None, None)):
        picture.nodata = change
        with tifffile.TiffFile(io.BytesIO(bytes(TIFF.encode(picture, Coding())))) as file:
            assert file.pages.first.tags.valueof(42113) == text


def test_a_format_that_cannot_say_what_is_missing_is_named() -> None:
    for name, notes in (("png", ["its no-data value -9999.5 is not said by PNG"]), ("tiff", [])):
        picture = decode_picture(declaring(b"-9999.5\0"), "x")
        carry(picture, format_of_name(name))
        assert picture.notes == notes


@pytest.mark.parametrize("codec", ["adobe_deflate", None])
@pytest.mark.parametrize("planes", [False, True])
def test_tiles_that_are_not_there_are_missing(
    codec: str | None, planes: bool, tmp_path: Path
) -> None:
    tags = [(42113, 2, 3, b"77\0", True)]
    data = written(
        values("uint16", 32, 64, 2), planes, compression=codec, tile=(32, 32), extratags=tags
    )
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        counts = file.pages.first.tags[325]
        at, n = counts.valueoffset, counts.count
        size = counts.valuebytecount // n
        gone = file.pages.first.tags[324]
        places = gone.valueoffset
    data = bytearray(data)
    data[at : at + size] = bytes(size)
    data[places : places + 4] = bytes(4)
    _, parts = in_parts(bytes(data), tmp_path)
    (frame,) = decode_picture(bytes(data), "x").frames
    np.testing.assert_array_equal(frame.pixels, parts)
    assert (parts[:, :32, 0] == 77).all()
    assert not (parts[:, 32:] == 77).all()


# ------------------------------------------------------------------ overviews and masks


def pyramid(
    pixels: np.ndarray, masks: list[int], codec: str | None = None, pages: int = 1
) -> tuple[bytes, np.ndarray]:
    """As GDAL lays it out: each page, its overviews, its mask, and an overview of the mask."""
    mask = RNG.integers(0, 2, pixels.shape[:2], np.uint8)
    out = io.BytesIO()
    kind = {"photometric": "rgb" if pixels.shape[2] == 3 else "minisblack", "metadata": None}
    how: dict[str, Any] = {"compression": codec, "tile": (16, 16)}
    if pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    else:
        how["planarconfig"] = "contig"
    with tifffile.TiffWriter(out) as writer:
        for page in range(pages):
            writer.write(pixels + page, **kind, **how)
            writer.write(pixels[::2, ::2] + page, subfiletype=1, **kind, **how)
            writer.write(pixels[::4, ::4] + page, subfiletype=1, **kind, **how)
            if page in masks:
                bits = {"photometric": "mask", "metadata": None, "compression": codec}
                writer.write(mask.astype(bool), subfiletype=4, bitspersample=1, **bits)
                writer.write(mask[::2, ::2].astype(bool), subfiletype=5, bitspersample=1, **bits)
    return out.getvalue(), mask


def made_a_mask(data: bytes, page: int) -> bytes:
    """tifffile writes masks of 1 bit alone."""
    file = io.BytesIO(data)
    with tifffile.TiffFile(file, mode="r+b") as opened:
        opened.pages[page].tags[254].overwrite(4)
        return file.getvalue()


@pytest.mark.parametrize("codec", [None, "adobe_deflate"])
@pytest.mark.parametrize(("dtype", "bands"), [("uint8", 3), ("uint16", 4), ("float32", 1)])
def test_a_mask_is_alpha_and_overviews_are_no_pictures(
    dtype: str, bands: int, codec: str | None, tmp_path: Path
) -> None:
    pixels = values(dtype, H, W, bands)
    data, mask = pyramid(pixels, [0], codec)
    source, parts = in_parts(data, tmp_path)
    picture = decode_picture(data, "x")
    full = np.iinfo(dtype).max if dtype.startswith("u") else 1.0
    for header in (source, picture):
        assert (header.n_frames, header.alpha, header.colours) == (1, True, bands)
        notes = ["its 3 overviews were left out", "its mask became its alpha channel"]
        assert header.notes == notes
    for got in (parts, picture.first.pixels):
        assert got.dtype == dtype
        np.testing.assert_array_equal(got[..., :-1], pixels)
        np.testing.assert_array_equal(got[..., -1], np.where(mask, full, 0))
    size = decoded_bytes(data, "x")
    assert size == pixels.nbytes


def test_a_mask_takes_from_the_alpha_that_is_there(tmp_path: Path) -> None:
    pixels = values("uint8", H, W, 2)
    mask = RNG.integers(0, 2, (H, W), np.uint8) * 255
    out = io.BytesIO()
    with tifffile.TiffWriter(out, bigtiff=True, byteorder=">") as writer:
        how: dict[str, Any] = {"photometric": "minisblack", "metadata": None}
        writer.write(pixels, extrasamples=["unassalpha"], planarconfig="contig", **how)
        writer.write(mask, subfiletype=2, **how)
    data = made_a_mask(out.getvalue(), 1)
    _, parts = in_parts(data, tmp_path)
    expected = np.stack([pixels[..., 0], np.where(mask, pixels[..., 1], 0)], axis=-1)
    np.testing.assert_array_equal(parts, expected)
    (frame,) = decode_picture(data, "x").frames
    np.testing.assert_array_equal(frame.pixels, expected)


def test_each_page_has_its_own_mask() -> None:
    pixels = values("uint8", H, W, 1) // 2
    data, mask = pyramid(pixels, [1], pages=3)
    picture = decode_picture(data, "x")
    assert (picture.n_frames, picture.alpha) == (3, True)
    for number, frame in enumerate(picture.frames):
        np.testing.assert_array_equal(frame.pixels[..., :1], pixels + number)
        np.testing.assert_array_equal(frame.pixels[..., 1], np.where((number != 1) | mask, 255, 0))


def test_pages_that_are_all_overviews_are_pictures_and_masks_of_nothing_are_left_out() -> None:
    how: dict[str, Any] = {"photometric": "minisblack", "metadata": None}
    pixels = values("uint8", H, W, 1)[..., 0]
    for kinds, count, notes in (
        ([1, 1], 2, []),
        ([4, 0], 1, ["a mask of other pixels than those of the page before was left out"]),
        ([1, 0, 2], 2, ["its overview was left out"]),
    ):
        out = io.BytesIO()
        with tifffile.TiffWriter(out) as writer:
            for number, kind in enumerate(kinds):
                writer.write(pixels // 2 + number, subfiletype=min(kind, 2), **how)
        data = made_a_mask(out.getvalue(), 0) if kinds[0] == 4 else out.getvalue()
        picture = decode_picture(data, "x")
        assert (picture.n_frames, picture.notes) == (count, notes)
        first = kinds.index(0) if 0 in kinds else 0
        got = [frame.pixels[0, 0, 0] - pixels[0, 0] // 2 for frame in picture.frames]
        assert got == list(range(first, first + count))


def test_what_is_said_is_that_of_the_pictures() -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for number, kind in enumerate((1, 0, 1, 0)):
            how: dict[str, Any] = {"photometric": "minisblack", "metadata": None}
            writer.write(
                np.full((H, W), number, np.uint16), subfiletype=kind, description=f"{number}", **how
            )
    picture = decode_picture(out.getvalue(), "x")
    assert picture.meta.fields[270].data == b"1\0"
    metas = [frame.meta for frame in picture.frames]
    assert [meta.fields[270].data for meta in metas if meta] == [b"1\0", b"3\0"]


# ------------------------------------------------------------------ filtered


def mean_of_there(pixels: np.ndarray, there: np.ndarray, y: int, x: int, band: int) -> Fraction:
    """Of the cells of a window of 3 by 3 that are there, mirrored at the border."""
    cells = [
        (min(abs(y + i), 2 * (H - 1) - y - i), min(abs(x + j), 2 * (W - 1) - x - j), band)
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    ]
    found = [int(pixels[cell]) for cell in cells if there[cell]]
    return Fraction(sum(found), len(found))


@pytest.mark.parametrize("memory", [None, 1])
@pytest.mark.parametrize(("dtype", "bands"), [("int16", 5), ("uint8", 3), ("int64", 2)])
@pytest.mark.parametrize("by", ["value", "mask"])
def test_what_is_missing_stays_so_and_is_left_out_of_means(
    dtype: str, bands: int, by: str, memory: int | None, tmp_path: Path
) -> None:
    """In each band by a value; in all by a mask, of which the alpha of the result tells."""
    pixels = RNG.integers(0, 100, (H, W, bands)).astype(dtype)
    there = RNG.random((H, W, bands)) < 0.8
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    if by == "value":
        pixels[~there] = 111
        tags = [(42113, 2, 4, b"111\0", True)]
        source.write_bytes(written(pixels, True, compression="lzw", extratags=tags))
    else:
        there[...] = there[..., :1]
        with tifffile.TiffWriter(source) as file:
            how = {"photometric": "minisblack", "metadata": None}
            file.write(pixels, planarconfig="contig", tile=(16, 32), **how)
            how["photometric"] = "mask"
            file.write(there[..., 0], subfiletype=4, bitspersample=1, **how)
    request = Request(
        (str(source),),
        (load_kernel("box:3"),),
        FilterOptions(),
        output=str(target),
        memory=memory,
    )
    (report,) = Batch(request).run()
    assert isinstance(report, Report)
    got = tifffile.imread(target)
    assert (got.dtype, got.shape) == (dtype, (H, W, bands + (by == "mask")))
    if by == "mask":
        np.testing.assert_array_equal(got[..., -1] != 0, there[..., 0])
    else:
        assert (got[~there] == 111).all()
    for place in zip(*np.nonzero(there), strict=True):
        assert got[place] == round(mean_of_there(pixels, there, *place)), place


def test_alpha_says_what_is_missing_of_stretched_values_too(tmp_path: Path) -> None:
    pixels = RNG.integers(10, 100, (H, W, 2)).astype(np.int16)
    pixels[..., 1] = np.where(RNG.random((H, W)) < 0.8, 32767, 0)
    (tmp_path / "in.tif").write_bytes(written(pixels, False, extrasamples=["unassalpha"]))
    paths = str(tmp_path / "in.tif"), str(tmp_path / "out.tif")
    options = FilterOptions(range="stretch")
    (report,) = Batch(Request((paths[0],), (load_kernel("identity"),), options, paths[1])).run()
    assert isinstance(report, Report)
    got, there = tifffile.imread(paths[1]), pixels[..., 1] != 0
    np.testing.assert_array_equal(got[..., 1] != 0, there)
    values = pixels[..., 0][there].astype(float)
    share = (got[..., 0][there] - float(got[..., 0][there].min())) / np.ptp(
        got[..., 0][there].astype(float)
    )
    np.testing.assert_allclose(share, (values - values.min()) / np.ptp(values), atol=1e-2)
