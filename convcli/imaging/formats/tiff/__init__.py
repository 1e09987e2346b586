"""TIFF and BigTIFF."""

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


class Tiff(Format):
    """Tagged Image File Format, of every depth, compressed or not."""

    name = "TIFF"
    decode_ns, encode_ns = 0.7, 7.0
    suffixes = (".tif", ".tiff")
    spaces = "gray graya rgb rgba cmyk cmyka bands bandsa"
    dtypes = "uint8 uint16 uint32 uint64 int8 int16 int32 int64 float32 float64"
    pages = in_parts = True
    carries = "icc exif xmp photoshop dpi aspect fields nodata"

    def recognises(self, head: bytes) -> bool:
        return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

    def read(self, data: bytes, name: str, max_pixels: int) -> Source:
        from convcli.imaging.formats.tiff.read import read_tiff

        return read_tiff(data, name, max_pixels)

    def decoded_bytes(self, data: bytes, name: str) -> int:
        from convcli.imaging.formats.tiff.pages import claimed_bytes

        return claimed_bytes(data, name)

    def encode(self, picture: Source, coding: Coding) -> Data:
        from convcli.imaging.formats.tiff.write import encode_tiff

        return encode_tiff(picture, coding.threads)

    def open(
        self, path: str, name: str, max_pixels: int, layout: RawLayout | None
    ) -> Source | None:
        from convcli.imaging.formats.tiff.stored import open_tiff

        return open_tiff(path, name)

    def create(
        self, path: str, header: Header, like: Source, coding: Coding
    ) -> AbstractContextManager[Sink]:
        from convcli.imaging.formats.tiff.create import create_tiff

        return create_tiff(path, header, coding.threads)

    def whole_rows(self, meta: Metadata, space: str, alpha: bool) -> bool:
        from convcli.imaging.formats.tiff.write import compression_of

        return compression_of(meta) is not None


FORMATS = [Tiff()]
