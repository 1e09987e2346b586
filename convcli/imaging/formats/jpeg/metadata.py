"""What a JPEG says besides its pixels: segments read as they stand, and put into a file again.

Source: ITU-T T.81, annex B; JFIF 1.02; EXIF 2.32, section 4.5.4; XMP specification, part 3,
section 1.1.3; ICC.1:2022, annex B.4; Adobe Photoshop File Formats Specification (2019).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from convcli.imaging.formats.jpeg.markers import APP1, EOI, end_of, segments
from convcli.imaging.header import Metadata
from convcli.imaging.metadata.profiles import CREDENTIALS, behind, sound_profile
from convcli.imaging.metadata.tiff import exif_block, exif_dpi, resolution

__all__ = ["read_jpeg_metadata", "with_segments"]

APP0, APP2, APP11, APP13, APP14, COM = 0xE0, 0xE2, 0xEB, 0xED, 0xEE, 0xFE
JFIF, EXIF, XMP = b"JFIF\0", b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
ICC, PHOTOSHOP = b"ICC_PROFILE\0", b"Photoshop 3.0\0"
STALE = {
    APP0: (b"JFXX\0",),
    APP2: (b"MPF\0", b"urn:iso:std:iso:ts:21496:-1\0"),
    APP14: (b"Adobe",),
}
"""A thumbnail; where in the file other pictures stand, and how to light the first with them; how
the old pixels were coded."""
MOST = 65533
"""Bytes in a segment, behind its length."""
END = bytes((0xFF, EOI))
NO_UNIT, INCH, CENTIMETRE = 0, 1, 2


def read_jpeg_metadata(data: bytes, meta: Metadata, notes: list[str]) -> None:
    """Collect the segments; ``notes`` hear of what is damaged."""
    profile: dict[int, bytes] = {}
    for marker, body in _bodies(data):
        if marker == COM:
            meta.comments.append(body)
        elif marker == APP0 and body.startswith(JFIF) and len(body) >= 12:
            _density(body, meta)
        elif marker == APP1 and body.startswith(EXIF) and meta.exif is None:
            meta.exif = body[len(EXIF) :]
        elif marker == APP1 and body.startswith(XMP) and meta.xmp is None:
            meta.xmp = body[len(XMP) :]
        elif marker == APP2 and body.startswith(ICC) and len(body) > len(ICC) + 2:
            profile[body[len(ICC)]] = body[len(ICC) + 2 :]
        elif marker == APP13 and body.startswith(PHOTOSHOP):
            meta.photoshop = (meta.photoshop or b"") + body[len(PHOTOSHOP) :]
        elif marker == APP11 and body.startswith(b"JP"):
            meta.stale.append(CREDENTIALS)
        elif APP0 <= marker <= 0xEF and not body.startswith(STALE.get(marker, ())):
            meta.blocks.append(("JPEG", _named(marker, body), struct.pack(">B", marker) + body))
    if not data[-256:].rstrip(b"\0").endswith(END):
        meta.stale += behind(data, end_of(data))
    if profile:
        meta.icc = sound_profile(b"".join(profile[i] for i in sorted(profile)), notes)
    if meta.dpi is None:
        meta.dpi = exif_dpi(meta.exif)


def _bodies(data: bytes) -> Iterator[tuple[int, bytes]]:
    for marker, at, end in segments(data):
        yield marker, data[at + 4 : end]


def _named(marker: int, body: bytes) -> str:
    """As in ``APP12 Ducky``."""
    name = body[:32].partition(b"\0")[0].decode("latin-1")
    return f"APP{marker - APP0}" + (f" {name}" if name.isprintable() and name else "")


def _density(body: bytes, meta: Metadata) -> None:
    unit, across, down = struct.unpack_from(">BHH", body, 7)
    if across and down:
        factor = {INCH: 1.0, CENTIMETRE: 2.54}.get(unit)
        meta.dpi = (across * factor, down * factor) if factor else None
        meta.aspect = (across, down) if unit == NO_UNIT else None


def with_segments(jpeg: bytes, meta: Metadata) -> bytes:
    """A JPEG as an encoder made it, which says what is to be said."""
    at = 2
    exif = meta.exif
    if jpeg[2:4] == bytes((0xFF, APP0)):
        at += 2 + int.from_bytes(jpeg[4:6], "big")
        jpeg = jpeg[:13] + _dots(meta) + jpeg[18:]
    elif meta.dpi is not None and exif_dpi(exif) is None:
        exif = exif_block(exif, resolution(meta.dpi))  # CMYK has no JFIF header to state it
    return b"".join((jpeg[:at], *_segments(meta, exif), jpeg[at:]))


def _dots(meta: Metadata) -> bytes:
    """Unit and density of a JFIF header, in whole dots per inch or, where those fit, centimetre."""
    unit, exact = NO_UNIT, [float(value) for value in meta.aspect or (1, 1)]
    if meta.dpi is not None:
        unit, exact = INCH, list(meta.dpi)
        metric = [value / 2.54 for value in exact]
        if not _are_whole(exact) and _are_whole(metric):
            unit, exact = CENTIMETRE, metric
    return struct.pack(">BHH", unit, *(min(max(round(value), 1), 65535) for value in exact))


def _are_whole(values: list[float]) -> bool:
    return all(abs(value - round(value)) < 0.01 for value in values)


def _segments(meta: Metadata, exif: bytes | None) -> Iterator[bytes]:
    if exif is not None:
        yield _segment(APP1, EXIF + exif)
    if meta.xmp is not None:
        yield _segment(APP1, XMP + meta.xmp)
    profile = list(_pieces(meta.icc or b"", MOST - len(ICC) - 2))
    for number, piece in enumerate(profile, 1):
        yield _segment(APP2, ICC + bytes((number, len(profile))) + piece)
    for piece in _pieces(meta.photoshop or b"", MOST - len(PHOTOSHOP)):
        yield _segment(APP13, PHOTOSHOP + piece)
    for fmt, _, block in meta.blocks:
        if fmt == "JPEG":
            yield _segment(block[0], block[1:])
    for comment in meta.comments:
        yield from (_segment(COM, piece) for piece in _pieces(comment, MOST))


def _pieces(data: bytes, most: int) -> Iterator[bytes]:
    return (data[i : i + most] for i in range(0, len(data), most))


def _segment(marker: int, body: bytes) -> bytes:
    if len(body) > MOST:
        raise ValueError(f"a segment holds {MOST:,} bytes, and {len(body):,} are to go into one")
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
