"""Decoding PNG: 16 bits without loss, 8 bits and less through Pillow, all chunks collected."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.imaging.picture import COLOURS, Frame, Metadata, Picture
from convcli.imaging.png_chunks import Header, read_header, walk
from convcli.imaging.png_fast import CHANNELS, Plain, read_plain
from convcli.imaging.png_metadata import read_metadata, without_metadata
from convcli.imaging.quiet import silence_logs
from convcli.imaging.read import check_size
from convcli.imaging.upright import take_orientation, turn_upright

__all__ = ["picture_of_plain", "read_png"]


def read_png(data: bytes, name: str, max_pixels: int) -> Picture:
    """Decode a PNG of any depth and colour type."""
    plain = read_plain(io.BytesIO(data), len(data), max_pixels)
    if plain is not None:
        return picture_of_plain(plain, name)
    header = read_header(data, name)
    check_size(name, header.width, header.height, max_pixels)
    meta, notes = read_metadata(data, name)
    data = without_metadata(data, name)
    if header.depth == 16:
        return _read_deep(data, name, header, meta, notes)
    # Pillow's import costs a tenth of a small picture's time; most PNGs are plain.
    from convcli.imaging.pillow_read import open_with_pillow, picture_of

    image = open_with_pillow(data, "PNG")
    meta.loop = image.info.get("loop")
    orientation = take_orientation(meta, notes)
    picture = picture_of(image, "PNG", name, meta, notes, max_pixels, orientation)
    if getattr(image, "is_animated", False) and getattr(image, "default_image", False):
        raise InputError(f"{name}: an animation whose first picture is not part of it is not read")
    return picture


def picture_of_plain(plain: Plain, name: str) -> Picture:
    """The picture that a plain PNG holds."""
    header = plain.header
    meta, notes = read_metadata(plain.rest, name)
    samples = np.frombuffer(plain.pixels, np.uint16 if header.depth == 16 else np.uint8)
    pixels = samples.reshape(header.height, header.width, CHANNELS[header.colour_type])
    return _upright(pixels, header, meta, notes)


def _read_deep(data: bytes, name: str, header: Header, meta: Metadata, notes: list[str]) -> Picture:
    """16 bits: Pillow would halve the depth of all but gray."""
    import imagecodecs

    silence_logs()
    kinds = {kind: bytes(body) for kind, body, _ in walk(data, name) if kind in (b"acTL", b"tRNS")}
    if b"acTL" in kinds:
        raise InputError(f"{name}: an animated PNG of 16 bits is not read")
    space = "gray" if header.colour_type in (0, 4) else "rgb"
    pixels = np.asarray(imagecodecs.png_decode(data))
    channels = pixels.size // (header.width * header.height)
    pixels = pixels.reshape(header.height, header.width, channels)
    if b"tRNS" in kinds and channels == COLOURS[space]:
        # One colour is transparent: the alpha channel says the same for every pixel.
        key = np.frombuffer(kinds[b"tRNS"], ">u2")
        opaque = (pixels != key).any(axis=-1, keepdims=True)
        pixels = np.concatenate([pixels, opaque * np.uint16(65535)], axis=-1)
    return _upright(pixels, header, meta, notes)


def _upright(pixels: NDArray[Any], header: Header, meta: Metadata, notes: list[str]) -> Picture:
    space = "gray" if header.colour_type in (0, 4) else "rgb"
    alpha = pixels.shape[-1] > COLOURS[space]
    pixels = turn_upright(pixels, take_orientation(meta, notes))
    return Picture(
        "PNG", space, alpha, pixels.dtype, pixels.shape[:2], [Frame(pixels)], meta=meta, notes=notes
    )
