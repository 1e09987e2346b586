"""Pictures that are read part by part: TIFF, Zarr, ``.npy`` and raw samples."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.regions import Span
from convcli.errors import InputError, UsageError
from convcli.imaging.atomic import display_name
from convcli.imaging.options import MAX_PIXELS
from convcli.imaging.source import Source, StoredPlane
from convcli.imaging.urls import is_url
from convcli.system.files import open_to_read, read_at

__all__ = [
    "DTYPES",
    "MOST_FOLDED",
    "FileRows",
    "RawLayout",
    "SamplesInFile",
    "open_stored",
    "spaces_of",
]

DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
MOST_FOLDED = 1100
"""Most bytes that deflate makes of one; more pixels to a byte of a file are not believed."""
CHANNELS = {1: ("gray", False), 2: ("gray", True), 3: ("rgb", False), 4: ("rgb", True)}


@dataclass(slots=True)
class RawLayout:
    """What a raw file does not say about itself: its shape ``(H, W)`` or ``(H, W, C)``, its type."""

    shape: tuple[int, ...]
    dtype: str


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


def open_stored(
    path: str, layout: RawLayout | None = None, max_pixels: int = MAX_PIXELS
) -> Source | None:
    """Open a picture to be read part by part, or give None where it can only be read whole.

    It may have more than ``max_pixels``, if the file is large enough to hold them.

    Raises
    ------
    InputError
        If the file is damaged.
    UsageError
        If it holds what is no picture, or a raw file has no ``layout``.
    """
    suffix = Path(path).suffix.lower()
    name = display_name(path)
    if is_url(path) and suffix != ".zarr":
        return None  # fetched whole
    if layout is not None and suffix not in (".tif", ".tiff", ".zarr", ".npy"):
        return _open_raw(path, name, layout)
    if suffix == ".zarr" or (Path(path).is_dir() and _is_zarr(Path(path))):
        from convcli.imaging.formats.zarr.store import open_zarr

        return open_zarr(path, name, max_pixels)
    if suffix == ".raw":
        raise UsageError(f"{name}: a raw file needs --shape H,W or H,W,C and --dtype")
    if suffix == ".npy":
        return _open_npy(path, name)
    if suffix in (".tif", ".tiff"):
        from convcli.imaging.formats.tiff.stored import open_tiff

        return open_tiff(path, name)
    return None


def _is_zarr(path: Path) -> bool:
    return any((path / mark).exists() for mark in ("zarr.json", ".zarray", ".zgroup"))


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


def _open_fd(path: str, name: str) -> int:
    try:
        return open_to_read(path)
    except FileNotFoundError as error:
        raise UsageError(f"{name}: there is no such file") from error
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from error


def _open_raw(path: str, name: str, layout: RawLayout) -> Source:
    stored = np.dtype(layout.dtype)
    shape, space, alpha = spaces_of(layout.shape, stored, name)
    fd = _open_fd(path, name)
    need, have = math.prod(shape) * stored.itemsize, os.fstat(fd).st_size
    if need != have:
        os.close(fd)
        raise InputError(
            f"{name}: --shape {','.join(map(str, layout.shape))} of {stored.name} is {need:,} "
            f"bytes, and the file has {have:,}"
        )
    return Source(
        "RAW",
        space,
        alpha,
        native(stored),
        shape[:2],
        [SamplesInFile(name, shape, native(stored), fd, 0, stored)],
        flat=len(layout.shape) == 2,
        name=name,
    )


def _open_npy(path: str, name: str) -> Source:
    from convcli.kernels.npy import read_npy_header

    fd = _open_fd(path, name)
    try:
        with open(os.dup(fd), "rb") as file:  # noqa: PTH123 (a descriptor)
            found, stored, fortran = read_npy_header(file, name, InputError)
            offset = file.tell()
        shape, space, alpha = spaces_of(found, stored, name)
        if fortran:
            raise UsageError(f"{name}: stored column by column; save it in C order")
        need, have = math.prod(shape) * stored.itemsize, os.fstat(fd).st_size - offset
        if need != have:
            raise InputError(f"{name}: its header says {need:,} bytes, and {have:,} follow")
    except BaseException:
        os.close(fd)
        raise
    return Source(
        "NPY",
        space,
        alpha,
        native(stored),
        shape[:2],
        [SamplesInFile(name, shape, native(stored), fd, offset, stored)],
        flat=len(found) == 2,
        name=name,
    )
