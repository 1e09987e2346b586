"""One picture that is larger than memory, or stored so that it can be read part by part."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePath
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from convcli.engine.backends import backend_and_device
from convcli.engine.cpu.tiles import Tile, grid
from convcli.errors import BackendError, ConvcliError, UsageError
from convcli.imaging.ahead import take
from convcli.imaging.atomic import display_name
from convcli.imaging.files import STDIN, read_bytes
from convcli.imaging.formats import FORMATS
from convcli.imaging.header import COLOURS
from convcli.imaging.large.regional import Regional
from convcli.imaging.large.sink import Parts, Target, chunk_of, needs_whole_rows, open_sink
from convcli.imaging.large.source import open_source
from convcli.imaging.limits import check_size
from convcli.imaging.metadata.carry import carry
from convcli.imaging.read import decode_picture
from convcli.imaging.source import Frame, Source
from convcli.imaging.urls import is_url, read_url
from convcli.runs.kinds import LARGE_SUFFIXES, is_large_name, kind_of
from convcli.runs.memory import BASE_BYTES, LEAST_ROOM, WHOLE, budget, check_memory, require
from convcli.runs.request import Job, Report, Request

if TYPE_CHECKING:
    from convcli.runs.journal import Journal

__all__ = [
    "Maker",
    "fits_whole",
    "is_in_parts",
    "parts_of",
    "read_array",
    "report_in_parts",
]

IN_PARTS = ("TIFF", "NPY", "RAW", "ZARR")
TASK_BYTES = 64 * 2**20
"""Memory of a part that is a task: some of them wait for their turn on every machine."""
ENOUGH = 256 * 2**20
"""Parts larger than this are not filtered any faster."""


class Maker(Protocol):
    """Makes the parts of a picture in other places than this process."""

    def limits(self, regional: Regional, places: list[Tile]) -> tuple[float, float]:
        """Smallest and largest value over all parts, for ``stretch``."""

    def parts(self, regional: Regional, places: list[Tile], target: Target | None) -> Parts:
        """The parts in order, with their counts added to ``regional.filtered``.

        Without pixels where the maker has written them with ``target``.
        """


def fits_whole(request: Request, source: Source) -> bool:
    """Whether a picture is better read whole: its samples, in and out and encoded, fit."""
    samples = math.prod(source.shape)
    if source.shape[0] * source.shape[1] > request.max_pixels:
        return False
    item = source.dtype.itemsize
    return samples * (item * 4 + 4) + BASE_BYTES <= budget(request)


def _held(source: Source) -> int:
    """Bytes of a picture that was decoded whole."""
    return sum(frame.pixels.nbytes for frame in source.frames if isinstance(frame, Frame))


def parts_of(
    regional: Regional,
    memory: int,
    *,
    whole_rows: bool,
    enough: int = ENOUGH,
    align: tuple[int, int] | None = None,
) -> list[Tile]:
    """Cut the result into parts, whole tiles or chunks each, that can be made within ``memory``.

    Parts of more than ``enough`` bytes are not made where smaller ones will do.

    Raises
    ------
    UsageError
        If a single tile, or a row of them where rows must be whole, needs more.
    """
    height, width = regional.plan.shape_out[:2]
    tall, wide = align or regional.tile
    room = max(memory - BASE_BYTES, LEAST_ROOM)
    enough = min(room, enough)

    def cost(rows: int, cols: int) -> int:
        rows, cols = min(rows, height), min(cols, width)
        top, left = (height - rows) // 2 // tall * tall, (width - cols) // 2 // wide * wide
        return regional.bytes_of((((top, top + rows),), ((left, left + cols),)))

    rows, cols = tall, width
    while cost(rows, cols) > enough and cols > wide and not whole_rows:
        cols = -(-cols // 2 // wide) * wide
    if cost(rows, cols) > room:
        what = f"{rows} whole rows" if whole_rows else f"{rows}x{cols} pixels"
        advice = " or write without compression (.npy)" if whole_rows else ""
        raise UsageError(
            f"{regional.source.name}: {what} at a time need "
            f"{(cost(rows, cols) + BASE_BYTES) / 2**20:,.0f} MB with these kernels; "
            f"raise --memory{advice}"
        )
    while rows < height and cost(min(2 * rows, height), cols) <= enough:
        rows *= 2
    return grid(height, width, rows, cols)


def report_in_parts(
    request: Request,
    job: Job,
    planned: Callable[[Report], None] = lambda report: None,
    journal: Journal | None = None,
    maker: Maker | None = None,
    part_done: Callable[[int, int], None] = lambda done, parts: None,
) -> Report | None:
    """Filter a picture part by part, within the memory of the request.

    None if it has to be, or is better, read and written whole. ``maker`` makes the parts
    elsewhere.
    """
    kind = IN_PARTS[0] if job.output == STDIN else kind_of(job.output, request)
    if job.output == STDIN or kind not in IN_PARTS or (is_url(job.output) and kind != "ZARR"):
        return None
    source = _source(request, job)
    if source is None:
        return None
    with source:
        if _better_whole(request, job, source):
            return None
        return _report(request, job, source, planned, journal, maker, part_done)


def is_in_parts(request: Request, job: Job) -> bool:
    """Whether a file is stored so that parts of it can be read, and too large to be read whole."""
    if not is_large_name(request, job) or kind_of(job.output, request) not in IN_PARTS:
        return False
    try:
        source = open_source(job.input, request.raw, request.max_pixels)
    except ConvcliError:
        return False  # its own task will say what is wrong
    if source is None:
        return False
    with source:
        return not _better_whole(request, job, source)


def _better_whole(request: Request, job: Job, source: Source) -> bool:
    to_tiff = kind_of(job.output, request) == "TIFF"
    return source.format == "TIFF" and to_tiff and fits_whole(request, source)


def _source(request: Request, job: Job) -> Source | None:
    if job.input == STDIN and kind_of(job.output, request) == "TIFF":
        return None
    source = None if job.input == STDIN else open_source(job.input, request.raw, request.max_pixels)
    if source is None and kind_of(job.output, request) != "TIFF":
        name = "standard input" if job.input == STDIN else display_name(job.input)
        ahead = take(job.input)
        if ahead is not None:
            picture = ahead.picture(name, request.max_pixels)
        else:
            data = read_url(job.input) if is_url(job.input) else read_bytes(job.input)
            check_memory(request, name, data)
            picture = decode_picture(data, name, max_pixels=request.max_pixels)
        if picture.n_frames > 1:
            raise UsageError(f"{name} has {picture.n_frames} frames; {job.output} holds one")
        frames = list(picture.frames)
        return replace(picture, frames=frames, flat=frames[0].shape[2] == 1, name=name)
    return source


def read_array(request: Request, job: Job) -> Source | None:
    """An array file as a picture, read whole; None for files that are pictures themselves.

    Raises
    ------
    InputError
        If it is larger than ``max_pixels``.
    """
    suffix = PurePath(job.input).suffix.lower()
    if job.input == STDIN or (suffix not in LARGE_SUFFIXES and request.raw is None):
        return None
    source = open_source(job.input, request.raw, request.max_pixels)
    if source is None or source.format == "TIFF":
        return None
    with source:
        height, width, _ = source.shape
        check_size(source.name, width, height, request.max_pixels)
        require(request, source.name, WHOLE * math.prod(source.shape) * source.dtype.itemsize)
        return replace(source, frames=[Frame(source.first.pixels)])


def _report(
    request: Request,
    job: Job,
    source: Source,
    planned: Callable[[Report], None],
    journal: Journal | None,
    maker: Maker | None,
    part_done: Callable[[int, int], None],
) -> Report:
    if backend_and_device(request.options.backend)[0] == "cupy":
        raise BackendError(
            f"{source.name}: pictures that are read part by part are filtered on the CPU; "
            "leave out --backend cupy and --device"
        )
    began = perf_counter()
    signature = journal.source_of(job) if journal else None
    kind = kind_of(job.output, request)
    target = display_name(job.output)
    regional = Regional(source, request.kernels, request.options)
    result = regional.filtered.picture
    dtype = result.dtype.name
    if kind == "TIFF" and not FORMATS["TIFF"].holds(result.space, result.alpha, dtype):
        raise UsageError(f"{target}: TIFF cannot hold {dtype} {result.space}")
    carry(result, kind)
    memory = budget(request) - (_held(source) if request.memory is not None else 0)
    whole_rows = needs_whole_rows(kind, source, result.alpha, result.space)
    shape = (*regional.plan.shape_out[:2], COLOURS[result.space] + result.alpha)
    if maker is None:
        places = parts_of(regional, memory, whole_rows=whole_rows)
    else:
        places = parts_of(
            regional,
            memory,
            whole_rows=whole_rows,
            enough=TASK_BYTES,
            # No two tasks may write to one chunk.
            align=chunk_of(source, shape) if kind == "ZARR" else None,
        )
    seconds: dict[str, float] = {}
    report = Report(
        job, request.kernel_names, regional.filtered, kind, not request.dry_run, seconds
    )
    report.parts = len(places)
    seconds["plan"] = perf_counter() - began
    planned(report)
    if request.dry_run:
        return report
    began = perf_counter()
    if regional.filtered.range == "stretch":
        regional.limits = maker.limits(regional, places) if maker else regional.find_limits(places)
    if not is_url(job.output):
        Path(job.output).absolute().parent.mkdir(parents=True, exist_ok=True)

    def ready(written: list[int]) -> None:
        source.close()  # the result may be about to take its place
        if journal:
            journal.written(job, signature, written)

    with open_sink(
        job.output,
        kind,
        shape,
        dtype,
        source,
        meta=result.meta,
        space=result.space,
        alpha=result.alpha,
        overwrite=request.overwrite or request.in_place or job.overwrite,
        threads=regional.plan.threads,
        ready=ready,
    ) as sink:
        if maker is None:
            parts: Parts = ((place, regional.part(place)) for place in places)
        else:
            parts = maker.parts(regional, places, sink.target)
        sink.write(_told(parts, len(places), part_done))
    item = result.dtype.itemsize
    report.bytes_out = math.prod(shape) * item
    seconds["filter"] = regional.filtered.seconds = perf_counter() - began
    return report


def _told(parts: Parts, count: int, part_done: Callable[[int, int], None]) -> Parts:
    """The same parts; each is told of when the next is asked for."""
    for number, part in enumerate(parts, 1):
        yield part
        part_done(number, count)
