"""Samples on their way to a device and back: copied through pinned memory, piece by piece.

Three streams, so that three things go on at once: pieces of the next rows go up on one, kernels run
on another, pieces of rows that are done come down on the third. Events keep the order: kernels wait
for what was sent up before they were launched, a piece that comes down for the kernels launched
before it, a buffer for the copy out of it, and this thread only for what it has to read or fill.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from numpy.typing import NDArray

from convcli.engine.gpu.host_copies import HostCopies
from convcli.engine.gpu.pinned import PinnedBuffer, PinnedPool
from convcli.engine.gpu.pipeline import AHEAD

__all__ = ["Transfers"]

RESULTS = 3
"""Results that stay on the device until they have come: one is computed while one goes up, one comes
down, one is copied to its place."""


class _Piece(NamedTuple):
    """Part of a picture: some rows, or part of a row that is longer than a buffer."""

    there: Any
    """On the device, in one run."""
    here: NDArray[Any]
    """In host memory: as many rows, perhaps shorter ones."""


class _Coming(NamedTuple):
    """A piece that was sent down, and where it lands."""

    piece: _Piece
    buffer: PinnedBuffer
    landed: Any


class Transfers:
    """What one thread moves; ``kernels`` is the stream on which it computes.

    After an error :meth:`abandon` leaves nothing behind.
    """

    def __init__(self, cupy: Any, kernels: Any, pool: PinnedPool, copies: HostCopies) -> None:
        self._cupy, self._kernels, self._pool, self._copies = cupy, kernels, pool, copies
        self._up = cupy.cuda.Stream(non_blocking=True)
        self._down = cupy.cuda.Stream(non_blocking=True)
        self._sent: deque[Any] = deque()  # events of what was sent up
        self._coming: deque[_Coming] = deque()
        self._waiting: deque[_Piece] = deque()  # for a buffer
        self._results: deque[int] = deque(maxlen=RESULTS - 1)  # pieces of the last ones
        self._held: PinnedBuffer | None = None  # while it is filled, or sent down

    def upload(self, rows: NDArray[Any], slab: Any, *, beside: bool) -> None:
        """Send rows to a slab; kernels that are launched later wait.

        The rows may be changed afterwards. What has come down meanwhile is taken in. Unless they
        go up ``beside`` the kernels under way, those are waited for: the memory may have been
        theirs, since CuPy gives it to others as soon as they are launched.
        """
        if not beside:
            self._up.wait_event(self._mark(self._kernels))
        for target, source in self._cut(slab, rows):
            buffer = self._held = self._buffer()
            staged = buffer.array[: target.nbytes].view(slab.dtype).reshape(target.shape)
            self._copies.copy(staged[:, : source.shape[1]], source)
            target.data.copy_from_host_async(buffer.pointer, target.nbytes, self._up)
            buffer.busy = self._mark(self._up)
            self._sent.append(buffer.busy)
            self._give(buffer)
            self._take_in()
        self._kernels.wait_event(self._mark(self._up))

    def download(self, samples: Any, out: NDArray[Any]) -> None:
        """Send the samples down, once the kernels launched so far are done; see :meth:`finish`.

        ``samples`` are the first ones of each row of a slab, and stay until they have come.
        """
        self._down.wait_event(self._mark(self._kernels))
        pieces = list(self._cut(samples, out))
        self._take_in_until(sum(self._results))
        self._waiting.extend(pieces)
        self._results.append(len(pieces))
        self._send_down()

    def finish(self) -> None:
        """Wait until all has come down, and nothing is at work on a slab that may now be let go."""
        self._take_in_until(0)
        self._results.clear()
        for stream in (self._up, self._kernels):
            stream.synchronize()

    def abandon(self) -> None:
        """Forget what is under way, after an error: the device is waited for, if it still can be."""
        for stream in (self._up, self._kernels, self._down):
            with suppress(Exception):  # what is wrong was raised already
                stream.synchronize()
        self._waiting.clear()
        self._sent.clear()
        self._results.clear()
        buffers = [coming.buffer for coming in self._coming]
        self._coming.clear()
        if self._held is not None and self._held not in buffers:
            buffers.append(self._held)
        self._held = None
        for buffer in buffers:
            buffer.busy = None
            self._pool.give(buffer)

    def _mark(self, stream: Any) -> Any:
        """An event of what a stream has been given so far; who waits for it sleeps, and does not spin
        on a core that others decode and encode with."""
        event = self._cupy.cuda.Event(block=True, disable_timing=True)
        event.record(stream)
        return event

    def _buffer(self) -> PinnedBuffer:
        """One to be filled."""
        while self._sent and self._sent[0].done:
            self._sent.popleft()
        while True:
            grow = len(self._sent) < AHEAD
            found = self._pool.take(self._cupy, grow=grow, wait=not self._coming)
            if found is not None:
                return found
            self._take_in_next()  # others have all but ours

    def _give(self, buffer: PinnedBuffer) -> None:
        self._held = None
        self._pool.give(buffer)

    def _send_down(self) -> None:
        """Send what waits for a buffer, as far as there are some."""
        while self._waiting and len(self._coming) < AHEAD:
            buffer = self._pool.take(self._cupy, grow=True, wait=not self._coming)
            if buffer is None:
                return
            self._held = buffer
            piece = self._waiting[0]
            piece.there.data.copy_to_host_async(buffer.pointer, _span(piece.there), self._down)
            self._coming.append(_Coming(piece, buffer, self._mark(self._down)))
            self._waiting.popleft()
            self._held = None

    def _take_in_until(self, left: int) -> None:
        """Take pieces in until so many are under way."""
        while len(self._waiting) + len(self._coming) > left:
            if not self._coming:
                self._send_down()
            self._take_in_next()

    def _take_in(self) -> None:
        """Take in what has come, without waiting."""
        while self._coming and self._coming[0].landed.done:
            self._take_in_next()

    def _take_in_next(self) -> None:
        """Wait for the next piece, and copy it to its place."""
        piece, buffer, landed = self._coming[0]
        landed.synchronize()
        count, width = piece.here.shape
        pitch = piece.there.strides[0] // piece.here.itemsize if count > 1 else width
        rows = buffer.array[: count * pitch * piece.here.itemsize].view(piece.here.dtype)
        self._copies.copy(piece.here, rows.reshape(count, pitch)[:, :width])
        self._coming.popleft()
        self._pool.give(buffer)
        self._send_down()

    def _cut(self, there: Any, here: NDArray[Any]) -> Iterator[_Piece]:
        """Pieces of a picture that fit into a buffer."""
        rows = self._pool.size // there.strides[0]
        if rows:
            for top in range(0, len(here), rows):
                yield _Piece(there[top : top + rows], here[top : top + rows])
            return
        step = self._pool.size // there.itemsize
        for row in range(len(here)):
            for left in range(0, here.shape[1], step):
                part = (slice(row, row + 1), slice(left, left + step))
                yield _Piece(there[part], here[part])


def _span(samples: Any) -> int:
    """Bytes from the first sample to the last, over what pads rows."""
    rows, width = samples.shape
    size: int = (rows - 1) * samples.strides[0] + width * samples.itemsize
    return size
