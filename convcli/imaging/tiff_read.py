"""Decoding TIFF: Pillow for what it keeps whole, tifffile for 16-bit colour and floats."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from convcli.errors import InputError
from convcli.imaging.picture import Frame, Metadata, Picture, widened
from convcli.imaging.pillow_read import open_with_pillow, picture_of
from convcli.imaging.quiet import silence_logs
from convcli.imaging.tiff_pages import check_pages
from convcli.imaging.tiff_samples import page_pixels, says_its_kind
from convcli.imaging.tiff_strips import strip_notes, strips_of
from convcli.imaging.upright import (
    ORIENTATION,
    orientation_of,
    packet_of,
    take_orientation,
    turn_upright,
)

__all__ = ["page_metadata", "page_orientation", "read_tiff"]

BITS, COMPRESSION, BIT_ORDER, DESCRIPTION, SAMPLES, FORMAT = 258, 259, 266, 270, 277, 339
KIND, WHITE_IS_ZERO, PALETTE, PLANES, LAYERS = 262, 0, 3, 284, 32997
X_RESOLUTION, Y_RESOLUTION, UNIT, XMP, ICC, EXIF_IFD = 282, 283, 296, 700, 34675, 34665
TEXT_TAGS = (269, DESCRIPTION, 271, 272, 285, 305, 306, 315, 316, 33432)
MAX_PAGES = 10_000
"""Pillow looks for each page's place in a list of those before it; more are left to tifffile."""


def read_tiff(data: bytes, name: str, max_pixels: int) -> Picture:
    """Decode a TIFF or BigTIFF, every page of it."""
    count = check_pages(io.BytesIO(data), name, max_pixels)
    if data[2:4] in (b"*\0", b"\0*") and count <= MAX_PAGES:
        try:
            image = open_with_pillow(data, "TIFF")
        except Exception:
            image = None  # sample layouts that Pillow does not know: tifffile does, or explains
        lacks: list[str] = []
        if image is not None and _pillow_keeps(image, data, name, lacks):
            meta = Metadata(compression=image.info.get("compression"))
            notes = _collect(image, meta) + lacks
            notes += _narrow(image)
            take_orientation(meta, notes, image.tag_v2.get(ORIENTATION))  # Pillow turns the pages
            return picture_of(image, "TIFF", name, meta, notes, max_pixels)
    return _read_with_tifffile(data, name, count)


def _pillow_keeps(image: Any, data: bytes, name: str, notes: list[str]) -> bool:
    """Whether Pillow decodes every page at full depth and with all its samples, as what it is."""
    try:
        for index in range(image.n_frames):
            image.seek(index)
            tags = image.tag_v2
            if not _pillow_keeps_page(image, tags) or strips_of(tags.get).absent:
                return False
            notes += strip_notes(tags.get, data, name)
        image.seek(0)
    except EOFError:
        return False
    return True


def _pillow_keeps_page(image: Any, tags: Any) -> bool:
    deepest, kind = max(_numbers(tags.get(BITS, 1))), tags.get(KIND)
    if deepest > 8 and not (
        # It does not turn round deep samples of which 0 is white.
        kind != WHITE_IS_ZERO and (deepest, image.mode) in ((32, "F"), (16, "I;16"), (16, "I;16B"))
    ):
        return False
    if not says_its_kind(kind, tags.get(COMPRESSION, 1)):
        return False
    # It sees one layer of a volume, leaves out samples beyond those it knows, and has no way back
    # from premultiplied gray.
    bands = image.getbands()
    if tags.get(LAYERS, 1) != 1 or tags.get(SAMPLES, 1) > len(bands) or image.mode == "La":
        return False
    # Of what is not compressed it takes planes by the letters of the mode, whatever they mean, and
    # knows few kinds whose bits stand the other way round.
    odd = tags.get(PLANES) == 2 or tags.get(BIT_ORDER) == 2
    if odd and image.info.get("compression") == "raw" and image.mode not in ("RGB", "CMYK"):
        return False
    return image.mode == "F" or set(_numbers(tags.get(FORMAT, 1))) == {1}


def _numbers(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (int(value),)


def _narrow(image: Any) -> list[str]:
    """A note where samples have fewer bits than 8, which is what filters work on."""
    bits = max(_numbers(image.tag_v2.get(BITS, 1)))
    return [widened(bits)] if bits < 8 and image.tag_v2.get(KIND) != PALETTE else []


def _collect(image: Any, meta: Metadata) -> list[str]:
    tags = image.tag_v2
    notes: list[str] = []
    _common(meta, {tag: tags[tag] for tag in (*TEXT_TAGS, XMP, ICC) if tag in tags}, notes)
    if "dpi" in image.info:
        x, y = (float(value) for value in image.info["dpi"])
        meta.dpi = (x, y) if x > 0 and y > 0 else None
    exif = image.getexif()
    for tag in list(exif):
        if tag not in (EXIF_IFD, 34853):
            del exif[tag]
    meta.exif = exif.tobytes().removeprefix(b"Exif\0\0") if len(exif) else None
    return notes


def _common(meta: Metadata, tags: dict[int, Any], notes: list[str]) -> None:
    for tag in TEXT_TAGS:
        value = tags.get(tag)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, str):
            meta.tiff_tags[tag] = value
    meta.xmp = packet_of(tags.get(XMP))
    icc = tags.get(ICC)
    if icc is not None and not (
        isinstance(icc, bytes) and len(icc) >= 128 and icc[36:40] == b"acsp"
    ):
        notes.append("its ICC profile is malformed and was left out")
        icc = None
    meta.icc = icc


def _read_with_tifffile(data: bytes, name: str, count: int) -> Picture:
    import tifffile

    silence_logs()
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        if not count:
            raise InputError(f"{name}: the TIFF has no pages")
        pages: list[Any] = [file.pages[index] for index in range(count)]
        notes: list[str] = []
        frames: list[Frame] = []
        kinds: set[tuple[str, bool, str]] = set()
        for page in pages:
            notes += strip_notes(page.tags.valueof, data, name)
            pixels, space, alpha = page_pixels(page, name, notes)
            frames.append(Frame(turn_upright(pixels, page_orientation(page))))
            kinds.add((space, alpha, pixels.dtype.name))
        if len(kinds) > 1:
            raise InputError(f"{name}: its pages mix kinds of pixels: {sorted(kinds)}")
        meta = page_metadata(pages[0], notes)
        space, alpha, dtype = kinds.pop()
    return Picture(
        format="TIFF",
        space=space,
        alpha=alpha,
        dtype=np.dtype(dtype),
        size=frames[0].pixels.shape[:2],
        frames=frames,
        n_frames=len(frames),
        meta=meta,
        notes=notes,
    )


def page_metadata(page: Any, notes: list[str]) -> Metadata:
    """What travels along with a page that tifffile has opened."""
    meta = Metadata(compression=_compression(page))
    _common(meta, {tag.code: tag.value for tag in page.tags}, notes)
    meta.dpi = _dpi(page)
    take_orientation(meta, notes, page.tags.valueof(ORIENTATION))
    return meta


def page_orientation(page: Any) -> int:
    """How a page that tifffile has opened, and does not turn, is to be turned."""
    return orientation_of(page.tags.valueof(ORIENTATION), packet_of(page.tags.valueof(XMP)))


def _compression(page: Any) -> str | None:
    name = page.compression.name.lower()
    return {
        "adobe_deflate": "tiff_adobe_deflate",
        "deflate": "tiff_adobe_deflate",
        "lzw": "tiff_lzw",
        "zstd": "zstd",
        "packbits": "packbits",
    }.get(name)


def _dpi(page: Any) -> tuple[float, float] | None:
    def value(tag: int) -> float:
        found = page.tags.get(tag)
        top, bottom = found.value if found is not None else (0, 1)
        return top / bottom if bottom else 0.0

    unit = page.tags.get(UNIT)
    factor = {2: 1.0, 3: 2.54}.get(int(unit.value) if unit is not None else 2, 0.0)
    x, y = value(X_RESOLUTION) * factor, value(Y_RESOLUTION) * factor
    return (x, y) if x > 0 and y > 0 else None
