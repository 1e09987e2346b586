"""WebP animations with every frame stored whole.

libwebp's own animation encoder folds equal frames into one; here each frame is compressed as a
still picture and put into the container. Source: WebP Container Specification (2024).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from convcli.imaging.picture import Metadata

__all__ = ["assemble_webp", "chunks_of"]

ICC_FLAG, ALPHA_FLAG, EXIF_FLAG, XMP_FLAG, ANIMATION_FLAG = 0x20, 0x10, 0x08, 0x04, 0x02
DO_NOT_BLEND = 0x02


def chunks_of(webp: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, body) of the chunks of a WebP file."""
    at = 12
    while at + 8 <= len(webp):
        kind = webp[at : at + 4]
        (length,) = struct.unpack_from("<I", webp, at + 4)
        yield kind, webp[at + 8 : at + 8 + length]
        at += 8 + length + (length & 1)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def _three(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def assemble_webp(
    size: tuple[int, int], frames: list[tuple[bytes, float]], meta: Metadata, *, alpha: bool
) -> bytes:
    """A WebP from still WebP files and their durations in milliseconds; size (height, width)."""
    height, width = size
    flags = ANIMATION_FLAG | ALPHA_FLAG * alpha | ICC_FLAG * (meta.icc is not None)
    flags |= EXIF_FLAG * (meta.exif is not None) | XMP_FLAG * (meta.xmp is not None)
    head = bytes([flags, 0, 0, 0]) + _three(width - 1) + _three(height - 1)
    body = [_chunk(b"VP8X", head)]
    if meta.icc is not None:
        body.append(_chunk(b"ICCP", meta.icc))
    body.append(_chunk(b"ANIM", struct.pack("<IH", 0, (meta.loop or 0) & 0xFFFF)))
    for still, duration in frames:
        pixels = [c for c in chunks_of(still) if c[0] in (b"ALPH", b"VP8 ", b"VP8L")]
        where = _three(0) + _three(0) + _three(width - 1) + _three(height - 1)
        delay = _three(min(max(round(duration), 0), 0xFFFFFF))
        data = b"".join(_chunk(kind, part) for kind, part in pixels)
        body.append(_chunk(b"ANMF", where + delay + bytes([DO_NOT_BLEND]) + data))
    if meta.exif is not None:
        body.append(_chunk(b"EXIF", meta.exif))
    if meta.xmp is not None:
        body.append(_chunk(b"XMP ", meta.xmp))
    joined = b"".join(body)
    return b"RIFF" + struct.pack("<I", len(joined) + 4) + b"WEBP" + joined
