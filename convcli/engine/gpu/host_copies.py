"""Copies from host memory to host memory by several threads.

One core is slower than the bus of a large GPU, most of all where memory is fresh and has to be
cleared. NumPy lets the interpreter go while it copies.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from numpy.typing import NDArray

from convcli.engine.gpu.pipeline import HANDS
from convcli.system.machine import default_threads
from convcli.system.threads import Thread

__all__ = ["HostCopies"]

PART_BYTES = 2 << 20
"""What a thread copies at a time: 0.2 ms, several times what it takes to wake one."""


class HostCopies:
    """Threads that help with copies, started when there is the first large one."""

    def __init__(self, hands: int = HANDS) -> None:
        self._helpers = min(hands, default_threads()) - 1  # beside whoever wants the copy
        self._wanted: SimpleQueue[_Copy] = SimpleQueue()
        self._started = 0
        self._lock = threading.Lock()

    def copy(self, target: NDArray[Any], source: NDArray[Any]) -> None:
        """Copy rows, cast to the type of the target if it is another."""
        step = max(PART_BYTES // max(source[:1].nbytes, 1), 1)
        parts = range(0, len(source), step)
        job = _Copy(target, source, [(top, min(top + step, len(source))) for top in parts])
        for _ in range(min(len(parts) - 1, self._ready())):
            self._wanted.put(job)
        job.work()
        job.wait()

    def _ready(self) -> int:
        """How many helpers there are; where a thread cannot be started, there are fewer."""
        with self._lock, suppress(RuntimeError, MemoryError):
            while self._started < self._helpers:
                # They hold nothing that has to be closed, and wait for ever.
                Thread(target=self._help, name="convcli-copies", daemon=True).start()
                self._started += 1
        return self._started

    def _help(self) -> None:
        while True:
            self._wanted.get().work()


class _Copy:
    """One copy in parts, each claimed by whoever comes first."""

    def __init__(
        self, target: NDArray[Any], source: NDArray[Any], parts: list[tuple[int, int]]
    ) -> None:
        self._target, self._source = target, source
        self._parts = deque(parts)
        self._left = len(parts)
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._error: BaseException | None = None

    def work(self) -> None:
        """Do parts until none is left to be claimed."""
        while True:
            try:
                start, stop = self._parts.popleft()
            except IndexError:
                return
            try:
                self._target[start:stop] = self._source[start:stop]
            except BaseException as error:
                self._error = error
            with self._lock:
                self._left -= 1
                if not self._left:
                    self._done.set()

    def wait(self) -> None:
        """Until others have done what they claimed."""
        self._done.wait()
        if self._error is not None:
            raise self._error
