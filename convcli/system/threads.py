"""Threads: one that begins or fails, a helper beside its owner, and results in order.

Why not ``concurrent.futures``: importing its thread pool takes 5 ms, as long as decoding a small
picture, and begins with the very imports that reading ahead is to be beside of.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Sized
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from convcli.system.machine import is_full

__all__ = ["Beside", "Thread", "in_order", "require_threads"]

T = TypeVar("T")
R = TypeVar("R")

GLANCE = 0.1
"""Seconds between two looks at a thread that does not begin."""


class Thread(threading.Thread):
    """A :class:`threading.Thread` that fails with MemoryError where Python would wait for ever.

    The system makes a thread, which then needs memory for its first calls. Without, it ends there,
    and CPython (3.11 to 3.14) goes on waiting until it begins. Waiting for one that never began
    (:meth:`join`) is done at once.

    >>> begun = []
    >>> thread = Thread(target=begun.append, args=(1,))
    >>> thread.start()
    >>> thread.join()
    >>> begun
    [1]
    """

    def __init__(self, **what: Any) -> None:
        super().__init__(**what)
        self._started = _Begun()  # what CPython's start waits for
        self._given_up = False

    if not TYPE_CHECKING:

        @property
        def _bootstrap(self):  # what CPython's start has the new thread call
            return self._started.by(super()._bootstrap)

    def start(self) -> None:
        """Begin.

        Raises
        ------
        MemoryError
            If there is no memory for it.
        RuntimeError
            If the system makes no more threads.
        """
        if is_full():  # before anything is half begun
            raise MemoryError
        try:
            super().start()
        except BaseException:
            self._given_up = True  # if it comes after all
            if not self._started.may_come():
                # Names of CPython's own: it would keep the thread for ever.
                with threading._active_limbo_lock:  # type: ignore[attr-defined]  # not in typeshed
                    threading._limbo.pop(self, None)  # type: ignore[attr-defined]  # the same
            raise

    def run(self) -> None:
        self._started.now()
        if not self._given_up:
            super().run()

    def join(self, timeout: float | None = None) -> None:
        if self._started.comes():
            super().join(timeout)


class _Begun(threading.Event):
    """Set where a thread does what it is for; whoever waits is told when it cannot any more."""

    _call: Callable[[], object] = staticmethod(lambda: None)

    def by(self, bootstrap: Callable[[], None]) -> Callable[[], None]:
        """A call that only the new thread holds, so that it goes when the thread ends."""
        call = partial(bootstrap)  # CPython 3.11 loses count of a function that it cannot enter
        self._call = weakref.ref(call)
        return call

    def set(self) -> None:
        """Too early: CPython says so before it has all the memory that it needs."""

    def now(self) -> None:
        """The thread has begun."""
        super().set()

    def may_come(self) -> bool:
        """Whether the thread is on its way, or further."""
        return self._call() is not None

    def comes(self) -> bool:
        """Wait until it has begun, which is true, or cannot any more, or was never started."""
        while not self.is_set():
            if not self.may_come():
                return self.is_set()
            super().wait(GLANCE)
        return True

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is not None:
            return super().wait(timeout)
        if not self.comes():
            raise MemoryError
        return True


def require_threads(count: int) -> None:
    """Raise what :meth:`Thread.start` does if so many more threads cannot be started."""
    end = threading.Event()
    threads = [Thread(target=end.wait) for _ in range(count)]
    try:
        for thread in threads:
            thread.start()
    finally:
        end.set()
        for thread in threads:
            thread.join()


class Beside:
    """A thread that does one thing at a time while its owner does another.

    Without a ``thread``, for what is too little for one, it is done at once.

    >>> with Beside() as beside:
    ...     beside.begin(max, 2, 3)
    ...     beside.result()
    3
    """

    def __init__(self, thread: bool = True) -> None:
        self._todo: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]] | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._thread = Thread(target=self._work) if thread else None

    def __enter__(self) -> Beside:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._todo.put(None)
            self._thread.join()

    def begin(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have it done; every beginning wants its :meth:`result`."""
        if self._thread is not None:
            self._todo.put((function, arguments))
        else:
            self._do(function, *arguments)

    def result(self) -> Any:
        """Wait for it; what it raised is raised here."""
        value, error = self._done.get()
        if error is not None:
            raise error
        return value

    def _work(self) -> None:
        while (job := self._todo.get()) is not None:
            self._do(job[0], *job[1])

    def _do(self, function: Callable[..., Any], *arguments: Any) -> None:
        try:
            self._done.put((function(*arguments), None))
        except BaseException as error:
            self._done.put((None, error))


def in_order(
    function: Callable[[T], R], items: Iterable[T], threads: int
) -> Generator[R, None, None]:
    """The results for all items in their order, each as soon as it is there and was reached.

    At most one more than ``threads`` are under way or done and not taken. Items are made, and results
    taken, where the generator runs; what an exception there or in a thread leaves begun is ended.

    >>> list(in_order(lambda n: n * n, range(5), 2))
    [0, 1, 4, 9, 16]
    """
    if isinstance(items, Sized):
        threads = min(threads, len(items))
    if threads <= 1:
        yield from map(function, items)
        return
    todo: SimpleQueue[tuple[int, T] | None] = SimpleQueue()
    done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
    stopped = False

    def work() -> None:
        while (job := todo.get()) is not None and not stopped:
            try:
                done.put((job[0], function(job[1]), None))
            except BaseException as error:
                done.put((job[0], None, error))
                return
            del job  # or it stayed while the next one is waited for

    workers = [Thread(target=work) for _ in range(threads)]
    waiting: dict[int, Any] = {}
    begun = taken = 0
    source = iter(items)
    try:
        for worker in workers:
            worker.start()
        while True:
            for item in islice(source, threads + 1 - (begun - taken)):
                todo.put((begun, item))
                begun += 1
            if taken == begun:
                return
            while taken not in waiting:
                at, value, error = done.get()
                if error is not None:
                    raise error
                waiting[at] = value
            yield waiting.pop(taken)
            taken += 1
    finally:
        stopped = True
        for _ in workers:
            todo.put(None)
        for worker in workers:
            worker.join()
