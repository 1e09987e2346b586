"""The result of a job as a file that is made part by part, within the memory of the request."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from convcli.engine.cpu.tiles import Tile, grid
from convcli.errors import UsageError
from convcli.imaging.atomic import display_name
from convcli.imaging.formats import Format
from convcli.imaging.metadata.carry import carry
from convcli.imaging.metadata.changes import changes_of
from convcli.imaging.options import FilterOptions
from convcli.imaging.schedule import ENOUGH, part_schedule
from convcli.imaging.sink import Parts, PlanePart, Target, check_fits, note_scale, open_sink
from convcli.imaging.source import Plane, Source
from convcli.imaging.stages.filter import Filter
from convcli.imaging.urls import is_url
from convcli.runs.clock import Clock
from convcli.runs.memory import limits_of
from convcli.runs.request import Job, Report, Request

if TYPE_CHECKING:
    from convcli.imaging.stages.surveys import Answer, Survey

__all__ = ["Executor", "Here", "PartFile", "Work", "on_cpu"]


class Work(NamedTuple):
    """A part to be made."""

    place: PlanePart
    stage: Plane | Survey
    """Makes it, or looks at it."""
    simple: bool
    """What the filter says of the plane, for who makes the stage anew elsewhere."""
    answers: tuple[Answer, ...]
    """What surveys have found of the plane so far, for the same."""


class Executor(Protocol):
    """Makes the parts of a picture, or of every plane of a stack."""

    enough: int
    """Bytes of a part that is large enough."""
    apart: bool
    """Whether parts are written at the same time: then no two may share a chunk."""

    def look(self, works: list[Work]) -> Iterator[Any]:
        """What a survey finds in each part of a plane."""

    def parts(self, chain: Filter, works: Iterable[Work], target: Target | None) -> Parts:
        """The parts in order, counted in ``chain.counts``.

        Without pixels where the executor has written them with ``target``.
        """


class Here:
    """Makes the parts in this process, one after the other."""

    enough, apart = ENOUGH, False

    def look(self, works: list[Work]) -> Iterator[Any]:
        """Walk over the plane once."""
        return (cast("Survey", work.stage).look(work.place.tile.ranges) for work in works)

    def parts(self, chain: Filter, works: Iterable[Work], target: Target | None) -> Parts:
        """Each as it is asked for; the sink writes them."""
        return (
            (work.place, cast(Plane, work.stage).read(work.place.tile.ranges)) for work in works
        )


def on_cpu(request: Request, source: Source) -> FilterOptions:
    """The options for parts, which the CPU filters.

    Raises
    ------
    BackendError
        If a GPU was asked for.
    """
    return request.options.on_cpu(f"{source.name}: pictures that are read part by part are")


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
        self.simple, self.tiles = list[bool](), list[Tile]()

    @property
    def n_parts(self) -> int:
        """How many parts there will be, once the filter has been checked."""
        return len(self.tiles) * len(self.simple)

    def options(self, source: Source) -> FilterOptions:
        """Those of the request, on the CPU.

        Raises
        ------
        UsageError
            If the source has several frames that are no stack, or the output holds none.
        BackendError
            If a GPU was asked for.
        """
        if source.n_frames > 1 and not (source.axes and self.fmt.stacks):
            raise UsageError(
                f"{source.name} has {source.n_frames} frames; {self.job.output} holds one"
            )
        return on_cpu(self.request, source)

    def check(self, chain: Filter, source: Source) -> None:
        """Choose the parts. What the format cannot say of the picture is noted.

        Raises
        ------
        UsageError
            If they do not fit into memory, or the result into the format.
        """
        outline, request = chain.outline, self.request
        check_fits(self.fmt, outline.header, display_name(self.job.output))
        if request.options.backend is None:
            reason = "a picture that is read part by part is filtered on the CPU"
            outline.plan = replace(outline.plan, backend_reason=reason)
        header = outline.header
        carry(header, self.fmt)
        note_scale(header, self.fmt)
        header.changes = changes_of(chain)
        self.simple = [chain.is_simple(plane) for plane in source.frames]
        self.tiles = part_schedule(
            chain,
            limits_of(request).room - (source.bytes_held if request.memory is not None else 0),
            simple=all(self.simple),
            whole_rows=self.fmt.whole_rows(source.meta, header.space, header.alpha),
            enough=self.executor.enough,
            align=self.fmt.chunks(source, header.shape) if self.executor.apart else None,
        ).places

    def write(self, chain: Filter, source: Source, report: Report, clock: Clock) -> None:
        """Filter and write part after part."""
        clock.start()
        job, executor, outline = self.job, self.executor, chain.outline
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
            works = self._works(chain, source)
            sink.write(self._told(executor.parts(chain, works, sink.target)))
        chain.count(clock.since())
        header = outline.header
        report.bytes_out = math.prod(header.shape) * header.dtype.itemsize * header.n_frames
        report.seconds["filter"] = outline.seconds

    def _works(self, chain: Filter, source: Source) -> Iterator[Work]:
        """What is to be made, plane by plane; each is looked at by itself, where something asks."""
        for number, (plane, simple) in enumerate(zip(source.frames, self.simple, strict=True)):
            answers = chain.answers(plane, partial(self._look, number, simple), simple=simple)
            stage = chain.stage(plane, simple=simple, answers=answers)
            for tile in self.tiles:
                yield Work(PlanePart(tile, number), stage, simple, answers)

    def _look(
        self, number: int, simple: bool, survey: Survey, answers: tuple[Answer, ...]
    ) -> Iterator[Any]:
        """What a survey finds in parts of a plane that are no larger than those of the result."""
        top, bottom, left, right = self.tiles[0]
        height, width = survey.shape[:2]
        regions = grid(height, width, bottom - top, right - left)
        return self.executor.look(
            [Work(PlanePart(tile, number), survey, simple, answers) for tile in regions]
        )

    def _told(self, parts: Parts) -> Parts:
        """The same parts; each is told of when the next is asked for."""
        for number, part in enumerate(parts, 1):
            yield part
            self.part_done(number, self.n_parts)
