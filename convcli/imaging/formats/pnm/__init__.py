"""Netpbm files (PBM, PGM, PPM) and PFM."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from convcli.imaging.formats import Coding, Format

if TYPE_CHECKING:
    from convcli.imaging.atomic import Data
    from convcli.imaging.formats.raw import RawLayout
    from convcli.imaging.formats.shared.row_file import RowFile
    from convcli.imaging.header import Header, Metadata
    from convcli.imaging.sink import Sink
    from convcli.imaging.source import Source

__all__ = ["FORMATS"]


class Ppm(Format):
    """Bits, gray and colour, as text or as bytes."""

    name = "PPM"
    decode_ns, encode_ns = 0.2, 0.2
    suffixes: tuple[str, ...] = (".ppm", ".pgm", ".pnm", ".pbm")
    spaces = "gray rgb"
    dtypes = "uint8 uint16"
    in_parts = flows = True
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

    def open(
        self, path: str, name: str, max_pixels: int, layout: RawLayout | None
    ) -> Source | None:
        from convcli.imaging.formats.pnm.codec import open_pnm

        return open_pnm(path, self, name, max_pixels)

    def encode(self, picture: Source, coding: Coding) -> Data:
        return self._file(picture).whole(picture.first.pixels)

    def create(
        self, path: str, header: Header, like: Source, coding: Coding
    ) -> AbstractContextManager[Sink]:
        return self._file(header).create(path)

    def whole_rows(self, meta: Metadata, space: str, alpha: bool) -> bool:
        return True

    def _file(self, header: Header) -> RowFile:
        from convcli.imaging.formats.pnm.codec import pnm_file

        return pnm_file(header)


class Pfm(Ppm):
    """Gray and colour in floating point."""

    name = "PFM"
    suffixes = (".pfm",)
    dtypes = "float32"
    carries = "pfm_scale"
    kinds = b"Ff"

    def _file(self, header: Header) -> RowFile:
        from convcli.imaging.formats.pnm.codec import pfm_file

        return pfm_file(header)


FORMATS = [Ppm(), Pfm()]
