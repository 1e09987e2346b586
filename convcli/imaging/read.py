"""Decoding: bytes in, a :class:`Picture` out, at full depth and upright."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from convcli.errors import InputError, UsageError
from convcli.imaging.files import STDIN, read_bytes
from convcli.imaging.formats import sniff
from convcli.imaging.options import MAX_PIXELS
from convcli.imaging.source import Source
from convcli.system.machine import lacks_memory

if TYPE_CHECKING:
    from convcli.imaging.jpeg_read import LargeJpeg

__all__ = ["check_frames", "check_size", "decode_picture", "decoding", "read_picture"]

FRAME_BYTES = 16
"""Bytes that all frames of a file may take, for each pixel that one of them may have."""


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
            from convcli.imaging.png_read import read_png

            return read_png(data, name, max_pixels)
        if kind == "TIFF":
            from convcli.imaging.tiff_read import read_tiff

            return read_tiff(data, name, max_pixels)
        if kind in ("PPM", "PFM"):
            from convcli.imaging.pnm import read_pnm

            return read_pnm(data, name, max_pixels)
        if kind == "GIF":
            from convcli.imaging.gif_read import read_gif

            return read_gif(data, name, max_pixels)
        from convcli.imaging.pillow_read import read_with_pillow

        return read_with_pillow(data, name, kind, max_pixels, begun)


@contextlib.contextmanager
def decoding(name: str, kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises on damaged data into an :class:`InputError`.

    Its warnings (of tags that it skips, say) are not for the user, who cannot act on them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (InputError, UsageError):
        raise
    except Exception as error:
        if lacks_memory(error):
            raise MemoryError from error
        if isinstance(error, TypeError | AttributeError | LookupError):
            # A library that stumbles over what it did not expect says so in words of Python.
            raise InputError(f"{name}: cannot be decoded as {kind}: it is damaged") from error
        reason = str(error).strip().splitlines()
        detail = reason[0] if reason else type(error).__name__
        raise InputError(f"{name}: cannot be decoded as {kind}: {detail}") from error


def check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture by what its header claims, before anything is allocated."""
    if width < 1 or height < 1:
        raise InputError(f"{name}: the header claims {width}x{height} pixels")
    if width * height > max_pixels:
        raise InputError(
            f"{name}: {width}x{height} is {width * height:,} pixels, and at most {max_pixels:,} "
            "are allowed; raise the limit with --max-pixels if you trust the file"
        )


def check_frames(name: str, frames: int, taken: int, max_pixels: int) -> None:
    """Refuse several frames or pages by the bytes that their samples would take together."""
    allowed = FRAME_BYTES * max_pixels
    if frames > 1 and taken > allowed:
        raise InputError(
            f"{name}: its {frames:,} frames are {taken:,} bytes of samples, and at most {allowed:,} "
            f"({FRAME_BYTES} for each of {max_pixels:,} pixels) are allowed; raise the limit with "
            "--max-pixels if you trust the file"
        )
