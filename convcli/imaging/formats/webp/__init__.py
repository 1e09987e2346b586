"""WebP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convcli.imaging.formats import Coding, Format

if TYPE_CHECKING:
    from convcli.imaging.atomic import Data
    from convcli.imaging.header import Header
    from convcli.imaging.source import Source

__all__ = ["FORMATS"]


class WebP(Format):
    """Of both kinds, with loss and without."""

    name = "WEBP"
    decode_ns, encode_ns = 4.7, 31.0
    suffixes = (".webp",)
    spaces = "gray graya rgb rgba"
    animations = True
    longest = 16383
    carries = "icc exif xmp"

    def loses(self, picture: Header, quality: int | None) -> bool:
        # Without loss where the source was a WebP without loss.
        return not (picture.format == "WEBP" and picture.meta.lossless and quality is None)

    def recognises(self, head: bytes) -> bool:
        return head[:4] == b"RIFF" and head[8:12] == b"WEBP"

    def read(self, data: bytes, name: str, max_pixels: int) -> Source:
        from convcli.imaging.formats.webp.codec import read_webp

        return read_webp(data, name, max_pixels)

    def decoded_bytes(self, data: bytes, name: str) -> int:
        from convcli.imaging.formats.shared.pillow import claimed_bytes

        return claimed_bytes(data, "WebP")

    def encode(self, picture: Source, coding: Coding) -> Data:
        from convcli.imaging.formats.webp.codec import encode_webp

        lossless = not self.loses(picture, coding.quality)
        return encode_webp(picture, coding.quality, lossless=lossless)


FORMATS = [WebP()]
