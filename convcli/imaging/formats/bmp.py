"""BMP: by Pillow, but for profiles, which it does not look for, and for alpha.

With alpha, Pillow writes a form that no reader, itself included, takes for alpha. Source:
Microsoft's BITMAPV4HEADER: masks say which bits are which channel, rows stand from the lowest up.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from convcli.imaging.formats import Coding, Format

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convcli.imaging.atomic import Data
    from convcli.imaging.source import Source

__all__ = ["FORMATS"]

FILE_HEADER, V4_HEADER, V5_HEADER = 14, 108, 124
BIT_FIELDS, SRGB, EMBEDDED = 3, 0x73524742, 0x4D424544
MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
"""Of red, green, blue and alpha: the order that Windows itself uses."""
INCH = 0.0254


class Bmp(Format):
    """Windows' bitmap."""

    name = "BMP"
    suffixes = (".bmp", ".dib")
    spaces = "gray rgb rgba"
    carries = "dpi"

    def recognises(self, head: bytes) -> bool:
        return head[:2] == b"BM"

    def read(self, data: bytes, name: str, max_pixels: int) -> Source:
        from convcli.imaging.formats.shared.pillow import collected, open_with_pillow, picture_of
        from convcli.imaging.metadata.upright import take_orientation

        image = open_with_pillow(data, "Bmp")
        notes: list[str] = []
        meta = collected(image, _profile(data), notes)
        orientation = take_orientation(meta, notes)
        return picture_of(image, self.name, name, meta, notes, max_pixels, orientation)

    def decoded_bytes(self, data: bytes, name: str) -> int:
        from convcli.imaging.formats.shared.pillow import claimed_bytes

        return claimed_bytes(data, "Bmp")

    def encode(self, picture: Source, coding: Coding) -> Data:
        pixels, dpi = picture.first.pixels, picture.meta.dpi
        if picture.alpha:
            return _with_alpha(pixels, dpi)
        from convcli.imaging.formats.shared.pillow import save_with_pillow, to_pillow

        image = to_pillow(pixels, picture.space, picture.alpha)
        return save_with_pillow(image, "Bmp", **({"dpi": dpi} if dpi else {}))


def _profile(data: bytes) -> bytes | None:
    """The ICC profile that is embedded in a BMP.

    Source: Microsoft's BITMAPV5HEADER: where it begins, counted from the header on, and its size.
    """
    header = data[FILE_HEADER : FILE_HEADER + V5_HEADER]
    if len(header) < V5_HEADER or struct.unpack_from("<I", header) != (V5_HEADER,):
        return None
    if struct.unpack_from("<I", header, 56) != (EMBEDDED,):
        return None
    at, size = struct.unpack_from("<II", header, 112)
    return data[FILE_HEADER + at : FILE_HEADER + at + size]


def _with_alpha(pixels: NDArray[Any], dpi: tuple[float, float] | None) -> bytes:
    """Encode an array (H, W, 4) of uint8, red, green, blue and alpha."""
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


FORMATS = [Bmp()]
