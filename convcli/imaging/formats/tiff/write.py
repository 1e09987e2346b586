"""Encoding TIFF at every depth, every page, with tifffile."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import partial
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from convcli.imaging.header import Header, Metadata
from convcli.imaging.metadata.nodata import with_no_data
from convcli.imaging.metadata.tiff import RESOLUTION, page_fields
from convcli.imaging.metadata.tiff_fields import Fields, append_fields
from convcli.imaging.source import Source
from convcli.imaging.strips import strips
from convcli.system.threads import in_order

__all__ = [
    "compression_of",
    "encode_tiff",
    "is_big",
    "page_options",
    "said_of",
    "say",
    "write_page",
]

COMPRESSIONS = {1: None, 5: "lzw", 8: "adobe_deflate", 32773: "packbits", 50000: "zstd"}
"""TIFF's numbers to tifffile's names. What is not listed (JPEG in TIFF, fax) would lose, or cannot
hold, what a filter gives, and is written with deflate."""
PREDICTED = ("adobe_deflate", "lzw", "zstd")
"""Compressions that are given differences; tifffile has none of 64 bits."""
PHOTOMETRIC = {"gray": "minisblack", "rgb": "rgb", "cmyk": "separated", "bands": "minisblack"}
STRIP = 1 << 18
"""Bytes of a strip before it is compressed, about: those that tifffile takes."""
UNKNOWN, ALPHA = 0, 2
"""What an extra sample is."""


def compression_of(meta: Metadata) -> str | None:
    """The compression that a page is written with, in tifffile's words: that of the source."""
    return COMPRESSIONS.get(meta.compression or 8, "adobe_deflate")


def page_options(meta: Metadata, header: Header) -> dict[str, Any]:
    """How the pixels of a page are written, in tifffile's words."""
    compression = compression_of(meta)
    colours = header.shape[2] - header.alpha
    extra = [UNKNOWN] * (colours - 1) * (header.space == "bands") + [ALPHA] * header.alpha
    return {
        "photometric": PHOTOMETRIC[header.space],
        "planarconfig": "contig" if colours > 1 or header.alpha else None,
        "extrasamples": extra or None,
        "compression": compression,
        "predictor": compression in PREDICTED and header.dtype not in ("int64", "uint64"),
        "software": False,
        "metadata": None,
        # Readers of ImageJ's stacks find the pages by their size alone, one behind the other.
        "contiguous": compression is None,
    }


def is_big(header: Header, fields: Fields) -> bool:
    """Whether 32 bits may not be enough to say where things lie."""
    size = math.prod(header.shape) * header.dtype.itemsize * header.n_frames
    return size + sum(len(field.data) for field in fields.values()) > 2**32 - 2**25


def said_of(meta: Metadata, header: Header) -> Fields:
    """The fields of a page of a picture."""
    return with_no_data(page_fields(meta), header.nodata, header.dtype)


def write_page(
    writer: Any, bands: Iterable[NDArray[Any]], meta: Metadata, header: Header, threads: int
) -> None:
    """Write the pixels of a page, which come in bands of whole rows from the top."""
    options = page_options(meta, header)
    shape = header.shape if header.shape[2] > 1 else header.size
    if options["compression"] is None:
        (pixels,) = bands
        writer.write(np.ascontiguousarray(pixels).reshape(shape), **options)
        return
    rows = max(STRIP // (math.prod(header.shape[1:]) * header.dtype.itemsize), 1)
    encode = partial(_packed, options["compression"], predicted=options["predictor"])
    with closing(in_order(encode, strips(bands, rows), threads)) as packed:
        writer.write(packed, shape=shape, dtype=header.dtype.name, rowsperstrip=rows, **options)


def _packed(compression: str, strip: NDArray[Any], *, predicted: bool) -> bytes:
    """A strip as it stands in the file, made as tifffile does, of which one thread is not enough."""
    import tifffile

    strip = np.ascontiguousarray(strip)
    if predicted:
        way = (
            tifffile.PREDICTOR.FLOATINGPOINT
            if strip.dtype.kind == "f"
            else tifffile.PREDICTOR.HORIZONTAL
        )
        strip = tifffile.TIFF.PREDICTORS[way](strip, axis=-2)
    how = {"axis": -2} if compression == "packbits" else {}
    return bytes(tifffile.TIFF.COMPRESSORS[tifffile.COMPRESSION[compression.upper()]](strip, **how))


def encode_tiff(picture: Source, threads: int) -> bytes:
    """Encode every frame as a page; compression as the source had it, deflate otherwise."""
    import tifffile

    out = io.BytesIO()
    pages: list[Fields] = []
    with tifffile.TiffWriter(out, bigtiff=is_big(picture, picture.meta.fields)) as writer:
        for frame in picture.frames:
            meta = frame.meta or picture.meta
            header = picture.but(size=frame.shape[:2])
            write_page(writer, [frame.pixels], meta, header, threads)
            pages.append(said_of(meta, picture))
    say(out, pages)
    return out.getvalue()


def say(file: IO[bytes], pages: Sequence[Fields]) -> None:
    """Put what the pages say into a TIFF that holds their pixels.

    tifffile would state a resolution of 1 where nobody has given one.
    """
    append_fields(file, pages, instead_of=RESOLUTION)
