"""Whether a JPEG holds all the pixels that its header claims.

libjpeg makes up what lacks, and neither Pillow nor imagecodecs passes its warnings on. So the codes
are followed here, without making pixels: see ``scan.c``. On the way it is noted where each row of
units begins, so that bands of the picture can be decoded alone: see ``bands.py``.
Source: ITU-T T.81, annexes B, F, G.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from convcli.extensions import extension
from convcli.imaging.formats.jpeg.markers import (
    DHT,
    DRI,
    EOI,
    HUFFMAN_FRAMES,
    PROGRESSIVE,
    RST0,
    SOS,
    segments,
)

__all__ = ["ScanRows", "checked_rows", "jpeg_faults", "open_jpeg"]

SOI, TEM, ADOBE = 0xD8, 0x01, 0xEE
FRAMES = {*range(0xC0, 0xD0)} - {DHT, 0xC8, 0xCC}
ALONE = (SOI, TEM, *range(RST0, RST0 + 8))
"""Markers without a segment."""
WRONG = (ValueError, LookupError, ZeroDivisionError, struct.error)
"""What headers that cannot be lead to."""


class ScanRows(NamedTuple):
    """Where the rows of units of a sequential scan of all components begin."""

    marks: bytes
    """Of ``scan.c``."""
    tables: tuple[bytes, ...]
    """Huffman's, four for DC and four for AC, each as it stands in a segment, or empty."""
    blocks: bytes
    """Of every block of a unit, the tables, DC << 4 | AC."""
    parts: bytes
    """Of every block of a unit, its component."""
    across: int
    """Units in a row."""
    tall: int
    """Rows of pixels in a unit."""


def checked_rows(data: bytes) -> ScanRows | None:
    """Where the rows of a sequential JPEG begin that has one scan and no fault; None of others."""
    if extension("_png").module is None:
        return None
    check = _Check()
    try:
        check.follow(data)
    except WRONG:
        return None
    return check.rows[0] if len(check.rows) == 1 and not check.faults else None


def jpeg_faults(data: bytes, tables: bytes = b"") -> list[str]:
    """What libjpeg would repair without a word, a line for each kind; nothing for a whole file.

    ``tables`` is another JPEG, of tables alone, which goes before, as TIFF has it. What is coded
    arithmetically or without loss is not judged, nor is what libjpeg refuses.
    """
    if extension("_png").module is None:
        return [] if tables else _by_padding(data)
    check = _Check()
    try:
        if tables:
            check.follow(tables)
        check.follow(data)
    except WRONG:
        pass
    return list(check.faults)


def open_jpeg(data: bytes) -> Any:
    """A Pillow image whose pixels are not read yet."""
    from convcli.imaging.formats.shared.pillow import open_with_pillow

    return open_with_pillow(data, "Jpeg", "jpeg_factory")


class _Check:
    """A file on the way from its first marker to its last."""

    def __init__(self) -> None:
        self.faults: dict[str, None] = {}  # each once, in order
        self.rows: list[ScanRows | None] = []  # of each scan
        self._tables = dict.fromkeys((*range(4), *range(16, 20)), b"")
        self._restart = 0
        self._transform = -1
        self._frame: _Frame | None = None

    def follow(self, data: bytes) -> None:
        """Go from marker to marker."""
        unwanted = 0
        marker, at, end = 0, 2, 2
        while marker != EOI:
            at = _next_marker(data, end)
            unwanted += at - end
            if at < 0 or at + 2 > len(data):
                self.faults["it has no end mark"] = None
                return
            marker = data[at + 1]
            end = at + 2
            if marker == EOI or marker in ALONE:
                continue
            end += int.from_bytes(data[at + 2 : at + 4], "big")
            body = data[at + 4 : end]
            if marker in FRAMES:
                if marker not in HUFFMAN_FRAMES:
                    return
                self._frame = _Frame(body, marker == PROGRESSIVE)
            elif marker == DHT:
                for key, table in _codes(body):
                    if key not in self._tables:
                        raise ValueError(f"no Huffman table {key}")
                    self._tables[key] = table
            elif marker == ADOBE and body.startswith(b"Adobe") and len(body) > 11:
                self._transform = body[11]
            elif marker == DRI:
                self._restart = int.from_bytes(body[:2], "big")
            elif marker == SOS and self._frame is not None:
                end, more = self._scan(self._frame, data, end, body)
                unwanted += more
        if unwanted:
            self.faults[f"{unwanted} bytes between its parts were left out"] = None
        if self._frame is None:
            return
        if self._transform > (1, 1, 1, 1, 2)[min(self._frame.components, 4)]:
            self.faults[f"its colour transform {self._transform} is not known; libjpeg guesses"] = (
                None
            )
        if self._frame.odd:
            self.faults["a scan is headed as one of another kind of JPEG"] = None
        if self._frame.is_coarse():
            self.faults["some of its scans are not there, so its pixels are coarse"] = None

    def _scan(self, frame: _Frame, data: bytes, at: int, body: bytes) -> tuple[int, int]:
        """The end of a scan, and how many bytes in it belong to nothing."""
        scan = frame.scan(body)
        tables = tuple(self._tables.values())
        if not all(tables[t >> 4] and tables[4 + (t & 15)] for t in scan.how.blocks):
            tables = tuple(
                table or _usual_tables().get(key, b"") for key, table in self._tables.items()
            )
        end, fault, unit, unwanted, marks = extension("_png").module.scan(
            data, at, scan.units, self._restart, tables, *scan.how
        )
        rows = scan.how.blocks, scan.how.parts, scan.across, scan.tall
        self.rows.append(ScanRows(marks, tables, *rows) if marks else None)
        if fault:
            row = min(unit // scan.across * scan.tall, frame.height - 1)
            self.faults[_made_up(fault, row, frame.height)] = None
        return int(end), int(unwanted)


def _made_up(fault: int, row: int, rows: int) -> str:
    what = {1: "end", 2: "are damaged", 3: "lack a restart marker"}[fault]
    return f"its pixels {what} in row {row} of {rows}; from there on some are made up"


class _Scan(NamedTuple):
    """How many units are coded, how many lie side by side, rows of pixels in each; the rest."""

    units: int
    across: int
    tall: int
    how: _How


class _How(NamedTuple):
    """What ``scan.c`` is told of a scan."""

    blocks: bytes
    first: int
    last: int
    refines: bool
    progressive: bool
    known: bytearray
    parts: bytes
    across: int


class _Frame:
    """The components of a picture, and how exactly each coefficient is known so far."""

    def __init__(self, body: bytes, progressive: bool) -> None:
        _, self.height, self.width, count = struct.unpack_from(">BHHB", body)
        self.components = count
        self.odd = False  # whether a scan is headed as one of another kind
        self._progressive = progressive
        parts = [body[at : at + 3] for at in range(6, 6 + 3 * count, 3)]
        self._factors = {part[0]: (part[1] >> 4, part[1] & 15) for part in parts}
        self._most = tuple(max(pair[axis] for pair in self._factors.values()) for axis in (0, 1))
        self._known: dict[int, bytearray] = {}
        self._coarse: dict[tuple[int, int], int] = {(key, 0): 1 for key in self._factors}

    def is_coarse(self) -> bool:
        """Whether bits of coefficients are missing that were begun, or all of a component."""
        return any(self._coarse.values())

    def scan(self, body: bytes) -> _Scan:
        """What a scan header says."""
        count = body[0]
        keys, tables = body[1 : 1 + 2 * count : 2], body[2 : 2 + 2 * count : 2]
        first, last, bits = body[1 + 2 * count : 4 + 2 * count]
        if not self._progressive:
            self.odd |= (first, last, bits) != (0, 63, 0)
            first, last, bits = 0, 63, 0
        for key in keys:
            self._coarse.update({(key, k): bits & 15 for k in range(first, last + 1)})
        wide, tall = self._most
        if count == 1:  # a single one is never interleaved
            h, v = self._factors[keys[0]]
            across = _upwards(_upwards(self.width * h, wide), 8)
            down = _upwards(_upwards(self.height * v, tall), 8)
            rows, blocks, parts = 8 * tall // v, tables, b"\0"
        else:
            across, down = _upwards(self.width, 8 * wide), _upwards(self.height, 8 * tall)
            rows = 8 * tall
            pairs = [self._factors[key] for key in keys]
            blocks = b"".join(bytes([t]) * (h * v) for t, (h, v) in zip(tables, pairs, strict=True))
            parts = b"".join(bytes([part]) * (h * v) for part, (h, v) in enumerate(pairs))
        known = bytearray()
        if first:
            known = self._known.setdefault(keys[0], bytearray(8 * across * down))
        marked = across if count == self.components and not self._progressive else 0
        how = _How(blocks, first, last, bits > 15, self._progressive, known, parts, marked)
        return _Scan(across * down, across, rows, how)


@cache
def _usual_tables() -> dict[int, bytes]:
    """Those of T.81, annex K.3, which libjpeg takes where a file has none, as frames of MJPEG do."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG")
    data = out.getvalue()
    tables = [data[at + 4 : end] for marker, at, end in segments(data) if marker == DHT]
    return dict(pair for body in tables for pair in _codes(body))


def _upwards(size: int, by: int) -> int:
    return -(-size // by)


def _next_marker(data: bytes, at: int) -> int:
    """Where the next marker stands, fill bytes passed over; -1 if there is none."""
    while (at := data.find(b"\xff", at)) >= 0 and data[at + 1 : at + 2] in (b"\xff", b"\0"):
        at += 1
    return at


def _codes(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Class and number of each Huffman table, and its counts and symbols."""
    while body:
        size = 17 + sum(body[1:17])
        yield body[0], body[1:size]
        body = body[size:]


def _by_padding(data: bytes) -> list[str]:
    """Without compiled loops: where more data behind each scan would make other pixels.

    Nothing changes if each had all that it needs. Slower, and blind to damage that ends in time.
    """
    import numpy as np

    one, other = (np.asarray(open_jpeg(d)) for d in (data, _padded(data)))
    rows = np.flatnonzero((one != other).reshape(len(one), -1).any(1))
    return [_made_up(1, int(rows[0]), len(one))] if rows.size else []


def _padded(data: bytes) -> bytes:
    """The same file with more coded data before every marker that ends some."""
    more = bytes(range(5, 250, 7))
    out, at, coded, marker = bytearray(), 2, False, 0
    while marker != EOI and (found := _next_marker(data, at)) >= 0:
        marker = data[found + 1]
        out += data[at:found] + more * coded
        coded = marker == SOS or RST0 <= marker < RST0 + 8
        at = found + 2
        if marker != EOI and marker not in ALONE:
            at += int.from_bytes(data[at : at + 2], "big")
        out += data[found:at]
    return data[:2] + bytes(out)
