"""EXIF blocks and XMP packets of a new picture: its size, and no preview of the old one.

They are changed in place: a rewrite would lose maker notes, which point by offset.

Source: EXIF 2.32, sections 4.5 and 4.6; XMP specification, part 2.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from convcli.imaging.metadata.tiff_fields import EXIF, INTEROP, LONG, Field, Fields

__all__ = ["revised_exif", "revised_fields", "revised_xmp", "without_orientation"]

WIDTHS, HEIGHTS = (256, 40962, 4097), (257, 40963, 4098)
"""In the first directory, in that of EXIF, and in that of interoperability."""
ORIENTATION = 274
THUMBNAIL = ((513, 514), (273, 279))
"""Where a thumbnail lies and how long it is: a JPEG, or one strip of samples."""
PREVIEWS = (b"xmp:Thumbnails", b"xap:Thumbnails")


def revised_exif(exif: bytes, size: tuple[int, int]) -> bytes:
    """The block of a picture of this height and width; one that is damaged stays as it is."""
    block = bytearray(exif)
    try:
        _revise(block, size)
    except (struct.error, KeyError):
        return exif
    return bytes(block)


def _revise(block: bytearray, size: tuple[int, int]) -> None:
    order = {b"II": "<", b"MM": ">"}[bytes(block[:2])]
    (at,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, at)
    link = at + 2 + 12 * count
    (thumbnail,) = struct.unpack_from(f"{order}I", block, link)
    struct.pack_into(f"{order}I", block, link, 0)
    directories = [at]
    for at in directories:
        for tag, entry, value in _entries(block, order, at):
            if tag in WIDTHS or tag in HEIGHTS:
                struct.pack_into(f"{order}HII", block, entry + 2, LONG, 1, size[tag in WIDTHS])
            elif tag in (EXIF, INTEROP) and len(directories) < 3:
                directories.append(value)
    if thumbnail:
        _blank(block, order, thumbnail)


def _entries(block: bytearray, order: str, at: int) -> Iterator[tuple[int, int, int]]:
    """Tag, where the entry stands, and its value as a number."""
    (count,) = struct.unpack_from(f"{order}H", block, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, _, value = struct.unpack_from(f"{order}HHII", block, entry)
        if kind == 3:
            (value,) = struct.unpack_from(f"{order}H", block, entry + 8)
        yield tag, entry, value


def _blank(block: bytearray, order: str, at: int) -> None:
    """Clear a thumbnail's directory and its data, and cut off what is clear at the end."""
    found = {tag: value for tag, _, value in _entries(block, order, at)}
    (count,) = struct.unpack_from(f"{order}H", block, at)
    clear = [(at, at + 6 + 12 * count)]
    clear += [(found[a], found[a] + found[n]) for a, n in THUMBNAIL if a in found and n in found]
    for start, end in sorted(clear, reverse=True):
        if end + 1 >= len(block):  # a byte may be there to make the length even
            del block[start:]
        else:
            block[start:end] = bytes(end - start)


def without_orientation(exif: bytes) -> bytes:
    """The block of an upright picture without its orientation, every value where it was.

    Pillow takes it out of the EXIF of an AVIF, and writes the block anew if it finds one.
    """
    block = bytearray(exif)
    try:
        order = {b"II": "<", b"MM": ">"}[bytes(block[:2])]
        (at,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, at)
        for tag, entry, _ in reversed(list(_entries(block, order, at))):
            if tag == ORIENTATION:
                count, end = count - 1, at + 6 + 12 * count
                block[entry:end] = block[entry + 12 : end] + bytes(12)
        struct.pack_into(f"{order}H", block, at, count)
    except (struct.error, KeyError):
        return exif
    return bytes(block)


def revised_fields(fields: Fields, size: tuple[int, int]) -> Fields:
    """The same for a page of a TIFF and the directories below it."""
    fields = dict(fields)
    for tag, field in fields.items():
        if field.fields is not None:
            fields[tag] = field._replace(fields=revised_fields(field.fields, size))
        elif tag in WIDTHS or tag in HEIGHTS:
            fields[tag] = Field(LONG, struct.pack("<I", size[tag in WIDTHS]))
    return fields


def revised_xmp(xmp: bytes, size: tuple[int, int]) -> bytes:
    """The packet of a picture of this height and width.

    >>> revised_xmp(b'<a tiff:ImageWidth="6"/><exif:PixelYDimension>4</exif:PixelYDimension>', (2, 3))
    b'<a tiff:ImageWidth="3"/><exif:PixelYDimension>2</exif:PixelYDimension>'
    """
    for words, value in (
        (rb"tiff:ImageLength|exif:PixelYDimension", size[0]),
        (rb"tiff:ImageWidth|exif:PixelXDimension", size[1]),
    ):
        pattern = rb"((?:%s)(?:\s?=\s?[\"']|>)\s?)\d+(?=\s?[\"'<])" % words
        xmp = re.sub(pattern, rb"\g<1>%d" % value, xmp)
    for name in PREVIEWS:
        while (start := xmp.find(b"<" + name + b">")) >= 0:
            end = xmp.find(b"</" + name + b">", start)
            if end < 0:
                break
            xmp = xmp[:start] + xmp[end + len(name) + 3 :]
    return xmp
