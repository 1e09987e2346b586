"""Write docs/metadata.md: what each format says, filtered into every format, and found or named.

    python docs/make_metadata.py

Files are made, and results looked at, with Pillow, tifffile and by hand, not with what is tested.
"""

from __future__ import annotations

import io
import re
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from PIL import Image, ImageCms, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Report, Request

TARGET = Path(__file__).parent / "metadata.md"
SUFFIXES = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "TIFF": ".tif",
    "WebP": ".webp",
    "GIF": ".gif",
    "BMP": ".bmp",
    "PPM": ".ppm",
    "AVIF": ".avif",
    "arrays": ".npy",
}
KEPT, NAMED = "✓", "note"
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>a packet</x:xmpmeta>"
RECORDS = b"\x1c\x02\x78\0\x0fan IPTC caption"
RESOURCES = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(RECORDS)) + RECORDS
CAPTION, WORDS = "Größe © Åsa", b"a comment"
MAKER_NOTE, PLACE = b"what only the maker knows", (48.0, 8.0, 15.0)
ARTIST, COPYRIGHT, DESCRIPTION, MAKER, GPS = 315, 33432, 270, 0x927C, 0x8825
DPI = 200
Find = Callable[[bytes], bool]


class Row(NamedTuple):
    """A block of a format: its name, what a note calls it, and whether a file has it."""

    source: str
    block: str
    called: str
    find: Find


# ------------------------------------------------------------------- looking at what came out


def has(needle: bytes) -> Find:
    """Whether a file holds these very bytes."""
    return lambda data: needle in data


def opened(data: bytes) -> Image.Image | None:
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except OSError:
        return None
    return image


def has_profile(data: bytes) -> bool:
    image = opened(data)
    return (image is not None and image.info.get("icc_profile") == ICC) or ICC in unparted(data)


def unparted(data: bytes) -> bytes:
    """The profile of a GIF, whose blocks are cut into parts of 255 bytes."""
    at, parts = data.find(b"ICCRGBG1012") + 11, []
    while at > 11 and data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(parts)


def has_field(tag: int, value: object, below: int | None = None) -> Find:
    """Whether Pillow finds a value in EXIF, or in the fields of a TIFF."""

    def find(data: bytes) -> bool:
        image = opened(data)
        if image is None:
            return False
        exif = image.getexif()
        found = (exif.get_ifd(below) if below else exif).get(tag)
        # Pillow takes every text for Latin-1.
        return found == value or (isinstance(found, str) and found == latin(value))

    return find


def latin(value: object) -> str:
    return str(value).encode().decode("latin-1")


def has_resolution(data: bytes) -> bool:
    image = opened(data)
    if image is None:
        return False
    stated = image.info.get("dpi") or (image.getexif().get(282, 0),) * 2
    return all(abs(float(value) - DPI) < 0.1 for value in stated)


def has_shape(data: bytes) -> bool:
    """Whether pixels are half as wide as high, by the header of their format."""
    pixel = re.search(rb"pHYs\0\0\0\x02\0\0\0\x01\0", data)
    jfif = re.search(rb"JFIF\0..\0\0\x02\0\x01", data, re.DOTALL)
    gif = data[:3] == b"GIF" and data[12] == 64 // 2 - 15
    if data[:4] == b"II*\0":
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            tags = {t.code: t.value for t in file.pages.first.tags}
        return (tags[282], tags[283], int(tags[296])) == ((2, 1), (1, 1), 1)
    return bool(pixel or jfif or gif)


# ------------------------------------------------------------------------- files with everything


def picture() -> Image.Image:
    return Image.fromarray(np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3))


def exif() -> bytes:
    block = Image.Exif()
    block[ARTIST] = CAPTION.encode()
    block.get_ifd(0x8769)[MAKER] = MAKER_NOTE
    block.get_ifd(GPS)[2] = PLACE
    return block.tobytes()


def saved(fmt: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture().save(out, fmt, **options)
    return out.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg() -> bytes:
    data = saved(
        "JPEG", icc_profile=ICC, exif=exif(), xmp=XMP, comment=WORDS, dpi=(DPI, DPI), quality=90
    )
    more = segment(0xED, b"Photoshop 3.0\0" + RESOURCES) + segment(
        0xEC, b"Somebody\0somebody's own"
    )
    return data[:20] + more + data[20:]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png() -> bytes:
    info = PngInfo()
    info.add_itxt("Description", CAPTION)
    info.add_text("Mood", "good", zip=True)
    info.add_text("Comment", WORDS.decode())
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    data = saved("PNG", icc_profile=ICC, exif=exif(), pnginfo=info, dpi=(DPI, DPI))
    more = chunk(b"tIME", bytes((7, 234, 1, 2, 3, 4, 5))) + chunk(b"prVt", b"somebody's own")
    return data[:33] + more + data[33:]


def tiff() -> bytes:
    fields = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, kind, value in (
        *((ARTIST, 2, CAPTION.encode()), (COPYRIGHT, 2, "© 2024".encode()), (700, 1, XMP)),
        *((33723, 7, RECORDS), (34377, 1, RESOURCES), (65000, 7, b"somebody's own")),
        *((33550, 12, (2.0, 3.0, 0.0)), (33922, 12, (0.0, 0.0, 0.0, 9.0, 8.0, 0.0))),
        *((0x8769, 4, {MAKER: MAKER_NOTE}), (GPS, 4, {2: PLACE}), (42113, 2, "251")),
    ):
        fields.tagtype[tag] = kind
        fields[tag] = value
    return saved("TIFF", tiffinfo=fields, dpi=(DPI, DPI), icc_profile=ICC)


def riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def webp() -> bytes:
    data = saved("WEBP", icc_profile=ICC, exif=exif(), xmp=XMP, lossless=True)
    data += riff_chunk(b"priv", b"somebody's own")
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def gif() -> bytes:
    parts = [b"\x21\xff\x0bICCRGBG1012"]
    parts += [bytes([len(p)]) + p for p in (ICC[i : i + 255] for i in range(0, len(ICC), 255))]
    parts += [b"\0\x21\xff\x0bXMP DataXMP", XMP, bytes([1, *range(255, -1, -1), 0])]
    parts += [b"\x21\xff\x0bSOMEBODY1.0\x0esomebody's own\0"]
    data = bytearray(saved("GIF", comment=WORDS))
    data[12] = 64 // 2 - 15
    return bytes(data[:-1]) + b"".join(parts) + b";"


def ppm() -> bytes:
    return b"P6\n# " + WORDS + b"\n6 8\n255\n" + picture().tobytes()


SOURCES = {
    "PNG": png(),
    "JPEG": jpeg(),
    "TIFF": tiff(),
    "WebP": webp(),
    "GIF": gif(),
    "BMP": saved("BMP", dpi=(DPI, DPI)),
    "PPM": ppm(),
    "AVIF": saved("AVIF", icc_profile=ICC, exif=exif(), xmp=XMP),
}
PROFILE = ("ICC profile", "ICC profile", has_profile)
PACKET = ("XMP", "XMP", has(XMP))
OF_EXIF = (
    ("EXIF: artist, in UTF-8", "EXIF", has(CAPTION.encode())),
    ("EXIF: maker note", "EXIF", has(MAKER_NOTE)),
    ("EXIF: place", "EXIF", has_field(2, PLACE, GPS)),
)
SIZE = ("resolution", "resolution", has_resolution)
COMMENT = ("comment", "comment", has(WORDS))
IPTC = ("IPTC", "IPTC and Photoshop block", has(RECORDS))
OWN = has(b"somebody's own")
CARRIED: dict[str, tuple[tuple[str, str, Find], ...]] = {
    "PNG": (
        *(PROFILE, *OF_EXIF, PACKET, SIZE, COMMENT),
        ("text: Description", "ImageDescription", has(CAPTION.encode())),
        ("text of another keyword", "text 'Mood'", has(b"Mood\0")),
        ("time of the last change", "chunk tIME", has(b"tIME")),
        ("somebody's chunk", "chunk prVt", OWN),
    ),
    "JPEG": (
        *(PROFILE, *OF_EXIF, PACKET, IPTC, SIZE, COMMENT),
        ("somebody's segment", "APP12 Somebody", OWN),
    ),
    "TIFF": (
        *(PROFILE, *OF_EXIF[1:], PACKET, IPTC, SIZE),
        ("artist, in UTF-8", "Artist", has(CAPTION.encode())),
        ("copyright, in UTF-8", "Copyright", has("© 2024".encode())),
        ("georeference", "georeference", has(struct.pack("<3d", 2, 3, 0))),
        ("no-data value", "no-data value 251", has_field(42113, "251")),
        ("somebody's tag", "TIFF tag 65000", OWN),
    ),
    "WebP": (PROFILE, *OF_EXIF, PACKET, ("somebody's chunk", "chunk priv", OWN)),
    "GIF": (
        *(PROFILE, PACKET, COMMENT, ("shape of a pixel", "shape of a pixel", has_shape)),
        ("somebody's block", "application block 'SOMEBODY1.0'", OWN),
    ),
    "BMP": (SIZE,),
    "PPM": (COMMENT,),
    "AVIF": (PROFILE, *OF_EXIF, PACKET),
}


# ----------------------------------------------------------------------------------- the table


def filtered(source: str, target: str, folder: Path) -> tuple[bytes, list[str]]:
    """The file that comes out, and the warnings."""
    paths = folder / f"in{SUFFIXES[source]}", folder / f"out{SUFFIXES[target]}"
    paths[0].write_bytes(SOURCES[source])
    kernels = (load_kernel("identity"),)
    request = Request((str(paths[0]),), kernels, output=str(paths[1]), overwrite=True)
    (report,) = Batch(request).run()
    assert isinstance(report, Report)
    return paths[1].read_bytes(), report.warnings


def cell(row: tuple[str, str, Find], data: bytes, warnings: list[str]) -> str:
    """What became of a block; an error if it is neither kept nor named, or both."""
    block, called, find = row
    said = [w for w in warnings if w.startswith("left out: ")]
    if len(said) > 1:
        raise ValueError(f"more than one note: {said}")
    said += [w for w in warnings if w.startswith("its no-data value")]
    kept, named = find(data), any(called in w for w in said)
    if kept == named:
        raise ValueError(
            f"{block} is {'kept and named as lost' if kept else 'lost without a word'}"
        )
    return KEPT if kept else NAMED


def table(folder: Path) -> dict[tuple[str, str], list[str]]:
    """By source and block, what became of it in each format."""
    rows: dict[tuple[str, str], list[str]] = {}
    for source, blocks in CARRIED.items():
        for row in blocks:
            if not row[2](SOURCES[source]):
                raise ValueError(f"{source}: {row[0]} is not in the file to begin with")
        for target in SUFFIXES:
            try:
                data, warnings = filtered(source, target, folder)
                cells = [cell(row, data, warnings) for row in blocks]
            except ValueError as error:
                raise ValueError(f"{source} to {target}: {error}") from error
            for row, what in zip(blocks, cells, strict=True):
                rows.setdefault((source, row[0]), []).append(what)
    return rows


INTRODUCTION = """# What a picture says besides its pixels

Made by `docs/make_metadata.py`, which writes a file of each format with everything in it, filters
it into every format and looks with other libraries what became of it; a test does the same.

✓ is kept; a *note* is one line on standard error that names all that the format has no place for:

    convcli: warning: in.jpg: left out: IPTC and Photoshop block (PNG has no place for that)
"""
RULES = """## Rules

- **Bytes stay as they are.** Texts are not decoded: Latin-1, UTF-8 and what is neither come out as
  they went in. Maker notes keep their bytes; in PNG, JPEG, WebP and AVIF also their place in the EXIF
  block, by which they point.
- **What finds no place of its own goes where readers look for it.** Captions of a TIFF (description,
  artist, copyright, software, make, model) are EXIF elsewhere, and EXIF is fields of a TIFF's page;
  so are the texts Title, Description, Author, Copyright and Software of a PNG. A comment is the
  description of a picture that has no other. A resolution is EXIF in WebP and AVIF.
- **What one program keeps for itself** (tags, segments, chunks, blocks) stays within its format. In
  a PNG it stays if its name says that it may be copied whatever becomes of the pixels.
- **Every page of a TIFF** keeps what it said itself.
- **Left out without a note**, since it says nothing that the picture does not: thumbnails of the old
  picture in EXIF, XMP and Photoshop's resources; in PNG, histograms, suggested palettes and
  significant bits; that colours are sRGB.
- **Said anew**: sizes in EXIF and XMP; the descriptions by which tifffile, ImageJ and OME-TIFF find
  their pages, and the size of a pixel in OME; left out, with the note, where they do not fit.
- **True of the old pixels only**, left out with the note: content credentials (C2PA), that a TIFF
  is a raw picture (DNG), layers, pictures below a page, tags that point into the old file,
  and what follows the end of a picture, such as a film.
- **Resolutions stay as they are with a stride**: they say how large to print, not what was seen;
  but those of ImageJ's pictures are the microscope's, and follow.

## Georeferences

The tags of GeoTIFF follow the pixels: a stride makes the pixel scale larger, strides and paddings
move tie points, the affine matrix and rational polynomials. In pixels of the input, the corner of
pixel (0, 0) moves by `(k - 1)/2 - before + (1 - s)/2` along each axis, for a kernel that spans `k`
pixels, `before` pixels of padding and a stride `s`; where a pixel is a point, its centre moves by the
same without the last term. A kernel of an even size has no middle cell: half a pixel of the shift is
its own, while the cell that decides what is missing is number `(k - 1) // 2`, counted from 0.

GDAL's statistics are left out. A value is scale times sample plus offset: scale and unit stay, and
the offset is multiplied by the sum of the weights, the values' own; where bands are mixed, nothing is
left of what was said of one. The no-data value is that of the result: the source's, unless `--nodata`
names another; one that no sample can have (-9999 of `uint8`) is ignored with a note. A TIFF's overviews
are no pictures and are left out with a note; a mask page becomes the alpha of the page before.
ImageJ's origin follows like a georeference, the offset of its calibration like GDAL's; what it shows as
black and white is left out where results may lie outside.
"""


def page(rows: dict[tuple[str, str], list[str]]) -> str:
    """The document."""
    lines = [INTRODUCTION, "## From every format to every format"]
    for source in CARRIED:
        lines += ["", f"### From {source}", "", "| | " + " | ".join(SUFFIXES) + " |"]
        lines.append("|---|" + ":-:|" * len(SUFFIXES))
        for (of, block), cells in rows.items():
            if of == source:
                lines.append(f"| {block} | " + " | ".join(cells) + " |")
    lines += ["", "Arrays are `.npy`, raw samples and Zarr.", "", RULES]
    return "\n".join(lines)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        TARGET.write_text(page(table(Path(folder))), encoding="utf-8")
    print(TARGET)


if __name__ == "__main__":
    main()
