"""Files that are rows of plain samples behind a head: written at once, or band by band."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from convcli.engine.regions import Span
from convcli.imaging.formats.shared.array_file import OpenFile, open_fd, write_samples
from convcli.imaging.sink import PlanePart, Sink, by_target
from convcli.imaging.source import Source
from convcli.system.files import open_to_write, read_at

__all__ = ["RowFile", "opened"]

HEAD = 1 << 16
"""First bytes of a file, which hold the header of any that is not freakish."""
PIECE = 1 << 20
"""Bytes that are turned into what stands in a file at a time: they stay in the cache."""


@dataclass(frozen=True, slots=True)
class RowFile:
    """How a picture is laid down."""

    head: bytes
    height: int
    row_bytes: int
    rows_of: Callable[[NDArray[Any]], bytes]
    """Rows of the picture, from top to bottom, as they stand in the file, one behind the other."""
    upward: bool = False
    """Whether the lowest row comes first; ``rows_of`` sees to it within what it is given."""

    def whole(self, pixels: NDArray[Any]) -> Iterator[bytes]:
        """The file, piece by piece."""
        yield self.head
        yield from self.pieces(pixels)

    def pieces(self, pixels: NDArray[Any]) -> Iterator[bytes]:
        """Rows as they follow each other in the file."""
        count = max(PIECE // self.row_bytes, 1)
        tops = range(0, len(pixels), count)
        for top in reversed(tops) if self.upward else tops:
            yield self.rows_of(pixels[top : top + count])

    def offset(self, rows: Span) -> int:
        """Where these rows begin in the file."""
        first = self.height - rows[1] if self.upward else rows[0]
        return len(self.head) + first * self.row_bytes

    @contextlib.contextmanager
    def create(self, path: str) -> Iterator[Sink]:
        """The file that is at ``path``, to be filled with bands as wide as the picture."""
        fd = open_to_write(path)
        try:
            os.ftruncate(fd, len(self.head) + self.height * self.row_bytes)
            write_samples(fd, self.head, 0)
        finally:
            os.close(fd)
        yield by_target(_BandTarget(path, self))


@dataclass(frozen=True, slots=True)
class _BandTarget:
    """Bands of whole rows, in a file that is as long as it will be."""

    path: str
    file: RowFile

    def __call__(self, place: PlanePart, pixels: NDArray[Any]) -> None:
        at = self.file.offset((place.tile.top, place.tile.bottom))
        fd = open_to_write(self.path)
        try:
            for piece in self.file.pieces(pixels):
                write_samples(fd, piece, at)
                at += len(piece)
        finally:
            os.close(fd)


def opened(
    path: str, name: str, make: Callable[[OpenFile, bytes, int], Source | None]
) -> Source | None:
    """What ``make`` makes of a regular file, its first bytes and its size; without it, all is closed."""
    if not (Path(path).is_file() and os.access(path, os.R_OK)):
        return None  # what is read whole says why; a pipe would be waited for
    file, source = OpenFile(open_fd(path, name)), None
    try:
        source = make(file, read_at(file.fd, HEAD, 0), os.fstat(file.fd).st_size)
    finally:
        if source is None:
            file.close()
    return source
