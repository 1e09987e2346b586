"""Decoding: bytes in, a :class:`Picture` out, at full depth and upright."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convcli.imaging.files import STDIN, read_bytes
from convcli.imaging.formats import sniff
from convcli.imaging.limits import decoding
from convcli.imaging.options import MAX_PIXELS
from convcli.imaging.source import Source

if TYPE_CHECKING:
    from convcli.imaging.formats.jpeg.large import LargeJpeg

__all__ = ["decode_picture", "read_picture"]


def read_picture(path: str, *, max_pixels: int = MAX_PIXELS) -> Source:
    """Read a picture file, or standard input for ``-``. See :func:`decode_picture`."""
    name = "standard input" if path == STDIN else path
    return decode_picture(read_bytes(path), name, max_pixels=max_pixels)


def decode_picture(
    data: bytes, name: str, *, max_pixels: int = MAX_PIXELS, begun: LargeJpeg | None = None
) -> Source:
    """Decode a picture in any of the formats, whatever its name says.

    Pixels come at the depth of the file, palettes expanded, 1 bit as 8 bits, turned upright.
    Those of a large JPEG may have been ``begun`` while the program started.

    Raises
    ------
    InputError
        If the bytes are no picture, damaged, larger than ``max_pixels``, or hold samples that
        cannot be kept exactly.
    """
    kind = sniff(data, name)
    with decoding(name, kind):
        if kind == "PNG":
            from convcli.imaging.formats.png.read import read_png

            return read_png(data, name, max_pixels)
        if kind == "TIFF":
            from convcli.imaging.formats.tiff.read import read_tiff

            return read_tiff(data, name, max_pixels)
        if kind in ("PPM", "PFM"):
            from convcli.imaging.formats.pnm.codec import read_pnm

            return read_pnm(data, name, max_pixels)
        if kind == "GIF":
            from convcli.imaging.formats.gif.read import read_gif

            return read_gif(data, name, max_pixels)
        from convcli.imaging.formats.pillow_read import read_with_pillow

        return read_with_pillow(data, name, kind, max_pixels, begun)
