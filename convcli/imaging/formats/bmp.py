"""BMP with alpha, which Pillow writes in a form that no reader, itself included, takes for alpha.

Source: Microsoft's BITMAPV4HEADER: masks say which bits are which channel, rows stand from the
lowest up.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["encode_bmp_with_alpha", "profile_of_bmp"]

FILE_HEADER, V4_HEADER, V5_HEADER = 14, 108, 124
BIT_FIELDS, SRGB, EMBEDDED = 3, 0x73524742, 0x4D424544
MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
"""Of red, green, blue and alpha: the order that Windows itself uses."""
INCH = 0.0254


def profile_of_bmp(data: bytes) -> bytes | None:
    """The ICC profile that is embedded in a BMP, which Pillow does not look for.

    Source: Microsoft's BITMAPV5HEADER: where it begins, counted from the header on, and its size.
    """
    header = data[FILE_HEADER : FILE_HEADER + V5_HEADER]
    if len(header) < V5_HEADER or struct.unpack_from("<I", header) != (V5_HEADER,):
        return None
    if struct.unpack_from("<I", header, 56) != (EMBEDDED,):
        return None
    at, size = struct.unpack_from("<II", header, 112)
    return data[FILE_HEADER + at : FILE_HEADER + at + size]


def encode_bmp_with_alpha(pixels: NDArray[np.uint8], dpi: tuple[float, float] | None) -> bytes:
    """Encode an array (H, W, 4) of uint8, red, green, blue and alpha.

    >>> encode_bmp_with_alpha(np.full((1, 1, 4), 9, np.uint8), None)[:2]
    b'BM'
    """
    height, width, _ = pixels.shape
    start = FILE_HEADER + V4_HEADER
    if start + pixels.size >= 2**32:
        raise ValueError("a BMP is at most 4 GiB")
    per_metre = [min(round(value / INCH), 2**31 - 1) for value in dpi or (0, 0)]
    info: tuple[Any, ...] = (V4_HEADER, width, height, 1, 32, BIT_FIELDS, pixels.size, *per_metre)
    head = struct.pack("<2sIHHI", b"BM", start + pixels.size, 0, 0, start)
    head += struct.pack("<IiiHHIIii", *info) + struct.pack("<6I", 0, 0, *MASKS)
    head += struct.pack("<I", SRGB) + bytes(48)  # end points and gammas, which sRGB implies
    return head + pixels[::-1, :, [2, 1, 0, 3]].tobytes()
