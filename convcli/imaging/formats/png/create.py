"""PNG written from its parts, as they are made: what is written of it is not in memory any more."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from convcli.imaging.atomic import write_all
from convcli.imaging.formats import Coding
from convcli.imaging.formats.png.write import png_of_rows
from convcli.imaging.header import Header
from convcli.imaging.sink import Parts, Sink

__all__ = ["create_png"]


@contextlib.contextmanager
def create_png(path: str, header: Header, coding: Coding) -> Iterator[Sink]:
    """A PNG of one picture, in place of an empty file."""

    def write(parts: Parts) -> None:
        made = png_of_rows(
            header.shape,
            header.dtype.itemsize * 8,
            _rows(parts),
            header.meta,
            threads=coding.threads,
            compression=coding.compression,
        )
        with Path(path).open("r+b", buffering=0) as file, contextlib.closing(made):
            written = write_all(file.fileno(), made, early=True)
            if os.fstat(file.fileno()).st_size != written:
                raise OSError(errno.EIO, "the file is shorter than what was written to it")

    yield Sink(write)


def _rows(parts: Parts) -> Iterator[NDArray[Any]]:
    for _, pixels in parts:
        assert pixels is not None, "rows have one writer"
        yield pixels
