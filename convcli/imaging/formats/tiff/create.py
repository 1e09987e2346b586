"""TIFFs that are written part by part: plain samples where they belong, or strips one by one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray

from convcli.imaging.formats.shared.array_file import room_for_rows
from convcli.imaging.formats.tiff.write import is_big, page_options, said_of, say, write_page
from convcli.imaging.header import Header
from convcli.imaging.metadata.tiff_fields import Fields
from convcli.imaging.sink import Parts, Sink, Write, by_target

__all__ = ["create_tiff"]


@contextlib.contextmanager
def create_tiff(path: str, header: Header, threads: int) -> Iterator[Sink]:
    """A TIFF of one page, in place of an empty file."""
    meta = header.meta
    options, fields = page_options(meta, header), said_of(meta, header)
    big = is_big(header, fields)
    if options["compression"] is not None:
        yield Sink(_to_strips(path, header, big, threads))
        _add_fields(path, fields)
        return
    rows = room_for_rows(path, _empty_tiff(path, header, options, big), header)
    _add_fields(path, fields)
    yield by_target(rows)


def _add_fields(path: str, fields: Fields) -> None:
    with Path(path).open("r+b") as file:
        say(file, [fields])


def _samples(header: Header) -> dict[str, Any]:
    """Shape and type of the samples, as tifffile is told of them."""
    shape = header.shape
    return {"shape": shape[:2] if shape[2] == 1 else shape, "dtype": header.dtype.name}


def _empty_tiff(path: str, header: Header, options: dict[str, Any], big: bool) -> int:
    """A TIFF whose samples are a hole still; returns where they lie."""
    import tifffile

    with tifffile.TiffWriter(path, bigtiff=big) as writer:
        place = writer.write(
            returnoffset=True,
            **_samples(header),
            **{**options, "compression": None, "predictor": False, "contiguous": True},
        )
    assert place is not None
    return int(place[0])


def _to_strips(path: str, header: Header, big: bool, threads: int) -> Write:
    def write(parts: Parts) -> None:
        import tifffile

        bands = (cast("NDArray[Any]", pixels) for _, pixels in parts)  # strips have one writer
        with tifffile.TiffWriter(path, bigtiff=big) as writer:
            write_page(writer, bands, header.meta, header, threads)

    return write
