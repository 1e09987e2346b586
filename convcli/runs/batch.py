"""Many files: workers, failures, and what to do when one of them dies.

Workers are processes. Decoding, filtering and encoding release the interpreter's lock, so threads
do nearly as well: 1,000 PNGs of 512x512 took two threads 26.8 and 28.2 s and two processes 25.6
and 23.2 s, in turn on a busy machine. But a decoder that crashes takes a process with it and not
the batch, and a forked process starts in 10 ms.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from convcli.engine.cpu.tiles import default_threads
from convcli.errors import OutputError, RunError, UsageError
from convcli.imaging.atomic import display_name, sweep
from convcli.imaging.files import STDIN
from convcli.imaging.urls import is_url
from convcli.runs.filtering import Failure, attempt, filter_file
from convcli.runs.journal import Journal, options_hash
from convcli.runs.naming import name_jobs, output_root
from convcli.runs.request import FilterRequest, Job, Report, Tally

if TYPE_CHECKING:
    from convcli.runs.cluster import Cluster

__all__ = ["Batch"]

JOURNAL = "convcli-journal"


class Batch:
    """The files of one request, named and checked; nothing has been read yet.

    Parameters
    ----------
    request
        What to do.

    Attributes
    ----------
    jobs
        What is left to do.
    tally
        What has become of the files so far.
    workers
        Files at a time.

    Raises
    ------
    UsageError
        If the request cannot be carried out as it stands; nothing was done then.
    """

    def __init__(self, request: FilterRequest) -> None:
        self.jobs = name_jobs(request)
        self.named = len(self.jobs)
        self.request = request
        self.journal = self._open_journal()
        if self.journal is not None and request.resume:
            self.jobs = list(self._left(self.journal))
        self.tally = Tally(self.named, skipped=self.named - len(self.jobs))
        cores = default_threads() if not request.options.backend.startswith("cupy") else 1
        self.workers = min(request.jobs or cores, max(len(self.jobs), 1))
        if (self.workers > 1 or request.cluster) and request.options.threads is None:
            # Threads within a picture would only be in each other's way.
            self.request = replace(request, options=replace(request.options, threads=1))
        share = -(-len(self.jobs) // self.workers)
        self.request = replace(
            self.request, options=replace(self.request.options, count=max(share, 1))
        )
        self._pool = self._make_pool()

    def run(
        self, *, planned: Callable[[Report], None] = lambda report: None
    ) -> Generator[Report | Failure, None, None]:
        """Filter every file, and give each result as it comes.

        A single file that fails raises its error; of several, each failure is yielded, and the
        rest go on unless ``on_error`` is ``stop``. ``planned`` is called with each report, for
        a single file before its pixels are filtered.
        """
        began, before = perf_counter(), _cpu_seconds()
        tally = self.tally
        try:
            for result in self._results(planned):
                self._count(result)
                if isinstance(result, Failure) and self.request.on_error == "stop":
                    self._pool.stop()
                yield result
            if self.journal is not None and hasattr(os, "sync"):
                os.sync()  # once for all of them
            if self.journal is not None and not tally.failures and not self._keeps_journal():
                self.journal.remove()
        finally:
            for result in self._pool.late:  # of files that an interrupt found under way
                self._count(result)
            if self._pool.lost:
                self._sweep()
            tally.seconds = perf_counter() - began
            tally.cpu_seconds, tally.cores = _cpu_seconds() - before, default_threads()
            if self.journal is not None:
                self.journal.close()

    def _make_pool(self) -> _Pool | Cluster:
        request = self.request
        if request.cluster is None:
            return _Pool(request, self.journal, self.workers)
        from convcli.runs.cluster import Cluster

        return Cluster(request, self.journal, request.cluster)

    def _sweep(self) -> None:
        """Remove what workers that died have left half-written."""
        for folder in {str(Path(job.output).parent) for job in self.jobs if job.output != STDIN}:
            if not is_url(folder):
                sweep(Path(os.path.realpath(folder)))

    def _count(self, result: Report | Failure) -> None:
        if isinstance(result, Failure):
            self.tally.failures.append(result.job.input)
        else:
            self.tally.done += 1
            self.tally.warned += bool(result.warnings)

    def _results(self, planned: Callable[[Report], None]) -> Iterator[Report | Failure]:
        clustered = self.request.cluster is not None
        if self.named == 1 and not clustered:
            for job in self.jobs:
                yield filter_file(self.request, job, planned, self.journal)
            return
        # Standard input is this process's own.
        alone = self.workers == 1 and not clustered
        here = [job for job in self.jobs if alone or STDIN in (job.input, job.output)]
        for job in here:
            if not self._pool.stopped:
                yield attempt(self.request, job, self.journal, planned)
        rest = deque(job for job in self.jobs if job not in set(here))
        for result in self._pool.results(rest):
            if isinstance(result, Report):
                planned(result)
            elif self.named == 1:
                raise result.error
            yield result

    def _open_journal(self) -> Journal | None:
        request = self.request
        to_files = not any(job.output == STDIN or is_url(job.output) for job in self.jobs)
        if request.dry_run or not to_files or (self.named == 1 and not request.resume):
            if request.resume and not to_files:
                raise UsageError("--resume needs a folder to go on in, no URL or standard output")
            return None
        path = self._journal_path()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return Journal(path, options_hash(request), resume=request.resume)
        except OSError as error:
            if not request.resume:
                return None  # a folder that takes the results but nothing beside it
            raise OutputError(f"{display_name(path)}: {error.strerror}") from error

    def _journal_path(self) -> Path:
        root = output_root(self.request)
        if root is not None:
            folder = Path(root).absolute()
            return folder.parent / f".{folder.name}.{JOURNAL}"
        folders = {str(Path(job.output).absolute().parent) for job in self.jobs}
        return Path(os.path.commonpath(folders)) / f".{JOURNAL}"

    def _keeps_journal(self) -> bool:
        """Where results have a folder of their own it stays, so that later runs can go on."""
        return self.request.resume or output_root(self.request) is not None

    def _left(self, journal: Journal) -> Iterator[Job]:
        request = self.request
        for job in self.jobs:
            if journal.has_done(job):
                continue
            exists = os.path.lexists(job.output)
            if exists and not (request.overwrite or request.in_place):
                if not journal.has_made(job):
                    raise UsageError(
                        f"{display_name(job.output)} exists and is no result of an earlier run; "
                        "use --overwrite to replace it, or -o for another name"
                    )
                yield replace(job, overwrite=True)
            else:
                yield job


class _Pool:
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
            for future in [f for f in running if f.done() and not f.exception()]:
                del running[future]
                yield future.result()
            # Some may have been written before the end; no other file was there at the start.
            return [replace(job, overwrite=True) for job in running.values()]
        finally:
            # What is under way is finished: its file is whole, or not there at all.
            pool.shutdown(wait=True, cancel_futures=True)
            ended = [f for f in running if f.done() and not f.cancelled() and not f.exception()]
            self.late = [future.result() for future in ended]


def _cpu_seconds() -> float:
    """Processor time of this process and of those of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _context() -> Any:
    # Forking costs 10 ms a worker and importing everything anew 200; elsewhere than on Linux
    # it is not safe.
    return multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


def _arguments(pool: _Pool) -> tuple[Any, ...]:
    journal = pool.journal
    return pool.request, journal and (journal.path, journal.options)


_state: dict[str, Any] = {}


def _start_worker(request: FilterRequest, journal: tuple[Path, str] | None) -> None:
    # The parent is told to stop, and lets its workers finish the file they are at.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
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
