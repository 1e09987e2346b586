"""The only way out: pictures encoded whole, and files that are filled part by part.

None takes its place before it is whole: see :mod:`convcli.imaging.atomic`.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

from convcli.engine.cpu.tiles import Tile
from convcli.errors import OutputError, UsageError
from convcli.imaging.atomic import Data, atomic_file, atomic_folder, display_name, write_all
from convcli.imaging.formats import Coding, Format, every_format, named, pictures
from convcli.imaging.header import Header
from convcli.imaging.options import most_pixels
from convcli.imaging.source import Source
from convcli.imaging.urls import is_url
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.engine.plan import Plan

__all__ = [
    "Parts",
    "PlanePart",
    "Sink",
    "Target",
    "Write",
    "by_one",
    "by_rows",
    "by_target",
    "check_fits",
    "check_keeps",
    "check_padded",
    "encode_picture",
    "note_scale",
    "open_sink",
]


class PlanePart(NamedTuple):
    """A part of a result: of which plane, and where."""

    tile: Tile
    plane: int = 0


Parts: TypeAlias = Iterable[tuple[PlanePart, NDArray[Any] | None]]
"""Parts of a picture, plane by plane, from top to bottom and left to right, as they are made.

Without pixels where they have been written with a :data:`Target` already.
"""

Write: TypeAlias = Callable[[Parts], None]
"""Writes a picture from its parts."""

Encode: TypeAlias = Callable[[Iterator[NDArray[Any]]], Generator[bytes, None, None]]
"""Makes a file of rows that come some at a time, as it is taken."""

Target: TypeAlias = Callable[[PlanePart, NDArray[Any]], None]
"""Writes one part, from any process."""


class Sink(NamedTuple):
    """How a picture is written: by one writer, or by many where there is a ``target``."""

    write: Write
    target: Target | None = None


def by_target(target: Target) -> Sink:
    """What one writer does as well as many."""
    return Sink(by_one(target).write, target)


def by_one(target: Target) -> Sink:
    """What no two writers may do at a time."""

    def write(parts: Parts) -> None:
        for place, pixels in parts:
            if pixels is not None:
                target(place, pixels)
            del pixels  # the next ones take its room

    return Sink(write)


@contextlib.contextmanager
def by_rows(path: str, encode: Encode) -> Iterator[Sink]:
    """A file in place of an empty one, encoded as its rows are made: little of it is in memory."""

    def write(parts: Parts) -> None:
        made = encode(_rows(parts))
        with Path(path).open("r+b", buffering=0) as file, contextlib.closing(made):
            written = write_all(file.fileno(), made, early=True)
            if os.fstat(file.fileno()).st_size != written:
                raise OSError(errno.EIO, "the file is shorter than what was written to it")

    yield Sink(write)


def _rows(parts: Parts) -> Iterator[NDArray[Any]]:
    for _, pixels in parts:
        assert pixels is not None, "rows have one writer"
        yield pixels
        del pixels  # the next ones take its room


@contextlib.contextmanager
def open_sink(
    path: str,
    fmt: Format,
    header: Header,
    source: Source,
    *,
    overwrite: bool,
    coding: Coding,
    durable: bool = True,
    ready: Callable[[list[int]], None] = lambda written: None,
) -> Iterator[Sink]:
    """What writes a picture from its parts, to a file that takes its place when the block ends well.

    Parameters
    ----------
    fmt
        A format that is written part by part.
    header
        Of the result.
    source
        Gives the chunks.
    durable
        Whether it is to be on the disk when it takes its place; of a folder it is.
    ready
        Told size and time of change of what is about to take its place.
    """
    target = path
    with contextlib.ExitStack() as whole:
        if not fmt.is_folder:
            _, made = whole.enter_context(
                atomic_file(path, overwrite=overwrite, durable=durable, ready=ready)
            )
            path = str(made)
        elif not is_url(path):  # an object store has no renaming: there it fills chunk by chunk
            made = whole.enter_context(atomic_folder(path, overwrite=overwrite, ready=ready))
            path = str(made)
        with _our_words(display_name(target), fmt.name):
            made_by = fmt.create(path, header, source, coding)
        yield whole.enter_context(made_by)


def check_fits(fmt: Format, picture: Header, name: str) -> None:
    """Refuse a format that would lose a channel, depth or frames, naming those that would not.

    Raises
    ------
    UsageError
        With what the picture is and the formats that hold it.
    """
    space, alpha, dtype = picture.space, picture.alpha, picture.dtype.name
    n_frames, animated = picture.n_frames, picture.animated
    longest = max(picture.size)

    def fits(f: Format) -> bool:
        stacked = f.stacks and picture.axes is not None
        if n_frames > 1 and not (f.animations if animated else f.pages or stacked):
            return False
        return f.holds(space, alpha, dtype) and longest <= f.longest

    if fits(fmt):
        return
    named = {"cmyk": "CMYK", "rgb": "RGB", "bands": f"in {picture.bands} bands"}
    what = f"{dtype} {named.get(space, space)}"
    what += " with alpha" * alpha
    if n_frames > 1:
        what += f" in {n_frames} {'frames' if animated else 'pages'}"
    if longest > fmt.longest:
        what += f" of {longest} pixels a side, only {fmt.longest}"
    able = [f.suffix for f in pictures() if fits(f)]
    if not able:
        able = [f.suffix for f in every_format() if fits(f)]
    advice = f"use {' or '.join(able)}" if able else "no format holds that"
    if dtype.startswith("float"):
        advice += ", or another --range than float, or --depth 8 or 16"
    raise UsageError(f"{name}: {fmt.name} cannot hold {what}; {advice}")


def check_keeps(fmt: Format, picture: Header, quality: int | None, name: str) -> None:
    """Refuse a format that changes samples where some have to stay as they are.

    Raises
    ------
    UsageError
        With the formats that do not.
    """
    if not fmt.loses(picture, quality):
        return
    told = picture.space, picture.alpha, picture.dtype.name
    able = [f.suffix for f in pictures() if f.holds(*told) and not f.loses(picture, quality)]
    raise UsageError(
        f"{name}: with --region or --mask the samples outside stay as they are, and {fmt.name} "
        f"changes them; write {' or '.join(able)}, by -o or -f"
    )


def check_padded(plan: Plan, target: str, max_pixels: int | None) -> None:
    """Refuse a padding that makes of a picture more than may be read of one."""
    height, width = max((step.shape_out[:2] for step in plan.steps), key=math.prod)
    most = most_pixels(max_pixels)
    if height * width > max(most, math.prod(plan.shape_in[:2])):
        raise UsageError(
            f"{target}: with this padding there would be {width}x{height} pixels, "
            f"{height * width:,}, and at most {most:,} are made; raise the limit with "
            "--max-pixels"
        )


def encode_picture(
    picture: Source,
    fmt: Format,
    name: str,
    *,
    quality: int | None = None,
    compression: str = "default",
    threads: int = 1,
) -> Data:
    """Encode all frames of ``picture`` in a format that holds them.

    What comes in parts is encoded as they are taken, on ``threads``.

    Raises
    ------
    UsageError
        If the format cannot hold the picture.
    OutputError
        If the encoder fails.
    """
    check_fits(fmt, picture, name)
    meta = picture.meta
    if picture.animated and meta.loop is None and fmt.name != picture.format:
        origin = named(picture.format)
        meta.loop = origin.loop if origin else None
    note_scale(picture, fmt)
    if picture.still_first and not fmt.still_first:
        picture = _animation_alone(picture)
    with _our_words(name, fmt.name):
        encoded = fmt.encode(picture, Coding(quality, compression, threads))
    return encoded if isinstance(encoded, bytes) else _in_our_words(encoded, name, fmt.name)


def note_scale(picture: Header, fmt: Format) -> None:
    """Say that the unit of a PFM's samples is lost, where it is."""
    scale = picture.meta.pfm_scale
    if "pfm_scale" not in fmt.carries and abs(scale or 1) != 1:
        picture.notes.append(f"its scale {scale:g} is kept in .pfm only")


def _animation_alone(picture: Source) -> Source:
    """Without the picture for programs that show no animation, which APNG alone can hold."""
    picture.notes.append("the picture before the animation, which is no part of it, was left out")
    frames = list(picture.frames)[1:]
    return Source.of(picture, frames, n_frames=len(frames), still_first=False)


def _in_our_words(parts: Iterable[bytes], name: str, fmt: str) -> Iterator[bytes]:
    with _our_words(name, fmt):
        yield from parts


@contextlib.contextmanager
def _our_words(name: str, fmt: str) -> Iterator[None]:
    """Errors of other people's encoders as ours."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise OutputError(f"{name}: cannot be encoded as {fmt}: {error}") from error
