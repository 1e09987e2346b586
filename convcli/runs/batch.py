"""The files of one request: named, checked, carried out one by one or by many, counted."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from convcli.engine.backends import NUMPY, Choice, no_gpu, pick_backend
from convcli.errors import OutputError, UsageError
from convcli.imaging.atomic import display_name, sweep
from convcli.imaging.files import STDIN
from convcli.imaging.urls import is_url
from convcli.runs.memory import workers_within
from convcli.runs.naming import name_jobs, output_root
from convcli.runs.request import Job, Report, Request, Tally
from convcli.runs.run_job import Failure, attempt, run_job
from convcli.system.files import flush_all
from convcli.system.machine import default_threads
from convcli.system.process import raise_stop

if TYPE_CHECKING:
    from convcli.runs.cluster import Cluster
    from convcli.runs.journal import Journal
    from convcli.runs.thread_workers import ThreadWorkers
    from convcli.runs.workers import Workers

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
    BackendError
        If several files are to be filtered on a GPU that is not there; nothing was done then.
    """

    def __init__(self, request: Request) -> None:
        self.jobs = name_jobs(request)
        self.named = len(self.jobs)
        self.request = request
        asked = request.options.backend
        self.on_gpu = asked is not None and asked.on_gpu
        if self.on_gpu and self.named > 1 and request.cluster is None:
            pick_backend(asked)  # what is wrong for every file is said once
        self.journal = self._open_journal()
        if self.journal is not None and request.resume:
            self.jobs = list(self._left(self.journal))
        self.tally = Tally(self.named, skipped=self.named - len(self.jobs))
        self.workers = min(request.jobs or default_threads(), max(len(self.jobs), 1))
        if request.memory is not None and request.cluster is None:
            self.workers = workers_within(request.memory, self.workers, threads=self.on_gpu)
        if (self.workers > 1 or request.cluster) and request.options.threads is None:
            # Threads within a picture would only be in each other's way.
            request = request._replace(options=request.options._replace(threads=1))
        if asked is None and len(self.jobs) > 1 and not no_gpu():
            request = self._choose(request)
        share = max(-(-len(self.jobs) // self.workers), 1)
        # The workers share the memory.
        options = request.options._replace(pictures=share)
        self.request = request._replace(jobs=self.workers, options=options)
        self._pool = self._make_pool()

    def run(
        self,
        *,
        planned: Callable[[Report], None] = lambda report: None,
        part_done: Callable[[int, int], None] = lambda done, parts: None,
    ) -> Generator[Report | Failure, None, None]:
        """Filter every file, and give each result as it comes.

        A single file that fails raises its error; of several, each failure is yielded, and the
        rest go on unless ``on_error`` is ``stop``. ``planned`` is called with each report, for
        a single file before its pixels are filtered; ``part_done`` with how many of its parts
        are done, of how many.
        """
        began, before = perf_counter(), _cpu_seconds()
        tally = self.tally
        try:
            for result in self._results(planned, part_done):
                self._count(result)
                if isinstance(result, Failure) and self.request.on_error == "stop":
                    self._pool.stop()
                yield result
                raise_stop()  # one whose error a library has swallowed
            if self.journal is not None:
                flush_all()  # once for all of them
            if self.journal is not None and not tally.failures and not self._keeps_journal():
                self.journal.remove()
        finally:
            tally.notes += self._pool.notes
            for result in self._pool.late:  # of files that an interrupt found under way
                self._count(result)
            if self._pool.lost:
                self._sweep()
            tally.seconds = perf_counter() - began
            tally.cpu_seconds, tally.cores = _cpu_seconds() - before, default_threads()
            if self.journal is not None:
                self.journal.close()

    def _choose(self, request: Request) -> Request:
        """The request with the backend of all files: no worker weighs for itself what all share."""
        options = request.options
        if request.cluster is not None:
            reason = (
                "the workers of a cluster filter on the CPU, unless --backend cupy asks for more"
            )
            return request._replace(options=options._replace(chosen=Choice(NUMPY, reason)))
        from convcli.runs.batch_choice import choose_for

        chosen = choose_for(request, self.jobs, self.workers)
        self.on_gpu = chosen.backend.on_gpu
        if self.on_gpu and request.memory is not None:
            self.workers = workers_within(request.memory, self.workers, threads=True)
        if self.workers == 1:
            options = options._replace(threads=self.request.options.threads)
        return request._replace(options=options._replace(chosen=chosen))

    def _make_pool(self) -> _Alone | Workers | ThreadWorkers | Cluster:
        request = self.request
        if request.cluster is not None:
            from convcli.runs.cluster import Cluster

            return Cluster(request, self.journal, request.cluster)
        if self.workers > 1 and self.on_gpu:
            from convcli.runs.thread_workers import ThreadWorkers

            return ThreadWorkers(request, self.journal, self.workers)
        if self.workers > 1:
            from convcli.runs.workers import Workers

            return Workers(request, self.journal, self.workers)
        return _Alone(request, self.journal)

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

    def _results(
        self, planned: Callable[[Report], None], part_done: Callable[[int, int], None]
    ) -> Iterator[Report | Failure]:
        if self.named == 1 and self.request.cluster is None:
            for job in self.jobs:
                yield run_job(self.request, job, planned, self.journal, part_done)
            return
        # Standard streams are this process's own.
        here = deque(job for job in self.jobs if STDIN in (job.input, job.output))
        rest = deque(job for job in self.jobs if STDIN not in (job.input, job.output))
        for pool, jobs in ((_Alone(self.request, self.journal), here), (self._pool, rest)):
            if self._pool.stopped:
                return
            for result in pool.results(jobs):
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
        from convcli.runs.journal import Journal, options_hash

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
        for job in self.jobs:
            if journal.has_done(job):
                continue
            exists = os.path.lexists(job.output)
            if exists and not job.overwrite:
                if not journal.has_made(job):
                    raise UsageError(
                        f"{display_name(job.output)} exists and is no result of an earlier run; "
                        "use --overwrite to replace it, or -o for another name"
                    )
                yield job._replace(overwrite=True)
            else:
                yield job


class _Alone:
    """This process as the only worker."""

    def __init__(self, request: Request, journal: Journal | None) -> None:
        self.request, self.journal = request, journal
        self.stopped = self.lost = False
        self.late: list[Report | Failure] = []
        self.notes: list[str] = []

    def stop(self) -> None:
        """Begin no more files."""
        self.stopped = True

    def results(self, jobs: deque[Job]) -> Iterator[Report | Failure]:
        """Carry out the jobs, each result as it comes."""
        while jobs and not self.stopped:
            yield attempt(self.request, jobs.popleft(), self.journal)


def _cpu_seconds() -> float:
    """Processor time of this process and of those of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
