"""What a PNG says besides its pixels: read, kept where a filter may keep it, and written again.

Source: Portable Network Graphics (PNG) Specification, third edition, section 11.
"""

from __future__ import annotations

import struct
import zlib

from convcli.imaging.formats.png.chunks import SIGNATURE, Ihdr, read_ihdr, walk
from convcli.imaging.formats.png.profiles import take_profiles
from convcli.imaging.header import Metadata
from convcli.imaging.metadata.profiles import behind, sound_profile

__all__ = ["metadata_chunks", "read_metadata", "says_nothing", "text_of"]

INCH = 0.0254
PALETTE = 3

XMP_KEYWORD = b"XML:com.adobe.xmp"
MAX_TEXT = 16 << 20
"""Most bytes that the compressed profiles and packets of a file may unfold to, all together: a
hundred chunks of 60 KB that unfold to 60 MB each took 11 s."""
MAX_NOTE = 1 << 20
"""Most bytes of one compressed text that is carried over; Pillow opens no PNG with a longer one."""

OF_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT")
STALE = (b"hIST", b"sPLT", b"sBIT", b"iDOT")
"""What tells of the old pixels and nothing else: how often the colours of a palette occur, which
colours to reduce it to, how many bits mean something, where in the file the pixels stand."""
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
KEPT = (*TEXTS, b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"tIME")
ONCE = {b"iCCP", b"eXIf", b"pHYs", b"bKGD", *KEPT} - {*TEXTS}
"""Of a second one libpng warns, and keeps the first."""
SAFE = 0x20
"""Bit of a chunk's last letter: it may be copied whatever happens to the pixels (section 5.4)."""
SRGB = {
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
}
"""What these say of sRGB, which is what readers take for granted."""


def read_metadata(data: bytes, name: str) -> tuple[Metadata, list[str]]:
    """Collect what travels along, and notes on what had to be left out."""
    header = read_ihdr(data, name)
    meta = Metadata()
    notes: dict[str, None] = {}  # each once, in order
    room, palette = MAX_TEXT, b""
    seen: set[bytes] = set()
    end = len(SIGNATURE)
    for kind, body, crc in walk(data, name):
        end += 12 + len(body)
        if kind == b"PLTE":
            palette = bytes(body)
        if kind in OF_PIXELS or kind in STALE:
            continue
        if zlib.crc32(body, zlib.crc32(kind)) != crc:
            notes[f"the chunk {_named(kind)} is damaged and was left out"] = None
            continue
        if kind in seen & ONCE:
            notes[f"a second chunk {_named(kind)} was left out"] = None
            continue
        seen.add(kind)
        raw = bytes(body)
        try:
            if kind == b"bKGD":
                raw = _background(raw, header, palette)
            room -= _take(meta, kind, raw, room)
        except (ValueError, IndexError, struct.error, zlib.error):
            notes[f"the chunk {_named(kind)} is malformed or too large and was left out"] = None
            room -= room // 4  # what was unfolded in vain counts too
    meta.stale += behind(data, end)
    take_profiles(meta, notes)
    said = list(notes)
    if meta.icc is not None:
        meta.icc = sound_profile(meta.icc, said)
    return meta, said


def _take(meta: Metadata, kind: bytes, raw: bytes, room: int) -> int:
    """Put a chunk where it belongs; gives how many bytes it unfolds to, at most ``room``."""
    if kind == b"iCCP":
        meta.icc = _inflate(raw[raw.index(b"\0") + 2 :], room)
        return len(meta.icc)
    if kind == b"iTXt" and raw.startswith(XMP_KEYWORD + b"\0"):
        meta.xmp = _xmp(raw, room)
        return len(meta.xmp)
    if kind == b"eXIf":
        meta.exif = raw.removeprefix(b"Exif\0\0")
    elif kind == b"pHYs":
        x, y, unit = struct.unpack(">IIB", raw)
        if x and y:
            meta.dpi = (x * INCH, y * INCH) if unit == 1 else None
            meta.aspect = None if unit == 1 else (x, y)
    elif kind not in KEPT and kind != b"bKGD" and not kind[3] & SAFE:
        meta.stale.append(f"chunk {_named(kind)}")
    else:
        folded = _folded_text(kind, raw)
        unfolded = len(_inflate(folded, min(room, MAX_NOTE))) if folded else 0
        meta.png_chunks.append((kind, raw))
        return unfolded
    return 0


def _named(kind: bytes) -> str:
    return kind.decode("latin-1")


def _background(raw: bytes, header: Ihdr, palette: bytes) -> bytes:
    """The background of the picture with its palette and its few bits expanded."""
    if header.colour_type == PALETTE:
        red, green, blue = palette[3 * raw[0] : 3 * raw[0] + 3]
        return struct.pack(">3H", red, green, blue)
    if header.depth < 8:
        (level,) = struct.unpack(">H", raw)
        return struct.pack(">H", level * 255 // (2**header.depth - 1))
    return raw


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
    start = raw.index(b"\0") + 1 if kind in TEXTS else 0
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


def text_of(kind: bytes, raw: bytes) -> tuple[str, str]:
    """Keyword and text of a chunk that was read; two empty ones if it is none of text."""
    if kind not in TEXTS:
        return "", ""
    keyword, _, rest = raw.partition(b"\0")
    folded = _folded_text(kind, raw)
    text = zlib.decompress(folded) if folded else rest
    if kind == b"iTXt" and not folded:
        text = rest[2:].split(b"\0", 2)[-1]
    code = "utf-8" if kind == b"iTXt" else "latin-1"
    return keyword.decode("latin-1"), text.decode(code, "replace")


def says_nothing(kind: bytes, raw: bytes, meta: Metadata) -> bool:
    """Whether a chunk says of colours what is taken for granted, or what a profile says better."""
    if kind in (b"gAMA", b"cHRM"):
        standard = any(other == b"sRGB" for other, _ in meta.png_chunks)
        return standard or meta.icc is not None or raw == SRGB[kind]
    return kind == b"sRGB"


def metadata_chunks(meta: Metadata, depth: int, colour_type: int) -> list[tuple[bytes, bytes]]:
    """The chunks that go between IHDR and the pixels."""
    chunks: list[tuple[bytes, bytes]] = []
    if meta.icc is not None:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(meta.icc)))
    for kind, body in meta.png_chunks:
        if kind == b"bKGD" and not _is_background(body, depth, colour_type):
            continue  # of a picture of other colours, or of another depth
        chunks.append((kind, body))
    dots = [round(value / INCH) for value in meta.dpi] if meta.dpi else meta.aspect
    if dots and all(0 < value < 2**31 for value in dots):
        chunks.append((b"pHYs", struct.pack(">IIB", *dots, meta.dpi is not None)))
    if meta.exif is not None:
        chunks.append((b"eXIf", meta.exif))
    if meta.xmp is not None:
        chunks.append((b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + meta.xmp))
    chunks += [_comment(text) for text in meta.comments]
    return chunks


def _is_background(body: bytes, depth: int, colour_type: int) -> bool:
    numbers = len(body) // 2
    levels = struct.unpack(f">{numbers}H", body[: 2 * numbers])
    return numbers == (1 if colour_type in (0, 4) else 3) and max(levels) < 2**depth


def _comment(comment: bytes) -> tuple[bytes, bytes]:
    """A comment of another format as text: Latin-1 if it can be, or else UTF-8."""
    comment = comment.replace(b"\0", b"")
    try:
        text = comment.decode()
    except UnicodeDecodeError:
        return b"tEXt", b"Comment\0" + comment
    try:
        return b"tEXt", b"Comment\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", b"Comment\0\0\0\0\0" + comment
