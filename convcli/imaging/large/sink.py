"""Files that are written part by part, and take their place when they are whole."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.tiles import Tile
from convcli.errors import UsageError
from convcli.imaging.atomic import atomic_file, atomic_folder
from convcli.imaging.large.source import Source
from convcli.imaging.tiff_write import page_options

__all__ = ["TILE", "Parts", "Write", "needs_whole_rows", "open_sink"]

Parts: TypeAlias = Iterable[tuple[Tile, NDArray[Any]]]
"""Parts of a picture from top to bottom and left to right, as they are made."""

Write: TypeAlias = Callable[[Parts], int]
"""Writes a picture from its parts; returns the bytes of its samples."""

TILE = 256
"""Rows and columns of a tile of a compressed TIFF."""
BUFFER = 2**24


def needs_whole_rows(fmt: str, source: Source, alpha: bool, space: str) -> bool:
    """Whether a format can only be written in parts that are as wide as the picture."""
    return fmt == "TIFF" and _compression(source, alpha, space) is not None


def _compression(source: Source, alpha: bool, space: str) -> Any:
    same = source.format == "TIFF"
    return page_options(source.meta, space, alpha, same_source=same)["compression"]


@contextlib.contextmanager
def open_sink(
    path: str,
    fmt: str,
    shape: tuple[int, int, int],
    dtype: str,
    source: Source,
    *,
    space: str,
    alpha: bool,
    overwrite: bool,
    threads: int,
    ready: Callable[[list[int]], None] = lambda written: None,
) -> Iterator[Write]:
    """Give a function that writes a picture from its parts.

    Parameters
    ----------
    path
        Where the file goes when the block ends well.
    fmt
        ``TIFF``, ``NPY``, ``RAW`` or ``ZARR``.
    shape, dtype, space, alpha
        Of the result.
    source
        Gives the metadata, the chunks and whether there is an axis of channels.
    ready
        Told size and time of change of what is about to take its place.
    """
    flat = source.flat and shape[2] == 1
    if fmt == "ZARR":
        from convcli.imaging.large.zarr_files import create_zarr

        with atomic_folder(path, overwrite=overwrite, ready=ready) as folder:
            yield _to_zarr(create_zarr(str(folder), shape, dtype, source, flat), flat)
        return
    with atomic_file(path, overwrite=overwrite, ready=ready) as (fd, temporary):
        if fmt == "NPY":
            offset = _npy_header(fd, shape[:2] if flat else shape, dtype)
        elif fmt == "RAW":
            offset = 0
        elif fmt == "TIFF":
            options = page_options(source.meta, space, alpha, same_source=source.format == "TIFF")
            if options["compression"] is not None:
                yield _to_tiles(str(temporary), shape, dtype, options, threads)
                return
            offset = _empty_tiff(str(temporary), shape, dtype, options)
        else:
            raise UsageError(f"{fmt} cannot be written part by part; use .tif, .npy or .zarr")
        yield _to_rows(fd, offset, shape, np.dtype(dtype))


def _to_rows(fd: int, offset: int, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> Write:
    def write(parts: Parts) -> int:
        pixel = shape[2] * dtype.itemsize
        row_bytes = shape[1] * pixel
        total = 0
        for place, pixels in parts:
            pixels = np.ascontiguousarray(pixels)
            total += pixels.nbytes
            start = offset + place.top * row_bytes + place.left * pixel
            if pixels.shape[1] == shape[1]:
                _write_at(fd, pixels, start)
            else:
                for row in pixels:
                    _write_at(fd, row, start)
                    start += row_bytes
        os.ftruncate(fd, max(os.fstat(fd).st_size, offset + shape[0] * row_bytes))
        return total

    return write


def _write_at(fd: int, pixels: NDArray[Any], offset: int) -> None:
    view = memoryview(pixels.data).cast("B")
    while view:
        done = os.pwrite(fd, view[: 1 << 30], offset)
        view, offset = view[done:], offset + done


def _npy_header(fd: int, shape: tuple[int, ...], dtype: str) -> int:
    header = io.BytesIO()
    facts = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, facts)
    return os.pwrite(fd, header.getvalue(), 0)


def _frame(shape: tuple[int, int, int]) -> tuple[int, ...]:
    return shape[:2] if shape[2] == 1 else shape


def _is_big(shape: tuple[int, int, int], dtype: str) -> bool:
    return int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize > 2**32 - 2**25


def _empty_tiff(path: str, shape: tuple[int, int, int], dtype: str, options: dict[str, Any]) -> int:
    """A TIFF whose samples are a hole still; returns where they lie."""
    import tifffile

    with tifffile.TiffWriter(path, bigtiff=_is_big(shape, dtype)) as writer:
        place = writer.write(
            shape=_frame(shape),
            dtype=dtype,
            returnoffset=True,
            **{**options, "compression": None, "predictor": False, "contiguous": True},
        )
    assert place is not None
    return int(place[0])


def _to_tiles(
    path: str, shape: tuple[int, int, int], dtype: str, options: dict[str, Any], threads: int
) -> Write:
    def write(parts: Parts) -> int:
        import tifffile

        with tifffile.TiffWriter(path, bigtiff=_is_big(shape, dtype)) as writer:
            writer.write(
                _tiles(parts, shape, dtype),
                shape=_frame(shape),
                dtype=dtype,
                tile=(TILE, TILE),
                maxworkers=threads,
                buffersize=BUFFER,
                **options,
            )
        return int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize

    return write


def _tiles(parts: Parts, shape: tuple[int, int, int], dtype: str) -> Iterator[NDArray[Any]]:
    """Cut whole rows into tiles; those at the edges are filled up with zeros."""
    _, width, channels = shape
    across = -(-width // TILE)
    band = np.zeros((TILE, across * TILE, channels), dtype)
    filled = 0

    def flush() -> Iterator[NDArray[Any]]:
        for tile in range(across):
            yield band[:, tile * TILE : (tile + 1) * TILE].copy()

    for _, pixels in parts:
        done = 0
        while done < len(pixels):
            count = min(TILE - filled, len(pixels) - done)
            band[filled : filled + count, :width] = pixels[done : done + count]
            filled, done = filled + count, done + count
            if filled == TILE:
                yield from flush()
                filled = 0
    if filled:
        band[filled:] = 0
        yield from flush()


def _to_zarr(array: Any, flat: bool) -> Write:
    """A chunk that two parts meet in is read again and written twice; the bytes are the same."""

    def write(parts: Parts) -> int:
        total = 0
        for place, pixels in parts:
            total += pixels.nbytes
            where = slice(place.top, place.bottom), slice(place.left, place.right)
            array[where] = pixels[..., 0] if flat else pixels
        return total

    return write
