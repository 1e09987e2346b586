"""TIFF and BigTIFF read by strips and tiles, through tifffile."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.regions import Span
from convcli.errors import InputError
from convcli.imaging.formats.jpeg.check import jpeg_faults
from convcli.imaging.formats.shared.array_file import DTYPES, MOST_FOLDED, FileRows, native
from convcli.imaging.formats.shared.quiet import silence_logs
from convcli.imaging.formats.tiff.pages import walk_pages
from convcli.imaging.formats.tiff.read import page_orientation
from convcli.imaging.formats.tiff.samples import KIND, PALETTE, WHITE_IS_ZERO, page_space
from convcli.imaging.formats.tiff.strips import (
    JPEG,
    LZMA,
    check_strips,
    is_sound,
    strips_of,
)
from convcli.imaging.header import Metadata
from convcli.imaging.limits import decoding
from convcli.imaging.metadata.tiff import read_pages
from convcli.imaging.options import MAX_PIXELS
from convcli.imaging.source import Source, StoredPlane
from convcli.system.files import open_to_read, read_at

__all__ = ["open_tiff"]

CACHE_BYTES = 48 * 2**20
"""Decoded strips or tiles that are kept, at least two rows of them."""


@dataclass
class TiffPage(StoredPlane):
    """One page of samples that are stored pixel by pixel."""

    name: str
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    chunks: tuple[int, int] | None
    notes: list[str]
    file: Any
    page: Any
    fd: int
    _cache: OrderedDict[int, NDArray[Any]] = field(default_factory=OrderedDict)

    def block(self, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        page = self.page
        if self.chunks is not None:
            with decoding(self.name, "TIFF"):
                self._decoded(rows, cols, out)
            return
        # Plain strips: straight from the file.
        per_strip = min(page.rowsperstrip, self.shape[0])
        stored = np.dtype(page.parent.byteorder + page.dtype.char)
        row_bytes = self.shape[1] * self.shape[2] * stored.itemsize
        reader = FileRows(self.fd, self.name, row_bytes, stored)
        row = rows[0]
        while row < rows[1]:
            strip, inside = divmod(row, per_strip)
            count = min(per_strip - inside, rows[1] - row)
            offset = page.dataoffsets[strip] + inside * row_bytes
            at = row - rows[0]
            reader.fill(offset, count, cols, self.shape[2], out[at : at + count])
            row += count

    def _decoded(self, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        height, width = self.chunks or self.shape[:2]
        across = -(-self.shape[1] // width)
        down = range(rows[0] // height, -(-rows[1] // height))
        side = range(cols[0] // width, -(-cols[1] // width))
        wanted = 2 * len(down) * len(side) + 1
        for i in down:
            for j in side:
                chunk = self._chunk(i * across + j, wanted)
                top, left = i * height, j * width
                r = max(rows[0], top), min(rows[1], top + chunk.shape[0])
                c = max(cols[0], left), min(cols[1], left + chunk.shape[1])
                part = chunk[r[0] - top : r[1] - top, c[0] - left : c[1] - left]
                out[r[0] - rows[0] : r[1] - rows[0], c[0] - cols[0] : c[1] - cols[0]] = part

    def _chunk(self, index: int, keep: int) -> NDArray[Any]:
        cache, page = self._cache, self.page
        if index in cache:
            cache.move_to_end(index)
            return cache[index]
        offset, size = page.dataoffsets[index], page.databytecounts[index]
        if not (offset and size):  # tifffile writes none for tiles of zeros
            height, width = self.chunks or self.shape[:2]
            chunk = np.zeros((height, width, self.shape[2]), self.dtype)
        else:
            data = read_at(self.fd, size, offset)
            if len(data) != size:
                raise InputError(f"{self.name}: the file is cut short")
            if page.compression == LZMA and not is_sound(data, LZMA):
                raise InputError(
                    f"{self.name}: number {index + 1} of its strips or tiles is damaged"
                )
            if page.compression == JPEG:
                self.notes += jpeg_faults(data, page.jpegtables or b"")
            decoded, _, shape = page.decode(data, index, jpegtables=page.jpegtables)
            chunk = decoded.reshape(decoded.shape[-3:])[: shape[-3], : shape[-2]]
        cache[index] = chunk
        while len(cache) > keep or (
            len(cache) > 2 and sum(c.nbytes for c in cache.values()) > CACHE_BYTES
        ):
            cache.popitem(last=False)
        return chunk

    def close(self) -> None:
        self.file.close()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _is_backed(page: Any, file_bytes: int) -> bool:
    """Whether the file can hold what its header claims, so that the claim may be believed.

    A header costs nothing: without this, 200 bytes would keep a processor busy for days. What is
    not believed is read whole, where ``--max-pixels`` decides.
    """
    height, width = int(page.imagelength), int(page.imagewidth)
    if min(height, width) < 1:
        return False
    pixels = height * width
    if not page.is_tiled:
        rows = min(int(page.rowsperstrip), height)
        chunk, entries = rows * width, -(-height // rows)
    else:
        tall, wide = int(page.tilelength), int(page.tilewidth)
        chunk, entries = tall * wide, -(-height // tall) * -(-width // wide)
    if page.compression == 1 and not page.is_tiled:
        enough = pixels * int(page.samplesperpixel) * page.dtype.itemsize <= file_bytes
    else:
        enough = chunk <= MAX_PIXELS and pixels <= MOST_FOLDED * file_bytes
    return enough and len(page.dataoffsets) == len(page.databytecounts) == entries


def open_tiff(path: str, name: str) -> Source | None:
    """A page that can be read part by part, or None.

    None for more pages than one, palettes, 1 bit, subsampled colour, planes, premultiplied
    alpha, and pages that would have to be turned: those are read whole.
    """
    import tifffile

    silence_logs()
    with decoding(name, "TIFF"), contextlib.ExitStack() as on_failure:
        file = tifffile.TiffFile(path)
        on_failure.callback(file.close)
        page: Any = file.pages.first
        known = page_space(page)
        samples = int(page.samplesperpixel)
        plain = (
            len(list(islice(walk_pages(file.filehandle, name), 2))) == 1
            and KIND in page.tags
            and page.photometric not in (WHITE_IS_ZERO, PALETTE)
            and page.dtype is not None
            and page.dtype.name in DTYPES
            and page.dtype.itemsize * 8 == page.bitspersample
            and page.imagedepth == 1
            and (samples == 1 or page.planarconfig == 1)
            and page_orientation(page) == 1
            and _is_backed(page, Path(path).stat().st_size)
        )
        if not plain or known is None:
            return None
        space, alpha = known
        strips = strips_of(page.tags.valueof)
        notes = check_strips(strips, file.filehandle.size, name)
        chunks = (
            (page.tilelength, page.tilewidth)
            if page.is_tiled
            else (min(page.rowsperstrip, page.imagelength), page.imagewidth)
        )
        fd = open_to_read(path)
        on_failure.callback(os.close, fd)
        said = read_pages(lambda at, n: read_at(fd, n, at), os.fstat(fd).st_size, notes, 1)
        folded = page.is_tiled or page.compression != 1 or page.predictor != 1
        dtype, size = native(page.dtype), (page.imagelength, page.imagewidth)
        stored = chunks if folded or strips.absent else None
        source = Source(
            "TIFF",
            space,
            alpha,
            dtype,
            size,
            [TiffPage(name, (*size, samples), dtype, stored, notes, file, page, fd)],
            chunks=stored,
            meta=said[0] if said else Metadata(),
            notes=notes,
            name=name,
        )
        on_failure.pop_all()  # the source closes it
        return source
