"""Decoding PNG: the plain ones by our own reader, the rest by libpng, which also judges them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.imaging.header import COLOURS, Metadata, widened
from convcli.imaging.png_chunks import Header, read_header, walk
from convcli.imaging.png_fast import CHANNELS, Plain, read_plain
from convcli.imaging.png_metadata import read_metadata
from convcli.imaging.png_rules import pixels_alone
from convcli.imaging.quiet import listen
from convcli.imaging.read import check_size
from convcli.imaging.source import Frame, Source
from convcli.imaging.upright import take_orientation, turn_upright

__all__ = ["decode_still", "picture_of_plain", "read_png"]

GRAY = 0
OF_IMAGECODECS = "Interlace handling should be turned on when using png_read_image"
"""Said of every interlaced file, for how imagecodecs calls libpng."""


def read_png(data: bytes, name: str, max_pixels: int) -> Source:
    """Decode a PNG of any depth and colour type."""
    plain = read_plain(io.BytesIO(data), len(data), max_pixels)
    if plain is not None:
        return picture_of_plain(plain, name)
    header = read_header(data, name)
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
    from convcli.imaging.apng import read_apng

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
    samples = np.frombuffer(plain.pixels, np.uint16 if header.depth == 16 else np.uint8)
    pixels = samples.reshape(header.height, header.width, CHANNELS[header.colour_type])
    return _upright(pixels, header, meta, notes)


def decode_still(data: bytes, name: str, notes: list[str]) -> NDArray[Any]:
    """The pixels (H, W, C) of a file that :func:`pixels_alone` has seen, as libpng reads them.

    Fewer than 8 bits become 8, palettes colours, a transparent colour alpha. What libpng minds
    but reads goes to the notes.

    Raises
    ------
    InputError
        What libpng refuses, too few pixels among it.
    """
    import imagecodecs

    with listen("imagecodecs") as said:
        try:
            pixels = np.asarray(imagecodecs.png_decode(data))
        except RuntimeError as error:
            why = "; ".join([str(error), *(t for t in said if t != OF_IMAGECODECS)])
            raise InputError(f"{name}: libpng refuses the PNG: {why}") from error
    notes += [f"its pixels were read, but libpng says: {t}" for t in said if t != OF_IMAGECODECS]
    return pixels.reshape(*pixels.shape[:2], -1)


def _upright(pixels: NDArray[Any], header: Header, meta: Metadata, notes: list[str]) -> Source:
    space = "gray" if header.colour_type in (0, 4) else "rgb"
    alpha = pixels.shape[-1] > COLOURS[space]
    pixels = turn_upright(pixels, take_orientation(meta, notes))
    return Source(
        "PNG", space, alpha, pixels.dtype, pixels.shape[:2], [Frame(pixels)], meta=meta, notes=notes
    )
