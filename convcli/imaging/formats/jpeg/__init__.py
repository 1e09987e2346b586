"""JPEG."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from convcli.imaging.formats import Coding, Finish, Format

if TYPE_CHECKING:
    import io

    from convcli.imaging.atomic import Data
    from convcli.imaging.formats.jpeg.flow import JpegFlow
    from convcli.imaging.formats.jpeg.large import LargeJpeg
    from convcli.imaging.formats.raw import RawLayout
    from convcli.imaging.header import Header, Metadata
    from convcli.imaging.sink import Sink
    from convcli.imaging.source import Pixels, Source

__all__ = ["FORMATS"]

MOST_BYTES = 1 << 28
"""Larger files are not read ahead: nobody has yet asked whether there is the memory."""


class Jpeg(Format):
    """ITU-T T.81, of 8 bits."""

    name = "JPEG"
    decode_ns, encode_ns = 1.6, 1.1
    suffixes = (".jpg", ".jpeg", ".jpe", ".jfif")
    spaces = "gray rgb cmyk"
    longest = 65500
    flows = True
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
        from convcli.imaging.formats.jpeg.flow import begin_flow
        from convcli.imaging.formats.jpeg.large import begin_jpeg, decoder

        data = file.read()
        flow = begin_flow(data, max_pixels, ahead=True)
        # It brings NumPy, which the program needs next in any case: decoding, which holds no lock,
        # begins sooner than if the thread and the program imported side by side.
        decoder()

        if flow is not None:
            return lambda: partial(_flowing, flow)
        return lambda: partial(_finish, data, begin_jpeg(data, max_pixels))

    def open(
        self, path: str, name: str, max_pixels: int, layout: RawLayout | None
    ) -> Source | None:
        from convcli.imaging.files import read_bytes
        from convcli.imaging.formats.jpeg.flow import begin_flow

        flow = begin_flow(read_bytes(path), max_pixels, ahead=False)
        return _flowing(flow, name, max_pixels) if flow is not None and flow.flows() else None

    def create(
        self, path: str, header: Header, like: Source, coding: Coding
    ) -> AbstractContextManager[Sink]:
        from convcli.imaging.formats.jpeg.write import jpeg_of_rows
        from convcli.imaging.sink import by_rows

        def encode(rows: Iterable[Pixels]) -> Generator[bytes, None, None]:
            return jpeg_of_rows(header, rows, coding.quality, threads=coding.threads)

        return by_rows(path, encode)

    def whole_rows(self, meta: Metadata, space: str, alpha: bool) -> bool:
        return True

    def encode(self, picture: Source, coding: Coding) -> Data:
        from convcli.imaging.formats.jpeg.write import jpeg_parts

        return jpeg_parts(picture, coding.quality, threads=coding.threads)


def _flowing(flow: JpegFlow, name: str, max_pixels: int) -> Source:
    from convcli.imaging.formats.jpeg.read import flowing_jpeg, read_jpeg

    if not flow.flows():
        return read_jpeg(flow.data, name, max_pixels, flow.begun)
    return flowing_jpeg(flow, name, max_pixels)


def _finish(data: bytes, begun: LargeJpeg | None, name: str, max_pixels: int) -> Source:
    from convcli.imaging.formats.jpeg.read import read_jpeg

    return read_jpeg(data, name, max_pixels, begun)


FORMATS = [Jpeg()]
