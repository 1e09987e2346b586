"""Worker processes for the files of a batch.

Processes, not threads. Decoding, filtering and encoding release the interpreter's lock, so threads
do nearly as well: 1,000 PNGs of 512x512 took two threads 26.8 and 28.2 s and two processes 25.6
and 23.2 s, in turn on a busy machine. But a decoder that crashes takes a process with it and not
the batch, and a forked process starts in 10 ms.

Not ``concurrent.futures``: where a process or one of its threads cannot be started, its pool waits
for ever for those that were; and one worker that dies takes the others with it. Here a worker is
a process at the end of a line of its own, which shows to each side that the other has gone.
"""

from __future__ import annotations

import multiprocessing
import warnings
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from convcli.errors import RunError
from convcli.imaging.atomic import display_name
from convcli.runs.journal import Journal
from convcli.runs.request import Job, Report, Request
from convcli.runs.run_job import Failure, attempt
from convcli.system.machine import require_descriptors
from convcli.system.process import ignore_stops, start_method, stops_held_back

__all__ = ["Workers"]

DESCRIPTORS = 24
"""Those of a worker's lines, and of the libraries and files that it opens."""


class Workers:
    """Worker processes; one that dies takes no other file down."""

    def __init__(self, request: Request, journal: Journal | None, workers: int) -> None:
        self.request, self.journal, self.workers = request, journal, workers
        self.stopped = False
        self.lost = False
        self.late: list[Report | Failure] = []
        self.large: list[Job] = []
        """Files for which a worker's share of the memory is too little."""
        self.notes: list[str] = []
        self._crew: list[_Worker] = []

    def stop(self) -> None:
        """Begin no more files."""
        self.stopped = True

    def results(self, jobs: deque[Job]) -> Iterator[Report | Failure]:
        """Carry out the jobs, each result as it comes."""
        try:
            suspects = yield from self._round(jobs, self.workers)
            self._dismiss()
            # One at a time: to see which of them kills its worker, or to have all the memory.
            self.request = self.request._replace(jobs=1)
            for job in [*suspects, *self.large]:
                alone = deque([job])
                guilty = yield from self._round(alone, 1)
                if alone and job in self.large:
                    jobs.append(job)  # nobody has died of it yet
                elif guilty or (alone and not self.stopped):
                    reason = "its worker was killed, perhaps for want of memory"
                    yield Failure(job, RunError(f"{display_name(job.input)}: {reason}"))
            while jobs and not self.stopped:  # no worker could be started for them
                yield attempt(self.request, jobs.popleft(), self.journal)
        finally:
            self._dismiss()

    def _round(self, jobs: deque[Job], most: int) -> Generator[Report | Failure, None, list[Job]]:
        """Carry out the jobs by ``most`` workers; returns those whose workers died of them.

        Jobs are left where no worker can be started.
        """
        suspects: list[Job] = []
        while True:
            while jobs and not self.stopped and (free := self._free(most, len(jobs))):
                free.begin(jobs.popleft())
            busy = {worker.line: worker for worker in self._crew if worker.jobs}
            if not busy:
                return suspects
            for line in wait(list(busy)):
                worker = busy[line]
                job, result = worker.result()
                if result is not None:
                    if most > 1 and isinstance(result, Failure) and result.lacks_room:
                        self.large.append(job)
                    else:
                        yield result
                    continue
                self.lost = True
                self._crew.remove(worker)
                # It may have been written before the end; no other file was there before.
                suspects.append(job._replace(overwrite=True))
                jobs.extendleft(reversed(worker.jobs))

    def _free(self, most: int, left: int) -> _Worker | None:
        """A worker to give a file to, a new one while there are not ``most``."""
        free = min(self._crew, key=lambda worker: len(worker.jobs), default=None)
        if free and not free.jobs:
            return free
        if len(self._crew) < min(most, self.workers):
            try:
                self._crew.append(_Worker(self.request, self.journal, self._crew))
            except (OSError, MemoryError) as error:
                self._note(error)
                self.workers = len(self._crew)
            else:
                return self._crew[-1]
        # One more, so that it need not wait for us; not of the last ones, which others could do.
        return free if free and len(free.jobs) < 2 and left > 2 * len(self._crew) else None

    def _note(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or "not enough memory"
        found = len(self._crew) or "none"
        self.notes.append(
            f"{found} of {self.workers} worker processes could be started ({reason}); "
            "the files took longer for that"
        )

    def _dismiss(self) -> None:
        """Let the workers go. What is under way is finished: its file is whole, or not there."""
        crew, self._crew = self._crew, []
        try:
            for worker in crew:
                while worker.jobs:
                    _, result = worker.result()
                    if result is None:
                        break
                    self.late.append(result)
        finally:
            for worker in crew:
                worker.line.close()
        for worker in crew:
            worker.process.join()


class _Worker:
    """A process that does one file after the other; ``jobs`` are those that it was given.

    Raises
    ------
    OSError
        If there is no room for it.
    """

    def __init__(self, request: Request, journal: Journal | None, others: list[_Worker]) -> None:
        require_descriptors(DESCRIPTORS)
        context: Any = multiprocessing.get_context(start_method())
        self.jobs: deque[Job] = deque()
        self.line, far = context.Pipe()
        forked = start_method() == "fork"
        lines = [self.line, *(other.line for other in others)] if forked else []
        journal_of = journal and (journal.path, journal.options)
        try:
            self.process = context.Process(target=_serve, args=(far, lines, request, journal_of))
            with warnings.catch_warnings(), stops_held_back():
                warnings.simplefilter("ignore", DeprecationWarning)  # fork, with threads
                self.process.start()
        except BaseException:
            self.line.close()
            raise
        finally:
            far.close()

    def begin(self, job: Job) -> None:
        """Have a file done after those that were begun; :meth:`result` tells of the first."""
        with suppress(OSError):  # it has died meanwhile, which its result will show
            self.line.send(job)
        self.jobs.append(job)

    def result(self) -> tuple[Job, Report | Failure | None]:
        """Wait for what became of a file; None if the process died of it."""
        job = self.jobs.popleft()
        try:
            return job, self.line.recv()
        except (EOFError, OSError):
            self.process.join()
            self.line.close()
            return job, None
        except BaseException:  # an interrupt: what is left of the answer is no answer
            self.jobs.clear()
            raise


def _serve(
    line: Connection,
    inherited: list[Connection],
    request: Request,
    journal: tuple[Path, str] | None,
) -> None:
    """In the worker: do what comes down the line until its other end is closed.

    A parent that is killed closes it too, once no other worker holds the same end ``inherited``.
    """
    # The parent is told to stop, and lets its workers finish the file they are at.
    ignore_stops()
    for other in inherited:
        other.close()
    book = Journal(*journal) if journal else None
    with suppress(EOFError, OSError):
        while True:
            line.send(attempt(request, line.recv(), book))
