"""Raw samples in C order, of which the command line says what they are."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from convcli.errors import InputError, UsageError
from convcli.imaging.formats import Format

if TYPE_CHECKING:
    from convcli.imaging.header import Header
    from convcli.imaging.sink import Sink
    from convcli.imaging.source import Source

__all__ = ["FORMATS", "RawLayout"]


class RawLayout(NamedTuple):
    """What a raw file does not say about itself: its shape ``(H, W)`` or ``(H, W, C)``, its type."""

    shape: tuple[int, ...]
    dtype: str


class Raw(Format):
    """Samples and nothing else."""

    name = "RAW"
    suffixes = (".raw",)
    spaces = "gray graya rgb rgba"
    dtypes = "uint8 uint16 float32 float64"
    in_parts = is_array = needs_layout = True

    def open(self, path: str, name: str, max_pixels: int, layout: RawLayout | None) -> Source:
        if layout is None:
            raise UsageError(f"{name}: a raw file needs --shape H,W or H,W,C and --dtype")
        import os

        import numpy as np

        from convcli.imaging.formats.shared.array_file import open_fd, picture_of_rows, spaces_of

        stored = np.dtype(layout.dtype)
        spaces_of(layout.shape, stored, name)  # refused before the file is looked for
        fd = open_fd(path, name)
        need, have = math.prod(layout.shape) * stored.itemsize, os.fstat(fd).st_size
        if need != have:
            os.close(fd)
            raise InputError(
                f"{name}: --shape {','.join(map(str, layout.shape))} of {stored.name} is {need:,} "
                f"bytes, and the file has {have:,}"
            )
        return picture_of_rows(self.name, name, fd, 0, layout.shape, stored)

    def create(
        self, path: str, header: Header, like: Source, threads: int
    ) -> AbstractContextManager[Sink]:
        from convcli.imaging.formats.shared.array_file import create_array

        return create_array(path, b"", header)


FORMATS = [Raw()]
