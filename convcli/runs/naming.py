"""Where each result goes, decided and checked before any work is done."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Set
from pathlib import Path

from convcli.errors import OutputError, UsageError
from convcli.imaging.atomic import check_target, display_name
from convcli.imaging.files import STDIN
from convcli.imaging.formats import (
    format_of_name,
    format_of_suffix,
    is_array_folder,
    is_array_name,
)
from convcli.imaging.urls import exists_url, is_url, split_path
from convcli.kernels.preset_names import preset_of
from convcli.runs.inputs import Input, find_inputs
from convcli.runs.kinds import format_of_output, is_device
from convcli.runs.request import Job, Request
from convcli.runs.template import NAME_BYTES, check_inside, fill, is_template, root_of
from convcli.system.files import without_capitals

__all__ = ["name_jobs", "output_root", "slug"]


def slug(request: Request) -> str:
    """The chain as part of a file name.

    >>> from convcli.kernels.kernel import Kernel
    >>> names = ["gaussian:1.5", "sobel-x"]
    >>> slug(Request((), tuple(Kernel([[1]], name=n) for n in names)))
    'gaussian-1.5-sobel-x'
    """
    parts = [re.sub(r"[^\w.=,+-]+", "-", k.name).strip("-.") for k in request.kernels]
    return "-".join(part or "kernel" for part in parts)[:80]


def name_jobs(request: Request) -> list[Job]:
    """Find every input and pair it with its output.

    Raises
    ------
    UsageError
        If two inputs would share an output, an output is an input, leaves its root, exists
        without ``overwrite``, or its name asks for a format that cannot be written.
    """
    if not request.inputs and request.files_from is None:
        raise UsageError("no input was given; name a file, or - for standard input")
    if request.inputs.count(STDIN) > 1:
        raise UsageError("standard input (-) was named twice; it can be read once")
    if request.in_place and any(is_url(name) for name in request.inputs):
        raise UsageError("files behind URLs cannot be replaced in place; use -o")
    if request.in_place and request.output is not None:
        raise UsageError("--in-place and --output exclude each other")
    _check_last(request)
    root = output_root(request)
    inputs = find_inputs(
        request.inputs,
        recursive=request.recursive,
        files_from=request.files_from,
        null=request.null,
        # A folder that is searched for inputs and is the output root as well is no place to skip.
        output_root=root if root not in (None, os.curdir) else None,
    )
    only = Path(inputs[0].path)
    if len(inputs) == 1 and only.is_dir() and not is_array_folder(str(only)):
        raise UsageError(f"{display_name(only)} is a folder; -r takes the pictures in it")
    into_folder = _into_folder(request, len(inputs))
    overwrite = request.overwrite or request.in_place
    jobs = [
        Job(one.path, _output_of(request, one, number, len(inputs), into_folder), overwrite)
        for number, one in enumerate(inputs, 1)
    ]
    if request.resume:
        # A run before this one has put its results where this one finds its inputs.
        results = {os.path.normpath(job.output) for job in jobs if job.output != job.input}
        jobs = [
            job
            for job, one in zip(jobs, inputs, strict=True)
            if not (one.found and os.path.normpath(job.input) in results)
        ]
    _check_collisions(jobs)
    if into_folder:
        one_of_each_folder = {str(Path(job.output).parent): job.output for job in jobs}
        for path in one_of_each_folder.values():
            check_inside(path, root or os.curdir)
    _check_all(request, jobs, into_folder)
    return jobs


def _check_last(request: Request) -> None:
    """Refuse a last name that was meant as the output, or as a kernel, before anything is done.

    Elsewhere the output is named last. Of three and more inputs, one that is missing fails alone.
    """
    names = request.inputs
    last = names[-1] if len(names) > 1 else STDIN
    if request.output is not None or request.in_place or last == STDIN or is_url(last):
        return
    path = Path(last)
    pair = len(names) == 2
    if path.is_dir():
        is_picture = is_array_name(last)
        meant = pair and Path(names[0]).is_file() and not request.recursive and not is_picture
        problem = "is a folder"
    else:
        meant = not (os.path.lexists(last) or glob.has_magic(last))
        meant = meant and (pair or last.endswith(("/", os.sep)) or not path.suffix)
        problem = "there is no such file"
    if not meant:
        return
    option = "-k" if preset_of(last) else "-o"
    end = "/" * (option == "-o" and not path.suffix and not last.endswith("/"))
    name = display_name(last)
    raise UsageError(f"{name}: {problem}; nothing was done; did you mean {option} {name}{end}?")


def output_root(request: Request) -> str | None:
    """The folder that ``--output`` names, if it names one."""
    output = request.output
    if output is None or output == STDIN:
        return None
    return root_of(output) if is_template(output) else output


def _into_folder(request: Request, count: int) -> bool:
    """Whether the output is a folder or a template, which may hold folders yet to be made."""
    output = request.output
    if output is None or output == STDIN:
        return False
    if is_template(output) or output.endswith(("/", os.sep)):
        return True
    if Path(output).is_dir() and not is_array_name(output):
        return True
    if count == 1 and not (request.recursive and not Path(output).suffix):
        return False
    if is_url(output):
        return True
    if Path(output).exists() or Path(output).suffix:
        raise UsageError(f"{display_name(output)} is not a folder, and {count} pictures need one")
    return True


def _output_of(request: Request, one: Input, number: int, count: int, into_folder: bool) -> str:
    name, output = one.path, request.output
    if request.in_place:
        if name == STDIN:
            raise UsageError("standard input cannot be replaced in place; use -o FILE")
        return name
    if output is None:
        return STDIN if name == STDIN else _beside(request, name)
    if output == STDIN:
        if count > 1:
            raise UsageError(f"{count} pictures cannot all go to standard output")
        return STDIN
    if not into_folder:
        return output
    if name == STDIN:
        raise UsageError(f"standard input has no name to use in the folder {output}; name a file")
    last = _with_format(request, Path(name).name or name.strip("./") or "folder")
    if not is_template(output):
        scheme, root = split_path(output)
        return scheme + str(root / one.folder / last)
    parent = one.folder
    if not one.found and not parent:  # a name of the command line, in the folder it says
        folder = split_path(name)[1].parent
        parent = str(type(folder)(*[part for part in folder.parts if part != folder.anchor]))
    return fill(
        output,
        parent=parent,
        stem=Path(last).stem,
        suffix=Path(last).suffix,
        name=last,
        kernel=slug(request),
        index=number,
    )


def _with_format(request: Request, name: str) -> str:
    if request.format is None:
        return name
    scheme, path = split_path(name)
    return scheme + str(path.with_suffix(format_of_name(request.format).suffix))


def _beside(request: Request, name: str) -> str:
    """``img.png`` with ``sobel-x`` becomes ``img-sobel-x.png``, in the same folder."""
    scheme, path = split_path(_with_format(request, name))
    ending = f"-{slug(request)}{path.suffix}"
    stem = os.fsencode(path.stem)[: NAME_BYTES - len(os.fsencode(ending))]
    # A cut inside a character would make a name that is no text.
    short = stem.decode("utf-8", "ignore") if len(stem) < len(os.fsencode(path.stem)) else path.stem
    return scheme + str(path.with_name(short + ending))


def _check_collisions(jobs: list[Job]) -> None:
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}  # thousands of files share their folders
    for job in jobs:
        if job.output == STDIN:
            continue
        path = Path(job.output)
        if path.is_symlink():
            key = os.path.realpath(path)
        else:
            parent = str(path.parent)
            if parent not in folders:
                folders[parent] = os.path.realpath(parent)
            key = f"{folders[parent]}{os.sep}{path.name}"
        key = without_capitals(key)
        if key in seen:
            raise UsageError(
                f"{display_name(seen[key])} and {display_name(job.input)} would both be written "
                f"to {display_name(job.output)}; nothing was done; keep them apart with a "
                "template, as in -o 'out/{parent}/{name}'"
            )
        seen[key] = job.input


def _check_all(request: Request, jobs: list[Job], into_folder: bool) -> None:
    inputs = {_identity(job.input) for job in jobs} - {None}
    for job in jobs:
        # Of several inputs, one that is no file fails on its own, later.
        if len(jobs) == 1 or job.input == STDIN or is_url(job.input) or _identity(job.input):
            _check(request, job, inputs, into_folder)


def _identity(path: str) -> tuple[int, int] | None:
    """What makes two names the same file; none for what is no regular file."""
    found = format_of_suffix(path)
    is_store = found is not None and found.is_folder and Path(path).is_dir()
    if path == STDIN or not (Path(path).is_file() or is_store):
        return None
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def _check(
    request: Request,
    job: Job,
    inputs: Set[tuple[int, int] | None],
    into_folder: bool,
) -> None:
    if job.output == STDIN:
        if request.format is not None:
            format_of_name(request.format)
        return
    if is_url(job.output):
        format_of_output(job.output, request)
        if not job.overwrite and exists_url(job.output):
            raise UsageError(f"{job.output} exists; use --overwrite to replace it")
        return
    target = Path(job.output)
    if is_device(job.output):
        check_target(job.output, overwrite=True)
        return  # a device
    there = _identity(job.output)
    if not request.in_place and there in inputs:
        raise UsageError(f"{display_name(job.output)} is an input; use --in-place to replace it")
    if request.mask is not None and there is not None and there == _identity(request.mask):
        raise UsageError(f"{display_name(job.output)} is the mask; name another output")
    try:
        format_of_output(job.output, request)
    except UsageError as error:
        if target.suffix or job.output != request.output:
            raise
        raise UsageError(f"{error}; {display_name(target)}/ is a folder") from error
    if into_folder and not target.parent.exists():
        _check_makeable(target)  # it is made when the first result is ready
        return
    # A resumed run knows its own results by its journal, and only that may replace them.
    overwrite = job.overwrite or request.resume
    found = format_of_suffix(job.output)
    if found is not None and found.is_folder:
        if target.exists() and not overwrite:
            raise UsageError(f"{display_name(target)} exists; use --overwrite to replace it")
        check_target(target.parent / f".{target.name}", overwrite=True)
        return
    check_target(job.output, overwrite=overwrite)


def _check_makeable(target: Path) -> None:
    for folder in target.parents:
        if folder.is_dir():
            if not os.access(folder, os.W_OK | os.X_OK):
                raise OutputError(
                    f"{display_name(target)}: the folder {display_name(folder)} cannot be "
                    "written to"
                )
            return
        if folder.exists():
            raise OutputError(f"{display_name(target)}: {display_name(folder)} is not a folder")
