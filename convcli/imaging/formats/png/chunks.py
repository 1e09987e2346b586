"""The chunks of a PNG file: walking them and putting them together. It needs no NumPy.

Source: Portable Network Graphics (PNG) Specification, third edition, section 5.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

from isal import isal_zlib

from convcli.errors import InputError
from convcli.records import NamedTuple

__all__ = [
    "SIGNATURE",
    "Ihdr",
    "assemble",
    "chunk",
    "chunk_parts",
    "claimed_bytes",
    "read_ihdr",
    "walk",
]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Bits per sample that each colour type may have."""
SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""Of a pixel, by colour type; palettes are expanded."""


class Ihdr(NamedTuple):
    """IHDR: size in pixels, bits per sample, colour type 0, 2, 3, 4 or 6, interlacing."""

    width: int
    height: int
    depth: int
    colour_type: int
    interlaced: bool


def walk(data: bytes, name: str) -> Iterator[tuple[bytes, memoryview, int]]:
    """Yield (type, body, CRC) of every chunk.

    Raises
    ------
    InputError
        If the file ends before IEND, or something else stands where a chunk should.
    """
    view = memoryview(data)
    at = len(SIGNATURE)
    while True:
        if at + 12 > len(data):
            raise InputError(f"{name}: the PNG is cut short: it ends before its end mark")
        length, kind = struct.unpack_from(">I4s", data, at)
        if not kind.isalpha():
            raise InputError(f"{name}: the PNG is damaged: a chunk is called {kind!r}")
        end = at + 12 + length
        if end > len(data):
            raise InputError(f"{name}: the PNG is cut short inside its chunk {kind!r}")
        yield kind, view[at + 8 : end - 4], struct.unpack_from(">I", data, end - 4)[0]
        if kind == b"IEND":
            return
        at = end


def read_ihdr(data: bytes, name: str) -> Ihdr:
    """Read IHDR, the first chunk.

    Raises
    ------
    InputError
        If it claims what the specification does not allow (section 11.2.1).
    """
    kind, body, crc = next(walk(data, name))
    if kind != b"IHDR" or len(body) != 13 or zlib.crc32(body, zlib.crc32(kind)) != crc:
        raise InputError(f"{name}: the PNG's header is damaged")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(
        ">IIBBBBB", body
    )
    if not (0 < width < 2**31 and 0 < height < 2**31):
        raise InputError(f"{name}: the PNG's header claims {width}x{height} pixels")
    for what, value, allowed in (
        ("colour type", colour, tuple(DEPTHS)),
        ("bit depth", depth, DEPTHS.get(colour, ())),
        ("compression method", compression, (0,)),
        ("filter method", filtering, (0,)),
        ("interlace method", interlace, (0, 1)),
    ):
        if value not in allowed:
            raise InputError(
                f"{name}: the PNG's header claims {what} {value}; "
                f"allowed: {', '.join(map(str, allowed))}"
            )
    return Ihdr(width, height, depth, colour, bool(interlace))


def claimed_bytes(data: bytes, name: str) -> int:
    """Bytes of the samples of a frame that the header promises."""
    header = read_ihdr(data, name)
    alpha = any(chunk == b"tRNS" for chunk, _, _ in walk(data, name))
    samples = SAMPLES[header.colour_type] + alpha
    return header.width * header.height * samples * max(header.depth // 8, 1)


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its length and CRC."""
    crc = zlib.crc32(body, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", crc)))


def chunk_parts(kind: bytes, body: list[bytes]) -> list[bytes]:
    """One chunk whose body comes in parts, which are not copied."""
    length, crc = 0, isal_zlib.crc32(kind)
    for part in body:
        length += len(part)
        crc = isal_zlib.crc32(part, crc)
    return [struct.pack(">I", length) + kind, *body, struct.pack(">I", crc)]


def assemble(
    header: Ihdr, before: list[tuple[bytes, bytes]], pixels: Iterable[bytes]
) -> Iterator[bytes]:
    """A file in parts: its header, the chunks before the pixels, and the finished pixel chunks."""
    ihdr = struct.pack(
        ">IIBBBBB", header.width, header.height, header.depth, header.colour_type, 0, 0, 0
    )
    first = [SIGNATURE, chunk(b"IHDR", ihdr), *(chunk(kind, body) for kind, body in before)]
    yield b"".join(first)
    yield from pixels
    yield chunk(b"IEND", b"")
