"""Decoding TIFF: Pillow for what it keeps whole, tifffile for 16-bit colour and floats."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.imaging.formats.shared.pillow import open_with_pillow, picture_of, pixels_of
from convcli.imaging.formats.shared.quiet import listen_to_libtiff, silence_libtiff, silence_logs
from convcli.imaging.formats.tiff.pages import check_pages
from convcli.imaging.formats.tiff.samples import page_pixels, says_its_kind
from convcli.imaging.formats.tiff.strips import strip_notes, strips_of
from convcli.imaging.header import Metadata, widened
from convcli.imaging.metadata.tiff import read_pages
from convcli.imaging.metadata.upright import (
    ORIENTATION,
    orientation_of,
    packet_of,
    turn_upright,
)
from convcli.imaging.source import Frame, Plane, Source

__all__ = ["page_orientation", "read_tiff"]

BITS, COMPRESSION, BIT_ORDER, SAMPLES, FORMAT = 258, 259, 266, 277, 339
KIND, WHITE_IS_ZERO, PALETTE, PLANES, LAYERS = 262, 0, 3, 284, 32997
XMP = 700
NEWER = ("webp", "lzma", "zstd")
"""Compressions that not every Pillow was built with."""
MAX_PAGES = 10_000
"""Pillow looks for each page's place in a list of those before it; more are left to tifffile."""


def read_tiff(data: bytes, name: str, max_pixels: int) -> Source:
    """Decode a TIFF or BigTIFF, every page of it."""
    picture = _decoded(data, name, max_pixels)
    pages = read_pages(lambda at, n: data[at : at + n], len(data), picture.notes)
    if pages:
        picture.meta = pages[0]
    if picture.n_frames > 1:
        picture.frames = Pages(picture.frames, pages)
    return picture


def _decoded(data: bytes, name: str, max_pixels: int) -> Source:
    count = check_pages(io.BytesIO(data), name, max_pixels)
    if data[2:4] in (b"*\0", b"\0*") and count <= MAX_PAGES:
        try:
            silence_libtiff()
            image = open_with_pillow(data, "Tiff")
        except Exception:
            image = None  # sample layouts that Pillow does not know: tifffile does, or explains
        lacks: list[str] = []
        if image is not None and _pillow_keeps(image, data, name, lacks):
            notes = lacks + _narrow(image)
            how: dict[str, Any] = {"pages": True, "decode": _turned_pixels}
            return picture_of(image, "TIFF", name, Metadata(), notes, max_pixels, **how)
    return _read_with_tifffile(data, name, count)


def _turned_pixels(image: Any, name: str, mode: str | None, notes: list[str]) -> NDArray[Any]:
    """Pillow turns each page itself: by what we read, not by its EXIF.

    Its EXIF object loses tags to whoever collects metadata, and it knows fewer spellings of XMP.
    """
    image.getexif()[ORIENTATION] = orientation_of(
        image.tag_v2.get(ORIENTATION), packet_of(image.info.get("xmp"))
    )
    with listen_to_libtiff() as said:
        pixels = pixels_of(image, name, mode, notes)
    minded = (f"its pixels were read, but libtiff says: {text}" for text in sorted(said))
    notes += [note for note in minded if note not in notes]
    return pixels


class Pages:
    """The frames of a document, each with what its own page says."""

    def __init__(self, frames: Iterable[Plane], pages: Sequence[Metadata]) -> None:
        self._of = frames, pages

    def __iter__(self) -> Iterator[Plane]:
        frames, pages = self._of
        for frame, meta in zip(frames, chain(pages, repeat(None)), strict=False):
            frame.meta = meta
            yield frame


def _pillow_keeps(image: Any, data: bytes, name: str, notes: list[str]) -> bool:
    """Whether Pillow decodes every page at full depth and with all its samples, as what it is."""
    try:
        for index in range(image.n_frames):
            image.seek(index)
            tags = image.tag_v2
            if not _pillow_keeps_page(image, tags) or not strips_of(tags.get).told:
                return False
            notes += strip_notes(tags.get, data, name)
        image.seek(0)
    except EOFError:
        return False
    return True


def _pillow_keeps_page(image: Any, tags: Any) -> bool:
    deepest, kind = max(_numbers(tags.get(BITS, 1))), tags.get(KIND)
    # It does not turn round deep samples of which 0 is white, and swaps the bytes of compressed
    # floats twice.
    deep = (deepest, image.mode) in ((16, "I;16"), (16, "I;16B")) and kind != WHITE_IS_ZERO
    if (deepest > 8 and not deep) or image.info.get("compression") in NEWER:
        return False
    if not says_its_kind(kind, tags.get(COMPRESSION, 1)):
        return False
    # It sees one layer of a volume, leaves out samples beyond those it knows, and has no way back
    # from premultiplied gray.
    bands = image.getbands()
    if tags.get(LAYERS, 1) != 1 or tags.get(SAMPLES, 1) > len(bands) or image.mode == "La":
        return False
    if tags.get(PLANES) == 2 and image.mode == "LA":
        return False
    # Of what is not compressed it takes planes by the letters of the mode, whatever they mean, and
    # knows few kinds whose bits stand the other way round.
    odd = tags.get(PLANES) == 2 or tags.get(BIT_ORDER) == 2
    if odd and image.info.get("compression") == "raw" and image.mode not in ("RGB", "CMYK"):
        return False
    return set(_numbers(tags.get(FORMAT, 1))) == {1}


def _numbers(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (int(value),)


def _narrow(image: Any) -> list[str]:
    """A note where samples have fewer bits than 8, which is what filters work on."""
    bits = max(_numbers(image.tag_v2.get(BITS, 1)))
    return [widened(bits)] if bits < 8 and image.tag_v2.get(KIND) != PALETTE else []


def _read_with_tifffile(data: bytes, name: str, count: int) -> Source:
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
        space, alpha, dtype = kinds.pop()
    return Source(
        format="TIFF",
        space=space,
        alpha=alpha,
        dtype=np.dtype(dtype),
        size=frames[0].pixels.shape[:2],
        frames=frames,
        n_frames=len(frames),
        notes=notes,
    )


def page_orientation(page: Any) -> int:
    """How a page that tifffile has opened, and does not turn, is to be turned."""
    return orientation_of(page.tags.valueof(ORIENTATION), packet_of(page.tags.valueof(XMP)))
