"""The container of WebP: what stands in it besides pixels, and animations of whole frames.

libwebp's own animation encoder folds equal frames into one; here each frame is compressed as a
still picture and put into the container. Source: WebP Container Specification (2024).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from convcli.imaging.header import Metadata
from convcli.imaging.metadata.profiles import CREDENTIALS, behind, sound_profile
from convcli.imaging.metadata.tiff import exif_dpi

__all__ = ["assemble_webp", "chunks_of", "read_webp_metadata"]

ICC_FLAG, ALPHA_FLAG, EXIF_FLAG, XMP_FLAG, ANIMATION_FLAG = 0x20, 0x10, 0x08, 0x04, 0x02
DO_NOT_BLEND = 0x02
PIXELS = (b"ALPH", b"VP8 ", b"VP8L")


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


def read_webp_metadata(data: bytes, meta: Metadata, notes: list[str]) -> None:
    """What a WebP says besides its pixels, as it stands."""
    end = 8 + int.from_bytes(data[4:8], "little")
    meta.stale += behind(data, end + end % 2)
    for kind, body in chunks_of(data[:end]):
        if kind == b"ICCP":
            meta.icc = sound_profile(body, notes)
        elif kind == b"EXIF":
            meta.exif = body.removeprefix(b"Exif\0\0")
        elif kind == b"XMP ":
            meta.xmp = body
        elif kind == b"C2PA":
            meta.stale.append(CREDENTIALS)
        elif kind not in (b"VP8X", b"ANIM", b"ANMF", *PIXELS):
            meta.blocks.append(("WEBP", f"chunk {kind.decode('latin-1')}", body))
    meta.dpi = exif_dpi(meta.exif)


def assemble_webp(
    size: tuple[int, int],
    frames: list[tuple[bytes, float]],
    meta: Metadata,
    *,
    alpha: bool,
    animated: bool = True,
) -> bytes:
    """A WebP from still WebP files and their durations in milliseconds; size (height, width)."""
    height, width = size
    head = (b"ICCP", meta.icc) if meta.icc is not None else None
    tail = [(b"EXIF", meta.exif), (b"XMP ", meta.xmp)]
    tail += [
        (name[-4:].encode("latin-1"), body) for fmt, name, body in meta.blocks if fmt == "WEBP"
    ]
    said = [(kind, body) for kind, body in tail if body is not None]
    if not (animated or head or said):
        return frames[0][0]
    flags = ANIMATION_FLAG * animated | ALPHA_FLAG * alpha | ICC_FLAG * (meta.icc is not None)
    flags |= EXIF_FLAG * (meta.exif is not None) | XMP_FLAG * (meta.xmp is not None)
    size_of_canvas = _three(width - 1) + _three(height - 1)
    body = [_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size_of_canvas)]
    if head:
        body.append(_chunk(*head))
    if animated:
        body.append(_chunk(b"ANIM", struct.pack("<IH", 0, (meta.loop or 0) & 0xFFFF)))
    for still, duration in frames:
        data = b"".join(_chunk(*part) for part in chunks_of(still) if part[0] in PIXELS)
        if animated:
            where = _three(0) + _three(0) + size_of_canvas
            delay = _three(min(max(round(duration), 0), 0xFFFFFF))
            data = _chunk(b"ANMF", where + delay + bytes([DO_NOT_BLEND]) + data)
        body.append(data)
    joined = b"".join(body + [_chunk(*part) for part in said])
    return b"RIFF" + struct.pack("<I", len(joined) + 4) + b"WEBP" + joined
