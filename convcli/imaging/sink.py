"""Where pixels go part by part: files and folders that take their place when they are whole."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from numpy.typing import NDArray

from convcli.engine.cpu.tiles import Tile
from convcli.imaging.atomic import atomic_file, atomic_folder
from convcli.imaging.formats import Format
from convcli.imaging.header import Header
from convcli.imaging.source import Source
from convcli.imaging.urls import is_url

__all__ = [
    "Parts",
    "Sink",
    "Target",
    "Write",
    "by_target",
    "open_sink",
]


Parts: TypeAlias = Iterable[tuple[Tile, NDArray[Any] | None]]
"""Parts of a picture from top to bottom and left to right, as they are made.

Without pixels where they have been written with a :data:`Target` already.
"""

Write: TypeAlias = Callable[[Parts], None]
"""Writes a picture from its parts."""

Target: TypeAlias = Callable[[Tile, NDArray[Any]], None]
"""Writes one part, from any process."""


@dataclass(frozen=True, slots=True)
class Sink:
    """How a picture is written: by one writer, or by many where there is a ``target``."""

    write: Write
    target: Target | None = None


def by_target(target: Target) -> Sink:
    """What one writer does as well as many."""

    def write(parts: Parts) -> None:
        for place, pixels in parts:
            if pixels is not None:
                target(place, pixels)

    return Sink(write, target)


@contextlib.contextmanager
def open_sink(
    path: str,
    fmt: Format,
    header: Header,
    source: Source,
    *,
    overwrite: bool,
    threads: int,
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
    ready
        Told size and time of change of what is about to take its place.
    """
    with contextlib.ExitStack() as whole:
        if not fmt.is_folder:
            _, made = whole.enter_context(atomic_file(path, overwrite=overwrite, ready=ready))
            path = str(made)
        elif not is_url(path):  # an object store has no renaming: there it fills chunk by chunk
            made = whole.enter_context(atomic_folder(path, overwrite=overwrite, ready=ready))
            path = str(made)
        yield whole.enter_context(fmt.create(path, header, source, threads))
