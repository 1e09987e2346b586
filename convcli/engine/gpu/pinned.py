"""Pinned memory, which a device reads and writes over the bus by itself: one pool of the process.

To pin memory takes ten times as long as to copy it, so buffers stay, go from picture to picture and
from thread to thread, and are never more than so many: pinned memory is taken from everybody else.
"""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.gpu.pipeline import PINNED_BYTES, STAGE_BYTES

__all__ = ["PinnedBuffer", "PinnedPool"]


class PinnedBuffer:
    """A buffer, and the event that says when the device has done with it, if it is at work."""

    def __init__(self, cupy: Any, size: int) -> None:
        memory = cupy.cuda.alloc_pinned_memory(size)
        self.array: NDArray[np.uint8] = np.frombuffer(memory, np.uint8, size)
        self.pointer = ctypes.c_void_p(self.array.ctypes.data)
        self.busy: Any = None

    @property
    def is_free(self) -> bool:
        """Whether the device has done with it."""
        return self.busy is None or bool(self.busy.done)

    def wait(self) -> None:
        """Until the device has done with it."""
        if self.busy is not None:
            busy, self.busy = self.busy, None  # what fails once is not asked again
            busy.synchronize()


class PinnedPool:
    """Buffers of one size, taken and given back by any thread.

    Nobody waits here while others wait for what he holds: who holds some takes without waiting, and
    gives one of his own back where there is none.
    """

    def __init__(self, size: int = STAGE_BYTES, most: int = PINNED_BYTES) -> None:
        self.size = size
        self._most = most // size
        self._made = 0
        self._idle: deque[PinnedBuffer] = deque()
        self._changed = threading.Condition()

    @property
    def idle(self) -> int:
        """Buffers that nobody holds."""
        return len(self._idle)

    @property
    def made(self) -> int:
        """Buffers that there are."""
        return self._made

    def take(self, cupy: Any, *, grow: bool, wait: bool) -> PinnedBuffer | None:
        """A buffer with which the device has done.

        Parameters
        ----------
        grow
            Whether a new one may be made where the others are at work, if there is room for it.
        wait
            Whether to wait where all are held; else None is given then.
        """
        with self._changed:
            while (buffer := next((b for b in self._idle if b.is_free), None)) is None:
                if self._made < self._most and (grow or not self._made):
                    made = self._new(cupy)
                    if made is not None:
                        return made
                elif self._idle:
                    buffer = self._idle[0]  # the one that was sent first
                    break
                elif wait:
                    self._changed.wait()
                else:
                    return None
            self._idle.remove(buffer)
        try:
            buffer.wait()
        except BaseException:
            self.give(buffer)
            raise
        return buffer

    def give(self, buffer: PinnedBuffer) -> None:
        """Give a buffer back; the device may still be at work on it, as ``busy`` says."""
        with self._changed:
            self._idle.append(buffer)
            self._changed.notify()

    def _new(self, cupy: Any) -> PinnedBuffer | None:
        """One more; None if no more memory can be pinned, and those that there are have to do."""
        try:
            buffer = PinnedBuffer(cupy, self.size)
        except Exception:
            if not self._made:
                raise
            self._most = self._made
            return None
        self._made += 1
        return buffer
