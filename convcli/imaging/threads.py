"""Threads for what goes on beside something else: a helper, and results in order.

Why not ``concurrent.futures``: importing its thread pool takes 5 ms, as long as decoding a small
picture, and begins with the very imports that reading ahead is to be beside of.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sized
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

__all__ = ["Beside", "in_order"]

T = TypeVar("T")
R = TypeVar("R")


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
            if worker.ident is not None:
                worker.join()
