"""Which row of chunks makes a PNG: what libpng refuses is refused, what it leaves out is said.

What stands inside the pixel data is libpng's to judge. imagecodecs has it stop behind them, and
passes some of its complaints on as broken text, so the chunks themselves are judged here.

Source: Portable Network Graphics (PNG) Specification, third edition, sections 5.6 and 13; libpng
1.6, ``pngrutil.c`` and ``pngread.c``, for what it does where the specification leaves it open.
"""

from __future__ import annotations

import struct

from isal import isal_zlib

from convcli.errors import InputError
from convcli.imaging.formats.png.chunks import SIGNATURE, chunk, read_ihdr, walk

__all__ = ["pixels_alone"]

PALETTE = 3
BEFORE = (b"IHDR", b"PLTE", b"tRNS", b"acTL", b"IDAT")
"""What the pixels depend on; it has no meaning behind them."""
ANIMATION = (b"acTL", b"fcTL", b"fdAT")
CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


def pixels_alone(data: bytes, name: str, moves: bool = False) -> tuple[bytes, list[str]]:
    """The file without all that its pixels do not depend on, and notes on what else was left out.

    The chunks of an animation stay where it ``moves``.

    Libraries that decode it would unfold profiles and texts a second time, and refuse the whole
    file for one that is damaged or too long.

    Raises
    ------
    InputError
        If a chunk that must be understood is unknown, damaged, missing, or there twice.
    """
    header = read_ihdr(data, name)
    once = (b"IHDR", b"acTL", b"PLTE" if header.colour_type == PALETTE else b"")
    parts: list[bytes | memoryview] = [SIGNATURE]
    notes: dict[str, None] = {}  # each once, in order
    seen: set[bytes] = set()
    over = False  # whether the run of IDATs is
    for kind, body, crc in walk(data, name):
        whole = isal_zlib.crc32(body, isal_zlib.crc32(kind)) == crc
        if fault := _fault(kind, whole, kind in once and kind in seen):
            raise InputError(f"{name}: the PNG's chunk {kind.decode()} {fault}")
        if kind == b"IDAT" and header.colour_type == PALETTE and b"PLTE" not in seen:
            raise InputError(f"{name}: the PNG has no palette before its pixels")
        over |= b"IDAT" in seen and kind != b"IDAT"
        if kind == b"IEND" and (len(body) or not whole):
            notes["its end mark is damaged"] = None
        elif kind in BEFORE and over:
            notes[f"a chunk {kind.decode()} behind its pixels was left out"] = None
        elif kind in ANIMATION and not moves:
            continue
        elif kind in BEFORE or kind in ANIMATION:
            parts += [struct.pack(">I4s", len(body), kind), body, struct.pack(">I", crc)]
        seen.add(kind)
    if b"IDAT" not in seen:
        raise InputError(f"{name}: the PNG has no pixels")
    return b"".join([*parts, chunk(b"IEND", b"")]), list(notes)


def _fault(kind: bytes, whole: bool, again: bool) -> str:
    """Why a chunk may not be passed over; empty where it may."""
    if again:
        return "is there twice"
    if kind[0] & 0x20 or kind == b"IEND":  # ancillary (section 5.4)
        return ""
    if kind not in CRITICAL:
        return "is not known, and says that it must be understood"
    return "" if whole else "is damaged: its checksum is wrong"
