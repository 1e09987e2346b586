"""GIF containers: checking that a file is whole, and writing every frame as a frame.

Pillow reads a GIF that was cut between two frames as a shorter animation, and folds frames that
happen to be equal into one when it writes. Both lose frames; so the blocks are walked before
decoding, and put together here, with Pillow compressing the pixels of each frame.

Source: GIF89a specification (1990), sections 17 to 26.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from convcli.errors import InputError

__all__ = ["GifFrame", "assemble_gif", "check_gif", "image_block"]

Palette = bytes
GifFrame = tuple[bytes, float, int, int | None]
"""Image block, duration in milliseconds, disposal, transparent index."""


def check_gif(data: bytes, name: str) -> None:
    """Refuse a GIF whose blocks do not reach the trailer."""
    for _ in _blocks(data, name):
        pass


def _blocks(data: bytes, name: str) -> Iterable[tuple[int, int, int]]:
    """Yield (introducer, start, end) of each block until the trailer."""
    cut = InputError(f"{name}: the GIF is cut short: it ends before its end mark")
    if len(data) < 13:
        raise cut
    at = 13 + _table_bytes(data[10])
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
            at += 11 + _table_bytes(data[at + 9])
        else:
            raise InputError(f"{name}: the GIF is damaged: unknown block {kind:#04x} at {at}")
        while at < len(data) and data[at]:
            at += data[at] + 1
        at += 1
        if at > len(data):
            raise cut
        yield kind, start, at


def _table_bytes(packed: int) -> int:
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def image_block(gif: bytes) -> bytes:
    """The image block of a GIF that holds one picture, with its colours as a local table."""
    table = gif[13 : 13 + _table_bytes(gif[10])]
    for kind, start, end in _blocks(gif, "frame"):
        if kind == 0x2C:
            packed = gif[start + 9]
            if packed & 0x80:
                return gif[start:end]
            local = 0x80 | (packed & 0x40) | (gif[10] & 7)
            return gif[start : start + 9] + bytes([local]) + table + gif[start + 10 : end]
    raise ValueError("no image in the frame")


def assemble_gif(
    size: tuple[int, int],
    frames: list[GifFrame],
    *,
    loop: int | None = None,
    comment: bytes | None = None,
) -> bytes:
    """A GIF from image blocks; ``size`` is (height, width)."""
    height, width = size
    # OpenCV clears the canvas only where a table for all frames has the background's colour.
    cleared = any(disposal == 2 for _, _, disposal, _ in frames)
    parts = [b"GIF89a", struct.pack("<HHBBB", width, height, 0x70 | 0x80 * cleared, 0, 0)]
    parts.append(bytes(6 * cleared))
    if loop is not None:
        parts.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop & 0xFFFF) + b"\0")
    if comment:
        parts.append(b"\x21\xfe")
        parts += [
            bytes([len(piece)]) + piece
            for piece in (comment[i : i + 255] for i in range(0, len(comment), 255))
        ]
        parts.append(b"\0")
    for block, duration, disposal, transparent in frames:
        packed = (disposal & 7) << 2 | (transparent is not None)
        delay = min(max(round(duration / 10), 0), 65535)
        parts.append(b"\x21\xf9\x04" + struct.pack("<BHB", packed, delay, transparent or 0) + b"\0")
        parts.append(block)
    return b"".join([*parts, b"\x3b"])
