"""Files that are samples in C order behind a head: read and written where they lie."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.engine.numerics import DTYPES
from convcli.engine.regions import Span
from convcli.errors import InputError, UsageError
from convcli.imaging.array_axes import Axes, axes_of, named_axes
from convcli.imaging.formats.shared.strided import Read, gather, scatter
from convcli.imaging.header import Header, is_light
from convcli.imaging.sink import PlanePart, Sink, by_one, by_target
from convcli.imaging.source import Source, StoredPlane
from convcli.system.files import early_flush, open_to_read, open_to_write, read_into, write_at

__all__ = [
    "DTYPES",
    "MOST_FOLDED",
    "FileRows",
    "OpenFile",
    "RowTarget",
    "SamplesInFile",
    "Space",
    "bytes_at",
    "create_array",
    "native",
    "open_fd",
    "picture_of_rows",
    "room_for_rows",
    "space_of",
    "what_axes",
    "write_samples",
]

MOST_FOLDED = 1100
"""Most bytes that deflate makes of one; more pixels to a byte of a file are not believed."""
EARLY_BYTES = 1 << 20
"""So many that are written at a time are worth telling the disk of."""
CHANNELS = {1: ("gray", False), 2: ("gray", True), 3: ("rgb", False), 4: ("rgb", True)}
"""What channels are where samples are light; others have bands."""


class Space(NamedTuple):
    """What the channels of an array are, as a :class:`Header` says it."""

    space: str
    alpha: bool = False
    bands: int = 0


def space_of(channels: int, dtype: np.dtype[Any], name: str, *, says: bool = False) -> Space:
    """What channels of samples of a type are.

    ``says`` a file what its axes are, two or four channels are bands: it would name alpha.

    Raises
    ------
    UsageError
        If samples of this type are not filtered.

    >>> space_of(2, np.dtype("uint8"), "x.npy"), space_of(2, np.dtype("int16"), "x.npy")
    (Space(space='gray', alpha=True, bands=0), Space(space='bands', alpha=False, bands=2))
    """
    if dtype.name not in DTYPES:
        raise UsageError(
            f"{name}: samples of type {dtype.name} are not filtered; allowed: {', '.join(DTYPES)}"
        )
    space, alpha = CHANNELS.get(channels, ("bands", False))
    if channels > 1 and (not is_light(dtype) or space == "bands" or (alpha and says)):
        return Space("bands", bands=channels)
    return Space(space, alpha)


def what_axes(shape: Sequence[int], names: tuple[str, ...], name: str) -> Axes | None:
    """The axes of an array; None for ``(H, W)`` and ``(H, W, C)``, which need no names.

    Raises
    ------
    UsageError
        If it is neither, and has no names for its axes, or wrong ones.
    """
    if min(shape, default=0) < 1:
        raise UsageError(
            f"{name}: an array of shape {tuple(shape)} is no picture: every axis needs a cell"
        )
    if names:
        return named_axes(shape, names, name)
    if len(shape) not in (2, 3):
        raise UsageError(
            f"{name}: an array of shape {tuple(shape)} is no picture; allowed: (H, W) and "
            "(H, W, C), or --axes with a letter for each axis, as in --axes tzyx"
        )
    return None


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
    kind: str,
    name: str,
    fd: int,
    offset: int,
    shape: Sequence[int],
    stored: np.dtype[Any],
    names: tuple[str, ...] = (),
) -> Source:
    """The picture, or the stack, whose samples follow in a file from ``offset`` on."""
    axes = what_axes(shape, names, name)
    lie = axes or Axes(("y", "x", "c")[: len(shape)], tuple(shape))
    height, width, channels = (*lie.shape, 1)[:3]
    what, dtype = space_of(channels, stored, name), native(stored)
    file, steps = OpenFile(fd), lie.strides(stored.itemsize)
    strides = lie.picture_strides(stored.itemsize)
    full = height, width, channels
    planes = [
        SamplesInFile(name, full, dtype, file, offset + _dot(index, steps), stored, strides)
        for index in lie.planes()
    ]
    source = Source(
        kind,
        what.space,
        what.alpha,
        dtype,
        full[:2],
        planes,
        bands=what.bands,
        flat=lie.find("c") is None,
        n_frames=len(planes),
        axes=axes,
        name=name,
    )
    if axes is None and channels > max(4, min(height, width)):
        source.notes.append(
            f"shape {tuple(shape)} is taken for {width}x{height} pixels of {channels} bands; "
            "a stack of planes is named by --axes zyx"
        )
    return source


def _dot(index: Sequence[int], steps: Sequence[int]) -> int:
    return sum(i * step for i, step in zip(index, steps, strict=True))


class OpenFile:
    """A file that several planes read from."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        """Let it go; more than once is as good as once."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class FileRows:
    """Samples in a file, read by position.

    Not a memory map: its pages would count as memory of this process, as many as there are.
    """

    def __init__(self, fd: int, name: str, row_bytes: int, stored: np.dtype[Any]) -> None:
        self.fd, self.name, self.row_bytes, self.stored = fd, name, row_bytes, stored

    def fill(self, offset: int, count: int, cols: Span, channels: int, out: NDArray[Any]) -> None:
        """Read ``count`` rows that lie one behind the other from ``offset`` on."""
        item = self.stored.itemsize
        strides = self.row_bytes, channels * item, item
        first = offset + cols[0] * channels * item
        gather(self.bytes_at, self.stored, first, strides, out[:count])

    def bytes_at(self, offset: int, size: int) -> NDArray[np.uint8]:
        """So many bytes from ``offset`` on."""
        return bytes_at(self.fd, self.name, offset, size)


def bytes_at(fd: int, name: str, offset: int, size: int) -> NDArray[np.uint8]:
    """So many bytes of a file from ``offset`` on.

    Raises
    ------
    InputError
        If they are not there, or cannot be read.
    """
    data = np.empty(size, np.uint8)
    view, done = memoryview(data.data), 0
    while done < size:
        try:
            count = read_into(fd, view[done : done + (1 << 30)], offset + done)
        except OSError as error:
            raise InputError(f"{name}: {error.strerror}") from error
        if not count:
            raise InputError(f"{name}: the file is cut short")
        done += count
    return data


@dataclass(slots=True)
class SamplesInFile(StoredPlane):
    """Samples in C order behind ``offset``: a plane of a ``.npy`` or raw file."""

    name: str
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    file: OpenFile
    offset: int
    stored: np.dtype[Any]
    strides: tuple[int, int, int]
    """Bytes from a row, a column and a channel to the next."""

    def block(self, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        start = self.offset + rows[0] * self.strides[0] + cols[0] * self.strides[1]
        gather(self._bytes, self.stored, start, self.strides, out)

    def _bytes(self, offset: int, size: int) -> NDArray[np.uint8]:
        return bytes_at(self.file.fd, self.name, offset, size)

    def close(self) -> None:
        self.file.close()


@dataclass(frozen=True, slots=True)
class RowTarget:
    """Samples in C order in a file that is there, behind ``offset``."""

    path: str
    offset: int
    axes: Axes
    dtype: np.dtype[Any]

    @property
    def between(self) -> bool:
        """Whether samples of other planes lie between those of a plane, so that one may write."""
        last = [axis for axis, size in enumerate(self.axes.sizes) if size > 1][-1:]
        return any(axis not in self.axes.picture for axis in last)

    def __call__(self, place: PlanePart, pixels: NDArray[Any]) -> None:
        item = self.dtype.itemsize
        strides = self.axes.picture_strides(item)
        start = self.offset + _dot(self.axes.plane(place.plane), self.axes.strides(item))
        start += place.tile.top * strides[0] + place.tile.left * strides[1]
        with contextlib.ExitStack() as stack:
            fd = open_to_write(self.path)
            stack.callback(os.close, fd)
            read: Read | None = None
            if self.between:
                own = open_to_read(self.path)
                stack.callback(os.close, own)
                read = partial(bytes_at, own, self.path)
            scatter(lambda at, data: write_samples(fd, data.data, at), read, start, strides, pixels)


def write_samples(fd: int, samples: bytes | memoryview, offset: int) -> None:
    """Write all of them at a place; the disk begins with many at once."""
    view, at = memoryview(samples).cast("B"), offset
    while view:
        done = write_at(fd, view[: 1 << 30], at)
        view, at = view[done:], at + done
    if at - offset >= EARLY_BYTES:
        early_flush(fd, offset, at - offset)


def room_for_rows(path: str, offset: int, header: Header, axes: Axes | None = None) -> RowTarget:
    """Where the samples go, in a file that is made as long as it has to be.

    By default row by row and pixel by pixel, one plane, whatever the axes of the source are.
    """
    axes = axes or Axes(("y", "x", "c"), header.shape)
    rows = RowTarget(path, offset, axes, header.dtype)
    fd = open_to_write(path)
    try:
        os.ftruncate(fd, offset + math.prod(axes.sizes) * header.dtype.itemsize)
    finally:
        os.close(fd)
    return rows


@contextlib.contextmanager
def create_array(path: str, head: bytes, header: Header) -> Iterator[Sink]:
    """Such a file."""
    rows = room_for_rows(path, len(head), header, axes_of(header))
    fd = open_to_write(path)
    try:
        write_at(fd, head, 0)
    finally:
        os.close(fd)
    yield by_one(rows) if rows.between else by_target(rows)
