"""Decoding: bytes in, a :class:`Source` out, at full depth and upright."""

from __future__ import annotations

from convcli.imaging.files import STDIN, read_bytes
from convcli.imaging.formats import sniff
from convcli.imaging.limits import decoding
from convcli.imaging.options import MAX_PIXELS
from convcli.imaging.source import Source

__all__ = ["decode_picture", "decoded_bytes", "read_picture"]


def read_picture(path: str, *, max_pixels: int = MAX_PIXELS) -> Source:
    """Read a picture file, or standard input for ``-``. See :func:`decode_picture`."""
    name = "standard input" if path == STDIN else path
    return decode_picture(read_bytes(path), name, max_pixels=max_pixels)


def decode_picture(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> Source:
    """Decode a picture in any of the formats, whatever its name says.

    Pixels come at the depth of the file, palettes expanded, 1 bit as 8 bits, turned upright.

    Raises
    ------
    InputError
        If the bytes are no picture, damaged, larger than ``max_pixels``, or hold samples that
        cannot be kept exactly.
    """
    found = sniff(data, name)
    with decoding(name, found.name):
        return found.read(data, name, max_pixels)


def decoded_bytes(data: bytes, name: str) -> int:
    """Bytes of the samples of a picture file: of the frame that is decoded at a time, or all pages.

    Told by its header alone.

    Raises
    ------
    InputError
        If there is no header of a picture.
    """
    found = sniff(data, name)
    with decoding(name, found.name):
        return found.claims(data, name)
