"""BMP: by Pillow, but for profiles, which it does not look for, and for alpha.

With alpha, Pillow writes a form that no reader, itself included, takes for alpha. Source:
Microsoft's BITMAPV4HEADER: masks say which bits are which channel, rows stand from the lowest up.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from convcli.imaging.formats import Coding, Format

if TYPE_CHECKING:
    from convcli.imaging.atomic import Data
    from convcli.imaging.formats.raw import RawLayout
    from convcli.imaging.header import Header, Metadata
    from convcli.imaging.sink import Sink
    from convcli.imaging.source import Source

__all__ = ["FORMATS"]


class Bmp(Format):
    """Windows' bitmap."""

    name = "BMP"
    decode_ns, encode_ns = 0.7, 0.6
    suffixes = (".bmp", ".dib")
    spaces = "gray rgb rgba"
    carries = "dpi"
    in_parts = flows = True

    def recognises(self, head: bytes) -> bool:
        return head[:2] == b"BM"

    def read(self, data: bytes, name: str, max_pixels: int) -> Source:
        from convcli.imaging.formats.bmp.bands import profile_of
        from convcli.imaging.formats.shared.pillow import collected, open_with_pillow, picture_of
        from convcli.imaging.metadata.upright import take_orientation

        image = open_with_pillow(data, "Bmp")
        notes: list[str] = []
        meta = collected(image, profile_of(lambda at, size: data[at : at + size]), notes)
        orientation = take_orientation(meta, notes)
        return picture_of(image, self.name, name, meta, notes, max_pixels, orientation)

    def decoded_bytes(self, data: bytes, name: str) -> int:
        from convcli.imaging.formats.shared.pillow import claimed_bytes

        return claimed_bytes(data, "Bmp")

    def open(
        self, path: str, name: str, max_pixels: int, layout: RawLayout | None
    ) -> Source | None:
        from convcli.imaging.formats.bmp.bands import open_bmp

        return open_bmp(path, name)

    def encode(self, picture: Source, coding: Coding) -> Data:
        from convcli.imaging.formats.bmp.bands import bmp_file

        return bmp_file(picture).whole(picture.first.pixels)

    def create(
        self, path: str, header: Header, like: Source, coding: Coding
    ) -> AbstractContextManager[Sink]:
        from convcli.imaging.formats.bmp.bands import bmp_file

        return bmp_file(header).create(path)

    def whole_rows(self, meta: Metadata, space: str, alpha: bool) -> bool:
        return True


FORMATS = [Bmp()]
