"""Formats by the names of files, those that are only read and written part by part included."""

from __future__ import annotations

from pathlib import Path, PurePath

from convcli.imaging.files import STDIN
from convcli.imaging.formats import FORMATS, format_of_name, format_of_path
from convcli.runs.request import Job, Request

__all__ = ["LARGE_SUFFIXES", "PARTS", "kind_of", "output_kind"]

PARTS = ("TIFF", "NPY", "RAW", "ZARR")
"""Formats that can be written part by part."""
LARGE_SUFFIXES = {".npy": "NPY", ".zarr": "ZARR", ".raw": "RAW"}


def kind_of(path: str, request: Request) -> str:
    """The format that an output's name asks for, the large ones included.

    Raises
    ------
    UsageError
        If the suffix names none.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix in LARGE_SUFFIXES:
        return LARGE_SUFFIXES[suffix]
    if request.raw is not None and suffix not in {s for f in FORMATS.values() for s in f.suffixes}:
        return "RAW"
    return format_of_path(path).name


def output_kind(request: Request, job: Job) -> str | None:
    """The format that the result of a job is to have; None if it is that of the source.

    Raises
    ------
    UsageError
        If the output's name has a suffix that names none.
    """
    if request.format is not None:
        return format_of_name(request.format).name
    if job.output == STDIN:
        return None
    large = PurePath(job.output).suffix.lower() in LARGE_SUFFIXES
    if job.output == request.output and not large:
        path = Path(job.output)
        if path.exists() and not path.is_file():
            return None  # a device such as /dev/null: the name says nothing
    return kind_of(job.output, request)
