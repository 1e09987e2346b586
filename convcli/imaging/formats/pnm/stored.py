"""The binary kinds of Netpbm and PFM, read where their samples lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.regions import Span
from convcli.imaging.formats.shared.array_file import OpenFile
from convcli.imaging.formats.shared.strided import Read, gather
from convcli.imaging.source import Pixels, StoredPlane

__all__ = ["NetpbmPlane"]


@dataclass(slots=True)
class NetpbmPlane(StoredPlane):
    """Samples behind a header, in a file or in memory."""

    flows = True
    name: str
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    read_at: Read
    file: OpenFile | None
    offset: int
    stored: np.dtype[Any] | None
    """Their type as they stand there; None for bits, eight to a byte, of which 1 is black."""
    upward: bool = False
    """Whether the lowest row comes first."""
    levels: NDArray[Any] | None = None
    """What each level of the file means, where its maximum is not that of the type."""

    @property
    def row_bytes(self) -> int:
        """From a row to the next."""
        _, width, channels = self.shape
        return -(-width // 8) if self.stored is None else width * channels * self.stored.itemsize

    def block(self, rows: Span, cols: Span, out: Pixels) -> None:
        height, _, channels = self.shape
        if self.upward:
            rows, out = (height - rows[1], height - rows[0]), out[::-1]
        start = self.offset + rows[0] * self.row_bytes
        if self.stored is None:
            self._bits(start, cols, out)
            return
        item = self.stored.itemsize
        strides = self.row_bytes, channels * item, item
        start += cols[0] * channels * item
        if self.levels is None:
            gather(self.read_at, self.stored, start, strides, out)
        else:
            found = np.empty(out.shape, self.stored.newbyteorder("="))
            gather(self.read_at, self.stored, start, strides, found)
            out[...] = self.levels[found]

    def _bits(self, start: int, cols: Span, out: Pixels) -> None:
        first, last = cols[0] // 8, -(-cols[1] // 8)
        packed = np.empty((len(out), last - first), np.uint8)
        gather(self.read_at, np.dtype("u1"), start + first, (self.row_bytes, 1), packed)
        bits = np.unpackbits(packed, axis=1)[:, cols[0] - 8 * first :][:, : cols[1] - cols[0]]
        np.multiply(1 - bits, np.uint8(255), out=out[..., 0])

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
