"""The segments at the head of a JPEG. Source: ITU-T T.81, annex B."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

__all__ = [
    "DHT",
    "DRI",
    "EOI",
    "PROGRESSIVE",
    "RST0",
    "SOS",
    "FrameHeader",
    "end_of",
    "frame_header",
    "segments",
]

SOS, DRI, RST0, EOI, DHT, APP1 = 0xDA, 0xDD, 0xD0, 0xD9, 0xC4, 0xE1
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Of those that end coded pixels: restart markers and stuffed bytes do not."""
PROGRESSIVE = 0xC2
HUFFMAN_FRAMES = (0xC0, 0xC1, PROGRESSIVE)
"""Start of a frame: baseline, extended sequential, progressive; with Huffman's code."""


class FrameHeader(NamedTuple):
    """What the frame header says; ``at`` is where its marker stands."""

    at: int
    bits: int
    height: int
    width: int
    sampling: tuple[tuple[int, int], ...]
    """Horizontal and vertical sampling factor of every component."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.height, self.width, len(self.sampling)

    @property
    def mcus(self) -> int:
        """Units that are coded together: 8 times the largest factors; 8x8 when gray."""
        across, down = (max(factors) for factors in zip(*self.sampling, strict=True))
        if len(self.sampling) == 1:
            across = down = 1
        return int(-(-self.width // (8 * across)) * -(-self.height // (8 * down)))


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, where it stands and where its segment ends, up to the first scan header.

    Ends early at what is no segment.

    >>> list(segments(bytes.fromhex("ffd8 fffe0003aa ffda0002 1234")))
    [(254, 2, 7), (218, 7, 11)]
    """
    at, marker = 2, 0
    while marker != SOS and at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # any number of these may stand before a marker
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at, end
        at = end


def end_of(data: bytes) -> int:
    """Where the picture ends, behind its end mark; the length of the file if there is none.

    >>> end_of(bytes.fromhex("ffd8 fffe0003aa ffda0002 12ff00 ffd034 ffd9") + b"film")
    19
    """
    at = 2
    while (found := MARKER.search(data, at)) is not None:
        at = found.end()
        if found[0][1] == EOI:
            return at
        at += int.from_bytes(data[at : at + 2], "big")
    return len(data)


def frame_header(data: bytes) -> FrameHeader | None:
    """The frame header, or None if there is none of :data:`HUFFMAN_FRAMES`.

    >>> frame_header(bytes.fromhex("ffd8 ffc0000b 08 0010 0020 01 01 11 00"))
    FrameHeader(at=2, bits=8, height=16, width=32, sampling=((1, 1),))
    """
    for marker, at, end in segments(data):
        if marker not in HUFFMAN_FRAMES or end < at + 10 or end > len(data):
            continue
        bits, height, width, count = struct.unpack_from(">BHHB", data, at + 4)
        factors = data[at + 11 : end : 3]
        if len(factors) != count or 0 in factors:
            return None
        return FrameHeader(at, bits, height, width, tuple((f >> 4, f & 15) for f in factors))
    return None
