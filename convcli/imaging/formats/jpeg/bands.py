"""Bands of a large JPEG, each decoded as a picture of its own.

libjpeg gives no row before those above are decoded. So the rows of units that hold a band are cut
out of the coded data (``bands.c``), and get a header with their height. Where chroma has fewer rows
than the picture, libjpeg blends each with the next: there a row of units more above and below is
decoded, and its pixels are left out. Source: ITU-T T.81, sections A.2, B.2 and F.1; jdsample.c and
jdmainct.c of libjpeg.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from convcli.extensions import extension
from convcli.imaging.formats.jpeg.check import ScanRows
from convcli.imaging.formats.jpeg.large import decoder
from convcli.imaging.formats.jpeg.markers import DHT, DRI, EOI, FrameHeader, segments
from convcli.system.machine import Buffer

__all__ = ["BAND_BYTES", "JpegBands", "again", "with_all_categories"]

APP0, APP14, COM = 0xE0, 0xEE, 0xFE
LEFT_OUT = ({*range(APP0, APP0 + 16), COM} - {APP0, APP14}) | {DHT, DRI}
"""Segments that say nothing of the pixels, or that a band has of its own: colours are guessed by
those of JFIF and Adobe."""
CATEGORIES = 12
"""Of the differences of DC coefficients, where samples have 8 bits (T.81, F.1.2.1.1)."""
LONGEST = 16
"""Bits of a code."""
BAND_BYTES = 7 << 20
"""Of the pixels that are decoded together, about: of 24 megapixels a tenth, with a twelfth that is
decoded twice."""
PART_ROWS = 128
"""Bands are a multiple of this, if they are as tall, so that parts of a result see one of them."""


def with_all_categories(table: bytes) -> bytes | None:
    """A table for DC in which every category has a code; None if there is no room for it.

    Those that lack get the longest codes, which come last, so that all others stay. A code of
    ones alone is none (T.81, annex C).

    >>> more = with_all_categories(bytes([0, 2, *[0] * 14, 3, 0]))
    >>> list(more[:16]), list(more[16:])
    ([0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10], [3, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11])
    """
    counts, symbols = list(table[:LONGEST]), table[LONGEST:]
    more = bytes(category for category in range(CATEGORIES) if category not in symbols)
    taken = sum(count << (LONGEST - length) for length, count in enumerate(counts, 1))
    if max(symbols, default=0) > 15 or taken + len(more) >= 1 << LONGEST:
        return None
    counts[-1] += len(more)
    return bytes(counts) + symbols + more if counts[-1] < 256 else None


def again(frame: FrameHeader) -> int:
    """How many rows of a band the next one has too: half of them above the cut, half below.

    Of the row of units that is decoded on either side of a cut where chroma is blended, all but the
    row of pixels that is farthest away is right.
    """
    factors = {down for _, down in frame.sampling}
    return 2 * (8 * max(factors) - 1) if len(factors) > 1 else 0


class _Cut(NamedTuple):
    """Rows of units that are decoded together."""

    first: int
    last: int
    start: int
    """The first row of pixels in them."""
    rows: int
    """How many rows of pixels."""
    top: int
    """From which on, counted from the start, they are wanted."""
    bottom: int


class JpegBands:
    """The bands of a gray or colour JPEG without a fault.

    Raises
    ------
    ValueError
        If its tables have no room for what begins a band.
    """

    def __init__(self, data: bytes, frame: FrameHeader, rows: ScanRows) -> None:
        self._data, self._frame, self._scan = data, frame, rows
        self.row_bytes = frame.width * len(frame.sampling)
        self.tall = rows.tall
        used = {block >> 4 for block in rows.blocks}
        codes = [with_all_categories(t) if n in used else t for n, t in enumerate(rows.tables[:4])]
        self._codes = [table for table in codes if table is not None]
        if len(self._codes) < len(codes):
            raise ValueError("no room for codes")
        self._margin = int(again(frame) > 0)
        self._beyond = again(frame) // 2
        self._before, self._behind = self._head()

    def rows(self, room: Callable[[int], Buffer], band_bytes: int) -> Iterator[memoryview]:
        """All pixels, rows of about so many bytes at a time, in room that is asked for.

        All but the first begin with :func:`again` rows of the one before.
        """
        import numpy as np

        height, width, channels = self._frame.height, self._frame.width, len(self._frame.sampling)
        size = self.row_bytes
        step = max(band_bytes // (size * self.tall), 1)
        step -= step % (PART_ROWS // self.tall) if step * self.tall > PART_ROWS else 0
        most = min((step + 2 * self._margin) * self.tall, height)
        decode = decoder()
        for first in range(0, -(-height // self.tall), step):
            cut = self._cut(first, first + step)
            pixels = memoryview(room(most * size))
            shape = (cut.rows, width, channels)[: 2 + (channels > 1)]
            out = np.frombuffer(pixels[: cut.rows * size], np.uint8).reshape(shape)
            decode(self.jpeg(cut.first, cut.last, cut.rows), out=out)
            yield pixels[cut.top * size : cut.bottom * size]
            if cut.start + cut.bottom == height:
                return

    def _cut(self, first: int, last: int) -> _Cut:
        height, tall = self._frame.height, self.tall
        above, below = max(first - self._margin, 0), min(last + self._margin, -(-height // tall))
        start, stop = above * tall, min(below * tall, height)
        # What lies next to a cut is blended with what is not there.
        top, bottom = max(first * tall - self._beyond, 0), min(last * tall + self._beyond, height)
        top, bottom = top - start, bottom - start
        return _Cut(above, below, start, stop - start, top, bottom)

    def jpeg(self, first: int, last: int, height: int) -> bytes:
        """A file of some rows of units, which have so many rows of pixels."""
        scan = self._scan
        coded = extension("_png").module.band(
            self._data,
            scan.marks,
            first * scan.across,
            last * scan.across,
            scan.tables,
            tuple(self._codes),
            scan.blocks,
            scan.parts,
        )
        size = struct.pack(">H", height)
        return b"".join((self._before, size, self._behind, coded, bytes((0xFF, EOI))))

    def _head(self) -> tuple[bytes, bytes]:
        """All that stands before the coded data: up to the height, and behind it."""
        tables = [*self._codes, *self._scan.tables[4:]]
        before, behind = self._data[:2], b""
        for number, table in enumerate(tables):
            if table:
                key = number // 4 << 4 | number % 4
                before += struct.pack(">BBHB", 0xFF, DHT, 3 + len(table), key) + table
        at = self._frame.at
        for marker, start, end in segments(self._data):
            if start == at:  # T.81, B.2.2: the height stands behind marker, length and bits
                before += self._data[at : at + 5]
                behind += self._data[at + 7 : end]
            elif marker not in LEFT_OUT and start < at:
                before += self._data[start:end]
            elif marker not in LEFT_OUT:
                behind += self._data[start:end]
        return before, behind
