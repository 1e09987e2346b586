"""Zarr arrays and OME-Zarr images: folders, or objects behind a URL, of chunks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from convcli.imaging.formats import NUMBERS, Coding, Format

if TYPE_CHECKING:
    from convcli.imaging.formats.raw import RawLayout
    from convcli.imaging.header import Header
    from convcli.imaging.sink import Sink
    from convcli.imaging.source import Source

__all__ = ["FORMATS"]

MARKS = ("zarr.json", ".zarray", ".zgroup")


class Zarr(Format):
    """Versions 2 and 3."""

    name = "ZARR"
    suffixes = (".zarr",)
    spaces = "gray graya rgb rgba bands"
    dtypes = NUMBERS
    carries = "nodata"
    in_parts = is_array = is_folder = stacks = True

    def recognises_folder(self, path: str) -> bool:
        return any((Path(path) / mark).exists() for mark in MARKS)

    def open(self, path: str, name: str, max_pixels: int, layout: RawLayout | None) -> Source:
        from convcli.imaging.formats.zarr.store import open_zarr

        return open_zarr(path, name, max_pixels, layout.axes if layout else ())

    def create(
        self, path: str, header: Header, like: Source, coding: Coding
    ) -> AbstractContextManager[Sink]:
        from contextlib import nullcontext

        from convcli.imaging.formats.zarr.create import create_zarr

        return nullcontext(create_zarr(path, header, like))

    def chunks(self, like: Source, shape: tuple[int, ...]) -> tuple[int, int]:
        from convcli.imaging.formats.zarr.create import chunk_of

        return chunk_of(like, shape)


FORMATS = [Zarr()]
