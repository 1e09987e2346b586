"""Files that are samples in C order behind a head: read and written by rows, where they lie."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.tiles import Tile
from convcli.engine.regions import Span
from convcli.errors import InputError, UsageError
from convcli.imaging.header import Header
from convcli.imaging.sink import Sink, by_target
from convcli.imaging.source import Source, StoredPlane
from convcli.system.files import open_to_read, open_to_write, read_at, write_at

__all__ = [
    "DTYPES",
    "MOST_FOLDED",
    "FileRows",
    "RowTarget",
    "SamplesInFile",
    "create_array",
    "native",
    "open_fd",
    "picture_of_rows",
    "room_for_rows",
    "spaces_of",
]

DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
MOST_FOLDED = 1100
"""Most bytes that deflate makes of one; more pixels to a byte of a file are not believed."""
CHANNELS = {1: ("gray", False), 2: ("gray", True), 3: ("rgb", False), 4: ("rgb", True)}


def spaces_of(
    shape: Sequence[int], dtype: np.dtype[Any], name: str
) -> tuple[tuple[int, int, int], str, bool]:
    """Shape ``(H, W, C)``, colour space and alpha of an array that is a picture.

    >>> spaces_of((4, 5, 2), np.dtype("uint8"), "x.npy")
    ((4, 5, 2), 'gray', True)
    """
    if dtype.name not in DTYPES:
        raise UsageError(
            f"{name}: samples of type {dtype.name} are not filtered; allowed: {', '.join(DTYPES)}"
        )
    channels = shape[2] if len(shape) == 3 else 1
    if len(shape) not in (2, 3) or channels not in CHANNELS or min(shape) < 1:
        raise UsageError(
            f"{name}: an array of shape {tuple(shape)} is no picture; allowed: (H, W) and "
            "(H, W, C) with 1 to 4 channels: gray, gray and alpha, RGB, RGB and alpha"
        )
    return (shape[0], shape[1], channels), *CHANNELS[channels]


def native(stored: np.dtype[Any]) -> np.dtype[Any]:
    """The type that samples have in memory: native byte order, half precision widened."""
    return np.dtype(np.float32) if stored.name == "float16" else stored.newbyteorder("=")


def open_fd(path: str, name: str) -> int:
    try:
        return open_to_read(path)
    except FileNotFoundError as error:
        raise UsageError(f"{name}: there is no such file") from error
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from error


def picture_of_rows(
    kind: str, name: str, fd: int, offset: int, shape: Sequence[int], stored: np.dtype[Any]
) -> Source:
    """The picture whose samples follow in a file from ``offset`` on."""
    full, space, alpha = spaces_of(shape, stored, name)
    dtype = native(stored)
    plane = SamplesInFile(name, full, dtype, fd, offset, stored)
    return Source(kind, space, alpha, dtype, full[:2], [plane], flat=len(shape) == 2, name=name)


class FileRows:
    """Rows of samples in a file, read by position.

    Not a memory map: its pages would count as memory of this process, as many as there are.
    """

    def __init__(self, fd: int, name: str, row_bytes: int, stored: np.dtype[Any]) -> None:
        self.fd, self.name, self.row_bytes, self.stored = fd, name, row_bytes, stored

    def fill(self, offset: int, count: int, cols: Span, channels: int, out: NDArray[Any]) -> None:
        """Read ``count`` rows that lie one behind the other from ``offset`` on."""
        pixel = channels * self.stored.itemsize
        width = cols[1] - cols[0]
        if width * pixel * 4 >= self.row_bytes:  # most of each row: one read for many rows
            step = max(2**24 // self.row_bytes, 1)
            for first in range(0, count, step):
                n = min(step, count - first)
                data = self._bytes(offset + first * self.row_bytes, n * self.row_bytes)
                rows = data.view(self.stored).reshape(n, -1, channels)
                out[first : first + n] = rows[:, cols[0] : cols[1]]
            return
        for row in range(count):
            start = offset + row * self.row_bytes + cols[0] * pixel
            out[row] = self._bytes(start, width * pixel).view(self.stored).reshape(width, channels)

    def _bytes(self, offset: int, size: int) -> NDArray[np.uint8]:
        data = np.empty(size, np.uint8)
        view, done = memoryview(data.data), 0
        while done < size:
            try:
                part = read_at(self.fd, min(size - done, 1 << 30), offset + done)
            except OSError as error:
                raise InputError(f"{self.name}: {error.strerror}") from error
            if not part:
                raise InputError(f"{self.name}: the file is cut short")
            view[done : done + len(part)] = part
            done += len(part)
        return data


@dataclass
class SamplesInFile(StoredPlane):
    """Samples in C order behind ``offset``: ``.npy`` and raw files."""

    name: str
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    fd: int
    offset: int
    stored: np.dtype[Any]

    def block(self, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        row_bytes = self.shape[1] * self.shape[2] * self.stored.itemsize
        reader = FileRows(self.fd, self.name, row_bytes, self.stored)
        start = self.offset + rows[0] * row_bytes
        reader.fill(start, rows[1] - rows[0], cols, self.shape[2], out)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@dataclass(frozen=True, slots=True)
class RowTarget:
    """Samples in C order in a file that is there, behind ``offset``."""

    path: str
    offset: int
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of the picture."""
        return self.shape[1] * self.shape[2] * self.dtype.itemsize

    def __call__(self, place: Tile, pixels: NDArray[Any]) -> None:
        pixels = np.ascontiguousarray(pixels)
        pixel = self.shape[2] * self.dtype.itemsize
        start = self.offset + place.top * self.row_bytes + place.left * pixel
        fd = open_to_write(self.path)
        try:
            if pixels.shape[1] == self.shape[1]:
                _write_at(fd, pixels, start)
                return
            for row in pixels:
                _write_at(fd, row, start)
                start += self.row_bytes
        finally:
            os.close(fd)


def _write_at(fd: int, pixels: NDArray[Any], offset: int) -> None:
    view = memoryview(pixels.data).cast("B")
    while view:
        done = write_at(fd, view[: 1 << 30], offset)
        view, offset = view[done:], offset + done


def room_for_rows(path: str, offset: int, header: Header) -> RowTarget:
    """Where the samples go, in a file that is made as long as it has to be."""
    rows = RowTarget(path, offset, header.shape, header.dtype)
    fd = open_to_write(path)
    try:
        os.ftruncate(fd, offset + math.prod(header.shape) * header.dtype.itemsize)
    finally:
        os.close(fd)
    return rows


@contextlib.contextmanager
def create_array(path: str, head: bytes, header: Header) -> Iterator[Sink]:
    """Such a file."""
    rows = room_for_rows(path, len(head), header)
    fd = open_to_write(path)
    try:
        write_at(fd, head, 0)
    finally:
        os.close(fd)
    yield by_target(rows)
