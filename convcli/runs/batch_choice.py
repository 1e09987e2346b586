"""The backend of a batch: chosen once, before its workers start, from some of its files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from convcli.engine.backends import NUMPY, Choice, no_gpu, weigh
from convcli.errors import ConvcliError
from convcli.imaging.files import STDIN
from convcli.imaging.formats import Format, named
from convcli.imaging.opening import open_source
from convcli.imaging.stages.filter import Filter
from convcli.imaging.urls import is_url
from convcli.runs.memory import limits_of
from convcli.runs.run_job import ways_out

if TYPE_CHECKING:
    from convcli.engine.gpu.workload import Workload
    from convcli.runs.request import Job, Request

__all__ = ["choose_for"]

LOOKED_AT = 5
"""Files of a batch that are opened for it, from the first to the last."""


def choose_for(request: Request, jobs: Sequence[Job], workers: int) -> Choice:
    """Weigh the CPU against a GPU for all files of a request, ``workers`` at a time.

    Without CuPy no file is opened for it. What cannot be opened is left to whoever filters it.
    """
    missing = no_gpu()
    if missing:
        return Choice(NUMPY, missing)
    from convcli.engine.gpu.workload import mean_of

    # One thread a picture, and one picture: what the workers share is the batch's to weigh.
    options = request.options._replace(threads=1 if workers > 1 else request.options.threads)
    request = request._replace(options=options._replace(pictures=1))
    files = _some([job for job in jobs if job.input != STDIN and not is_url(job.input)])
    found = [each for job in files if (each := _work_of(request, job)) is not None]
    if 2 * len(found) <= len(files):
        return Choice(NUMPY, "most of these files are filtered on the CPU anyway")
    works, frames = zip(*found, strict=True)
    count = max(round(len(jobs) * sum(frames) / len(frames)), 1)
    return weigh(mean_of(works), count, workers)


def _some(jobs: Sequence[Job]) -> Sequence[Job]:
    """Files from all over the batch.

    >>> _some(range(100))
    [0, 25, 50, 74, 99]
    """
    if len(jobs) <= LOOKED_AT:
        return jobs
    return [jobs[round(n * (len(jobs) - 1) / (LOOKED_AT - 1))] for n in range(LOOKED_AT)]


def _work_of(request: Request, job: Job) -> tuple[Workload, int] | None:
    """What a frame of a file costs, and how many there are; None where only the CPU can do it."""
    with suppress(ConvcliError, OSError):
        fmt, parts, whole = ways_out(request, job)
        limits = limits_of(request)
        with open_source(job.input, limits, parts=parts, whole=whole, flows=parts) as source:
            stored = source.is_stored and not source.by_choice
            if parts and not source.flows and (stored or not whole):
                return None  # made part by part
            work = Filter(source, request.kernels, request.options).outline.plan.work
            if work is None:
                return None
            read = named(source.format) or Format()
            written = fmt or read
            codec = work.bytes_in * read.decode_ns + work.bytes_out * written.encode_ns
            return work._replace(codec=codec * 1e-9), source.n_frames
    return None
