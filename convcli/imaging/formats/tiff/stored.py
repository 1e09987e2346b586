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

from convcli.engine.numerics import DTYPES
from convcli.engine.regions import Span
from convcli.errors import InputError
from convcli.imaging.formats.jpeg.check import jpeg_faults
from convcli.imaging.formats.shared.array_file import MOST_FOLDED, FileRows, native
from convcli.imaging.formats.shared.quiet import silence_logs
from convcli.imaging.formats.tiff.behind import planes_behind
from convcli.imaging.formats.tiff.lerc import heed_masks
from convcli.imaging.formats.tiff.pages import walk_directories
from convcli.imaging.formats.tiff.read import absent_sample, page_orientation
from convcli.imaging.formats.tiff.roles import Roles, lay_over, patched, roles_of
from convcli.imaging.formats.tiff.samples import layout_of
from convcli.imaging.formats.tiff.strips import (
    JPEG,
    LZMA,
    check_strips,
    is_sound,
    strips_of,
)
from convcli.imaging.header import Metadata
from convcli.imaging.limits import decoding
from convcli.imaging.metadata.nodata import no_data_of
from convcli.imaging.metadata.tiff import read_pages
from convcli.imaging.metadata.tiff_fields import KIND, PALETTE, WHITE_IS_ZERO
from convcli.imaging.options import MAX_PIXELS
from convcli.imaging.source import Source, StoredPlane
from convcli.system.files import open_to_read, read_at

__all__ = ["open_tiff"]

MOST_PAGES = 1000
"""A picture with more overviews and masks than that is read whole."""
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
    absent: float = 0
    """What stands where a strip or tile is not in the file."""
    _cache: OrderedDict[int, NDArray[Any]] = field(default_factory=OrderedDict)

    @property
    def planes(self) -> int:
        """How many there are that hold one sample of each pixel."""
        return self.shape[2] if self.shape[2] > 1 and self.page.planarconfig == 2 else 1

    def block(self, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        each = self.shape[2] // self.planes
        for plane in range(self.planes):
            part = out[..., plane * each : (plane + 1) * each]
            if self.chunks is not None:
                with decoding(self.name, "TIFF"):
                    self._decoded(plane, rows, cols, part)
            else:
                self._plain(plane, rows, cols, part)

    def _plain(self, plane: int, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        """Plain strips: straight from the file."""
        page, samples = self.page, out.shape[2]
        per_strip = min(page.rowsperstrip, self.shape[0])
        before = plane * -(-self.shape[0] // per_strip)
        stored = np.dtype(page.parent.byteorder + page.dtype.char)
        row_bytes = self.shape[1] * samples * stored.itemsize
        reader = FileRows(self.fd, self.name, row_bytes, stored)
        row = rows[0]
        while row < rows[1]:
            strip, inside = divmod(row, per_strip)
            count = min(per_strip - inside, rows[1] - row)
            offset = page.dataoffsets[before + strip] + inside * row_bytes
            at = row - rows[0]
            reader.fill(offset, count, cols, samples, out[at : at + count])
            row += count

    def _decoded(self, plane: int, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        height, width = self.chunks or self.shape[:2]
        across = -(-self.shape[1] // width)
        before = plane * across * -(-self.shape[0] // height)
        down = range(rows[0] // height, -(-rows[1] // height))
        side = range(cols[0] // width, -(-cols[1] // width))
        wanted = (2 * len(down) * len(side) + 1) * self.planes
        for i in down:
            for j in side:
                chunk = self._chunk(before + i * across + j, wanted)
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
            chunk = np.full((height, width, self.shape[2] // self.planes), self.absent, self.dtype)
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
            len(cache) > 2 * self.planes and sum(c.nbytes for c in cache.values()) > CACHE_BYTES
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
    if page.planarconfig == 2:
        entries *= int(page.samplesperpixel)
    if page.compression == 1 and not page.is_tiled:
        enough = pixels * int(page.samplesperpixel) * page.bitspersample <= 8 * file_bytes
    else:
        enough = chunk <= MAX_PIXELS and pixels <= MOST_FOLDED * file_bytes
    return enough and len(page.dataoffsets) == len(page.databytecounts) == entries


@dataclass
class MaskedPage(StoredPlane):
    """A page with the mask that another page holds, as alpha."""

    page: TiffPage
    mask: TiffPage
    alpha: bool
    """Whether the page has one already."""

    def __post_init__(self) -> None:
        height, width, samples = self.page.shape
        self.name, self.dtype = self.page.name, self.page.dtype
        self.shape = height, width, samples + (not self.alpha)

    def block(self, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        self.page.block(rows, cols, out[..., : self.page.shape[2]])
        kept = np.empty((*out.shape[:2], 1), self.mask.dtype)
        self.mask.block(rows, cols, kept)
        lay_over(out, kept[..., 0] != 0, self.alpha)

    def close(self) -> None:
        self.page.close()


def open_tiff(path: str, name: str) -> Source | None:
    """A page that can be read part by part, or None.

    None for more pictures than one, palettes, 1 bit, subsampled colour, premultiplied alpha, and
    pages that would have to be turned: those are read whole.
    """
    import tifffile

    if not (Path(path).is_file() and os.access(path, os.R_OK)):
        return None  # what is read whole says why; a pipe would be waited for
    silence_logs()
    with decoding(name, "TIFF"), contextlib.ExitStack() as on_failure:
        file = tifffile.TiffFile(path)
        on_failure.callback(file.close)
        roles = _one_picture(file, name)
        if roles is None:
            return None
        page: Any = file.pages[roles.pictures[0]]
        mask: Any = file.pages[roles.masks[0]] if roles.masks else None
        size = Path(path).stat().st_size
        layout = layout_of(page)
        if layout is None or not _is_plain(page) or not _is_backed(page, size):
            return None
        if mask is not None and not (_is_mask(mask) and _is_backed(mask, size)):
            return None
        fd = open_to_read(path)
        on_failure.callback(os.close, fd)
        notes: list[str] = []
        plane: TiffPage = _page_of(page, native(page.dtype), file, fd, name, notes)
        said = _said(fd, roles, notes)
        fields = said.fields
        if planes_behind(page, fields, size) > 1:
            return None
        plane.absent = absent_sample(fields, page.dtype)
        source = Source(
            "TIFF",
            layout.space,
            layout.alpha or mask is not None,
            plane.dtype,
            plane.shape[:2],
            [plane],
            bands=layout.bands,
            chunks=plane.chunks,
            meta=said,
            notes=notes,
            name=name,
        )
        if mask is not None:
            over = _page_of(mask, np.dtype("uint8"), file, fd, name, notes)
            source.frames = [MaskedPage(plane, over, layout.alpha)]
        notes += roles.notes
        source.nodata = no_data_of(fields, plane.dtype, page.bitspersample, None, notes)
        on_failure.pop_all()  # the source closes it
        return source


def _one_picture(file: Any, name: str) -> Roles | None:
    """What the pages are, if one of them alone is a picture."""
    handle = file.filehandle
    pages = list(islice(walk_directories(handle, name), MOST_PAGES))
    if not pages or len(pages) == MOST_PAGES:
        return None
    handle.seek(0)
    roles = roles_of(pages, handle.read(16))
    return roles if len(roles.pictures) == 1 else None


def _is_plain(page: Any) -> bool:
    """Whether the samples of a page are those that are wanted, as they lie."""
    return (
        KIND in page.tags
        and page.photometric not in (WHITE_IS_ZERO, PALETTE)
        and page.dtype is not None
        and page.dtype.name in DTYPES
        and page.dtype.itemsize * 8 == page.bitspersample
        and page.imagedepth == 1
        and page_orientation(page) == 1
    )


def _is_mask(page: Any) -> bool:
    return (
        page.bitspersample in (1, 8)
        and page.samplesperpixel == page.imagedepth == 1
        and page_orientation(page) == 1
    )


def _page_of(
    page: Any, dtype: np.dtype[Any], file: Any, fd: int, name: str, notes: list[str]
) -> TiffPage:
    """A page whose strips or tiles are all in the file."""
    heed_masks(page)
    strips = strips_of(page.tags.valueof)
    notes += check_strips(strips, file.filehandle.size, name)
    size = (int(page.imagelength), int(page.imagewidth))
    chunks = (min(page.rowsperstrip, size[0]), size[1])
    if page.is_tiled:
        chunks = (page.tilelength, page.tilewidth)
    folded = page.is_tiled or page.compression != 1 or page.predictor != 1
    apart = folded or strips.absent or page.bitspersample < 8
    shape = (*size, int(page.samplesperpixel))
    return TiffPage(name, shape, dtype, chunks if apart else None, notes, file, page, fd)


def _said(fd: int, roles: Roles, notes: list[str]) -> Metadata:
    """What the picture says besides its pixels."""

    def read(at: int, count: int) -> bytes:
        return read_at(fd, count, at)

    alone = patched(read, roles.links, read(0, 16)) if roles.links else read
    said = read_pages(alone, os.fstat(fd).st_size, notes, 1)
    return said[0] if said else Metadata()
