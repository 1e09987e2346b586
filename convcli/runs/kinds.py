"""The format that the output of a job is to have."""

from __future__ import annotations

from pathlib import Path

from convcli.imaging.files import STDIN
from convcli.imaging.formats import Format, format_of_file, format_of_name, is_array_name
from convcli.runs.request import Job, Request

__all__ = ["format_of_output", "output_format"]


def format_of_output(path: str, request: Request) -> Format:
    """The format that an output's name asks for, arrays included.

    Raises
    ------
    UsageError
        If the suffix names none.
    """
    return format_of_file(path, raw=request.raw is not None)


def output_format(request: Request, job: Job) -> Format | None:
    """The format that the result of a job is to have; None if it is that of the source.

    Raises
    ------
    UsageError
        If the output's name has a suffix that names none.
    """
    if request.format is not None:
        return format_of_name(request.format)
    if job.output == STDIN:
        return None
    if job.output == request.output and not is_array_name(job.output):
        path = Path(job.output)
        if path.exists() and not path.is_file():
            return None  # a device such as /dev/null: the name says nothing
    return format_of_output(job.output, request)
