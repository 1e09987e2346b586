"""The format that the output of a job is to have."""

from __future__ import annotations

import stat
from pathlib import Path

from convcli.imaging.files import STDIN
from convcli.imaging.formats import (
    Format,
    format_of_file,
    format_of_name,
    format_of_suffix,
    is_array_name,
)
from convcli.runs.request import Job, Request

__all__ = ["format_of_output", "is_device", "output_format"]


def format_of_output(path: str, request: Request) -> Format:
    """The format that an output's name asks for, arrays included.

    Raises
    ------
    UsageError
        If the suffix names none.
    """
    return format_of_file(path, raw=request.is_raw)


def is_device(path: str) -> bool:
    """Whether there is something of that name that is neither a file nor a folder.

    >>> is_device("/dev/null"), is_device("/")
    (True, False)
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def output_format(request: Request, job: Job) -> Format | None:
    """The format that the result of a job is to have; None if it is that of the source.

    Raises
    ------
    UsageError
        If the output's name has a suffix that names none.
    """
    named = job.output != STDIN and not (job.output == request.output and is_device(job.output))
    raw = request.is_raw and format_of_suffix(job.output) is None
    if named and (raw or is_array_name(job.output)):
        return format_of_output(job.output, request)  # an array whatever -f says
    if request.format is not None:
        return format_of_name(request.format)
    return format_of_output(job.output, request) if named else None  # a device says nothing
