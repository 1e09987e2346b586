"""NumPy's ``.npy``: an array of samples that is a picture, or a stack of them."""

from __future__ import annotations

import io
import math
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from convcli.errors import InputError, UsageError
from convcli.imaging.formats import NUMBERS, Coding, Format

if TYPE_CHECKING:
    from convcli.imaging.formats.raw import RawLayout
    from convcli.imaging.header import Header
    from convcli.imaging.sink import Sink
    from convcli.imaging.source import Source

__all__ = ["FORMATS"]


class Npy(Format):
    """Arrays (H, W) and (H, W, C) in C order, and others whose axes the user names."""

    name = "NPY"
    decode_ns, encode_ns = 0.4, 0.6
    suffixes = (".npy",)
    spaces = "gray graya rgb rgba bands"
    dtypes = NUMBERS
    in_parts = is_array = stacks = True

    def open(self, path: str, name: str, max_pixels: int, layout: RawLayout | None) -> Source:
        import os

        from convcli.imaging.formats.shared.array_file import open_fd, picture_of_rows
        from convcli.kernels.npy import read_npy_header

        fd = open_fd(path, name)
        try:
            with open(os.dup(fd), "rb") as file:  # noqa: PTH123 (a descriptor)
                shape, stored, fortran = read_npy_header(file, name, InputError)
                offset = file.tell()
            axes = layout.axes if layout else ()
            picture = picture_of_rows(self.name, name, fd, offset, shape, stored, axes)
            if fortran:
                raise UsageError(f"{name}: stored column by column; save it in C order")
            need, have = math.prod(shape) * stored.itemsize, os.fstat(fd).st_size - offset
            if need != have:
                raise InputError(f"{name}: its header says {need:,} bytes, and {have:,} follow")
        except BaseException:
            os.close(fd)
            raise
        return picture

    def create(
        self, path: str, header: Header, like: Source, coding: Coding
    ) -> AbstractContextManager[Sink]:
        import numpy as np

        from convcli.imaging.array_axes import axes_of
        from convcli.imaging.formats.shared.array_file import create_array

        head = io.BytesIO()
        shape = axes_of(header).sizes
        facts = {"descr": header.dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(head, facts)
        return create_array(path, head.getvalue(), header)


FORMATS = [Npy()]
