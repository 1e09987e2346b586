"""The result of a job as a file that is made part by part, within the memory of the request."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, cast

from convcli.engine.cpu.tiles import Tile, grid
from convcli.engine.regions import needed
from convcli.errors import UsageError
from convcli.imaging.atomic import display_name
from convcli.imaging.formats import Coding, Format
from convcli.imaging.metadata.carry import carry
from convcli.imaging.metadata.changes import changes_of
from convcli.imaging.options import FilterOptions
from convcli.imaging.schedule import STORED, PartSizes, flowing_sizes, part_schedule
from convcli.imaging.sink import (
    Parts,
    PlanePart,
    Target,
    check_fits,
    check_keeps,
    check_padded,
    note_scale,
    open_sink,
)
from convcli.imaging.source import Pixels, Plane, Source, StoredPlane
from convcli.imaging.stages.filter import Filter
from convcli.imaging.urls import is_url
from convcli.records import NamedTuple
from convcli.runs.clock import Clock
from convcli.runs.memory import limits_of
from convcli.runs.request import Job, Report, Request
from convcli.system.threads import in_order

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

    sizes: PartSizes
    """Of parts of what does not flow."""
    apart: bool
    """Whether parts are written at the same time: then no two may share a chunk."""

    def look(self, works: list[Work]) -> Iterator[Any]:
        """What a survey finds in each part of a plane."""

    def parts(
        self, chain: Filter, works: Iterable[Work], target: Target | None, threads: int
    ) -> Parts:
        """The parts in order, counted in ``chain.counts``; some at a time if ``threads`` are many.

        Without pixels where the executor has written them with ``target``.
        """


class Here:
    """Makes the parts in this process."""

    sizes, apart = STORED, False

    def look(self, works: list[Work]) -> Iterator[Any]:
        """Walk over the plane once."""
        return (cast("Survey", work.stage).look(work.place.tile.ranges) for work in works)

    def parts(
        self, chain: Filter, works: Iterable[Work], target: Target | None, threads: int
    ) -> Parts:
        """Each as it is asked for, or some ahead; the sink writes them."""

        def made(work: Work) -> tuple[PlanePart, Pixels]:
            return work.place, cast(Plane, work.stage).read(work.place.tile.ranges)

        return in_order(made, works, threads)


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
    durable
        Whether the result is to be on the disk at the end.
    """

    def __init__(
        self,
        request: Request,
        job: Job,
        fmt: Format,
        executor: Executor,
        written: Callable[[list[int]], None],
        part_done: Callable[[int, int], None],
        *,
        durable: bool = True,
    ) -> None:
        self.request, self.job, self.fmt, self.executor = request, job, fmt, executor
        self.written, self.part_done, self.durable = written, part_done, durable
        self.simple, self.tiles, self.threads = list[bool](), list[Tile](), 1
        self.making = 0.0  # seconds that parts were waited for

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
        target = display_name(self.job.output)
        check_fits(self.fmt, outline.header, target)
        if chain.selection is not None:
            check_keeps(self.fmt, outline.header, request.quality, target)
        if source.flows and not self.fmt.is_array:
            check_padded(outline.plan, target, request.max_pixels)
        if request.options.backend is None and chain.options.backend is not None:
            reason = "a picture that is read part by part is filtered on the CPU"
            outline.plan = outline.plan._replace(backend_reason=reason)
        header = outline.header
        carry(header, self.fmt)
        note_scale(header, self.fmt)
        header.changes = changes_of(chain)
        self.simple = [chain.is_simple(plane) for plane in source.frames]
        self.tiles, self.threads = part_schedule(
            chain,
            limits_of(request).room - (source.bytes_held if request.memory is not None else 0),
            simple=all(self.simple),
            whole_rows=self.fmt.whole_rows(source.meta, header.space, header.alpha),
            sizes=flowing_sizes(chain) if source.flows else self.executor.sizes,
            align=self.fmt.chunks(source, header.shape) if self.executor.apart else None,
            threads=outline.plan.threads if source.flows else 1,
        )
        if source.flows:
            self._hold(source, chain)

    def _hold(self, source: Source, chain: Filter) -> None:
        """See that rows stay which parts that come may ask for, and no others.

        Those that are made of samples read once for each part, others more often or at a time.
        """
        if all(self.simple) and chain.selection is None and not source.alpha:
            for plane in source.frames:
                cast(StoredPlane, plane).origin.in_turn = True
            return
        plan, most = chain.outline.plan, 0
        for tile in self.tiles:
            want = tile.ranges
            for step in reversed(plan.steps):
                want = needed(step, want)
            most = max(most, want[0][-1][1] - want[0][0][0])
        for plane in source.frames:
            cast(StoredPlane, plane).origin.hold = (1 + self.threads) * most

    def write(self, chain: Filter, source: Source, report: Report, clock: Clock) -> None:
        """Filter and write part after part."""
        clock.start()
        job, request, executor, outline = self.job, self.request, self.executor, chain.outline
        if not is_url(job.output):
            Path(job.output).absolute().parent.mkdir(parents=True, exist_ok=True)

        if self.fmt.is_folder:
            header = outline.header
            report.bytes_out = math.prod(header.shape) * header.dtype.itemsize * header.n_frames

        def ready(facts: list[int]) -> None:
            if not self.fmt.is_folder:
                report.bytes_out = facts[0]
            source.close()  # the result may be about to take its place
            self.written(facts)

        with open_sink(
            job.output,
            self.fmt,
            outline.header,
            source,
            overwrite=job.overwrite,
            coding=Coding(request.quality, request.compression, outline.plan.threads),
            durable=self.durable,
            ready=ready,
        ) as sink:
            works = self._works(chain, source)
            made = executor.parts(chain, works, sink.target, self.threads)
            with closing(self._told(made)) as told:
                sink.write(told)
        chain.count(self.making)
        # Decoding is beside filtering; so is encoding, but for what is waited for.
        report.seconds |= {"filter": self.making, "write": clock.since() - self.making}

    def _works(self, chain: Filter, source: Source) -> Iterator[Work]:
        """What is to be made, plane by plane; each is looked at by itself, where something asks."""
        for number, (plane, simple) in enumerate(zip(source.frames, self.simple, strict=True)):
            answers = chain.answers(plane, partial(self._look, number, simple), simple=simple)
            stage = chain.stage(plane, simple=simple, one_thread=self.threads > 1, answers=answers)
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

    def _told(self, parts: Parts) -> Generator[tuple[PlanePart, Pixels | None], None, None]:
        """The same parts; each is told of when the next is asked for."""
        made, start, number = iter(parts), perf_counter(), 0
        try:
            for part in made:
                self.making += perf_counter() - start
                yield part
                del part  # the next one takes its room
                number += 1
                self.part_done(number, self.n_parts)
                start = perf_counter()
        finally:
            if isinstance(made, Generator):
                made.close()  # which ends its threads
