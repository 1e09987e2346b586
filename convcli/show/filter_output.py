"""What ``filter`` says while it runs: a line for each picture, failures, and the sum of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from convcli.imaging.atomic import display_name
from convcli.kernels.kernel import Kernel
from convcli.records import NamedTuple
from convcli.runs.batch import Batch
from convcli.runs.request import Report
from convcli.runs.run_job import Failure
from convcli.show.messages import (
    explanation,
    print_json,
    say,
    slow_note,
    summary,
    tally_line,
    timing,
)
from convcli.show.progress import part_progress, progress

__all__ = ["Wanted", "run_and_tell", "warn_of_kernels"]

MANY = 100
"""Files from which on there is a bar instead of a line for each."""


class Wanted(NamedTuple):
    """What is to be shown of a run."""

    explain: bool
    json: bool
    preview: bool
    quiet: bool
    verbose: bool


def warn_of_kernels(kernels: Iterable[Kernel]) -> None:
    """Say which kernels are read otherwise than their numbers may be meant."""
    for kernel in kernels:
        if kernel.remark:
            say(f"convcli: warning: kernel {kernel.name!r} is {kernel.remark}")


def run_and_tell(batch: Batch, wanted: Wanted) -> int:
    """Carry out a batch and say what became of it; returns the exit code."""
    tally, quiet = batch.tally, wanted.quiet
    # Thousands of lines tell nobody anything: a bar, the failures, and the sum of it.
    many = batch.named > MANY
    slowness_told = quiet
    watched = not quiet and not wanted.verbose

    def planned(report: Report) -> None:
        if wanted.explain:
            say(explanation(report))

    try:
        with (
            progress(len(batch.jobs), many, watched) as advance,
            part_progress(watched and batch.named == 1) as part_done,
            closing(batch.run(planned=planned, part_done=part_done)) as results,
        ):
            for result in results:
                advance(isinstance(result, Failure))
                if isinstance(result, Failure):
                    _tell_failure(result, wanted)
                    continue
                if wanted.json:
                    print_json(result.as_json())
                if not slowness_told and (note := slow_note(result)):
                    slowness_told = True
                    say(f"convcli: warning: {note}")
                if not quiet and (wanted.verbose or not many):
                    _tell(result, wanted, batch.request.max_pixels)
    except BaseException as stop:
        if batch.named > 1 and not isinstance(stop, Exception):
            say(f"convcli: {tally_line(tally)}")
        raise
    for note in [] if quiet else tally.notes:
        say(f"convcli: warning: {note}")
    if tally.failures or tally.skipped or (many and not quiet):
        say(f"convcli: {tally_line(tally)}")
    return 1 if tally.failures else 0


def _tell_failure(failure: Failure, wanted: Wanted) -> None:
    said, name = str(failure.error), display_name(failure.job.input)
    named = any(display_name(path) in said for path in (failure.job.input, failure.job.output))
    say(f"convcli: {said}" if named else f"convcli: {name}: {said}")
    if wanted.json:
        print_json({"input": failure.job.input, "error": said})


def _tell(report: Report, wanted: Wanted, max_pixels: int | None) -> None:
    if not wanted.json:
        say(summary(report))
    if wanted.verbose:
        say(timing(report))
    for note in report.warnings:
        say(f"convcli: warning: {report.name}: {note}")
    if wanted.preview and report.written and report.parts == 1:
        _preview(report.job.input, report.job.output, max_pixels)


def _preview(before: str, after: str, max_pixels: int | None) -> None:
    """Both pictures side by side, or the result alone where the input is gone."""
    from convcli.show.console import is_terminal

    if not is_terminal() or after == "-":
        return
    from convcli.imaging.opening import read_picture
    from convcli.show.preview import show_pictures

    names = [after] if before in ("-", after) else [before, after]
    show_pictures([read_picture(name, max_pixels=max_pixels) for name in names])
