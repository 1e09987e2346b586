"""Pictures stored on their side or mirrored: upright as Pillow has them, and no word of it left."""

from __future__ import annotations

import io
import itertools
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from convcli.imaging.formats.png.chunks import chunk
from convcli.imaging.metadata.upright import exif_orientation, reset_exif, reset_xmp
from convcli.imaging.opening import decode_picture, open_stored
from convcli.imaging.source import Source
from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Request

RNG = np.random.default_rng(5)
ALL = range(1, 9)
SIZES = [(7, 11), (9, 9)]  # a square one shows what a wrong size would give away


def noise(shape: tuple[int, ...], dtype: str = "uint8") -> np.ndarray:
    if dtype.startswith("f"):
        return RNG.normal(0.5, 0.4, shape).astype(dtype)
    return RNG.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Upright by Pillow's ``exif_transpose``, whatever the type: of numbers of the pixels."""
    height, width = pixels.shape[:2]
    image = Image.fromarray(np.arange(height * width, dtype=np.int32).reshape(height, width))
    image.getexif()[274] = orientation
    index = np.asarray(ImageOps.exif_transpose(image))
    return pixels.reshape(height * width, -1)[index]


def only_frame(picture: Source) -> np.ndarray:
    (frame,) = picture.frames
    return frame.pixels


# ------------------------------------------------------------------ tag 274 of a TIFF

MODES = {
    "L": [None, "tiff_lzw"],
    "LA": [None, "tiff_adobe_deflate"],
    "RGB": [None, "jpeg"],
    "RGBA": [None, "tiff_lzw"],
    "P": [None, "packbits"],
    "1": [None, "packbits", "group3", "group4"],
    "CMYK": [None, "jpeg"],
    "I;16": [None, "tiff_lzw"],
    "F": [None, "zstd"],
}


def of_mode(mode: str, size: tuple[int, int]) -> Any:
    if mode in ("I;16", "F"):
        return Image.fromarray(noise(size, "uint16" if mode == "I;16" else "float32"))
    image = Image.fromarray(noise((*size, 4)))
    return image.convert("RGB").quantize(9) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "compression"), [(m, c) for m, compressions in MODES.items() for c in compressions]
)
def test_a_tiff_of_every_mode_is_upright(mode: str, compression: str | None) -> None:
    how = {"compression": compression} if compression else {}
    for size, orientation in itertools.product(SIZES, ALL):
        out = io.BytesIO()
        of_mode(mode, size).save(out, "TIFF", tiffinfo={274: orientation}, **how)
        picture = decode_picture(out.getvalue(), "x")
        got = only_frame(picture)
        with Image.open(out) as image:
            image.load()
            like = {"1": "L", "P": "RGB"}.get(mode, mode)
            expected = np.asarray(ImageOps.exif_transpose(image).convert(like))
        assert picture.size == got.shape[:2] == expected.shape[:2]
        np.testing.assert_array_equal(got, expected.reshape(got.shape))


def tiff(pixels: np.ndarray, orientation: int | None, xmp: bytes = b"", **options: Any) -> bytes:
    out = io.BytesIO()
    tags = [(274, 3, 1, orientation, True)] if orientation else []
    tags += [(700, 1, len(xmp), xmp, True)] if xmp else []
    tifffile.imwrite(out, pixels, metadata=None, extratags=tags, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("dtype", "channels", "options"),
    [
        ("uint8", 3, {"tile": (16, 16)}),
        ("uint8", 3, {"planarconfig": "separate"}),
        ("uint8", 3, {"bigtiff": True, "byteorder": ">"}),
        ("uint8", 4, {"extrasamples": ["unassalpha"], "compression": "lzw", "rowsperstrip": 2}),
        ("uint16", 1, {"tile": (16, 16), "byteorder": ">"}),
        ("uint16", 3, {"planarconfig": "separate", "compression": "deflate", "predictor": True}),
        ("uint16", 4, {"extrasamples": ["unassalpha"]}),
        ("float16", 1, {}),
        ("float32", 3, {"compression": "zstd"}),
        ("float64", 1, {"bigtiff": True}),
    ],
)
def test_a_tiff_of_every_layout_is_upright(
    dtype: str, channels: int, options: dict[str, Any]
) -> None:
    for size, orientation in itertools.product(SIZES, ALL):
        pixels = noise((*size, channels), dtype)
        stored = np.moveaxis(pixels, -1, 0) if "planarconfig" in options else pixels.squeeze()
        kind = "rgb" if channels > 1 else "minisblack"
        picture = decode_picture(tiff(stored, orientation, photometric=kind, **options), "x")
        expected = turned(pixels, orientation)
        assert picture.size == expected.shape[:2]
        np.testing.assert_array_equal(only_frame(picture), expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_each_page_is_turned_by_its_own_tag(dtype: str, tmp_path: Path) -> None:
    pages = [noise((8, 13, 3), dtype) for _ in ALL]
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    with tifffile.TiffWriter(source) as writer:
        for page, orientation in zip(pages, ALL, strict=True):
            tags = [(274, 3, 1, orientation, True)]
            writer.write(page, photometric="rgb", metadata=None, extratags=tags)
    picture = decode_picture(source.read_bytes(), "x")
    for _ in range(2):  # frames may be walked more than once
        for frame, page, orientation in zip(picture.frames, pages, ALL, strict=True):
            np.testing.assert_array_equal(frame.pixels, turned(page, orientation))
    identity(source, target)
    with tifffile.TiffFile(target) as file:
        for written, page, orientation in zip(file.pages, pages, ALL, strict=True):
            np.testing.assert_array_equal(written.asarray(), turned(page, orientation))
            assert written.tags.valueof(274, default=1) == 1


# ------------------------------------------------------------------ XMP


def xmp(spelling: str) -> bytes:
    element = spelling.startswith("<")
    inside = f">{spelling}</rdf:Description>" if element else f"{spelling}/>"
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        f'rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" {inside}</rdf:RDF></x:xmpmeta>'
    ).encode()


SPELLINGS = [
    'tiff:Orientation="6"',
    "tiff:Orientation = '6'",
    "<tiff:Orientation>6</tiff:Orientation>",
    '<tiff:Orientation rdf:datatype="x">\n 6\n</tiff:Orientation>',
]
FORMATS = ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"]


def saying(fmt: str, packet: bytes, exif: int | None, pixels: np.ndarray) -> bytes:
    """A file with an XMP packet, and EXIF with an orientation, or with something else."""
    out = io.BytesIO()
    block = Image.Exif()
    block[0x0112 if exif else 0x010F] = exif or "maker"
    if fmt == "TIFF":
        return tiff(pixels, exif, packet, photometric="rgb")
    how: dict[str, Any] = {"xmp": packet, "exif": block.tobytes()}
    if fmt == "PNG":
        how["pnginfo"] = PngInfo()
        how["pnginfo"].add_itxt("XML:com.adobe.xmp", how.pop("xmp").decode())
    Image.fromarray(pixels).save(out, fmt, **how | {"lossless": True} if fmt == "WEBP" else how)
    return out.getvalue()


def mild(size: tuple[int, int]) -> np.ndarray:
    """What survives JPEG and AVIF within a few levels, and is wrong by far when turned wrongly."""
    y, x = np.mgrid[: size[0], : size[1]]
    return np.stack([x * 3, y * 5, 255 - x - y], -1).astype(np.uint8)


def identity(source: Path, target: Path, **options: Any) -> None:
    request = Request((str(source),), (load_kernel("identity"),), output=str(target), **options)
    list(Batch(request).run())


def words_of_orientation(path: Path) -> list[int]:
    """Every orientation that a file speaks of."""
    with Image.open(path) as image:
        packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
        packet = packet.encode() if isinstance(packet, str) else packet
        in_xmp = [int(word) for word in re.findall(rb"tiff:Orientation[^0-9<]*([0-9])", packet)]
        if path.suffix == ".tiff":
            return [*in_xmp, image.tag_v2.get(274, 1)]
        block = Image.Exif()
        block.load(image.info.get("exif", b""))
        return [*in_xmp, block.get(274, 1)]


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("spelling", [SPELLINGS[0], SPELLINGS[2]], ids=["attribute", "element"])
def test_an_orientation_that_only_xmp_has_is_undone_and_reset(
    fmt: str, spelling: str, tmp_path: Path
) -> None:
    pixels = mild((40, 56))
    source, target = tmp_path / f"in.{fmt.lower()}", tmp_path / f"out.{fmt.lower()}"
    source.write_bytes(saying(fmt, xmp(spelling), None, pixels))
    assert 6 in words_of_orientation(source)
    identity(source, target)
    with Image.open(target) as image:
        difference = np.asarray(image).astype(int) - turned(pixels, 6)
    assert np.abs(difference).mean() <= (3 if fmt in ("JPEG", "AVIF") else 0)
    assert words_of_orientation(target) == [1, 1]


@pytest.mark.parametrize("fmt", FORMATS)
def test_no_format_hands_the_old_orientation_to_another(fmt: str, tmp_path: Path) -> None:
    pixels, source = mild((40, 56)), tmp_path / f"in.{fmt.lower()}"
    source.write_bytes(saying(fmt, xmp(SPELLINGS[0]), 6, pixels))
    for other in FORMATS:
        target = tmp_path / f"out.{other.lower()}"
        identity(source, target)
        with Image.open(target) as image:
            difference = np.asarray(image.convert("RGB")).astype(int) - turned(pixels, 6)
        assert np.abs(difference).mean() <= 4
        assert words_of_orientation(target) == [1, 1], other


def test_a_batch_is_turned_file_by_file(tmp_path: Path) -> None:
    pixels = mild((7, 11))
    sources = [tmp_path / f"{orientation}.tiff" for orientation in ALL]
    for source, orientation in zip(sources, ALL, strict=True):
        source.write_bytes(tiff(pixels, orientation, photometric="rgb"))
    names = tuple(map(str, sources))
    request = Request(names, (load_kernel("identity"),), output=f"{tmp_path}/out/{{name}}")
    assert len(list(Batch(request).run())) == len(sources)
    for source, orientation in zip(sources, ALL, strict=True):
        written = tifffile.imread(tmp_path / "out" / source.name)
        np.testing.assert_array_equal(written, turned(pixels, orientation))


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("fmt", ["PNG", "TIFF"])
def test_every_spelling_of_xmp_is_read(fmt: str, spelling: str) -> None:
    pixels = mild((7, 11))
    picture = decode_picture(saying(fmt, xmp(spelling), None, pixels), "x")
    np.testing.assert_array_equal(only_frame(picture), turned(pixels, 6))
    assert picture.meta.xmp == xmp(spelling.replace("6", "1"))


@pytest.mark.parametrize("exif", [1, 3])
@pytest.mark.parametrize("fmt", ["PNG", "WEBP", "TIFF"])
def test_where_exif_and_xmp_disagree_exif_is_right(fmt: str, exif: int, tmp_path: Path) -> None:
    """Metadata Working Group, Guidelines for Handling Image Metadata 2.0, 5.3."""
    pixels = mild((7, 11))
    source, target = tmp_path / f"in.{fmt.lower()}", tmp_path / f"out.{fmt.lower()}"
    source.write_bytes(saying(fmt, xmp(SPELLINGS[0]), exif, pixels))
    identity(source, target)
    with Image.open(target) as image:
        np.testing.assert_array_equal(np.asarray(image), turned(pixels, exif))
    assert words_of_orientation(target) == [1, 1]


@pytest.mark.parametrize("value", ["0", "9", "12", "x", ""])
def test_xmp_that_says_nothing_turns_nothing(value: str) -> None:
    pixels = mild((7, 11))
    packet = xmp(f'tiff:Orientation="{value}"')
    np.testing.assert_array_equal(
        only_frame(decode_picture(saying("PNG", packet, None, pixels), "x")), pixels
    )


def test_a_long_packet_is_searched_in_linear_time() -> None:
    packet = b"tiff:Orientation " * 100_000
    assert reset_xmp(packet) == packet  # minutes, if each looked to the end


# ------------------------------------------------------------------ the block of EXIF itself


def exif_of(order: str, *entries: tuple[int, int, int]) -> bytes:
    head = (b"II*\0" if order == "little" else b"MM\0*") + (8).to_bytes(4, order)
    body = len(entries).to_bytes(2, order)
    for tag, kind, value in entries:
        body += tag.to_bytes(2, order) + kind.to_bytes(2, order) + (1).to_bytes(4, order)
        body += value.to_bytes(2 if kind == 3 else 4, order).ljust(4, b"\0")
    return head + body + bytes(4)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("kind", [3, 4])
def test_the_tag_is_found_whatever_its_type(order: str, kind: int) -> None:
    block = exif_of(order, (0x010F, 3, 5), (274, kind, 6), (282, 4, 7))
    assert exif_orientation(block) == 6
    assert reset_exif(block) == exif_of(order, (0x010F, 3, 5), (274, kind, 1), (282, 4, 7))
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + block)
    assert exif[274] == 6


def test_of_two_tags_the_first_counts_and_both_are_reset() -> None:
    block = exif_of("little", (274, 3, 6), (274, 3, 8))
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + block)
    assert exif_orientation(block) == exif[274] == 6
    assert reset_exif(block) == exif_of("little", (274, 3, 1), (274, 3, 1))
    assert exif_orientation(exif_of("little", (0x010F, 3, 5))) is None


@pytest.mark.parametrize("length", [0, 4, 9, 18, 21])
def test_a_block_that_is_cut_is_malformed(length: int) -> None:
    with pytest.raises(ValueError, match=r"no TIFF header|beyond the end"):
        exif_orientation(exif_of("big", (274, 3, 6))[:length])


# ------------------------------------------------------------------ large ones, resolutions, frames


@pytest.mark.parametrize("how", ["tag", "xmp"])
@pytest.mark.parametrize("target", ["out.tif", "out.npy"])
def test_what_lies_on_its_side_is_read_whole_and_turned(
    how: str, target: str, tmp_path: Path
) -> None:
    pixels = noise((300, 200, 3))
    data = tiff(pixels, 6) if how == "tag" else tiff(pixels, None, xmp(SPELLINGS[0]))
    (tmp_path / "in.tif").write_bytes(data)
    assert open_stored(str(tmp_path / "in.tif")) is None
    identity(tmp_path / "in.tif", tmp_path / target, memory=170 << 20)
    load = np.load if target.endswith("npy") else tifffile.imread
    np.testing.assert_array_equal(load(tmp_path / target), turned(pixels, 6))


def test_xmp_that_disagrees_is_reset_in_parts_too(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    path.write_bytes(tiff(noise((30, 20)), 1, xmp(SPELLINGS[0])))
    source = open_stored(str(path))
    assert source is not None
    with source:
        assert source.meta.xmp == xmp(SPELLINGS[0].replace("6", "1"))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 9])
def test_resolutions_go_with_their_axes(dtype: str, orientation: int) -> None:
    how = {"resolution": (300, 150), "resolutionunit": "INCH"}
    meta = decode_picture(tiff(noise((7, 11), dtype), orientation, **how), "x").meta
    assert meta.dpi == pytest.approx((150, 300) if orientation == 6 else (300, 150))


@pytest.mark.parametrize("fmt", ["PNG", "WEBP"])
def test_every_frame_of_an_animation_is_turned(fmt: str) -> None:
    frames = [noise((7, 11, 3)) for _ in range(3)]
    exif = Image.Exif()
    exif[274] = 5
    images = [Image.fromarray(frame) for frame in frames]
    out = io.BytesIO()
    how = {"save_all": True, "append_images": images[1:], "exif": exif.tobytes(), "duration": 40}
    images[0].save(out, fmt, **how | ({"lossless": True} if fmt == "WEBP" else {}))
    picture = decode_picture(out.getvalue(), "x")
    for frame, pixels in zip(picture.frames, frames, strict=True):
        np.testing.assert_array_equal(frame.pixels[..., :3], turned(pixels, 5))


# ------------------------------------------------------------------ EXIF in the text of a PNG


def raw_profile(name: str, profile: bytes) -> bytes:
    """As ImageMagick writes it: name, length, and 36 bytes in hex a line."""
    digits = re.sub("(.{72})", r"\1\n", profile.hex())
    return f"\n{name}\n{len(profile):8}\n{digits}\n".encode()


TEXTS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "tEXt": (b"tEXt", lambda text: text),
    "zTXt": (b"zTXt", lambda text: b"\0" + zlib.compress(text)),
    "iTXt": (b"iTXt", lambda text: b"\0\0\0\0" + text),
    "iTXt_compressed": (b"iTXt", lambda text: b"\1\0en\0\0" + zlib.compress(text)),
}


def with_text(how: str, keyword: str, text: bytes, *others: tuple[bytes, bytes]) -> bytes:
    """A PNG of ``mild`` pixels with a text and other chunks."""
    kind, body = TEXTS[how]
    out = io.BytesIO()
    Image.fromarray(mild((7, 11))).save(out, "PNG")
    chunks = [*others, (kind, keyword.encode() + b"\0" + body(text))]
    data = out.getvalue()
    return data[:33] + b"".join(chunk(*each) for each in chunks) + data[33:]


SIX, THREE = exif_of("big", (274, 3, 6)), exif_of("little", (274, 3, 3))


@pytest.mark.parametrize("how", TEXTS)
@pytest.mark.parametrize(
    ("keyword", "profile"),
    [
        ("exif", b"Exif\0\0" + SIX),
        ("exif", SIX),
        ("APP1", b"Exif\0\0" + SIX),
        ("APP1", b"http://ns.adobe.com/xap/1.0/\0" + xmp(SPELLINGS[0])),
        ("xmp", xmp(SPELLINGS[2])),
    ],
    ids=["exif", "bare_exif", "app1", "app1_of_xmp", "xmp"],
)
def test_a_profile_in_the_text_of_a_png_is_undone_and_reset(
    how: str, keyword: str, profile: bytes, tmp_path: Path
) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    text = raw_profile(keyword.lower(), profile)
    source.write_bytes(with_text(how, f"Raw profile type {keyword}", text))
    identity(source, target)
    with Image.open(target) as image:
        np.testing.assert_array_equal(np.asarray(image), turned(mild((7, 11)), 6))
        assert not any("Raw profile" in key for key in image.info)
    assert len(words := words_of_orientation(target)) and set(words) == {1}
    picture = decode_picture(target.read_bytes(), "x")
    assert (picture.meta.exif, picture.meta.xmp).count(None) == 1  # the profile is still there


def test_a_chunk_of_exif_counts_more_than_a_text() -> None:
    keyword, text = "Raw profile type exif", raw_profile("exif", b"Exif\0\0" + SIX)
    picture = decode_picture(with_text("zTXt", keyword, text, (b"eXIf", THREE)), "x")
    np.testing.assert_array_equal(only_frame(picture), turned(mild((7, 11)), 3))
    assert picture.notes == ["a second EXIF, in 'Raw profile type exif', was left out"]
    again = decode_picture(with_text("zTXt", keyword, text, (b"eXIf", b"Exif\0\0" + SIX)), "x")
    np.testing.assert_array_equal(only_frame(again), turned(mild((7, 11)), 6))
    assert again.notes == []  # the same twice


@pytest.mark.parametrize(
    "text", [b"", b"\nexif\n", b"\nexif\n 3\n4d4", b"\nexif\n 4\n4d4d", b"\nexif\n x\n4d"]
)
def test_a_profile_that_is_damaged_is_left_out_and_said(text: bytes) -> None:
    picture = decode_picture(with_text("tEXt", "Raw profile type exif", text), "x")
    np.testing.assert_array_equal(only_frame(picture), mild((7, 11)))
    assert picture.notes == ["its text 'Raw profile type exif' is malformed and was left out"]


def test_other_profiles_and_texts_stay_where_they_are() -> None:
    text = raw_profile("iptc", b"anything")
    meta = decode_picture(with_text("tEXt", "Raw profile type iptc", text), "x").meta
    assert meta.png_chunks == [(b"tEXt", b"Raw profile type iptc\0" + text)]
