"""GIF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convcli.imaging.formats import Coding, Format

if TYPE_CHECKING:
    from convcli.imaging.atomic import Data
    from convcli.imaging.header import Header
    from convcli.imaging.source import Source

__all__ = ["FORMATS"]


class Gif(Format):
    """Graphics Interchange Format."""

    name = "GIF"
    decode_ns, encode_ns = 7.7, 58.0
    suffixes = (".gif",)
    spaces = "gray graya rgb rgba"
    animations = True
    longest = 65535
    loop = 1
    carries = "icc xmp aspect comments"

    def loses(self, picture: Header, quality: int | None) -> bool:
        return True  # of more than 256 colours, which nobody knows before

    def recognises(self, head: bytes) -> bool:
        return head[:6] in (b"GIF87a", b"GIF89a")

    def read(self, data: bytes, name: str, max_pixels: int) -> Source:
        from convcli.imaging.formats.gif.read import read_gif

        return read_gif(data, name, max_pixels)

    def decoded_bytes(self, data: bytes, name: str) -> int:
        from convcli.imaging.formats.shared.pillow import claimed_bytes

        return claimed_bytes(data, "Gif")

    def encode(self, picture: Source, coding: Coding) -> Data:
        from convcli.imaging.formats.gif.write import encode_gif

        return encode_gif(picture)


FORMATS = [Gif()]
