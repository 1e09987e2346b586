"""The same work on several machines, by Dask.

A file is a task; a picture that is read part by part is as many tasks as it has parts, and each
worker writes its own parts where the output is Zarr. Scheduling, lost workers and moving data are
Dask's; a task that it runs twice replaces its output by the same bytes.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from convcli.errors import ConvcliError, RunError, UsageError
from convcli.imaging.atomic import display_name
from convcli.imaging.opening import stored_source
from convcli.imaging.schedule import PartSizes
from convcli.imaging.sink import Parts, PlanePart, Target
from convcli.imaging.source import Plane, Source
from convcli.imaging.stages.carry_out import SampleCounts
from convcli.imaging.stages.filter import Filter
from convcli.imaging.stages.surveys import Answer
from convcli.imaging.urls import is_url
from convcli.runs.journal import Journal
from convcli.runs.memory import limits_of
from convcli.runs.part_file import Work, on_cpu
from convcli.runs.request import Job, Report, Request
from convcli.runs.run_job import Failure, attempt, mask_of, ways_out
from convcli.system.machine import default_threads, require_descriptors
from convcli.system.threads import require_threads

__all__ = ["Cluster"]

MOST_LOCAL = 1024
"""Most processes of a cluster on this machine: a mistyped number must not take all of it."""
TASK_BYTES = 64 * 2**20
"""Memory of a part that is a task: some of them wait for their turn on every machine."""
AHEAD = 4
"""Tasks under way for every thread of the workers: enough to hide the way to the scheduler."""


class Cluster:
    """The workers of a Dask cluster, with the face of a pool of processes.

    Parameters
    ----------
    address
        ``local``, ``local:N`` for N processes on this machine, or a scheduler, as in
        ``tcp://host:8786``.

    Raises
    ------
    UsageError
        If Dask is not installed, or the request cannot be carried out by tasks.
    RunError
        If the scheduler cannot be reached.
    """

    def __init__(self, request: Request, journal: Journal | None, address: str) -> None:
        if request.in_place:
            raise UsageError(
                "--in-place and --cluster exclude each other: a task that a lost worker had begun "
                "is run again, and would filter twice"
            )
        if request.mask is not None and not is_url(request.mask):
            request = request._replace(mask=str(Path(request.mask).absolute()))
        self.request, self.journal, self.address = request, journal, address
        self.stopped = False
        self.lost = True  # nobody tells which workers were: look what they have left
        self.late: list[Report | Failure] = []
        self.notes: list[str] = []
        self._waiting: dict[Any, Job] = {}

    def stop(self) -> None:
        """Begin no more files."""
        self.stopped = True
        for future in [f for f in self._waiting if f.status == "pending"]:
            future.cancel()
            del self._waiting[future]

    def results(self, jobs: deque[Job]) -> Iterator[Report | Failure]:
        """Carry out the jobs, each result as it comes."""
        with ExitStack() as stack:
            client = connect(self.address, stack)
            small: deque[Job] = deque()
            large: deque[Job] = deque()
            for job in jobs:
                (large if _is_in_parts(self.request, job) else small).append(job)
            yield from self._files(client, small)
            for job in large:
                if not self.stopped:
                    yield self._large(client, job)

    def _files(self, client: Any, jobs: deque[Job]) -> Iterator[Report | Failure]:
        waiting = self._waiting
        done: Any = import_module("distributed").as_completed()
        while (jobs and not self.stopped) or waiting:
            room = AHEAD * _threads(client) - len(waiting)
            for _ in range(min(room, len(jobs)) if not self.stopped else 0):
                job = jobs.popleft()
                if self.journal:
                    self.journal.begun(job, self.journal.source_of(job))
                future = client.submit(attempt, self.request, _for_worker(job), pure=False)
                waiting[future] = job
                done.add(future)
            if not waiting:
                return
            future = next(done)
            if future in waiting:  # and was not cancelled
                yield self._finished(future, waiting.pop(future))

    def _finished(self, future: Any, job: Job) -> Report | Failure:
        try:
            result: Report | Failure = future.result()
        except Exception as error:
            reason = f"{display_name(job.input)}: its task failed on the cluster: {error}"
            return Failure(job, RunError(reason))
        result.job = job
        if isinstance(result, Report) and self.journal:
            self.journal.done(job, self.journal.source_of(job))
        return result

    def _large(self, client: Any, job: Job) -> Report | Failure:
        tasks = _Tasks(client, self.request, _for_worker(job))
        return attempt(self.request, job, self.journal, executor=tasks)


def _is_in_parts(request: Request, job: Job) -> bool:
    """Whether a picture is stored so that parts of it can be read, and too large to be decoded."""
    try:
        _, parts, whole = ways_out(request, job)
        limits = limits_of(request)
        source = stored_source(job.input, limits, parts=parts, whole=whole) if parts else None
    except ConvcliError:
        return False  # its own task will say what is wrong
    if source is None:
        return False
    source.close()
    return True


def connect(address: str, stack: ExitStack) -> Any:
    """A client of a cluster, closed with the stack.

    Raises
    ------
    UsageError
        If Dask is not installed or the address is none.
    RunError
        If there is no scheduler.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise UsageError(
            "--cluster needs Dask; install it with: pip install 'convcli[scale]'"
        ) from error
    for name in ("distributed", "distributed.worker", "distributed.scheduler", "distributed.nanny"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if address == "local" or address.startswith("local:"):
        address = stack.enter_context(_local(distributed, address)).scheduler_address
    elif "://" not in address:
        raise UsageError(
            f"--cluster {address!r} is no scheduler; allowed: tcp://HOST:8786, local, local:N"
        )
    try:
        client = stack.enter_context(distributed.Client(address))  # as patient as Dask is set
        client.wait_for_workers(1, timeout=60)
    except (OSError, TimeoutError) as error:
        raise RunError(
            f"--cluster {address}: no scheduler with workers answers there ({error})"
        ) from error
    return client


def _local(distributed: Any, address: str) -> Any:
    """A cluster of processes on this machine."""
    word = address.partition(":")[2]
    count = int(word) if word.isdecimal() and len(word) < 5 else 0
    if word and not 1 <= count <= MOST_LOCAL:
        raise UsageError(
            f"--cluster {address!r}: the number of processes must be 1 to {MOST_LOCAL:,}"
        )
    try:
        # Where Dask lacks one of them on the way, it waits for it.
        require_descriptors(32 + 12 * (count or default_threads()))
        require_threads(16 + 12 * (count or default_threads()))
        return distributed.LocalCluster(
            n_workers=count or None,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or "not enough memory"
        raise RunError(
            f"--cluster {address}: its processes cannot be started ({reason}); "
            "take fewer, or -j instead"
        ) from error


def _threads(client: Any) -> int:
    threads: dict[str, int] = client.nthreads()
    return max(sum(threads.values()), 1)


def _for_worker(job: Job) -> Job:
    """Absolute, since workers have folders of their own; their outputs may be there already."""
    source, target = (
        path if is_url(path) else str(Path(path).absolute()) for path in (job.input, job.output)
    )
    return job._replace(input=source, output=target, overwrite=True)


class _Tasks:
    """Makes the parts of one picture by tasks, which write them themselves if they can."""

    sizes, apart = PartSizes(enough=TASK_BYTES), True

    def __init__(self, client: Any, request: Request, job: Job) -> None:
        self.client, self.request, self.job = client, request, job

    def look(self, works: list[Work]) -> Iterator[Any]:
        """What a survey finds in each part of a plane."""
        return (found for _, found in self._in_order(works, _look))

    def parts(
        self, chain: Filter, works: Iterable[Work], target: Target | None, threads: int
    ) -> Parts:
        """The parts in order, written by the workers if there is a target."""
        for place, made in self._in_order(works, _part, target):
            pixels, tally, notes = made
            chain.counts.add(tally, *notes)
            yield place, pixels

    def _in_order(
        self, works: Iterable[Work], task: Callable[..., Any], *more: Any
    ) -> Iterator[tuple[PlanePart, Any]]:
        ahead: deque[tuple[PlanePart, Any]] = deque()
        for place, _, simple, answers in works:
            while len(ahead) >= AHEAD * _threads(self.client):
                yield self._first(ahead)
            future = self.client.submit(
                task, self.request, self.job, place, simple, answers, *more, pure=False
            )
            ahead.append((place, future))
        while ahead:
            yield self._first(ahead)

    def _first(self, ahead: deque[tuple[PlanePart, Any]]) -> tuple[PlanePart, Any]:
        place, future = ahead.popleft()
        try:
            return place, future.result()
        except ConvcliError:
            raise
        except Exception as error:
            name = display_name(self.job.input)
            raise RunError(f"{name}: a task failed on the cluster: {error}") from error


@contextmanager
def _opened(request: Request, job: Job, number: int) -> Iterator[tuple[Source, Filter, Plane]]:
    """On a worker: the picture, the filter, and one of its planes."""
    source = stored_source(job.input, limits_of(request), parts=True, whole=False)
    if source is None:
        raise RunError(f"{display_name(job.input)}: it has changed and must be read whole now")
    with source, mask_of(request, parts=True) as mask:
        chain = Filter(source, request.kernels, on_cpu(request, source), mask)
        yield source, chain, next(islice(source.frames, number, None))


def _look(
    request: Request, job: Job, place: PlanePart, simple: bool, answers: tuple[Answer, ...]
) -> Any:
    """On a worker: what a survey finds in a part."""
    with _opened(request, job, place.plane) as (_, chain, plane):
        survey = chain.survey(plane, answers, simple=simple)
        assert survey is not None, "all is known"
        return survey.look(place.tile.ranges)


def _part(
    request: Request,
    job: Job,
    place: PlanePart,
    simple: bool,
    answers: tuple[Answer, ...],
    target: Target | None,
) -> tuple[NDArray[Any] | None, SampleCounts, list[str]]:
    """On a worker: one part, written where it belongs if that can be, with its counts and notes."""
    with _opened(request, job, place.plane) as (source, chain, plane):
        stage = chain.stage(plane, simple=simple, answers=answers)
        pixels = stage.read(place.tile.ranges)
        counts = chain.counts.total, source.notes
        if target is None:
            return pixels, *counts
        target(place, pixels)
        return None, *counts
