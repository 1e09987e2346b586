"""Samples of a plane that lie apart in a file: read and written where they are.

An array of several axes is no row of pictures: bands, or the planes of a stack, may lie between
the pixels. What is asked for is read in pieces that hold little else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Read", "gather", "scatter"]

SMALL = 2**16
"""Bytes that are read at once whatever lies between what is wanted of them."""
MOST = 2**22
"""Most bytes that are read at once."""
WASTE = 4
"""How many times as much is read as is wanted, rather than piece by piece."""

Read: TypeAlias = Callable[[int, int], NDArray[np.uint8]]
"""Gives so many bytes from an offset on."""
Write: TypeAlias = Callable[[int, NDArray[Any]], None]
"""Puts contiguous samples at an offset."""


def gather(
    read: Read, stored: np.dtype[Any], offset: int, strides: Sequence[int], out: NDArray[Any]
) -> None:
    """Read samples whose cells lie ``strides`` bytes apart, from ``offset`` on, into ``out``."""
    strides, out = _by_stride(strides, out)
    _gather(read, stored, offset, strides, out)


def scatter(
    write: Write,
    read: Read | None,
    offset: int,
    strides: Sequence[int],
    pixels: NDArray[Any],
) -> None:
    """Write samples to where their cells lie, ``strides`` bytes apart.

    Parameters
    ----------
    read
        Where others' samples lie between them: these are read, and written again as they are.
    """
    strides, pixels = _by_stride(strides, pixels)
    if read is None:
        _scatter(write, offset, strides, pixels)
    else:
        _put_between(write, read, offset, strides, pixels)


def _by_stride(strides: Sequence[int], cells: NDArray[Any]) -> tuple[list[int], NDArray[Any]]:
    """With the axis first whose cells lie farthest apart, and without axes of one cell."""
    order = sorted(range(cells.ndim), key=lambda axis: -strides[axis])
    kept = [axis for axis in order if cells.shape[axis] > 1]
    single = [axis for axis in order if cells.shape[axis] == 1]
    first: Any = (0,) * len(single)  # with the dots even a single sample is a view
    return [strides[axis] for axis in kept], cells.transpose(single + kept)[(*first, ...)]


def _extent(strides: Sequence[int], cells: NDArray[Any], itemsize: int) -> int:
    gaps: int = sum((n - 1) * step for n, step in zip(cells.shape, strides, strict=True))
    return itemsize + gaps


def _gather(
    read: Read, stored: np.dtype[Any], offset: int, strides: Sequence[int], out: NDArray[Any]
) -> None:
    extent = _extent(strides, out, stored.itemsize)
    if extent <= max(SMALL, min(WASTE * out.size * stored.itemsize, MOST)):
        data = read(offset, extent)
        out[...] = np.ndarray(out.shape, stored, data.data, strides=tuple(strides))
    elif len(out) == 1:
        _gather(read, stored, offset, strides[1:], out[0])
    else:
        half = len(out) // 2
        _gather(read, stored, offset, strides, out[:half])
        _gather(read, stored, offset + half * strides[0], strides, out[half:])


def _scatter(write: Write, offset: int, strides: Sequence[int], pixels: NDArray[Any]) -> None:
    if _extent(strides, pixels, pixels.itemsize) == pixels.nbytes:
        write(offset, np.ascontiguousarray(pixels))
        return
    for index in range(len(pixels)):
        _scatter(write, offset + index * strides[0], strides[1:], pixels[index])


def _put_between(
    write: Write, read: Read, offset: int, strides: Sequence[int], pixels: NDArray[Any]
) -> None:
    extent = _extent(strides, pixels, pixels.itemsize)
    if extent <= MOST:
        data = read(offset, extent)
        view: NDArray[Any] = np.ndarray(
            pixels.shape, pixels.dtype, data.data, strides=tuple(strides)
        )
        view[...] = pixels
        write(offset, data)
    elif len(pixels) == 1:
        _put_between(write, read, offset, strides[1:], pixels[0])
    else:
        half = len(pixels) // 2
        _put_between(write, read, offset, strides, pixels[:half])
        _put_between(write, read, offset + half * strides[0], strides, pixels[half:])
