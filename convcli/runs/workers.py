"""Worker processes for the files of a batch.

Processes, not threads. Decoding, filtering and encoding release the interpreter's lock, so threads
do nearly as well: 1,000 PNGs of 512x512 took two threads 26.8 and 28.2 s and two processes 25.6
and 23.2 s, in turn on a busy machine. But a decoder that crashes takes a process with it and not
the batch, and a forked process starts in 10 ms.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import warnings
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import Any

from convcli.errors import RunError
from convcli.imaging.atomic import display_name
from convcli.runs.filtering import Failure, attempt
from convcli.runs.journal import Journal
from convcli.runs.request import FilterRequest, Job, Report
from convcli.system.process import ignore_stops, start_method

__all__ = ["Workers"]


class Workers:
    """Worker processes; one that dies takes no other file down."""

    def __init__(self, request: FilterRequest, journal: Journal | None, workers: int) -> None:
        self.request, self.journal, self.workers = request, journal, workers
        self.stopped = False
        self.lost = False
        self.late: list[Report | Failure] = []
        self._running: dict[Future[Report | Failure], Job] = {}

    def stop(self) -> None:
        """Begin no more files."""
        self.stopped = True
        for future in [f for f in self._running if f.cancel()]:
            del self._running[future]

    def results(self, jobs: deque[Job]) -> Iterator[Report | Failure]:
        """Carry out the jobs, each result as it comes."""
        suspects: deque[Job] = deque()
        while (jobs or suspects) and not self.stopped:
            if suspects:  # one at a time, to see which of them kills its worker
                job = suspects.popleft()
                lost = yield from self._round(deque([job]), 1)
                for dead in lost:
                    reason = "its worker was killed, perhaps for want of memory"
                    yield Failure(dead, RunError(f"{display_name(dead.input)}: {reason}"))
            else:
                suspects.extend((yield from self._round(jobs, self.workers)))

    def _round(
        self, jobs: deque[Job], workers: int
    ) -> Generator[Report | Failure, None, list[Job]]:
        """A pool's life; returns the jobs that were under way when a worker died."""
        pool = ProcessPoolExecutor(
            workers, _context(), initializer=_start_worker, initargs=_arguments(self)
        )
        running: dict[Future[Report | Failure], Job] = {}
        self._running = running
        others = multiprocessing.active_children()
        try:
            while (jobs and not self.stopped) or running:
                # Few are handed out ahead, so memory does not grow with the number of files.
                while jobs and not self.stopped and len(running) < 2 * workers:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", DeprecationWarning)  # fork, with threads
                        running[pool.submit(_work, jobs[0])] = jobs[0]
                    jobs.popleft()
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    del running[future]
                    yield result  # which may call stop()
            return []
        except BrokenProcessPool:
            self.lost = True
            # The pool tells the others to end, by a signal that they do not hear, and would wait
            # for them for ever (from Python 3.12 on). The files they are at are done again.
            for worker in multiprocessing.active_children():
                if worker not in others:
                    worker.kill()
            for future in [f for f in running if f.done() and not f.exception()]:
                del running[future]
                yield future.result()
            # Some may have been written before the end; no other file was there at the start.
            return [job._replace(overwrite=True) for job in running.values()]
        finally:
            # What is under way is finished: its file is whole, or not there at all.
            pool.shutdown(wait=True, cancel_futures=True)
            ended = [f for f in running if f.done() and not f.cancelled() and not f.exception()]
            self.late = [future.result() for future in ended]


def _context() -> Any:
    return multiprocessing.get_context(start_method())


def _arguments(pool: Workers) -> tuple[Any, ...]:
    journal = pool.journal
    return pool.request, journal and (journal.path, journal.options)


_state: dict[str, Any] = {}


def _start_worker(request: FilterRequest, journal: tuple[Path, str] | None) -> None:
    # The parent is told to stop, and lets its workers finish the file they are at.
    ignore_stops()
    _state["request"] = request
    _state["journal"] = Journal(*journal) if journal else None
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot stop its workers, so they watch it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        with suppress(Exception):
            parent.join()
        os._exit(1)


def _work(job: Job) -> Report | Failure:
    return attempt(_state["request"], job, _state["journal"])
