"""Decoding TIFF: Pillow for what it keeps whole, tifffile for 16-bit colour and floats."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.imaging.picture import COLOURS, Frame, Metadata, Picture
from convcli.imaging.pillow_read import open_with_pillow, picture_of
from convcli.imaging.quiet import silence_logs
from convcli.imaging.tiff_pages import check_pages
from convcli.imaging.upright import ORIENTATION, orientation_of, take_orientation, turn_upright

__all__ = ["page_metadata", "page_orientation", "read_tiff"]

BITS, COMPRESSION, DESCRIPTION, SAMPLES, FORMAT = 258, 259, 270, 277, 339
KIND, WHITE_IS_ZERO, LAYERS = 262, 0, 32997
X_RESOLUTION, Y_RESOLUTION, UNIT, XMP, ICC, EXIF_IFD = 282, 283, 296, 700, 34675, 34665
TEXT_TAGS = (269, DESCRIPTION, 271, 272, 285, 305, 306, 315, 316, 33432)
DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
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
        if image is not None and _pillow_keeps(image):
            meta = Metadata(compression=image.info.get("compression"))
            notes = _collect(image, meta)
            take_orientation(meta, notes, image.tag_v2.get(ORIENTATION))  # Pillow turns the pages
            return picture_of(image, "TIFF", name, meta, notes, max_pixels)
    return _read_with_tifffile(data, name, count)


def _pillow_keeps(image: Any) -> bool:
    """Whether Pillow decodes every page at full depth, as what it is.

    It does not turn round deep samples of which 0 is white, and sees one layer of a volume.
    """
    try:
        for index in range(image.n_frames):
            image.seek(index)
            bits = image.tag_v2.get(BITS, (1,))
            deepest = max(bits) if isinstance(bits, tuple) else int(bits)
            plain = image.tag_v2.get(KIND) != WHITE_IS_ZERO
            if deepest > 8 and not (
                (plain and image.mode == "F" and deepest == 32)
                or (plain and image.mode in ("I;16", "I;16B") and deepest == 16)
            ):
                return False
            if image.tag_v2.get(LAYERS, 1) != 1:
                return False
            kinds = image.tag_v2.get(FORMAT, (1,))
            if image.mode != "F" and set(kinds if isinstance(kinds, tuple) else (kinds,)) != {1}:
                return False
        image.seek(0)
    except EOFError:
        return False
    return True


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
    meta.xmp = _packet(tags.get(XMP))
    icc = tags.get(ICC)
    icc = bytes(icc) if icc else None
    if icc is not None and not (len(icc) >= 128 and icc[36:40] == b"acsp"):
        notes.append("its ICC profile is malformed and was left out")
        icc = None
    meta.icc = icc


def _packet(xmp: Any) -> bytes | None:
    return xmp.encode() if isinstance(xmp, str) else bytes(xmp) if xmp else None


def _read_with_tifffile(data: bytes, name: str, count: int) -> Picture:
    import tifffile

    silence_logs()
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        if not count:
            raise InputError(f"{name}: the TIFF has no pages")
        pages: list[Any] = [file.pages[index] for index in range(count)]
        frames: list[Frame] = []
        kinds: set[tuple[str, bool, str]] = set()
        for page in pages:
            pixels, space, alpha = _page(page, name)
            frames.append(Frame(turn_upright(pixels, page_orientation(page))))
            kinds.add((space, alpha, pixels.dtype.name))
        if len(kinds) > 1:
            raise InputError(f"{name}: its pages mix kinds of pixels: {sorted(kinds)}")
        notes: list[str] = []
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
    return orientation_of(page.tags.valueof(ORIENTATION), _packet(page.tags.valueof(XMP)))


def _page(page: Any, name: str) -> tuple[NDArray[Any], str, bool]:
    """Pixels (H, W, C), colour space and alpha of one page."""
    if page.dtype is None or page.dtype.name not in DTYPES:
        raise InputError(
            f"{name}: samples of type {page.dtype} are not read, since they could not be kept "
            f"exactly; allowed: {', '.join(DTYPES)}"
        )
    photometric = page.photometric.name
    space = {"MINISBLACK": "gray", "MINISWHITE": "gray", "RGB": "rgb", "SEPARATED": "cmyk"}.get(
        photometric
    )
    if space is None or page.imagedepth != 1:
        raise InputError(f"{name}: a TIFF of kind {photometric} is not read at this depth")
    pixels = np.asarray(page.asarray())
    samples = int(page.samplesperpixel)
    if samples > 1 and page.planarconfig.name == "SEPARATE":
        pixels = np.moveaxis(pixels.reshape(samples, *pixels.shape[-2:]), 0, -1)
    pixels = pixels.reshape(page.imagelength, page.imagewidth, samples)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if pixels.dtype == np.float16:
        pixels = pixels.astype(np.float32)
    extra = samples - COLOURS[space]
    if extra not in (0, 1):
        raise InputError(f"{name}: {samples} samples per pixel of {photometric} are not read")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise InputError(f"{name}: some samples are not finite numbers; a filter would smear them")
    if photometric == "MINISWHITE":
        if pixels.dtype.kind == "f":
            raise InputError(f"{name}: floating-point samples where 0 is white are not read")
        pixels = np.iinfo(pixels.dtype).max - pixels
    if extra and page.extrasamples and page.extrasamples[0].name == "ASSOCALPHA":
        raise InputError(f"{name}: premultiplied alpha at this depth is not read")
    return np.ascontiguousarray(pixels), space, bool(extra)


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
