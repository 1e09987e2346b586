"""Room for the rows of a plain PNG, whose filters are undone as their bytes come. No NumPy here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from convcli.extensions import extension
from convcli.imaging.formats.png.chunks import Ihdr
from convcli.system.machine import Buffer, fresh_memory

__all__ = ["CHANNELS", "AllRows", "Bands", "Unusual"]

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Samples of a pixel by colour type."""
BAND_BYTES = 1 << 20
"""Of the rows that are handed on together, if one does not take more."""
HUGE = 1 << 22
"""Bytes from which on memory is asked for in huge pages: clearing it takes half the time."""


class Unusual(ValueError):
    """Not for us."""


class _Rows:
    """Room for rows of the picture, whose filtered bytes come in pieces of any size."""

    def __init__(self, header: Ihdr) -> None:
        self._step = CHANNELS[header.colour_type] * header.depth // 8
        self.row_bytes = header.width * self._step
        self._swap = header.depth == 16 and sys.byteorder == "little"
        self.height = header.height
        self._begun = bytearray(1 + self.row_bytes)  # a row that is not all there
        self._have = 0

    @property
    def raw_bytes(self) -> int:
        """How many bytes of filtered rows make the picture."""
        return self.height * (1 + self.row_bytes)

    def _undo(self, raw: bytes | memoryview, pixels: Buffer, done: int) -> int:
        """Undo the filters of rows, put behind ``done`` others; gives how many there are then."""
        shape = self.row_bytes, self._step, self._swap
        state = self._begun, self._have, pixels, done
        done, self._have = extension("_png").module.unfilter(raw, *state, *shape)
        return done


class AllRows(_Rows):
    """The whole picture."""

    def __init__(self, header: Ihdr) -> None:
        super().__init__(header)
        self._pixels = _room(self.height * self.row_bytes)
        self._done = 0

    def undo(self, raw: bytes) -> None:
        """Undo the filters of the rows that come next."""
        self._done = self._undo(raw, self._pixels, self._done)

    def finished(self) -> Buffer:
        """The pixels, if all rows came and nothing more."""
        if self._done != self.height or self._have:
            raise Unusual
        return self._pixels


class Bands(_Rows):
    """Bands of it, each in a room that has the row before its first one at the head."""

    def __init__(self, header: Ihdr, room: Callable[[int], Buffer]) -> None:
        super().__init__(header)
        self._room, self._left = room, self.height
        self._full: list[memoryview] = []
        self._last = bytearray(self.row_bytes)  # above the first there are zeros
        self._next_band()

    def _next_band(self) -> None:
        rows = min(max(BAND_BYTES // self.row_bytes, 1), self._left)
        self._left -= rows
        self._band, self._done = self._room((1 + rows) * self.row_bytes), 1
        self._band[: self.row_bytes] = self._last

    def undo(self, raw: bytes) -> None:
        """Undo the filters of the rows that come next."""
        view = memoryview(raw)
        size = 1 + self.row_bytes
        while view:
            rows = len(self._band) // self.row_bytes
            count = (rows - self._done) * size - self._have
            if not count:
                raise Unusual  # more than the picture has
            self._done = self._undo(view[:count], self._band, self._done)
            view = view[count:]
            if self._done == rows:
                self._full.append(memoryview(self._band)[self.row_bytes :])
                self._last = bytearray(memoryview(self._band)[-self.row_bytes :])
                if self._swap:  # as the file has it
                    self._last[::2], self._last[1::2] = self._last[1::2], self._last[::2]
                if self._left:
                    self._next_band()

    def full(self) -> Iterator[memoryview]:
        """The bands that are done, once each."""
        full, self._full = self._full, []
        return iter(full)

    def finish(self) -> None:
        """See that all rows came."""
        if self._left or self._have or self._done * self.row_bytes != len(self._band):
            raise Unusual


def _room(size: int) -> Buffer:
    """Fresh memory, of which only what is written takes room."""
    return bytearray(size) if size < HUGE else fresh_memory(size)
