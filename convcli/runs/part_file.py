"""The result of a job as a file that is made part by part, within the memory of the request."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
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
from convcli.runs.clock import Clock
from convcli.runs.memory import limits_of
from convcli.runs.request import Job, Report, Request

__all__ = ["Executor", "Here", "PartFile", "join_limits", "on_cpu"]


class Executor(Protocol):
    """Makes the parts of a picture."""

    enough: int
    """Bytes of a part that is large enough."""
    apart: bool
    """Whether parts are written at the same time: then no two may share a chunk."""

    def limits(self, stage: Stretched, places: list[Tile], simple: bool) -> tuple[float, float]:
        """Smallest and largest value over all parts, for ``stretch``."""

    def parts(
        self, chain: Filter, stage: Plane, places: list[Tile], simple: bool, target: Target | None
    ) -> Parts:
        """The parts in order, counted in ``chain.counts``.

        ``simple`` is what the filter says of the plane, for who makes the stage anew elsewhere.

        Without pixels where the executor has written them with ``target``.
        """


class Here:
    """Makes the parts in this process, one after the other."""

    enough, apart = ENOUGH, False

    def limits(self, stage: Stretched, places: list[Tile], simple: bool) -> tuple[float, float]:
        """Walk over the picture once."""
        return join_limits(stage.limits_of(place.ranges) for place in places)

    def parts(
        self, chain: Filter, stage: Plane, places: list[Tile], simple: bool, target: Target | None
    ) -> Parts:
        """Each as it is asked for; the sink writes them."""
        return ((place, stage.read(place.ranges)) for place in places)


def join_limits(found: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """The limits of a whole from those of its parts."""
    lows, highs = zip(*found, strict=True)
    return min(lows), max(highs)


def on_cpu(request: Request, source: Source) -> FilterOptions:
    """The options for parts, which the CPU filters.

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
    return options._replace(backend=options.backend or NUMPY)


class PartFile:
    """The other way for a result to go than :class:`convcli.runs.whole_file.WholeFile`.

    Parameters
    ----------
    written
        Told size and time of change of the result, just before it takes its place.
    part_done
        Told after each part how many there are by then, and of how many.
    """

    def __init__(
        self,
        request: Request,
        job: Job,
        fmt: Format,
        executor: Executor,
        written: Callable[[list[int]], None],
        part_done: Callable[[int, int], None],
    ) -> None:
        self.request, self.job, self.fmt, self.executor = request, job, fmt, executor
        self.written, self.part_done = written, part_done
        self.simple, self.places = True, list[Tile]()

    @property
    def n_parts(self) -> int:
        """How many parts there will be, once the filter has been checked."""
        return len(self.places)

    def options(self, source: Source) -> FilterOptions:
        """Those of the request, on the CPU.

        Raises
        ------
        UsageError
            If the source has several frames.
        BackendError
            If a GPU was asked for.
        """
        if source.n_frames > 1:
            raise UsageError(
                f"{source.name} has {source.n_frames} frames; {self.job.output} holds one"
            )
        return on_cpu(self.request, source)

    def check(self, chain: Filter, source: Source) -> None:
        """Choose the parts. What the format cannot say of the picture is noted.

        Raises
        ------
        UsageError
            If they do not fit into memory.
        """
        outline, request = chain.outline, self.request
        if request.options.backend is None:
            reason = "a picture that is read part by part is filtered on the CPU"
            outline.plan = replace(outline.plan, backend_reason=reason)
        header = outline.header
        carry(header, self.fmt)
        self.simple = chain.is_simple(source.first)
        self.places = part_schedule(
            chain,
            limits_of(request).room - (source.bytes_held if request.memory is not None else 0),
            simple=self.simple,
            whole_rows=self.fmt.whole_rows(source.meta, header.space, header.alpha),
            enough=self.executor.enough,
            align=self.fmt.chunks(source, header.shape) if self.executor.apart else None,
        ).places

    def write(self, chain: Filter, source: Source, report: Report, clock: Clock) -> None:
        """Filter and write part after part."""
        clock.start()
        job, executor, outline = self.job, self.executor, chain.outline
        stage = chain.stage(source.first, simple=self.simple)
        if isinstance(stage, Stretched):
            stage.limits = executor.limits(stage, self.places, self.simple)
            chain.begin()
        if not is_url(job.output):
            Path(job.output).absolute().parent.mkdir(parents=True, exist_ok=True)

        def ready(facts: list[int]) -> None:
            source.close()  # the result may be about to take its place
            self.written(facts)

        with open_sink(
            job.output,
            self.fmt,
            outline.header,
            source,
            overwrite=job.overwrite,
            threads=outline.plan.threads,
            ready=ready,
        ) as sink:
            sink.write(
                self._told(executor.parts(chain, stage, self.places, self.simple, sink.target))
            )
        chain.count(clock.since())
        header = outline.header
        report.bytes_out = math.prod(header.shape) * header.dtype.itemsize
        report.seconds["filter"] = outline.seconds

    def _told(self, parts: Parts) -> Parts:
        """The same parts; each is told of when the next is asked for."""
        for number, part in enumerate(parts, 1):
            yield part
            self.part_done(number, self.n_parts)
