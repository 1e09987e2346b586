"""JPEG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from convcli.imaging.formats import Coding, Finish, Format

if TYPE_CHECKING:
    import io

    from convcli.imaging.atomic import Data
    from convcli.imaging.formats.jpeg.large import LargeJpeg
    from convcli.imaging.header import Header
    from convcli.imaging.source import Source

__all__ = ["FORMATS"]

MOST_BYTES = 1 << 28
"""Larger files are not read ahead: nobody has yet asked whether there is the memory."""


class Jpeg(Format):
    """ITU-T T.81, of 8 bits."""

    name = "JPEG"
    suffixes = (".jpg", ".jpeg", ".jpe", ".jfif")
    spaces = "gray rgb cmyk"
    longest = 65500
    carries = "icc exif xmp photoshop dpi aspect comments"
    room: ClassVar[Mapping[str, int]] = {"exif": 65527, "xmp": 65504}  # of one segment

    def loses(self, picture: Header, quality: int | None) -> bool:
        return True

    def recognises(self, head: bytes) -> bool:
        return head.startswith(b"\xff\xd8\xff")

    def read(self, data: bytes, name: str, max_pixels: int) -> Source:
        from convcli.imaging.formats.jpeg.read import read_jpeg

        return read_jpeg(data, name, max_pixels)

    def decoded_bytes(self, data: bytes, name: str) -> int:
        from convcli.imaging.formats.shared.pillow import claimed_bytes

        return claimed_bytes(data, "Jpeg", "jpeg_factory")

    def prefetch(
        self, file: io.FileIO, size: int, max_pixels: int, wanted: Callable[[], bool]
    ) -> Callable[[], Finish | None] | None:
        if size > MOST_BYTES:
            return None
        from convcli.imaging.formats.jpeg.large import begin_jpeg, decoder

        # It brings NumPy, which the program needs next in any case: decoding, which holds no lock,
        # begins sooner than if the thread and the program imported side by side.
        decoder()

        def begin() -> Finish:
            data = file.read()
            return partial(_finish, data, begin_jpeg(data, max_pixels))

        return begin

    def encode(self, picture: Source, coding: Coding) -> Data:
        from convcli.imaging.formats.jpeg.write import jpeg_parts

        return jpeg_parts(picture, coding.quality, threads=coding.threads)


def _finish(data: bytes, begun: LargeJpeg | None, name: str, max_pixels: int) -> Source:
    from convcli.imaging.formats.jpeg.read import read_jpeg

    return read_jpeg(data, name, max_pixels, begun)


FORMATS = [Jpeg()]
