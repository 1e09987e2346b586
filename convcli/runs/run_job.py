"""One file from where it is to where it goes: opened, planned, filtered, written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from convcli.errors import ConvcliError, InputError, RoomError, RunError, UsageError
from convcli.imaging.atomic import display_name
from convcli.imaging.files import STDIN, check_file
from convcli.imaging.formats import Format, format_of_path, is_array_folder, named
from convcli.imaging.header import Metadata
from convcli.imaging.opening import Limits, fits, open_source, read_at_once
from convcli.imaging.row_stream import DoesNotFlow
from convcli.imaging.source import Source
from convcli.imaging.stages.filter import Filter
from convcli.imaging.urls import is_url
from convcli.runs.clock import Clock
from convcli.runs.kinds import is_device, output_format
from convcli.runs.memory import limits_of
from convcli.runs.request import Job, Report, Request
from convcli.runs.whole_file import WholeFile
from convcli.system.files import size_and_time, size_and_time_within
from convcli.system.machine import is_tight, lacks_memory
from convcli.system.process import raise_stop

if TYPE_CHECKING:
    from convcli.imaging.stages.part_shown import Mask
    from convcli.runs.journal import Journal
    from convcli.runs.part_file import Executor, PartFile

__all__ = ["Failure", "attempt", "mask_of", "run_job", "ways_out"]


class Failure:
    """A file that could not be done, and why."""

    def __init__(self, job: Job, error: ConvcliError) -> None:
        self.job, self.error = job, error

    @property
    def lacks_room(self) -> bool:
        """Whether it could be done with more memory."""
        return isinstance(self.error, RoomError)


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
    way = _Way(request, job, planned, journal, part_done, executor)
    try:
        report = way.go(flows=not is_tight())
    except DoesNotFlow:  # nothing was written; decoded whole, the file is judged, or seen at once
        report = way.go_whole()
    report.outline.header.meta = Metadata()
    return report


class _Way:
    """A job on its way."""

    def __init__(
        self,
        request: Request,
        job: Job,
        planned: Callable[[Report], None],
        journal: Journal | None,
        part_done: Callable[[int, int], None],
        executor: Executor | None,
    ) -> None:
        self.request, self.job, self.journal = request, job, journal
        self.planned, self.part_done, self.executor = planned, part_done, executor
        self.state = size_and_time(job.input)  # before it is read
        self.signature = list(self.state) if journal and self.state else None
        self.folder, self.stored = "", (0, 0)

    def go(self, *, flows: bool) -> Report:
        """All of it; ``flows``: rows may be decoded as they are asked for."""
        request, job, clock = self.request, self.job, Clock()
        limits = limits_of(request)
        fmt, parts, whole = _known_ways_out(request, job)
        out: WholeFile | PartFile
        with ExitStack() as opening:
            source = opening.enter_context(
                open_source(
                    job.input,
                    limits,
                    parts=parts,
                    whole=whole,
                    flows=flows and parts,
                    lap=clock.lap,
                )
            )
            mask = opening.enter_context(mask_of(request, parts=source.is_stored))
            chain = self._in_turn(source, fmt, mask, limits, whole=whole)
            if fmt is not None and parts and (source.is_stored or not whole):
                if not source.flows:
                    clock = Clock()  # a file that is opened is not read yet
                anew = source.by_choice or (source.flows and fits(source, limits))
                out = self._in_parts(fmt, or_anew=anew)
            else:
                clock.lap("decode")
                out = WholeFile(
                    request, job, _encoder(fmt, source, job), self.journal, self.signature
                )
            options = out.options(source)
            if chain is None or (chain.outline.plan.backend.on_gpu and options != request.options):
                chain = Filter(source, request.kernels, options, mask)
            out.check(chain, source)
            written = not request.dry_run
            report = Report(
                job, request.kernel_names, chain.outline, out.fmt.name, written, clock.seconds
            )
            report.parts = out.n_parts
            clock.lap("plan")
            self._tell(report)
            if written:
                self._watch(source)
                with _judged_whole() if source.by_choice else nullcontext():
                    out.write(chain, source, report, clock)
        return report

    def go_whole(self) -> Report:
        """All of it, decoded whole; what cannot be, because it changed on the way, says so."""
        try:
            return self.go(flows=False)
        except RoomError:
            self.require_unchanged()
            raise

    def _watch(self, source: Source) -> None:
        """Look at each file of a folder that is about to be read, unless a cluster reads it.

        One host would look at millions of chunks, one by one, while the others wait. The time of the
        folder itself is that of what is put into it, which may be the result.
        """
        if source.folder:
            self.state = None
            if self.executor is None:
                self.folder, self.stored = source.folder, size_and_time_within(source.folder)

    def require_unchanged(self, *, or_anew: bool = False) -> None:
        """See that the input is what it was before it was read, as far as sizes and times tell.

        Raises
        ------
        InputError
            If it is not: parts of the result would be of the one and parts of the other.
        DoesNotFlow
            If it can be read ``or_anew``.
        """
        changed = self.state is not None and size_and_time(self.job.input) != self.state
        if changed or (self.folder and size_and_time_within(self.folder) != self.stored):
            said = f"{display_name(self.job.input)}: it was changed while it was read"
            raise DoesNotFlow(said) if or_anew else InputError(said)

    def _in_turn(
        self,
        source: Source,
        fmt: Format | None,
        mask: Mask | None,
        limits: Limits,
        *,
        whole: bool,
    ) -> Filter | None:
        """What filters a source whose rows could go in order; it is read at once if they do not.

        They go from the file, or from where they are stored, into a file: unless the chain looks at
        them more than once. None where rows are not what is to be decided.
        """
        if fmt is None or not (
            source.flows or source.by_choice or (source.is_stored and fmt.flows)
        ):
            return None
        chain = Filter(source, self.request.kernels, self.request.options, mask)
        in_order = fmt.flows or not whole or source.by_choice
        # A dry run decodes what fits, to say whether it is damaged.
        if not _flows_on(chain, source, limits, in_order=in_order and not self.request.dry_run):
            if source.by_choice:
                raise DoesNotFlow(f"{source.name}: it is better decoded whole")
            read_at_once(source, limits)
        return chain

    def _tell(self, report: Report) -> None:
        """Once, also where a second way has to be gone."""
        self.planned(report)
        self.planned = lambda report: None

    def _in_parts(self, fmt: Format, *, or_anew: bool) -> PartFile:
        """``or_anew``: an input that changes meanwhile can be read once more, whole."""
        from convcli.runs.part_file import Here, PartFile

        journal = self.journal

        def written(facts: list[int]) -> None:
            self.require_unchanged(or_anew=or_anew)
            if journal:
                journal.written(self.job, self.signature, facts)

        return PartFile(
            self.request,
            self.job,
            fmt,
            self.executor or Here(),
            written,
            self.part_done,
            # A batch is flushed to the disk once, at its end; the journal knows what it wrote.
            durable=journal is None or not journal.knows_reboots,
        )


def _flows_on(chain: Filter, source: Source, limits: Limits, *, in_order: bool) -> bool:
    """Whether rows are made as they are asked for, and not all at once."""
    if not source.by_choice and not fits(source, limits):
        return True
    return in_order and chain.sees_once and not chain.outline.plan.backend.on_gpu


@contextmanager
def _judged_whole() -> Iterator[None]:
    """What is wrong with a file that can be decoded whole is said by who does that."""
    try:
        yield
    except InputError as error:
        raise DoesNotFlow(str(error)) from error


def mask_of(request: Request, *, parts: bool) -> AbstractContextManager[Mask | None]:
    """The mask of a request, if it has one. ``parts``: it is read where it is stored, if it can be."""
    if request.mask is None:
        return nullcontext()
    from convcli.imaging.mask import opened_mask

    return opened_mask(request.mask, limits_of(request), parts=parts)


def ways_out(request: Request, job: Job) -> tuple[Format | None, bool, bool]:
    """The format of a result if it is known, and if it can be written part by part, and whole."""
    fmt = output_format(request, job)
    if fmt is None:
        return None, False, True
    to_file = job.output != STDIN and not is_url(job.output) and not is_device(job.output)
    in_parts = fmt.in_parts or fmt.flows
    return fmt, in_parts and (fmt.is_folder or to_file), not fmt.is_array


def _known_ways_out(request: Request, job: Job) -> tuple[Format | None, bool, bool]:
    """The ways out of an input that is there: one that is no file seldom names a format."""
    try:
        return ways_out(request, job)
    except UsageError:
        if job.input != STDIN and not is_url(job.input) and not is_array_folder(job.input):
            check_file(job.input)
        raise


def _encoder(fmt: Format | None, source: Source, job: Job) -> Format:
    """The format that was asked for, or else the source's own, to be encoded whole.

    Raises
    ------
    UsageError
        If it is one of arrays, which are written part by part to files with a name.
    """
    found = fmt or named(source.format)
    if found is not None and not found.is_array:
        return found
    if job.output != STDIN:  # a URL or a device, refused by its name
        return format_of_path(job.output)
    raise UsageError(f"{source.format} is not written to standard output; name a format with -f")


def attempt(
    request: Request,
    job: Job,
    journal: Journal | None = None,
    planned: Callable[[Report], None] = lambda report: None,
    executor: Executor | None = None,
) -> Report | Failure:
    """One file of many: whatever goes wrong is this file's failure, but for an interrupt."""
    try:
        return run_job(request, job, planned, journal, executor=executor)
    except BrokenPipeError:
        raise
    except Exception as error:
        raise_stop()
        if not isinstance(error, ConvcliError):
            error = RunError(f"{display_name(job.input)}: {_reason(error)}")
        return Failure(job, error)


def _reason(error: Exception) -> str:
    if lacks_memory(error):
        return "not enough memory"
    if isinstance(error, OSError):
        return str(error.strerror or error)
    return (
        f"internal error: {type(error).__name__}: {error}; "
        "this is a fault of convcli: run it alone with --traceback and report it"
    )
