"""The pages that a TIFF claims to have, found by its directories alone.

No library is asked for them: tifffile follows a chain of directories that bites its own tail for
ever if the ring is a long one, Pillow looks for each in a list of all, and neither knows
of a limit over all pages.

Source: TIFF 6.0 specification (1992), section 2; BigTIFF as libtiff 4 has it.
"""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from convcli.errors import InputError
from convcli.imaging.limits import check_frames, check_size
from convcli.imaging.metadata.tiff_fields import BITS, KIND, PALETTE, SAMPLES

__all__ = [
    "Directory",
    "PageSize",
    "check_pages",
    "claimed_bytes",
    "walk_directories",
    "walk_pages",
]

SUBFILE, WIDTH, HEIGHT = 254, 256, 257
LAYOUT = (*range(256, 260), 262, 266, 273, *range(277, 280), 284, 317, *range(320, 326), 338, 339)
"""Tags that say what the bytes of the pixels mean."""
OVERVIEW, MASK = 1, 4
SHARED = 100
"""How many times the bytes of a file its tags may point at: pages share profiles and texts."""
# Bytes of a value of each type, and how those that count something are unpacked.
TYPE_BYTES = dict(
    zip(range(1, 19), (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8), strict=True)
)
CODES = dict(zip((1, 3, 4, 6, 8, 9, 13, 16, 17, 18), "BHIbhiIQqQ", strict=True))
CLAIMS = (SUBFILE, WIDTH, HEIGHT, BITS, KIND, SAMPLES)


class _Seekable(Protocol):
    def read(self, count: int, /) -> bytes: ...
    def seek(self, at: int, whence: int = 0, /) -> int: ...


class PageSize(NamedTuple):
    """What a page claims of its pixels."""

    width: int
    height: int
    pixel_bytes: int


class Directory(NamedTuple):
    """What a directory says of its page, and where it hangs in the chain."""

    size: PageSize
    subfile: int
    """Bits of tag 254: 1 for an overview, 4 for a mask."""
    bits: int
    """Of the first sample."""
    kind: int | None
    """How samples become colours."""
    at: int
    link: int
    """Where the address of the next one stands."""

    @property
    def is_picture(self) -> bool:
        """Whether it is no overview and no mask of another page."""
        return not self.subfile & (OVERVIEW | MASK)

    @property
    def is_mask(self) -> bool:
        """Whether it says which pixels of another page are there; a mask has overviews too."""
        return self.subfile & (OVERVIEW | MASK) == MASK


def check_pages(file: _Seekable, name: str, max_pixels: int) -> list[Directory]:
    """The pages, none of them too large, nor all pictures among them together.

    Raises
    ------
    InputError
        If they are, or the directories do not lie side by side in the file.
    """
    pages = list(walk_directories(file, name))
    for page in pages:
        if page.size.width and page.size.height:  # else whoever reads the page says what is wrong
            check_size(name, page.size.width, page.size.height, max_pixels)
    shown = pictures_of(pages)
    check_frames(name, len(shown), sum(math.prod(page.size) for page in shown), max_pixels)
    return pages


def pictures_of(pages: list[Directory]) -> list[Directory]:
    """The pages that are no overview and no mask of another; all if none is left."""
    return [page for page in pages if page.is_picture] or pages


def claimed_bytes(data: bytes, name: str) -> int:
    """Bytes of the samples of all pictures."""
    pages = list(walk_directories(io.BytesIO(data), name))
    return sum(math.prod(page.size) for page in pictures_of(pages))


def walk_pages(file: _Seekable, name: str) -> Iterator[PageSize]:
    """The sizes of all pages, as :func:`walk_directories` finds them."""
    return (page.size for page in walk_directories(file, name))


def walk_directories(file: _Seekable, name: str) -> Iterator[Directory]:
    """The pages of the chain of directories, as far as it goes and is no ring.

    In a time that grows with the file alone: its directories may not overlap.
    """
    layout = _layout(file)
    if layout is None:
        return
    size = file.seek(0, os.SEEK_END)
    seen: set[int] = set()
    read = shared = 0
    at = layout.first
    while at and at not in seen:
        seen.add(at)
        head = _read(file, at, layout.head.size)
        entries = layout.head.unpack(head)[0] if len(head) == layout.head.size else size
        length = entries * layout.entry.size
        if at + len(head) + length + layout.next.size > size:
            raise InputError(
                f"{name}: the TIFF is cut short: the directory of its page {len(seen)} is not there"
            )
        read += len(head) + length + layout.next.size
        table = file.read(length)
        found, pointed = _page(file, table, layout, size, name)
        shared += pointed
        if read > size or shared > SHARED * size:
            raise InputError(f"{name}: the directories of the TIFF share what belongs to one page")
        link = at + len(head) + length
        yield _directory(found, at, link)
        (at,) = layout.next.unpack(_read(file, link, layout.next.size))


class _Layout(NamedTuple):
    """How numbers lie in the file: classic or big, in either byte order."""

    order: str
    head: struct.Struct
    """Number of entries."""
    entry: struct.Struct
    """Tag, type, number of values, and the value or where it is."""
    next: struct.Struct
    first: int


def _layout(file: _Seekable) -> _Layout | None:
    head = _read(file, 0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 16:
        return None
    count, entry, following, first = {
        42: ("H", "HHI4s", "I", 4),
        43: ("Q", "HHQ8s", "Q", 8),
    }.get(struct.unpack_from(order + "H", head, 2)[0], ("", "", "", 0))
    if not count:
        return None
    after = struct.Struct(order + following)
    (start,) = after.unpack_from(head, first)
    return _Layout(order, struct.Struct(order + count), struct.Struct(order + entry), after, start)


def _page(
    file: _Seekable, table: bytes, layout: _Layout, size: int, name: str
) -> tuple[dict[int, int], int]:
    """What one directory says by tag, and how many bytes of the file it points at."""
    found = {SAMPLES: 1, BITS: 1}
    pointed = 0
    for tag, kind, count, value in layout.entry.iter_unpack(table):
        length = TYPE_BYTES.get(kind, 0) * count
        if tag in LAYOUT and not 0 < length <= size:
            raise InputError(f"{name}: the TIFF's tag {tag} is damaged")
        if length > len(value):
            (at,) = layout.next.unpack(value)
            if at + length > size:
                if tag in LAYOUT:
                    raise InputError(
                        f"{name}: the TIFF's tag {tag} lies beyond the end of the file"
                    )
                continue  # which readers skip
            pointed += length
            if tag in CLAIMS:
                value = _read(file, at, 8)
        if tag in CLAIMS and kind in CODES and count:
            code = struct.Struct(layout.order + CODES[kind])
            found[tag] = code.unpack_from(value.ljust(8, b"\0"))[0]
    return found, pointed


def _directory(found: dict[int, int], at: int, link: int) -> Directory:
    colours = 3 if found.get(KIND) == PALETTE else 1
    pixel = max(found[SAMPLES], colours) * math.ceil(found[BITS] / 8)
    size = PageSize(found.get(WIDTH, 0), found.get(HEIGHT, 0), max(pixel, 1))
    return Directory(size, found.get(SUBFILE, 0), found[BITS], found.get(KIND), at, link)


def _read(file: _Seekable, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)
