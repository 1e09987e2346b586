"""Carrying out a request: one file, or many with failures counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from convcli.engine.plan import Plan
from convcli.errors import ConvcliError, RunError, UsageError
from convcli.imaging.ahead import take
from convcli.imaging.apply import filter_picture
from convcli.imaging.atomic import Data, display_name, parts, write_atomic, write_stdout
from convcli.imaging.files import STDIN, read_bytes
from convcli.imaging.formats import FORMATS, Format, format_of_name, format_of_path
from convcli.imaging.header import Metadata
from convcli.imaging.read import decode_picture
from convcli.imaging.source import Source
from convcli.imaging.urls import is_url, read_url, write_url
from convcli.imaging.write import check_fits, encode_picture
from convcli.runs.kinds import is_large_name
from convcli.runs.naming import name_jobs
from convcli.runs.request import Job, Report, Request
from convcli.system.machine import lacks_memory

if TYPE_CHECKING:
    from convcli.runs.journal import Journal

__all__ = ["Failure", "attempt", "filter_file", "run_request", "slim"]


class Failure:
    """A file that could not be done, and why."""

    def __init__(self, job: Job, error: ConvcliError) -> None:
        self.job, self.error = job, error


def run_request(
    request: Request, *, planned: Callable[[Report], None] = lambda report: None
) -> Iterator[Report | Failure]:
    """Filter every input, one after the other; see :class:`convcli.runs.batch.Batch` for many.

    A single input that fails raises its error; of several, each failure is yielded and the rest
    go on. ``planned`` is called with each report before the pixels are filtered.
    """
    jobs = name_jobs(request)
    for job in jobs:
        try:
            yield filter_file(request, job, planned)
        except ConvcliError as error:
            if len(jobs) == 1:
                raise
            yield Failure(job, error)


def filter_file(
    request: Request,
    job: Job,
    planned: Callable[[Report], None] = lambda report: None,
    journal: Journal | None = None,
    part_done: Callable[[int, int], None] = lambda done, parts: None,
) -> Report:
    """Filter one file: read, decode, plan, filter, encode, write.

    ``planned`` is called with the report before the pixels are filtered, ``part_done`` after each
    part of a picture that is made part by part, with their number. The report comes back
    without pixels and metadata, so that it is small and can be sent between processes.
    """
    seconds: dict[str, float] = {}
    clock = _Clock(seconds)
    name = "standard input" if job.input == STDIN else display_name(job.input)
    source = journal.source_of(job) if journal else None
    if is_large_name(request, job):
        from convcli.runs.large import report_in_parts

        report = report_in_parts(request, job, planned, journal, part_done=part_done)
        if report is not None:
            return slim(report)
    picture = _read(request, job, name, clock)
    clock.lap("decode")
    filtered = filter_picture(picture, request.kernels, request.options, name)
    result = filtered.picture
    fmt = _format_of(request, job, picture.format)
    target = "standard output" if job.output == STDIN else display_name(job.output)
    check_fits(fmt, result, target)
    if not result.meta.silent:
        from convcli.imaging.metadata.carry import carry

        carry(result, fmt.name)
    _check_result(filtered.plan, target, request.max_pixels)
    report = Report(job, request.kernel_names, filtered, fmt.name, not request.dry_run, seconds)
    clock.lap("plan")
    planned(report)
    if request.dry_run:
        return slim(report)
    clock.start()
    if result.n_frames == 1:
        # Filtered now, so that the source is let go before the encoder takes room.
        result.frames = list(result.frames)
        picture.frames = ()
    encoded = encode_picture(
        result,
        fmt,
        target,
        quality=request.quality,
        compression=request.compression,
        threads=filtered.plan.threads,
    )
    making = clock.since()
    with closing(_Timed(encoded)) as timed:
        report.bytes_out = _write(request, job, timed, journal, source)
    making += timed.seconds
    seconds["filter"] = filtered.seconds
    seconds["encode"] = making - filtered.seconds
    seconds["write"] = clock.since() - making
    return slim(report)


def _check_result(plan: Plan, target: str, max_pixels: int) -> None:
    """Refuse a padding that makes of a picture more than may be read of one."""
    height, width = max((step.shape_out[:2] for step in plan.steps), key=math.prod)
    if height * width > max(max_pixels, math.prod(plan.shape_in[:2])):
        raise UsageError(
            f"{target}: with this padding there would be {width}x{height} pixels, "
            f"{height * width:,}, and at most {max_pixels:,} are made; raise the limit with "
            "--max-pixels"
        )


def _write(
    request: Request,
    job: Job,
    encoded: Iterable[bytes],
    journal: Journal | None,
    source: list[int] | None,
) -> int:
    """Write the parts of a file to where they belong; returns how many bytes they are."""
    if job.output == STDIN:
        return write_stdout(list(encoded))  # nothing goes out if making a part fails
    if is_url(job.output):
        return write_url(job.output, list(encoded))
    if request.output is not None and job.output != request.output:
        Path(job.output).parent.mkdir(parents=True, exist_ok=True)
    if journal:
        encoded = list(encoded)
        journal.ready(job, source, encoded)
    overwrite = request.overwrite or request.in_place or job.overwrite
    # A batch is flushed to the disk once, at its end; the journal knows what it wrote.
    durable = journal is None or not journal.knows_reboots
    written = write_atomic(job.output, encoded, overwrite=overwrite, durable=durable)
    if journal:
        journal.done(job, source)
    return written


def attempt(
    request: Request,
    job: Job,
    journal: Journal | None = None,
    planned: Callable[[Report], None] = lambda report: None,
) -> Report | Failure:
    """One file of many: whatever goes wrong is this file's failure."""
    try:
        return filter_file(request, job, planned, journal)
    except ConvcliError as error:
        return Failure(job, error)
    except BrokenPipeError:
        raise
    except Exception as error:
        return Failure(job, RunError(f"{display_name(job.input)}: {_reason(error)}"))


def _reason(error: Exception) -> str:
    if lacks_memory(error):
        return "not enough memory"
    if isinstance(error, OSError):
        return str(error.strerror or error)
    return (
        f"internal error: {type(error).__name__}: {error}; "
        "this is a fault of convcli: run it alone with --traceback and report it"
    )


def _read(request: Request, job: Job, name: str, clock: _Clock) -> Source:
    if is_large_name(request, job):
        from convcli.runs.large import read_array

        picture = read_array(request, job)
        if picture is not None:
            return picture
    ahead = take(job.input)
    if ahead is not None:
        clock.lap("read")
        return ahead.picture(name, request.max_pixels)
    data = read_url(job.input) if is_url(job.input) else read_bytes(job.input)
    if request.memory is not None:
        from convcli.runs.memory import WHOLE, check_memory

        check_memory(request, name, data, copies=WHOLE)
    clock.lap("read")
    return decode_picture(data, name, max_pixels=request.max_pixels)


def slim(report: Report) -> Report:
    """The report without pixels and metadata, small enough to be sent between processes."""
    report.filtered.picture.frames = ()
    report.filtered.picture.meta = Metadata()
    return report


def _format_of(request: Request, job: Job, source: str) -> Format:
    if job.output == STDIN:
        if request.format is None and source not in FORMATS:
            raise UsageError(f"{source} is not written to standard output; name a format with -f")
        return format_of_name(request.format) if request.format else FORMATS[source]
    if request.format is not None:
        return format_of_name(request.format)
    if (
        job.output == request.output
        and Path(job.output).exists()
        and not Path(job.output).is_file()
    ):
        return FORMATS[source]  # a device such as /dev/null: the name says nothing
    return format_of_path(job.output)


class _Timed:
    """The parts of a file, and the seconds that they took to be made."""

    def __init__(self, data: Data) -> None:
        self._parts = iter(parts(data))
        self.seconds = 0.0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            start = perf_counter()
            part = next(self._parts, None)
            self.seconds += perf_counter() - start
            if part is None:
                return
            yield part

    def close(self) -> None:
        """Stop the threads that make parts which nobody will take."""
        if isinstance(self._parts, Generator):
            self._parts.close()


class _Clock:
    """Seconds by stage."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self.start()

    def start(self) -> None:
        self.began = perf_counter()

    def since(self) -> float:
        return perf_counter() - self.began

    def lap(self, stage: str) -> None:
        self.seconds[stage] = self.since()
        self.start()
