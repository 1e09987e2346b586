"""Decoding TIFF: Pillow for what it keeps whole, tifffile for 16-bit colour and floats."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.imaging.formats.shared.pillow import open_with_pillow, picture_of, pixels_of
from convcli.imaging.formats.shared.quiet import listen_to_libtiff, silence_libtiff, silence_logs
from convcli.imaging.formats.tiff.behind import PlanesBehind, planes_behind
from convcli.imaging.formats.tiff.pages import check_pages
from convcli.imaging.formats.tiff.roles import Roles, cover, mask_pixels, patched, roles_of
from convcli.imaging.formats.tiff.samples import Layout, page_pixels, says_its_kind
from convcli.imaging.formats.tiff.strips import strip_notes, strips_of
from convcli.imaging.header import Metadata, widened
from convcli.imaging.limits import check_frames
from convcli.imaging.metadata.nodata import no_data_of, raw_no_data
from convcli.imaging.metadata.tiff import DESCRIPTION, read_pages
from convcli.imaging.metadata.tiff_fields import (
    BITS,
    KIND,
    PALETTE,
    SAMPLES,
    WHITE_IS_ZERO,
    Fields,
)
from convcli.imaging.metadata.upright import (
    ORIENTATION,
    orientation_of,
    packet_of,
    turn_upright,
)
from convcli.imaging.source import Frame, Plane, Source

__all__ = ["absent_sample", "page_orientation", "read_tiff"]

COMPRESSION, BIT_ORDER, PLANES, FORMAT, LAYERS = 259, 266, 284, 339, 32997
XMP = 700
NEWER = ("webp", "lzma", "zstd")
"""Compressions that not every Pillow was built with."""
MAX_PAGES = 10_000
"""Pillow looks for each page's place in a list of those before it; more are left to tifffile."""


def read_tiff(data: bytes, name: str, max_pixels: int) -> Source:
    """Decode a TIFF or BigTIFF, every picture in it."""
    found = check_pages(io.BytesIO(data), name, max_pixels)
    roles = roles_of(found, data[:16])
    alone = relinked(data, roles.links) if roles.links else data
    first = found[roles.pictures[0]] if found else None
    said: list[str] = []
    pages = read_pages(lambda at, n: alone[at : at + n], len(alone), said)
    fields = pages[0].fields if pages else {}
    picture = _decoded(alone, name, len(roles.pictures), fields, max_pixels)
    picture.notes += said
    if pages:
        picture.meta = pages[0]
    if picture.n_frames > 1:
        picture.frames = Pages(picture.frames, pages)
    elif len(found) == 1 and DESCRIPTION in fields:
        _unstack(picture, data, name, max_pixels)
    if roles.masks:
        _mask(picture, data, name, roles)
    picture.notes += roles.notes
    if first is not None:
        how = picture.dtype, first.bits, first.kind
        picture.nodata = no_data_of(fields, *how, picture.notes)
    return picture


def _decoded(data: bytes, name: str, count: int, fields: Fields, max_pixels: int) -> Source:
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
    return _read_with_tifffile(data, name, count, fields)


def _unstack(picture: Source, data: bytes, name: str, max_pixels: int) -> None:
    """The planes that lie behind that of the only directory, if there are any."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages.first
        count = planes_behind(page, picture.meta.fields, len(data))
        if count > 1:
            taken = count * math.prod(picture.shape) * picture.dtype.itemsize
            check_frames(name, count, taken, max_pixels)
            picture.n_frames = count
            picture.frames = PlanesBehind(data, page, count, picture.meta)


def relinked(data: bytes, links: dict[int, int]) -> bytes:
    """The same file with other addresses in its chain of directories."""
    whole = len(data)
    return patched(lambda at, n: data[at : at + n], links, data[:16])(0, whole)


def _mask(picture: Source, data: bytes, name: str, roles: Roles) -> None:
    """Take the masks of a file as alpha of its pictures."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        masks = {}
        for number, index in roles.masks.items():
            page: Any = file.pages[index]
            picture.notes += strip_notes(page.tags.valueof, data, name)
            pixels = mask_pixels(page)[..., None]
            masks[number] = turn_upright(pixels, page_orientation(page))[..., 0]
    covered = Covered(picture.frames, masks, picture.alpha)
    picture.frames = list(covered) if picture.n_frames == 1 else covered
    picture.alpha = True


class Covered:
    """Frames with masks, by their numbers, as alpha; each may have an ``alpha`` of its own."""

    def __init__(
        self, frames: Iterable[Plane], masks: dict[int, NDArray[np.bool_]], alpha: bool
    ) -> None:
        self._of = frames, masks, alpha

    def __iter__(self) -> Iterator[Plane]:
        frames, masks, alpha = self._of
        for number, frame in enumerate(frames):
            pixels = cover(frame.pixels, masks.get(number), alpha)
            yield Frame(pixels, frame.duration, frame.disposal, frame.meta)


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


def _read_with_tifffile(data: bytes, name: str, count: int, fields: Fields) -> Source:
    import tifffile

    silence_logs()
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        if not count:
            raise InputError(f"{name}: the TIFF has no pages")
        pages: list[Any] = [file.pages[index] for index in range(count)]
        notes: list[str] = []
        frames: list[Frame] = []
        kinds: set[tuple[str, Layout]] = set()
        for page in pages:
            notes += strip_notes(page.tags.valueof, data, name)
            page.nodata = absent_sample(fields, page.dtype)
            pixels, layout = page_pixels(page, name, notes)
            frames.append(Frame(turn_upright(pixels, page_orientation(page))))
            kinds.add((pixels.dtype.name, layout))
    if len(kinds) > 1:
        said = sorted((what.space, what.alpha, dtype) for dtype, what in kinds)
        raise InputError(f"{name}: its pages mix kinds of pixels: {said}")
    dtype, layout = kinds.pop()
    return Source(
        format="TIFF",
        space=layout.space,
        alpha=layout.alpha,
        bands=layout.bands,
        dtype=np.dtype(dtype),
        size=frames[0].pixels.shape[:2],
        frames=frames,
        n_frames=len(frames),
        notes=notes,
    )


def absent_sample(fields: Fields, dtype: Any) -> float:
    """What stands where a strip or tile is not in the file."""
    value = None if dtype is None else raw_no_data(fields, dtype)[0]
    return 0 if value is None else value


def page_orientation(page: Any) -> int:
    """How a page that tifffile has opened, and does not turn, is to be turned."""
    return orientation_of(page.tags.valueof(ORIENTATION), packet_of(page.tags.valueof(XMP)))
