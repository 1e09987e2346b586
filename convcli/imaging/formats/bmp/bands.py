"""BMP read and written in bands of rows, which Pillow turns into pixels and back.

Pillow sees in the header how pixels are packed, and takes that for pieces of any file
(``Image.frombuffer``); what it packs with runs is read whole.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.engine.regions import Span
from convcli.imaging.formats.shared.array_file import OpenFile, bytes_at
from convcli.imaging.formats.shared.pillow import (
    SPACES,
    collected,
    mode_of,
    open_with_pillow,
    pixels_of,
    save_with_pillow,
    to_pillow,
)
from convcli.imaging.formats.shared.row_file import RowFile, opened
from convcli.imaging.header import COLOURS, Header
from convcli.imaging.source import Pixels, Source, StoredPlane
from convcli.system.files import read_at

__all__ = ["bmp_file", "open_bmp", "profile_of"]

FILE_HEADER, V4_HEADER, V5_HEADER = 14, 108, 124
BIT_FIELDS, SRGB, EMBEDDED = 3, 0x73524742, 0x4D424544
MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
"""Of red, green, blue and alpha: the order that Windows itself uses."""
INCH = 0.0254
PIECE = 1 << 20
"""Bytes of a file that are made pixels at a time."""
LARGEST = 2**32 - 1


@dataclass(slots=True)
class BmpPlane(StoredPlane):
    """Rows of pixels that are packed as Pillow says."""

    flows = True
    name: str
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    file: OpenFile
    image: Any
    """Of Pillow, of which the header alone is read."""

    def block(self, rows: Span, cols: Span, out: Pixels) -> None:
        _, _, _, (_, row_bytes, _) = self.image.tile[0]
        count = max(PIECE // row_bytes, 1)
        for top in range(rows[0], rows[1], count):
            bottom = min(top + count, rows[1])
            out[top - rows[0] : bottom - rows[0]] = self._rows(top, bottom)[:, slice(*cols)]

    def _rows(self, top: int, bottom: int) -> NDArray[Any]:
        _, _, offset, (packed, row_bytes, direction) = self.image.tile[0]
        height, width, _ = self.shape
        first = top if direction == 1 else height - bottom
        data = bytes_at(
            self.file.fd, self.name, offset + first * row_bytes, (bottom - top) * row_bytes
        )
        size = width, bottom - top
        band = Image.frombuffer(self.image.mode, size, data, "raw", packed, row_bytes, direction)
        if self.image.palette is not None:
            band.putpalette(self.image.palette.palette, self.image.palette.rawmode)
        return pixels_of(band, self.name, None, [])

    def close(self) -> None:
        self.file.close()


def open_bmp(path: str, name: str) -> Source | None:
    """A picture whose rows are all in the file; None for others, which are read whole."""

    def make(file: OpenFile, head: bytes, size: int) -> Source | None:
        try:
            image = open_with_pillow(head, "Bmp")
        except Exception:
            return None
        how, _, offset, facts = image.tile[0]
        if how != "raw" or min(image.size) < 1 or offset + facts[1] * image.height > size:
            return None
        notes: list[str] = []

        def read(at: int, count: int) -> bytes:
            return read_at(file.fd, count, at)

        meta = collected(image, profile_of(read), notes)
        if meta.exif or meta.xmp:
            return None  # which may say that it is to be turned
        mode = mode_of(image)
        space, alpha = SPACES[mode]
        shape = image.height, image.width, COLOURS[space] + alpha
        plane = BmpPlane(name, shape, np.dtype(np.uint8), file, image)
        try:
            plane.read((((0, 1),), ((0, 1),)))
        except ValueError:
            return None  # rows shorter than the picture is wide: Pillow says so when all are read
        source = Source(
            "BMP", space, alpha, plane.dtype, shape[:2], [plane], meta=meta, notes=notes
        )
        source.name, source.flat = name, shape[2] == 1
        return source

    return opened(path, name, make)


def profile_of(read: Callable[[int, int], bytes]) -> bytes | None:
    """The ICC profile that is embedded in a BMP; ``read`` gives so many bytes from an offset on.

    Source: Microsoft's BITMAPV5HEADER: where it begins, counted from the header on, and its size.
    """
    header = read(FILE_HEADER, V5_HEADER)
    if len(header) < V5_HEADER or struct.unpack_from("<I", header) != (V5_HEADER,):
        return None
    if struct.unpack_from("<I", header, 56) != (EMBEDDED,):
        return None
    at, size = struct.unpack_from("<II", header, 112)
    return read(FILE_HEADER + at, size)


def bmp_file(header: Header) -> RowFile:
    """How a picture of uint8 is laid down, the lowest row first.

    Raises
    ------
    ValueError
        If it takes more bytes than a BMP can say.
    """
    height, width, channels = header.shape
    dpi = header.meta.dpi
    row_bytes = -(-width * channels // 4) * 4
    if header.alpha:
        head = _head_with_alpha(height, width, dpi)
        return RowFile(head, height, row_bytes, _with_alpha, upward=True)
    # Pillow's own, of one row: what it says of sizes is said anew.
    image = to_pillow(np.zeros((1, width, channels), np.uint8), header.space, header.alpha)
    said = bytearray(save_with_pillow(image, "Bmp", **({"dpi": dpi} if dpi else {}))[:-row_bytes])
    size = height * row_bytes
    if len(said) + size > LARGEST:
        raise ValueError("File size is too large for the BMP format")
    struct.pack_into("<I", said, 2, len(said) + size)
    struct.pack_into("<i", said, 22, height)
    struct.pack_into("<I", said, 34, size)
    packed = partial(_packed, header.space, row_bytes)
    return RowFile(bytes(said), height, row_bytes, packed, upward=True)


def _packed(space: str, row_bytes: int, rows: NDArray[Any]) -> bytes:
    image = to_pillow(rows, space, False)
    return bytes(image.tobytes("raw", "BGR" if space == "rgb" else "L", row_bytes, -1))


def _head_with_alpha(height: int, width: int, dpi: tuple[float, float] | None) -> bytes:
    start, size = FILE_HEADER + V4_HEADER, height * width * 4
    if start + size > LARGEST:
        raise ValueError("a BMP is at most 4 GiB")
    per_metre = [min(round(value / INCH), 2**31 - 1) for value in dpi or (0, 0)]
    info: tuple[Any, ...] = (V4_HEADER, width, height, 1, 32, BIT_FIELDS, size, *per_metre)
    head = struct.pack("<2sIHHI", b"BM", start + size, 0, 0, start)
    head += struct.pack("<IiiHHIIii", *info) + struct.pack("<6I", 0, 0, *MASKS)
    return head + struct.pack("<I", SRGB) + bytes(48)  # end points and gammas, which sRGB implies


def _with_alpha(rows: NDArray[Any]) -> bytes:
    return rows[::-1, :, [2, 1, 0, 3]].tobytes()
