"""Photoshop's image resources, in which JPEG and TIFF carry captions after IPTC.

Source: Adobe Photoshop File Formats Specification (2019), section Image Resources; IPTC-IIM 4.2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["iptc_of", "resource", "resources", "with_iptc", "without_previews"]

IPTC = 0x0404
PREVIEWS = (0x0409, 0x040C)
"""Thumbnails of the picture as it was."""


def resources(data: bytes) -> Iterator[tuple[int, int, bytes, int]]:
    """Number, start, value and end of each resource, up to what is none."""
    at = 0
    while at + 12 <= len(data):
        number, name = struct.unpack_from(">HB", data, at + 4)
        body = at + 6 + (name + 2) // 2 * 2  # the name and its length take an even number of bytes
        if body + 4 > len(data):
            return
        (size,) = struct.unpack_from(">I", data, body)
        end = body + 4 + size
        if end > len(data):
            return
        yield number, at, data[body + 4 : end], min(end + size % 2, len(data))
        at = end + size % 2


def resource(number: int, value: bytes) -> bytes:
    """One resource without a name.

    >>> list(resources(resource(0x0404, b"abc")))
    [(1028, 0, b'abc', 16)]
    """
    head = struct.pack(">4sHHI", b"8BIM", number, 0, len(value))
    return head + value + bytes(len(value) % 2)


def with_iptc(data: bytes, records: bytes | None) -> bytes:
    """The resources with these records of IPTC, if they have none yet."""
    if not records or iptc_of(data) is not None:
        return data
    return data + resource(IPTC, records)


def iptc_of(data: bytes) -> bytes | None:
    """The records of IPTC among the resources, if there are any."""
    return next((value for number, _, value, _ in resources(data) if number == IPTC), None)


def without_previews(data: bytes) -> bytes:
    """The resources but for thumbnails."""
    kept, at = b"", 0
    for number, start, _, end in resources(data):
        if number in PREVIEWS:
            kept, at = kept + data[at:start], end
    return kept + data[at:]
