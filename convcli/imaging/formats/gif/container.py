"""GIF containers: checking that a file is whole, and writing every frame as a frame.

Pillow reads a GIF that was cut between two frames as a shorter animation, and folds frames that
happen to be equal into one when it writes. Both lose frames; so the blocks are walked before
decoding, and put together here, with Pillow compressing the pixels of each frame.

Source: GIF89a specification (1990), sections 17 to 26; XMP specification, part 3, section 1.1.2;
ICC.1:2001-04, annex B, for profiles in GIF.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable

from convcli.errors import InputError
from convcli.imaging.header import Metadata
from convcli.imaging.metadata.profiles import behind, sound_profile

__all__ = [
    "GifFrame",
    "assemble_gif",
    "blocks_of",
    "image_block",
    "read_gif_metadata",
    "read_loop",
    "table_bytes",
]

EXTENSION, PLAIN_TEXT, COMMENT, APPLICATION = 0x21, 0x01, 0xFE, 0xFF
LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
ICC, XMP = b"ICCRGBG1012", b"XMP DataXMP"
TRAILER = bytes([1, *range(255, -1, -1), 0])
"""After an XMP packet, which is not cut into parts: wherever in it a reader that does not know
that takes a byte for a length, it ends up at the block's end."""
GifFrame = tuple[bytes, float, int, int | None]
"""Image block, duration in milliseconds, disposal, transparent index."""


def blocks_of(data: bytes, name: str) -> Iterable[tuple[int, int, int]]:
    """Yield (introducer, start, end) of each block; a GIF that ends before its trailer is refused."""
    cut = InputError(f"{name}: the GIF is cut short: it ends before its end mark")
    if len(data) < 13:
        raise cut
    at = 13 + table_bytes(data[10])
    while True:
        if at >= len(data):
            raise cut
        start, kind = at, data[at]
        if kind == 0x3B:
            return
        if kind == 0x21:
            at += 2
        elif kind == 0x2C:
            if at + 10 > len(data):
                raise cut
            at += 11 + table_bytes(data[at + 9])
        else:
            raise InputError(f"{name}: the GIF is damaged: unknown block {kind:#04x} at {at}")
        while at < len(data) and data[at]:
            at += data[at] + 1
        at += 1
        if at > len(data):
            raise cut
        yield kind, start, at


def table_bytes(packed: int) -> int:
    """How long the table of colours is."""
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def image_block(gif: bytes) -> bytes:
    """The image block of a GIF that holds one picture, with its colours as a local table."""
    table = gif[13 : 13 + table_bytes(gif[10])]
    for kind, start, end in blocks_of(gif, "frame"):
        if kind == 0x2C:
            packed = gif[start + 9]
            if packed & 0x80:
                return gif[start:end]
            local = 0x80 | (packed & 0x40) | (gif[10] & 7)
            return gif[start : start + 9] + bytes([local]) + table + gif[start + 10 : end]
    raise ValueError("no image in the frame")


def read_gif_metadata(data: bytes, meta: Metadata, notes: list[str]) -> None:
    """What a GIF says besides its pixels, as it stands."""
    end = 13 + table_bytes(data[10])
    for kind, start, end in blocks_of(data, "gif"):
        if kind != EXTENSION:
            continue
        label, name = data[start + 1], data[start + 3 : start + 14]
        if label == COMMENT:
            meta.comments.append(_joined(data, start + 2))
        elif label == APPLICATION and name == XMP:
            meta.xmp = data[start + 14 : end - len(TRAILER)]
        elif label == APPLICATION and name == ICC:
            meta.icc = sound_profile(_joined(data, start + 14), notes)
        elif label == APPLICATION and name not in LOOPS:
            shown = f"application block {name.decode('latin-1')!r}"
            meta.blocks.append(("GIF", shown, data[start:end]))
        elif label == PLAIN_TEXT:
            meta.stale.append("text to be drawn over it")
    meta.stale += behind(data, end + 1)
    if data[12]:
        shared = math.gcd(64, data[12] + 15)  # the height of a pixel by its width, as dots are
        meta.aspect = 64 // shared, (data[12] + 15) // shared


def read_loop(data: bytes, name: str) -> int | None:
    """How often an animation is shown; 0 is for ever."""
    for kind, start, _ in blocks_of(data, name):
        if kind == EXTENSION and data[start + 3 : start + 14] in LOOPS and data[start + 15] == 1:
            return int.from_bytes(data[start + 16 : start + 18], "little")
    return None


def _joined(data: bytes, at: int) -> bytes:
    """The parts of a block from the first part's length on."""
    parts = []
    while data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += data[at] + 1
    return b"".join(parts)


def _extension(label: int, head: bytes, body: bytes) -> bytes:
    pieces = [body[i : i + 255] for i in range(0, len(body), 255)]
    if head:
        pieces.insert(0, head)
    return bytes((EXTENSION, label)) + b"".join(bytes([len(p)]) + p for p in pieces) + b"\0"


def _described(meta: Metadata) -> list[bytes]:
    """The blocks of what a GIF says besides its pixels."""
    parts = [_extension(COMMENT, b"", text) for text in meta.comments]
    if meta.icc is not None:
        parts.append(_extension(APPLICATION, ICC, meta.icc))
    if meta.xmp is not None:
        parts.append(bytes((EXTENSION, APPLICATION, len(XMP))) + XMP + meta.xmp + TRAILER)
    return parts + [block for fmt, _, block in meta.blocks if fmt == "GIF"]


def assemble_gif(
    size: tuple[int, int], frames: list[GifFrame], meta: Metadata, *, loop: int | None = None
) -> bytes:
    """A GIF from image blocks; ``size`` is (height, width)."""
    height, width = size
    across, down = meta.aspect or (1, 1)
    aspect = min(max(round(64 * down / across) - 15, 1), 255) if across != down else 0
    # OpenCV clears the canvas only where a table for all frames has the background's colour.
    cleared = any(disposal == 2 for _, _, disposal, _ in frames)
    parts = [b"GIF89a", struct.pack("<HHBBB", width, height, 0x70 | 0x80 * cleared, 0, aspect)]
    parts.append(bytes(6 * cleared))
    if loop is not None:
        parts.append(_extension(APPLICATION, LOOPS[0], b"\1" + struct.pack("<H", loop & 0xFFFF)))
    parts += _described(meta)
    for block, duration, disposal, transparent in frames:
        packed = (disposal & 7) << 2 | (transparent is not None)
        delay = min(max(round(duration / 10), 0), 65535)
        parts.append(b"\x21\xf9\x04" + struct.pack("<BHB", packed, delay, transparent or 0) + b"\0")
        parts.append(block)
    return b"".join([*parts, b"\x3b"])
