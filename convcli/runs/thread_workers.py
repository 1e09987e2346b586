"""Threads of this process for the files of a batch that a GPU filters.

Threads, where a batch on the CPU has processes (:mod:`convcli.runs.workers`). Each process would
need a context of its own on the device, half a gigabyte and half a second, and contexts take
turns: nothing of one goes on beside anything of another. Threads share one, so one picture is
decoded, another goes up, is computed, comes down, and another is encoded at the same time. What
decodes and encodes lets the interpreter go. The price: a decoder that crashes takes the batch with
it, which ``--resume`` goes on with.

What one process has only one of is seen to here: Python's filters of warnings, which each decoder
puts aside for a moment, stay aside while there are threads; each thread has its own descriptor of
the journal, since Windows finds the end of a file by a position that a descriptor has.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterator
from queue import SimpleQueue

from convcli.records import NamedTuple
from convcli.runs.journal import Journal
from convcli.runs.memory import allowed_to_threads
from convcli.runs.request import Job, Report, Request
from convcli.runs.run_job import Failure, attempt
from convcli.system.machine import require_descriptors
from convcli.system.process import stops_held_back
from convcli.system.threads import Thread

__all__ = ["ThreadWorkers"]

DESCRIPTORS = 8
"""Of the files that a thread and the libraries it calls have open at a time."""


class _Done(NamedTuple):
    """What became of a file; without a result it was not begun, or ``error`` ends the batch."""

    result: Report | Failure | None
    error: BaseException | None = None


class ThreadWorkers:
    """Worker threads; see :class:`convcli.runs.workers.Workers`, to whose callers they are alike."""

    lost = False

    def __init__(self, request: Request, journal: Journal | None, workers: int) -> None:
        self.request, self.journal, self.workers = request, journal, workers
        memory = request.memory
        self._shared = request._replace(
            jobs=workers, memory=memory and allowed_to_threads(memory, workers)
        )
        self.stopped = False
        self.late: list[Report | Failure] = []
        self.notes: list[str] = []
        self._todo: SimpleQueue[Job | None] = SimpleQueue()
        self._done: SimpleQueue[_Done] = SimpleQueue()
        self._crew: list[Thread] = []
        self._given = 0  # files whose results have not been taken
        self._large: list[Job] = []

    def stop(self) -> None:
        """Begin no more files."""
        self.stopped = True

    def results(self, jobs: deque[Job]) -> Iterator[Report | Failure]:
        """Carry out the jobs, each result as it comes."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self._start(min(self.workers, len(jobs)))
                yield from self._by_threads(jobs)
            finally:
                self._dismiss()
            # With all the memory, one at a time; or all of them, where no thread could be started.
            alone = self.request._replace(jobs=1)
            for rest in (deque(self._large), jobs):
                while rest and not self.stopped:
                    yield attempt(alone, rest.popleft(), self.journal)

    def _start(self, wanted: int) -> None:
        for number in range(wanted):
            book = None
            try:
                require_descriptors(DESCRIPTORS * (number + 1))
                if self.journal is not None:
                    book = Journal(self.journal.path, self.journal.options)
                thread = Thread(target=self._work, args=(book,), name=f"convcli-{number}")
                with stops_held_back():  # signals are this thread's
                    thread.start()
                    self._crew.append(thread)
            except (OSError, RuntimeError, MemoryError) as error:
                if book is not None:
                    book.close()
                self._note(error, wanted)
                return

    def _note(self, error: Exception, wanted: int) -> None:
        reason = getattr(error, "strerror", None) or "not enough memory"
        found = len(self._crew) or "none"
        self.notes.append(
            f"{found} of {wanted} threads could be started ({reason}); the files took longer for that"
        )

    def _by_threads(self, jobs: deque[Job]) -> Iterator[Report | Failure]:
        while True:
            # One more for each, so that it need not wait for whoever takes the results.
            while jobs and not self.stopped and self._given < 2 * len(self._crew):
                self._todo.put(jobs.popleft())
                self._given += 1
            if not self._given:
                return
            result = self._take()
            if result is not None:
                yield result

    def _take(self) -> Report | Failure | None:
        """The next result; None where there is none to be told of."""
        result, error = self._done.get()
        self._given -= 1
        if error is not None:
            raise error
        if isinstance(result, Failure) and result.lacks_room and len(self._crew) > 1:
            self._large.append(result.job)
            return None
        return result

    def _work(self, book: Journal | None) -> None:
        try:
            while (job := self._todo.get()) is not None:
                self._done.put(self._do(job, book))
        finally:
            if book is not None:
                book.close()

    def _do(self, job: Job, book: Journal | None) -> _Done:
        if self.stopped:
            return _Done(None)
        try:
            result = attempt(self._shared, job, book)
        except BaseException as error:  # whoever takes the results ends the batch with it
            return _Done(None, error)
        if isinstance(result, Failure) and self.request.on_error == "stop":
            self.stopped = self.stopped or not result.lacks_room
        return _Done(result)

    def _dismiss(self) -> None:
        """Let the threads go. What is under way is finished: its file is whole, or not there."""
        ended = self._given > 0
        self.stopped = self.stopped or ended  # by an interrupt, or whoever takes no more results
        for _ in self._crew:
            self._todo.put(None)
        for thread in self._crew:
            thread.join()
        self._crew.clear()
        # Not as many as were given: an interrupt may come between a result and its being counted.
        while not self._done.empty():
            result, _ = self._done.get()
            if result is not None:
                self.late.append(result)
