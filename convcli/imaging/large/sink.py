"""Files that are written part by part, and take their place when they are whole."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.tiles import Tile
from convcli.errors import UsageError
from convcli.imaging.atomic import atomic_file, atomic_folder
from convcli.imaging.formats.tiff.write import page_options, say
from convcli.imaging.header import Metadata
from convcli.imaging.metadata.tiff import page_fields
from convcli.imaging.metadata.tiff_fields import Fields
from convcli.imaging.source import Source
from convcli.imaging.urls import is_url
from convcli.system.files import open_to_write, write_at

__all__ = ["Parts", "Sink", "Target", "Write", "chunk_of", "needs_whole_rows", "open_sink"]

Parts: TypeAlias = Iterable[tuple[Tile, NDArray[Any] | None]]
"""Parts of a picture from top to bottom and left to right, as they are made.

Without pixels where they have been written with a :data:`Target` already.
"""

Write: TypeAlias = Callable[[Parts], None]
"""Writes a picture from its parts."""

Target: TypeAlias = Callable[[Tile, NDArray[Any]], None]
"""Writes one part, from any process."""


@dataclass(frozen=True, slots=True)
class Sink:
    """How a picture is written: by one writer, or by many where there is a ``target``."""

    write: Write
    target: Target | None = None


TILE = 256
"""Rows and columns of a tile of a compressed TIFF."""
CHUNK = 512
"""Rows and columns of a chunk of Zarr where the source has none."""
BUFFER = 2**24


def chunk_of(source: Source, shape: tuple[int, int, int]) -> tuple[int, int]:
    """Rows and columns of the chunks that a Zarr result is stored in: the source's."""
    height, width = source.chunks or (CHUNK, CHUNK)
    return min(height, shape[0]), min(width, shape[1])


def needs_whole_rows(fmt: str, source: Source, alpha: bool, space: str) -> bool:
    """Whether a format can only be written in parts that are as wide as the picture."""
    return fmt == "TIFF" and page_options(source.meta, space, alpha)["compression"] is not None


@contextlib.contextmanager
def open_sink(
    path: str,
    fmt: str,
    shape: tuple[int, int, int],
    dtype: str,
    source: Source,
    *,
    meta: Metadata,
    space: str,
    alpha: bool,
    overwrite: bool,
    threads: int,
    ready: Callable[[list[int]], None] = lambda written: None,
) -> Iterator[Sink]:
    """Give a function that writes a picture from its parts.

    Parameters
    ----------
    path
        Where the file goes when the block ends well.
    fmt
        ``TIFF``, ``NPY``, ``RAW`` or ``ZARR``.
    shape, dtype, space, alpha
        Of the result.
    meta
        What the result says besides its pixels.
    source
        Gives the chunks and whether there is an axis of channels.
    ready
        Told size and time of change of what is about to take its place.
    """
    flat = source.flat and shape[2] == 1
    if fmt == "ZARR":
        from convcli.imaging.formats.zarr.store import create_zarr

        # An object store has no renaming: there the array fills up chunk by chunk.
        in_place = contextlib.nullcontext(path)
        whole = atomic_folder(path, overwrite=overwrite, ready=ready)
        with in_place if is_url(path) else whole as folder:
            chunks = create_zarr(str(folder), shape, dtype, source, flat, chunk_of(source, shape))
            yield Sink(_by(chunks), chunks)
        return
    with atomic_file(path, overwrite=overwrite, ready=ready) as (fd, temporary):
        if fmt == "NPY":
            offset = _npy_header(fd, shape[:2] if flat else shape, dtype)
        elif fmt == "RAW":
            offset = 0
        elif fmt == "TIFF":
            options, fields = page_options(meta, space, alpha), page_fields(meta)
            big = _is_big(shape, dtype, fields)
            if options["compression"] is not None:
                yield Sink(_to_tiles(str(temporary), shape, dtype, options, big, threads))
                _add_fields(temporary, fields)
                return
            offset = _empty_tiff(str(temporary), shape, dtype, options, big)
        else:
            raise UsageError(f"{fmt} cannot be written part by part; use .tif, .npy or .zarr")
        rows = RowTarget(str(temporary), offset, shape, np.dtype(dtype))
        os.ftruncate(fd, offset + shape[0] * rows.row_bytes)
        if fmt == "TIFF":
            _add_fields(temporary, fields)
        yield Sink(_by(rows), rows)


def _by(target: Target) -> Write:
    def write(parts: Parts) -> None:
        for place, pixels in parts:
            if pixels is not None:
                target(place, pixels)

    return write


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


def _npy_header(fd: int, shape: tuple[int, ...], dtype: str) -> int:
    header = io.BytesIO()
    facts = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, facts)
    return write_at(fd, header.getvalue(), 0)


def _frame(shape: tuple[int, int, int]) -> tuple[int, ...]:
    return shape[:2] if shape[2] == 1 else shape


def _is_big(shape: tuple[int, int, int], dtype: str, fields: Fields) -> bool:
    size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    return size + sum(len(field.data) for field in fields.values()) > 2**32 - 2**25


def _add_fields(path: Path, fields: Fields) -> None:
    with path.open("r+b") as file:
        say(file, [fields])


def _empty_tiff(
    path: str, shape: tuple[int, int, int], dtype: str, options: dict[str, Any], big: bool
) -> int:
    """A TIFF whose samples are a hole still; returns where they lie."""
    import tifffile

    with tifffile.TiffWriter(path, bigtiff=big) as writer:
        place = writer.write(
            shape=_frame(shape),
            dtype=dtype,
            returnoffset=True,
            **{**options, "compression": None, "predictor": False, "contiguous": True},
        )
    assert place is not None
    return int(place[0])


def _to_tiles(
    path: str,
    shape: tuple[int, int, int],
    dtype: str,
    options: dict[str, Any],
    big: bool,
    threads: int,
) -> Write:
    def write(parts: Parts) -> None:
        import tifffile

        with tifffile.TiffWriter(path, bigtiff=big) as writer:
            writer.write(
                _tiles(parts, shape, dtype),
                shape=_frame(shape),
                dtype=dtype,
                tile=(TILE, TILE),
                maxworkers=threads,
                buffersize=BUFFER,
                **options,
            )

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
        assert pixels is not None, "tiles have one writer"
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
