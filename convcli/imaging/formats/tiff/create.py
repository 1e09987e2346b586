"""TIFFs that are written part by part: plain samples where they belong, or tiles one by one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.imaging.formats.shared.array_file import room_for_rows
from convcli.imaging.formats.tiff.write import is_big, page_options, said_of, say
from convcli.imaging.header import Header
from convcli.imaging.metadata.tiff_fields import Fields
from convcli.imaging.sink import Parts, Sink, Write, by_target

__all__ = ["create_tiff"]

TILE = 256
"""Rows and columns of a tile of a compressed TIFF."""
BUFFER = 2**24


@contextlib.contextmanager
def create_tiff(path: str, header: Header, threads: int) -> Iterator[Sink]:
    """A TIFF of one page, in place of an empty file."""
    meta = header.meta
    options, fields = page_options(meta, header), said_of(meta, header)
    big = is_big(header, fields)
    if options["compression"] is not None:
        yield Sink(_to_tiles(path, header, options, big, threads))
        _add_fields(path, fields)
        return
    rows = room_for_rows(path, _empty_tiff(path, header, options, big), header)
    _add_fields(path, fields)
    yield by_target(rows)


def _add_fields(path: str, fields: Fields) -> None:
    with Path(path).open("r+b") as file:
        say(file, [fields])


def _samples(header: Header) -> dict[str, Any]:
    """Shape and type of the samples, as tifffile is told of them."""
    shape = header.shape
    return {"shape": shape[:2] if shape[2] == 1 else shape, "dtype": header.dtype.name}


def _empty_tiff(path: str, header: Header, options: dict[str, Any], big: bool) -> int:
    """A TIFF whose samples are a hole still; returns where they lie."""
    import tifffile

    with tifffile.TiffWriter(path, bigtiff=big) as writer:
        place = writer.write(
            returnoffset=True,
            **_samples(header),
            **{**options, "compression": None, "predictor": False, "contiguous": True},
        )
    assert place is not None
    return int(place[0])


def _to_tiles(path: str, header: Header, options: dict[str, Any], big: bool, threads: int) -> Write:
    def write(parts: Parts) -> None:
        import tifffile

        with tifffile.TiffWriter(path, bigtiff=big) as writer:
            writer.write(
                _tiles(parts, header),
                **_samples(header),
                tile=(TILE, TILE),
                maxworkers=threads,
                buffersize=BUFFER,
                **options,
            )

    return write


def _tiles(parts: Parts, header: Header) -> Iterator[NDArray[Any]]:
    """Cut whole rows into tiles; those at the edges are filled up with zeros."""
    _, width, channels = header.shape
    across = -(-width // TILE)
    band = np.zeros((TILE, across * TILE, channels), header.dtype)
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
