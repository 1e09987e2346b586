"""Decoding PNG: the plain ones by our own reader, the rest by libpng, which also judges them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.imaging.flowing import FlowingPlane
from convcli.imaging.formats.png.chunks import Ihdr, read_ihdr, walk
from convcli.imaging.formats.png.metadata import read_metadata
from convcli.imaging.formats.png.plain import Plain, PlainFile, read_plain
from convcli.imaging.formats.png.rows import CHANNELS
from convcli.imaging.header import COLOURS, Metadata, widened
from convcli.imaging.limits import check_size
from convcli.imaging.metadata.upright import take_orientation, turn_upright
from convcli.imaging.row_stream import RowStream
from convcli.imaging.source import Frame, Plane, Source

__all__ = ["flowing_picture", "picture_of_plain", "read_png"]

GRAY = 0


def read_png(data: bytes, name: str, max_pixels: int) -> Source:
    """Decode a PNG of any depth and colour type."""
    plain = read_plain(io.BytesIO(data), len(data), max_pixels)
    if plain is not None:
        return picture_of_plain(plain, name)
    from convcli.imaging.formats.png.libpng import decode_still
    from convcli.imaging.formats.png.rules import pixels_alone

    header = read_ihdr(data, name)
    check_size(name, header.width, header.height, max_pixels)
    meta, notes = read_metadata(data, name)
    moves, more = _moves(data, name)
    notes += more
    data, more = pixels_alone(data, name, moves)
    notes += more
    if header.depth < 8 and header.colour_type == GRAY:
        notes.append(widened(header.depth))
    if not moves:
        return _upright(decode_still(data, name, notes), header, meta, notes)
    from convcli.imaging.formats.png.apng import read_apng

    return read_apng(data, name, header, max_pixels, meta, notes)


def _moves(data: bytes, name: str) -> tuple[bool, list[str]]:
    """Whether it is an animation, by what the chunk before its pixels claims; and a note."""
    for kind, body, _ in walk(data, name):
        if kind == b"IDAT":
            break
        if kind == b"acTL":
            if 0 < int.from_bytes(body[:4]) < 2**31:
                return True, []
            return False, ["its animation is damaged: the picture for programs without was taken"]
    return False, []


def picture_of_plain(plain: Plain, name: str) -> Source:
    """The picture that a plain PNG holds."""
    header = plain.header
    meta, notes = read_metadata(plain.rest, name)
    samples = np.frombuffer(plain.pixels, _dtype(header))
    pixels = samples.reshape(header.height, header.width, CHANNELS[header.colour_type])
    return _upright(pixels, header, meta, notes)


def flowing_picture(plain: PlainFile, stream: RowStream | None, name: str) -> Source | None:
    """The picture that a plain PNG holds, whose rows flow unless they have to be turned.

    Then it is None, and the file let go, if no ``stream`` of them has begun.
    """
    header = plain.header
    meta, notes = read_metadata(plain.rest, name)
    shape = header.height, header.width, CHANNELS[header.colour_type]
    orientation = take_orientation(meta, notes)
    if stream is None:
        if orientation != 1:
            plain.close()
            return None
        stream = plain.stream()
    stream.name = name
    plane = FlowingPlane(stream, shape, _dtype(header), plain.close)
    if orientation == 1:
        return _source([plane], header, meta, notes)
    pixels = plane.pixels
    plane.close()
    return _source([Frame(turn_upright(pixels, orientation))], header, meta, notes)


def _dtype(header: Ihdr) -> np.dtype[Any]:
    return np.dtype(np.uint16 if header.depth == 16 else np.uint8)


def _upright(pixels: NDArray[Any], header: Ihdr, meta: Metadata, notes: list[str]) -> Source:
    return _source(
        [Frame(turn_upright(pixels, take_orientation(meta, notes)))], header, meta, notes
    )


def _source(frames: list[Plane], header: Ihdr, meta: Metadata, notes: list[str]) -> Source:
    space = "gray" if header.colour_type in (0, 4) else "rgb"
    height, width, channels = frames[0].shape
    alpha, dtype = channels > COLOURS[space], frames[0].dtype
    return Source("PNG", space, alpha, dtype, (height, width), frames, meta=meta, notes=notes)
