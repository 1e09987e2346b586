"""Run blocks of one computation on a few threads, each with BLAS on its own core.

NumPy releases the GIL in copies and products, so Python threads over disjoint blocks scale, and
gathering overlaps with multiplying. BLAS must then not start threads of its own.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from queue import SimpleQueue
from typing import Any

import numpy as np

from convcli.system.machine import default_threads
from convcli.system.process import after_fork
from convcli.system.threads import Thread

__all__ = ["cores", "run_all", "scratch"]

_KEEP = 8 << 20
"""Bytes of scratch memory kept for each name and thread: fresh memory costs page faults."""


@cache
def cores() -> int:
    """Cores this process may use; ``CONVCLI_THREADS`` overrides."""
    wanted = os.environ.get("CONVCLI_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return default_threads()


class _Turn:
    """Work that a waiting thread may take part in: who has not begun when it is done never does."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._taken, self._done = threading.Lock(), threading.Lock()
        self._done.acquire()
        self._error: BaseException | None = None

    def take(self) -> None:
        if not self._taken.acquire(blocking=False):
            return
        try:
            self._work()
        except BaseException as error:  # for the thread that waits
            self._error = error
        finally:
            self._done.release()

    def end(self) -> BaseException | None:
        """Wait for the thread that takes part, if there is one; gives what it raised."""
        if self._taken.acquire(blocking=False):
            return None
        self._done.acquire()
        return self._error


@cache
def _turns() -> SimpleQueue[_Turn]:
    """What the waiting threads are given. An executor takes three times as long to wake one."""
    turns: SimpleQueue[_Turn] = SimpleQueue()

    def wait() -> None:
        while True:
            turns.get().take()

    with suppress(RuntimeError, MemoryError):  # no room for more of them: then fewer take part
        for number in range(cores() - 1):
            Thread(target=wait, name=f"convcli-ops-{number}", daemon=True).start()
    return turns


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


# A forked child has none of the threads; waiting for them would be for ever.
after_fork(_turns.cache_clear)

_lock = threading.Lock()
_users = 0
_limit: Any = None


@contextmanager
def _single_threaded_blas() -> Iterator[None]:
    """One BLAS thread while anybody is inside: the setting belongs to the whole process."""
    global _users, _limit
    with _lock:
        _users += 1
        if _users == 1:
            _limit = _blas().limit(limits=1)
            _limit.__enter__()
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limit.__exit__(None, None, None)


def run_all(
    tasks: Sequence[Callable[[], None]], *, threaded: bool = True, blas: bool = True
) -> None:
    """Call every task; on threads where there are several of both.

    ``blas`` says that tasks use BLAS, which then gets one thread in each.

    >>> done = []
    >>> run_all([lambda: done.append(1), lambda: done.append(2)])
    >>> sorted(done)
    [1, 2]
    """
    workers = min(cores(), len(tasks)) if threaded else 1
    if workers < 2:
        for task in tasks:
            task()
        return
    queue = iter(tasks)
    guard = threading.Lock()

    def drain() -> None:
        while True:
            with guard:
                task = next(queue, None)
            if task is None:
                return
            task()

    with _single_threaded_blas() if blas else nullcontext():
        others = [_Turn(drain) for _ in range(workers - 1)]
        for other in others:
            _turns().put(other)
        try:
            drain()  # the calling thread works too
        finally:  # all of them: one that still runs would write on
            errors = [error for other in others if (error := other.end()) is not None]
        if errors:
            raise errors[0]


_local = threading.local()


def scratch(xp: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Uninitialised memory, this thread's own until it asks for the same name again.

    >>> scratch(np, "test", (2, 3), np.dtype("f4")).shape
    (2, 3)
    """
    size = math.prod(shape) * dtype.itemsize
    if xp is not np or dtype.kind == "O" or size > _KEEP:
        return xp.empty(shape, dtype)
    kept = vars(_local).get(name)
    if kept is None or kept.nbytes < size:
        kept = vars(_local)[name] = np.empty(size, np.uint8)
    return kept[:size].view(dtype).reshape(shape)
