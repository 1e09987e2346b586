"""PNG, and animations in it (APNG)."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

from convcli.imaging.formats import Coding, Finish, Format

if TYPE_CHECKING:
    import io

    from convcli.imaging.atomic import Data
    from convcli.imaging.formats.png.plain import Plain, PlainFile
    from convcli.imaging.formats.raw import RawLayout
    from convcli.imaging.header import Header, Metadata
    from convcli.imaging.row_stream import RowStream
    from convcli.imaging.sink import Sink
    from convcli.imaging.source import Pixels, Source

__all__ = ["FORMATS"]


class Png(Format):
    """Portable Network Graphics."""

    name = "PNG"
    decode_ns, encode_ns = 2.6, 1.6
    suffixes = (".png", ".apng")
    spaces = "gray graya rgb rgba"
    dtypes = "uint8 uint16"
    animations = still_first = flows = True
    carries = "icc exif xmp dpi aspect comments png_chunks"

    def recognises(self, head: bytes) -> bool:
        return head.startswith(b"\x89PNG\r\n\x1a\n")

    def read(self, data: bytes, name: str, max_pixels: int) -> Source:
        from convcli.imaging.formats.png.read import read_png

        return read_png(data, name, max_pixels)

    def decoded_bytes(self, data: bytes, name: str) -> int:
        from convcli.imaging.formats.png.chunks import claimed_bytes

        return claimed_bytes(data, name)

    def prefetch(
        self, file: io.FileIO, size: int, max_pixels: int, wanted: Callable[[], bool]
    ) -> Callable[[], Finish | None] | None:
        """It needs no NumPy, so it goes on beside the import of that."""
        from convcli.imaging.formats.png.plain import read_plain

        plain = _large(os.dup(file.fileno()), max_pixels)
        if plain is not None:
            stream = plain.stream()
            return lambda: partial(_flowing, plain, stream)
        file.seek(0)

        def begin() -> Finish | None:
            plain = read_plain(file, size, max_pixels, wanted)
            return None if plain is None else partial(_finish, plain)

        return begin

    def open(
        self, path: str, name: str, max_pixels: int, layout: RawLayout | None
    ) -> Source | None:
        from convcli.system.files import open_to_read

        plain = _large(open_to_read(path), max_pixels)
        if plain is None:
            return None
        from convcli.imaging.formats.png.read import flowing_picture

        return flowing_picture(plain, None, name)

    def create(
        self, path: str, header: Header, like: Source, coding: Coding
    ) -> AbstractContextManager[Sink]:
        from convcli.imaging.formats.png.write import png_of_rows
        from convcli.imaging.sink import by_rows

        def encode(rows: Iterable[Pixels]) -> Generator[bytes, None, None]:
            return png_of_rows(
                header.shape,
                header.dtype.itemsize * 8,
                rows,
                header.meta,
                threads=coding.threads,
                compression=coding.compression,
            )

        return by_rows(path, encode)

    def whole_rows(self, meta: Metadata, space: str, alpha: bool) -> bool:
        return True

    def encode(self, picture: Source, coding: Coding) -> Data:
        from convcli.imaging.formats.png.write import apng_parts, png_parts

        meta, compression, threads = picture.meta, coding.compression, coding.threads
        if picture.n_frames == 1:
            pixels = picture.first.pixels
            return png_parts(pixels, meta, threads=threads, compression=compression)
        return apng_parts(
            picture.frames,
            picture.n_frames,
            meta,
            still_first=picture.still_first,
            threads=threads,
            compression=compression,
        )


def _large(fd: int, max_pixels: int) -> PlainFile | None:
    """A file whose rows are worth to flow; what else it is, the ordinary way will say."""
    from convcli.imaging.formats.png.plain import PlainFile
    from convcli.imaging.row_stream import is_large

    try:
        plain = PlainFile(fd)
    except ValueError:
        return None
    height, width = plain.header.height, plain.header.width
    if is_large(height, width) and height * width <= max_pixels:
        return plain
    plain.close()
    return None


def _flowing(plain: PlainFile, stream: RowStream, name: str, max_pixels: int) -> Source:
    from convcli.imaging.formats.png.read import flowing_picture

    source = flowing_picture(plain, stream, name)
    assert source is not None, "what was begun is turned"
    return source


def _finish(plain: Plain, name: str, max_pixels: int) -> Source:
    from convcli.imaging.formats.png.read import picture_of_plain

    return picture_of_plain(plain, name)


FORMATS = [Png()]
