"""Netpbm files (PBM, PGM, PPM) and PFM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convcli.imaging.formats import Coding, Format

if TYPE_CHECKING:
    from convcli.imaging.atomic import Data
    from convcli.imaging.source import Source

__all__ = ["FORMATS"]


class Ppm(Format):
    """Bits, gray and colour, as text or as bytes."""

    name = "PPM"
    suffixes: tuple[str, ...] = (".ppm", ".pgm", ".pnm", ".pbm")
    spaces = "gray rgb"
    dtypes = "uint8 uint16"
    carries = "comments"
    kinds = b"123456"
    """The second byte of a file."""

    def recognises(self, head: bytes) -> bool:
        ends = head[2:3].isspace() or head[2:3] == b"#"
        return head[:1] == b"P" and ends and head[1:2] in self.kinds

    def read(self, data: bytes, name: str, max_pixels: int) -> Source:
        from convcli.imaging.formats.pnm.codec import read_pnm

        return read_pnm(data, name, self.name, max_pixels)

    def decoded_bytes(self, data: bytes, name: str) -> int:
        from convcli.imaging.formats.pnm.codec import claimed_bytes

        return claimed_bytes(data, name)

    def encode(self, picture: Source, coding: Coding) -> Data:
        from convcli.imaging.formats.pnm.codec import encode_pnm

        return encode_pnm(picture.first.pixels, picture.meta.comments)


class Pfm(Ppm):
    """Gray and colour in floating point."""

    name = "PFM"
    suffixes = (".pfm",)
    dtypes = "float32"
    carries = "pfm_scale"
    kinds = b"Ff"

    def encode(self, picture: Source, coding: Coding) -> Data:
        from convcli.imaging.formats.pnm.codec import encode_pfm

        return encode_pfm(picture.first.pixels, picture.meta.pfm_scale)


FORMATS = [Ppm(), Pfm()]
