"""One file from where it is to where it goes: opened, planned, filtered, written."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from convcli.engine.plan import Plan
from convcli.errors import ConvcliError, RunError, UsageError
from convcli.imaging.atomic import Data, display_name, parts, write_atomic, write_stdout
from convcli.imaging.files import STDIN
from convcli.imaging.formats import Format, format_of_path, named
from convcli.imaging.frames import FilteredFrames
from convcli.imaging.header import Metadata
from convcli.imaging.opening import open_source
from convcli.imaging.source import Plane, Source
from convcli.imaging.stages.filter import Filter
from convcli.imaging.urls import is_url, write_url
from convcli.imaging.write import check_fits, encode_picture
from convcli.runs.kinds import output_format
from convcli.runs.memory import limits_of
from convcli.runs.request import Job, Report, Request
from convcli.system.machine import lacks_memory

if TYPE_CHECKING:
    from convcli.runs.journal import Journal
    from convcli.runs.parts import Executor

__all__ = ["Failure", "attempt", "run_job", "ways_out"]


class Failure:
    """A file that could not be done, and why."""

    def __init__(self, job: Job, error: ConvcliError) -> None:
        self.job, self.error = job, error


def run_job(
    request: Request,
    job: Job,
    planned: Callable[[Report], None] = lambda report: None,
    journal: Journal | None = None,
    part_done: Callable[[int, int], None] = lambda done, parts: None,
    executor: Executor | None = None,
) -> Report:
    """Filter one file.

    Parameters
    ----------
    planned
        Called with the report before the pixels are filtered.
    part_done
        Called after each part of a picture that is made part by part, with their number.
    executor
        Makes the parts of such a picture; by default this process.

    Returns
    -------
    Without metadata, so that it is small and can be sent between processes.
    """
    clock = _Clock()
    signature = journal.source_of(job) if journal else None
    fmt, parts, whole = ways_out(request, job)
    with open_source(
        job.input, limits_of(request), parts=parts, whole=whole, lap=clock.lap
    ) as source:
        if not source.is_stored:
            clock.lap("decode")
        clock.start()
        if fmt is not None and parts and (source.is_stored or not whole):
            from convcli.runs.parts import run_in_parts

            report = run_in_parts(
                request,
                job,
                source,
                fmt,
                clock.seconds,
                planned=planned,
                written=lambda facts: journal.written(job, signature, facts) if journal else None,
                part_done=part_done,
                executor=executor,
            )
        else:
            fmt = fmt or _format_of(source)
            if fmt.is_array:  # behind a URL, where no parts are written
                fmt = format_of_path(job.output)
            report = _run_whole(request, job, source, fmt, clock, planned, journal, signature)
    report.outline.header.meta = Metadata()
    return report


def ways_out(request: Request, job: Job) -> tuple[Format | None, bool, bool]:
    """The format of a result if it is known, and if it can be written part by part, and whole."""
    fmt = output_format(request, job)
    if fmt is None:
        return None, False, True
    to_store = fmt.is_folder or (job.output != STDIN and not is_url(job.output))
    return fmt, fmt.in_parts and to_store, not fmt.is_array


def _format_of(source: Source) -> Format:
    """The source's own format, to be encoded whole.

    Raises
    ------
    UsageError
        If it is one of arrays, which are written part by part to files with a name.
    """
    fmt = named(source.format)
    if fmt is None or fmt.is_array:
        what = f"{source.format} is not written to standard output"
        raise UsageError(f"{what}; name a format with -f")
    return fmt


def _run_whole(
    request: Request,
    job: Job,
    source: Source,
    fmt: Format,
    clock: _Clock,
    planned: Callable[[Report], None],
    journal: Journal | None,
    signature: list[int] | None,
) -> Report:
    """Filter a picture whose file is encoded whole; frame by frame, if there are several."""
    chain = Filter(source, request.kernels, request.options)
    header, plan = chain.outline.header, chain.outline.plan
    target = "standard output" if job.output == STDIN else display_name(job.output)
    check_fits(fmt, header, target)
    if not header.meta.silent:
        from convcli.imaging.metadata.carry import carry

        carry(header, fmt.name)
    _check_result(plan, target, request.max_pixels)
    seconds = clock.seconds
    report = Report(
        job, request.kernel_names, chain.outline, fmt.name, not request.dry_run, seconds
    )
    clock.lap("plan")
    planned(report)
    if request.dry_run:
        return report
    clock.start()
    frames: Iterable[Plane] = FilteredFrames(chain, source)
    if header.n_frames == 1:
        # Filtered now, so that the source is let go before the encoder takes room.
        frames = list(frames)
        source.close()
        source.frames = ()
    encoded = encode_picture(
        Source.of(header, frames),
        fmt,
        target,
        quality=request.quality,
        compression=request.compression,
        threads=plan.threads,
    )
    making = clock.since()
    with closing(_Timed(encoded)) as timed:
        report.bytes_out = _write(request, job, timed, journal, signature)
    making += timed.seconds
    seconds["filter"] = chain.outline.seconds
    seconds["encode"] = making - chain.outline.seconds
    seconds["write"] = clock.since() - making
    return report


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
    # A batch is flushed to the disk once, at its end; the journal knows what it wrote.
    durable = journal is None or not journal.knows_reboots
    written = write_atomic(job.output, encoded, overwrite=job.overwrite, durable=durable)
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
        return run_job(request, job, planned, journal)
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

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        self.began = perf_counter()

    def since(self) -> float:
        return perf_counter() - self.began

    def lap(self, stage: str) -> None:
        self.seconds[stage] = self.since()
        self.start()
