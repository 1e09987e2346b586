"""Where each result goes, decided and checked before any work is done."""

from __future__ import annotations

import os
import re
from pathlib import Path

from convcli.errors import UsageError
from convcli.imaging.atomic import check_target, display_name
from convcli.imaging.files import STDIN
from convcli.imaging.formats import format_of_name, format_of_path
from convcli.runs.request import FilterRequest, Job

__all__ = ["name_jobs", "slug"]

NAME_BYTES = 255
"""Longest file name that the common file systems take."""


def slug(request: FilterRequest) -> str:
    """The chain as part of a file name.

    >>> from convcli.kernels.kernel import Kernel
    >>> names = ["gaussian:1.5", "sobel-x"]
    >>> slug(FilterRequest((), tuple(Kernel([[1]], name=n) for n in names)))
    'gaussian-1.5-sobel-x'
    """
    parts = [re.sub(r"[^\w.=,+-]+", "-", k.name).strip("-.") for k in request.kernels]
    return "-".join(part or "kernel" for part in parts)[:80]


def name_jobs(request: FilterRequest) -> list[Job]:
    """Pair every input with its output.

    Raises
    ------
    UsageError
        If two inputs would share an output, an output is an input, exists without
        ``overwrite``, or its name asks for a format that cannot be written.
    """
    if not request.inputs:
        raise UsageError("no input was given; name a file, or - for standard input")
    if request.inputs.count(STDIN) > 1:
        raise UsageError("standard input (-) was named twice; it can be read once")
    if request.in_place and request.output is not None:
        raise UsageError("--in-place and --output exclude each other")
    jobs = [Job(name, _output_of(request, name)) for name in request.inputs]
    _check_collisions(jobs)
    for job in jobs:
        # Of several inputs, one that is no file fails on its own, later.
        if len(jobs) == 1 or job.input == STDIN or Path(job.input).is_file():
            _check(request, job)
    return jobs


def _output_of(request: FilterRequest, name: str) -> str:
    if request.in_place:
        if name == STDIN:
            raise UsageError("standard input cannot be replaced in place; use -o FILE")
        return name
    output = request.output
    if output is None:
        return STDIN if name == STDIN else _beside(request, name)
    if output == STDIN:
        if len(request.inputs) > 1:
            raise UsageError(f"{len(request.inputs)} pictures cannot all go to standard output")
        return STDIN
    if not _is_folder(request, output):
        return output
    if name == STDIN:
        raise UsageError(f"standard input has no name to use in the folder {output}; name a file")
    return str(
        Path(output) / _with_format(request, Path(name).name or name.strip("./") or "folder")
    )


def _is_folder(request: FilterRequest, output: str) -> bool:
    if output.endswith(os.sep) or Path(output).is_dir():
        return True
    if len(request.inputs) == 1:
        return False
    if Path(output).exists() or Path(output).suffix:
        raise UsageError(
            f"{display_name(output)} is not a folder, and {len(request.inputs)} pictures need one"
        )
    return True


def _with_format(request: FilterRequest, name: str) -> str:
    if request.format is None:
        return name
    return str(Path(name).with_suffix(format_of_name(request.format).suffix))


def _beside(request: FilterRequest, name: str) -> str:
    """``img.png`` with ``sobel-x`` becomes ``img-sobel-x.png``, in the same folder."""
    path = Path(_with_format(request, name))
    ending = f"-{slug(request)}{path.suffix}"
    stem = os.fsencode(path.stem)[: NAME_BYTES - len(os.fsencode(ending))]
    # A cut inside a character would make a name that is no text.
    short = stem.decode("utf-8", "ignore") if len(stem) < len(os.fsencode(path.stem)) else path.stem
    return str(path.with_name(short + ending))


def _check_collisions(jobs: list[Job]) -> None:
    seen: dict[str, str] = {}
    for job in jobs:
        if job.output == STDIN:
            continue
        key = os.path.realpath(job.output)
        if key in seen:
            raise UsageError(
                f"{display_name(seen[key])} and {display_name(job.input)} would both be written "
                f"to {display_name(job.output)}; nothing was done"
            )
        seen[key] = job.input


def _check(request: FilterRequest, job: Job) -> None:
    if job.output == STDIN:
        if request.format is not None:
            format_of_name(request.format)
        return
    if Path(job.output).exists() and not _is_device(job.output):
        if not request.in_place and _is_any_of(job.output, request.inputs):
            raise UsageError(
                f"{display_name(job.output)} is an input; use --in-place to replace it"
            )
        format_of_path(job.output)
    elif not _is_device(job.output):
        format_of_path(job.output)
    if not Path(job.output).parent.exists() and _is_folder(request, request.output or "."):
        return  # the folder that -o names is made when the first result is ready
    check_target(job.output, overwrite=request.overwrite or request.in_place)


def _is_device(path: str) -> bool:
    return Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir()


def _is_any_of(output: str, inputs: tuple[str, ...]) -> bool:
    for name in inputs:
        if name != STDIN and Path(name).exists() and Path(name).samefile(output):
            return True
    return False
