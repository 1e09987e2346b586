"""A plane whose rows come in order, as they are decoded: a band of it at a time is in memory."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from convcli.engine.regions import Span
from convcli.imaging.row_stream import RowStream
from convcli.imaging.source import Pixels, StoredPlane
from convcli.system.machine import Buffer, fresh_memory

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges

__all__ = ["FlowingPlane"]


class FlowingPlane(StoredPlane):
    """Rows of a stream. Those that are no longer there are made again from the first on.

    So any region can be read, and whoever goes from top to bottom has every row made once. Several
    threads may read, if they ask for rows about in order: see ``hold``.
    """

    flows = True

    def __init__(
        self,
        stream: RowStream,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        close: Callable[[], None],
    ) -> None:
        self.name, self.shape, self.dtype = stream.name, shape, dtype
        self._stream, self._close, self._lock = stream, close, Lock()
        self._room: Buffer = bytearray()
        self._there: Span = (0, 0)
        self._given: ref[NDArray[Any]] | None = None

    def read(self, want: Ranges) -> Pixels:
        if len(want[0]) != 1 or want[1] != ((0, self.shape[1]),):
            return super().read(want)
        with self._lock:
            seen = self._seen(*want[0][0])
            if seen is not None:
                return seen
            if self.in_turn:
                return self._next(*want[0][0])
        return super().read(want)

    def _seen(self, start: int, stop: int) -> Pixels | None:
        """A view of the rows, if a band that overlaps others has them all."""
        found = self._stream.band(start, stop, self._keep((start, stop)))
        if found is None:
            return None
        row, pixels = self._stream.row_bytes, self.shape[1:]
        first, band = found
        count = (stop - start) * row // self.dtype.itemsize
        samples = np.frombuffer(band, self.dtype, count, (start - first) * row)
        samples.flags.writeable = False
        return samples.reshape(-1, *pixels)

    def _keep(self, rows: Span) -> int:
        """The first row that may be asked for again."""
        return rows[0] if self.hold is None else rows[1] - self.hold

    def _next(self, start: int, stop: int) -> Pixels:
        """The rows after those of the last time; what is read again is moved to the head of the room.

        The room is another one where somebody still has those of the last time.
        """
        row, pixels = self._stream.row_bytes, self.shape[1:]
        before, room = self._room, self._room
        in_use = self._given is not None and self._given() is not None
        if in_use or (stop - start) * row > len(room):
            self._room = room = fresh_memory((stop - start) * row)
        first, last = self._there
        again = last - start if first <= start < last <= stop else 0
        memoryview(room)[: again * row] = memoryview(before)[(start - first) * row :][: again * row]
        samples = np.frombuffer(room, self.dtype, (stop - start) * row // self.dtype.itemsize)
        out = samples.reshape(-1, *pixels)
        for at, view in self._stream.rows(start + again, stop, stop):
            some = np.frombuffer(view, self.dtype).reshape(-1, *pixels)
            out[at - start : at - start + len(some)] = some
        self._there, self._given = (start, stop), ref(samples)  # which all views of it hold
        return out

    def block(self, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        _, width, channels = self.shape
        with self._lock:
            for row, view in self._stream.rows(*rows, self._keep(rows)):
                some = np.frombuffer(view, self.dtype).reshape(-1, width, channels)
                out[row - rows[0] : row - rows[0] + len(some)] = some[:, slice(*cols)]

    def close(self) -> None:
        self._stream.close()
        self._close()
