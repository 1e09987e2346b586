"""A picture that is made part by part, within the memory of the request."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Protocol

from convcli.engine.backends import NUMPY
from convcli.engine.cpu.tiles import Tile
from convcli.errors import BackendError, UsageError
from convcli.imaging.formats import Format
from convcli.imaging.metadata.carry import carry
from convcli.imaging.options import FilterOptions
from convcli.imaging.schedule import ENOUGH, part_schedule
from convcli.imaging.sink import Parts, Target, open_sink
from convcli.imaging.source import Plane, Source
from convcli.imaging.stages.filter import Filter
from convcli.imaging.stages.result import Stretched
from convcli.imaging.urls import is_url
from convcli.runs.memory import budget
from convcli.runs.request import Job, Report, Request

__all__ = ["Executor", "Here", "join_limits", "on_cpu", "run_in_parts"]


class Executor(Protocol):
    """Makes the parts of a picture."""

    enough: int
    """Bytes of a part that is large enough."""
    apart: bool
    """Whether parts are written at the same time: then no two may share a chunk."""

    def limits(self, stage: Stretched, places: list[Tile]) -> tuple[float, float]:
        """Smallest and largest value over all parts, for ``stretch``."""

    def parts(
        self, chain: Filter, stage: Plane, places: list[Tile], target: Target | None
    ) -> Parts:
        """The parts in order, counted in ``chain.counts``.

        Without pixels where the executor has written them with ``target``.
        """


class Here:
    """Makes the parts in this process, one after the other."""

    enough, apart = ENOUGH, False

    def limits(self, stage: Stretched, places: list[Tile]) -> tuple[float, float]:
        """Walk over the picture once."""
        return join_limits(stage.limits_of(place.ranges) for place in places)

    def parts(
        self, chain: Filter, stage: Plane, places: list[Tile], target: Target | None
    ) -> Parts:
        """Each as it is asked for; the sink writes them."""
        return ((place, stage.read(place.ranges)) for place in places)


def join_limits(found: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """The limits of a whole from those of its parts."""
    lows, highs = zip(*found, strict=True)
    return min(lows), max(highs)


def on_cpu(request: Request, source: Source) -> tuple[FilterOptions, str]:
    """The options for parts, which the CPU filters, and the reason for it if nobody asked.

    Raises
    ------
    BackendError
        If a GPU was asked for.
    """
    options = request.options
    if options.backend is not None and options.backend.on_gpu:
        raise BackendError(
            f"{source.name}: pictures that are read part by part are filtered on the CPU; "
            "leave out --backend cupy and --device"
        )
    if options.backend is None:
        reason = "a picture that is read part by part is filtered on the CPU"
        return options._replace(backend=NUMPY), reason
    return options, ""


def run_in_parts(
    request: Request,
    job: Job,
    source: Source,
    fmt: Format,
    seconds: dict[str, float],
    *,
    planned: Callable[[Report], None],
    written: Callable[[list[int]], None],
    part_done: Callable[[int, int], None],
    executor: Executor | None,
) -> Report:
    """Filter the one frame of a source, and write it part by part.

    ``written`` is told size and time of change of the result, just before it takes its place.
    """
    began = perf_counter()
    executor = executor or Here()
    if source.n_frames > 1:
        raise UsageError(f"{source.name} has {source.n_frames} frames; {job.output} holds one")
    options, reason = on_cpu(request, source)
    chain = Filter(source, request.kernels, options)
    outline, plane = chain.outline, source.first
    if reason:
        outline.plan = replace(outline.plan, backend_reason=reason)
    header = outline.header
    carry(header, fmt.name)
    simple = chain.is_simple(plane)
    schedule = part_schedule(
        chain,
        budget(request) - (source.bytes_held if request.memory is not None else 0),
        simple=simple,
        whole_rows=fmt.whole_rows(source.meta, header.space, header.alpha),
        enough=executor.enough,
        align=fmt.chunks(source, header.shape) if executor.apart else None,
    )
    places = schedule.places
    report = Report(job, request.kernel_names, outline, fmt.name, not request.dry_run, seconds)
    report.parts = len(places)
    seconds["plan"] = perf_counter() - began
    planned(report)
    if request.dry_run:
        return report
    began = perf_counter()
    stage = chain.stage(plane, simple=simple)
    if isinstance(stage, Stretched):
        stage.limits = executor.limits(stage, places)
        chain.begin()
    if not is_url(job.output):
        Path(job.output).absolute().parent.mkdir(parents=True, exist_ok=True)

    def ready(facts: list[int]) -> None:
        source.close()  # the result may be about to take its place
        written(facts)

    with open_sink(
        job.output,
        fmt,
        header,
        source,
        overwrite=job.overwrite,
        threads=outline.plan.threads,
        ready=ready,
    ) as sink:
        made = executor.parts(chain, stage, places, sink.target)
        sink.write(_told(made, len(places), part_done))
    chain.count(perf_counter() - began)
    report.bytes_out = math.prod(header.shape) * header.dtype.itemsize
    seconds["filter"] = outline.seconds
    return report


def _told(parts: Parts, count: int, part_done: Callable[[int, int], None]) -> Parts:
    """The same parts; each is told of when the next is asked for."""
    for number, part in enumerate(parts, 1):
        yield part
        part_done(number, count)
