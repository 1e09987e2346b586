"""Raw samples in C order, of which the command line says what they are."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from convcli.errors import InputError, UsageError
from convcli.imaging.formats import NUMBERS, Coding, Format

if TYPE_CHECKING:
    from convcli.imaging.header import Header
    from convcli.imaging.sink import Sink
    from convcli.imaging.source import Source

__all__ = ["FORMATS", "RawLayout"]


class RawLayout(NamedTuple):
    """What a file does not say about itself: a raw one its shape and type, others their axes."""

    shape: tuple[int, ...] = ()
    dtype: str = ""
    axes: tuple[str, ...] = ()
    """What the axes are called; empty for ``(H, W)`` and ``(H, W, C)``."""

    @property
    def is_raw(self) -> bool:
        """Whether it describes raw samples, and not the axes alone."""
        return bool(self.shape)


class Raw(Format):
    """Samples and nothing else."""

    name = "RAW"
    suffixes = (".raw",)
    spaces = "gray graya rgb rgba bands"
    dtypes = NUMBERS
    in_parts = is_array = stacks = needs_layout = True

    def open(self, path: str, name: str, max_pixels: int, layout: RawLayout | None) -> Source:
        if layout is None or not layout.is_raw:
            raise UsageError(f"{name}: a raw file needs --shape H,W or H,W,C and --dtype")
        import os

        import numpy as np

        from convcli.imaging.formats.shared.array_file import open_fd, picture_of_rows, what_axes

        stored = np.dtype(layout.dtype)
        what_axes(layout.shape, layout.axes, name)  # refused before the file is looked for
        fd = open_fd(path, name)
        need, have = math.prod(layout.shape) * stored.itemsize, os.fstat(fd).st_size
        if need != have:
            os.close(fd)
            raise InputError(
                f"{name}: --shape {','.join(map(str, layout.shape))} of {stored.name} is {need:,} "
                f"bytes, and the file has {have:,}"
            )
        return picture_of_rows(self.name, name, fd, 0, layout.shape, stored, layout.axes)

    def create(
        self, path: str, header: Header, like: Source, coding: Coding
    ) -> AbstractContextManager[Sink]:
        from convcli.imaging.formats.shared.array_file import create_array

        return create_array(path, b"", header)


FORMATS = [Raw()]
