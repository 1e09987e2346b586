"""What a PNG says besides its pixels: read, kept where a filter may keep it, and written again.

Source: Portable Network Graphics (PNG) Specification, third edition, section 11.
"""

from __future__ import annotations

import struct
import zlib

from convcli.imaging.picture import Metadata
from convcli.imaging.png_chunks import read_header, walk
from convcli.imaging.png_profiles import take_profiles

__all__ = ["metadata_chunks", "read_metadata"]

XMP_KEYWORD = b"XML:com.adobe.xmp"
MAX_TEXT = 16 << 20
"""Most bytes that the compressed profiles and packets of a file may unfold to, all together: a
hundred chunks of 60 KB that unfold to 60 MB each took 11 s."""
MAX_NOTE = 1 << 20
"""Most bytes of one compressed text that is carried over; Pillow opens no PNG with a longer one."""

# Chunks that a filter may carry over as they are, whatever it does to the pixels. What is not
# listed depends on the pixels (PLTE, tRNS, hIST, sBIT, bKGD: see below) or on the animation.
KEPT = {b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"tEXt", b"zTXt", b"iTXt", b"tIME"}
KEPT_IF_SAME_TYPE = {b"sBIT", b"bKGD"}
READ = KEPT | KEPT_IF_SAME_TYPE | {b"iCCP", b"eXIf", b"pHYs"}


def read_metadata(data: bytes, name: str) -> tuple[Metadata, list[str]]:
    """Collect what travels along, and notes on what had to be left out."""
    header = read_header(data, name)
    meta = Metadata(png_header=(header.depth, header.colour_type))
    notes: dict[str, None] = {}  # each once, in order
    room = MAX_TEXT
    for kind, body, crc in walk(data, name):
        if kind not in READ:
            continue
        if zlib.crc32(body, zlib.crc32(kind)) != crc:
            notes[f"the chunk {kind.decode()} is damaged and was left out"] = None
            continue
        raw = bytes(body)
        try:
            if kind == b"iCCP":
                meta.icc = _inflate(raw[raw.index(b"\0") + 2 :], room)
                room -= len(meta.icc)
            elif kind == b"eXIf":
                meta.exif = raw.removeprefix(b"Exif\0\0")
            elif kind == b"pHYs":
                x, y, unit = struct.unpack(">IIB", raw)
                meta.dpi = (x * 0.0254, y * 0.0254) if unit == 1 else None
                meta.png_chunks.append((kind, raw))
            elif kind == b"iTXt" and raw.startswith(XMP_KEYWORD + b"\0"):
                meta.xmp = _xmp(raw, room)
                room -= len(meta.xmp)
            elif folded := _folded_text(kind, raw):
                room -= len(_inflate(folded, min(room, MAX_NOTE)))
                meta.png_chunks.append((kind, raw))
            else:
                meta.png_chunks.append((kind, raw))
        except (ValueError, IndexError, struct.error, zlib.error):
            notes[f"the chunk {kind.decode()} is malformed or too large and was left out"] = None
            room -= room // 4  # what was unfolded in vain counts too
    take_profiles(meta, notes)
    return meta, list(notes)


def _inflate(data: bytes, room: int) -> bytes:
    """The unfolded data; ``ValueError`` if it is cut short or takes more than ``room``."""
    if room < 1:
        raise ValueError("no room left")
    unfold = zlib.decompressobj()
    out = unfold.decompress(data, room)
    if unfold.unconsumed_tail or not unfold.eof:
        raise ValueError("too long or cut short")
    return out


def _folded_text(kind: bytes, raw: bytes) -> bytes:
    """The compressed part of a text chunk; empty if there is none."""
    start = raw.index(b"\0") + 1 if kind in (b"zTXt", b"iTXt") else 0
    if kind == b"zTXt":
        return raw[start + 1 :]
    if kind == b"iTXt" and raw[start : start + 1] == b"\1":
        return raw[start + 2 :].split(b"\0", 2)[2]
    return b""


def _xmp(itxt: bytes, room: int) -> bytes:
    # keyword 0 compressed? method language 0 translated keyword 0 text
    compressed = itxt[len(XMP_KEYWORD) + 1]
    rest = itxt[len(XMP_KEYWORD) + 3 :]
    text = rest.split(b"\0", 2)[2]
    return _inflate(text, room) if compressed else text


def metadata_chunks(meta: Metadata, depth: int, colour_type: int) -> list[tuple[bytes, bytes]]:
    """The chunks that go between IHDR and the pixels."""
    same_type = meta.png_header == (depth, colour_type)
    chunks: list[tuple[bytes, bytes]] = []
    if meta.icc is not None:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(meta.icc)))
    kinds = {kind for kind, _ in meta.png_chunks}
    for kind, body in meta.png_chunks:
        if kind in KEPT_IF_SAME_TYPE and not same_type:
            continue
        chunks.append((kind, body))
    if meta.dpi is not None and b"pHYs" not in kinds:
        x, y = (round(value / 0.0254) for value in meta.dpi)
        if 0 < x < 2**31 and 0 < y < 2**31:
            chunks.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
    if meta.exif is not None:
        chunks.append((b"eXIf", meta.exif))
    if meta.xmp is not None:
        chunks.append((b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + meta.xmp))
    if meta.comment is not None and not any(body.startswith(b"Comment\0") for _, body in chunks):
        text = meta.comment.decode("utf-8", "replace").encode("latin-1", "replace")
        chunks.append((b"tEXt", b"Comment\0" + text.replace(b"\0", b"")))
    return chunks
