"""Formats by the names of files, those that are only read and written part by part included."""

from __future__ import annotations

from pathlib import PurePath

from convcli.imaging.formats import FORMATS, format_of_path
from convcli.runs.request import Job, Request

__all__ = ["LARGE_SUFFIXES", "is_large_name", "kind_of"]

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


def is_large_name(request: Request, job: Job) -> bool:
    """Whether the names say that this could be done part by part."""
    suffixes = {PurePath(path).suffix.lower() for path in (job.input, job.output)}
    return request.raw is not None or bool(suffixes & {".tif", ".tiff", *LARGE_SUFFIXES})
