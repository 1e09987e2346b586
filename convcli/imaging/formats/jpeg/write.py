"""Writing JPEG: large pictures in bands, which threads encode side by side.

Each band is encoded by Pillow as a picture of its own, with the same tables; the entropy-coded
data of all bands follow the header of the first, a restart marker between each two. At a restart
marker a decoder begins anew, as each band did, so the file decodes to the very pixels of one
encoded in one go. Source: ITU-T T.81, sections B.2.4.4 and E.1.4.

Where the tables are those of a quality, which they are in nearly every file, `imagecodecs` makes the
same bytes in three fifths of the time: Pillow first spreads the pixels over four bytes each, and
writes to a file.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from functools import cache, lru_cache
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin  # noqa: F401  (registers the encoder)

from convcli.imaging.formats.jpeg.check import open_jpeg
from convcli.imaging.formats.jpeg.markers import DRI, EOI, RST0, SOS, frame_header, segments
from convcli.imaging.formats.jpeg.metadata import with_segments
from convcli.imaging.formats.shared.pillow import DEFAULT_QUALITY, to_pillow
from convcli.imaging.header import Header
from convcli.imaging.source import Source
from convcli.imaging.strips import strips
from convcli.system.machine import memory_file
from convcli.system.threads import in_order

__all__ = ["jpeg_of_rows", "jpeg_parts"]

LARGE = 1 << 20
"""Pixels from which on a picture is encoded in bands."""
MOST_ROWS = 65500
"""Of libjpeg, which refuses more."""
BAND_PIXELS = 1 << 19
"""Pixels of a band, about: from a quarter to four times as many take the same time. The bands do
not depend on the number of threads, so neither does the file."""
TALLEST_MCU = 16
"""Rows that hold whole MCUs, whatever the subsampling."""
EOI_BYTES = bytes((0xFF, EOI))
SAMPLINGS = ("444", "422", "420")
"""How `imagecodecs` calls what Pillow has a number for; the last is what both take by default."""


def jpeg_parts(
    picture: Source, quality: int | None, *, threads: int = 1
) -> Generator[bytes, None, None]:
    """The one frame of a picture: see :func:`jpeg_of_rows`."""
    pixels = next(iter(picture.frames)).pixels
    return jpeg_of_rows(picture, [pixels], quality, threads=threads)


def jpeg_of_rows(
    picture: Header, rows: Iterable[NDArray[np.uint8]], quality: int | None, *, threads: int = 1
) -> Generator[bytes, None, None]:
    """A gray, RGB or CMYK picture with its metadata, in parts; its rows come some at a time.

    Without a ``quality``, quantisation tables and subsampling of a JPEG source are kept.
    """
    height, width, _ = picture.shape
    options = _pixel_options(picture, quality)
    tall = max(1, BAND_PIXELS // width // TALLEST_MCU) * TALLEST_MCU
    large = height * width >= LARGE and tall < height <= MOST_ROWS
    if not large or picture.space == "cmyk" or options.get("progressive"):
        (pixels,) = strips(rows, height)
        yield with_segments(_save(pixels, picture.space, io.BytesIO(), options), picture.meta)
        return

    encode = _band_encoder(picture.space, options)

    def band(numbered: tuple[int, NDArray[np.uint8]]) -> bytes:
        number, pixels = numbered
        jpeg = encode(pixels)
        return _after(number, jpeg) if number else with_segments(_first(jpeg, height), picture.meta)

    with closing(in_order(band, enumerate(strips(rows, tall)), threads)) as bands:
        yield from bands
    yield EOI_BYTES


def _pixel_options(picture: Header, quality: int | None) -> dict[str, Any]:
    """What Pillow is to do with the pixels."""
    source = picture.meta.jpeg
    options: dict[str, Any] = {"progressive": True} if source.get("progressive") else {}
    # A source whose channels were changed (to gray, say) has tables for other channels.
    same = picture.format == "JPEG" and bool(source) and not source.get("changed")
    if same and "subsampling" in source and picture.space == "rgb":
        options["subsampling"] = source["subsampling"]
    if quality is None and same:
        options["qtables"] = list(source["qtables"].values())
    else:
        options["quality"] = DEFAULT_QUALITY if quality is None else quality
    return options


def _band_encoder(space: str, options: dict[str, Any]) -> Callable[[NDArray[np.uint8]], bytes]:
    """What encodes a band without holding up other threads."""
    given = options.get("qtables")
    if given is None:
        quality = options.get("quality")
    else:
        quality = _quality_of(tuple(map(tuple, given)), space)
    if quality is None or not 1 <= quality <= 100:

        def to_file(pixels: NDArray[np.uint8]) -> bytes:
            # Only what is written to a descriptor is encoded beside others.
            with memory_file() as file:
                return _save(pixels, space, file, options)

        return to_file

    from imagecodecs import jpeg8_encode

    sampling = SAMPLINGS[options.get("subsampling", -1)] if space == "rgb" else None

    def encode(pixels: NDArray[np.uint8]) -> bytes:
        pixels = np.ascontiguousarray(pixels[..., 0] if space == "gray" else pixels)
        jpeg = jpeg8_encode(pixels, quality, colorspace=space, subsampling=sampling)
        return bytes(jpeg)

    return encode


@lru_cache(16)  # pictures of a batch mostly come from one camera
def _quality_of(tables: tuple[tuple[int, ...], ...], space: str) -> int | None:
    """The quality whose tables these are, if there is one.

    libjpeg scales those of T.81, annex K.1, which are those of quality 50 (jcparam.c).
    """
    usual = _usual_tables()[: 1 if space == "gray" else 2]
    if np.shape(tables) != usual.shape:
        return None
    for quality in range(100, 0, -1):
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        if np.array_equal(np.clip((usual * scale + 50) // 100, 1, 255), tables):
            return quality
    return None


@cache
def _usual_tables() -> NDArray[np.int_]:
    """For brightness and for colours."""
    jpeg = _save(np.zeros((1, 1, 3), np.uint8), "rgb", io.BytesIO(), {"quality": 50})
    return np.array(list(open_jpeg(jpeg).quantization.values()))


def _save(pixels: NDArray[np.uint8], space: str, file: IO[bytes], options: dict[str, Any]) -> bytes:
    image = to_pillow(pixels, space, False)
    # What Image.save comes to, without importing the plugins of four other formats: 4 ms.
    image.encoderinfo = options
    Image.SAVE["JPEG"](image, file, "")
    file.seek(0)
    return file.read()


def _first(jpeg: bytes, height: int) -> bytes:
    """The first band, as the beginning of a picture of this height.

    >>> _first(b"no frame", 16)
    Traceback (most recent call last):
    ...
    ValueError: no sequential JPEG
    """
    frame = frame_header(jpeg)
    if frame is None:
        raise ValueError("no sequential JPEG")
    scan, _ = _scan(jpeg)
    interval = struct.pack(">BBHH", 0xFF, DRI, 4, frame.mcus)
    tall = jpeg[: frame.at + 5] + struct.pack(">H", height) + jpeg[frame.at + 7 : scan]
    return tall + interval + jpeg[scan : -len(EOI_BYTES)]


def _after(index: int, jpeg: bytes) -> bytes:
    """A later band, counted from 1: a restart marker and the entropy-coded data."""
    return bytes((0xFF, RST0 + (index - 1) % 8)) + jpeg[_scan(jpeg)[1] : -len(EOI_BYTES)]


def _scan(jpeg: bytes) -> tuple[int, int]:
    """Where the scan header begins and ends."""
    return next((at, end) for marker, at, end in segments(jpeg) if marker == SOS)
