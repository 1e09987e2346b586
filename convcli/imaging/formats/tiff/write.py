"""Encoding TIFF at every depth, every page, with tifffile."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from convcli.imaging.header import COLOURS, Metadata
from convcli.imaging.metadata.tiff import RESOLUTION, page_fields
from convcli.imaging.metadata.tiff_fields import Fields, append_fields
from convcli.imaging.source import Source

__all__ = ["encode_tiff", "page_options", "say"]

COMPRESSIONS = {1: None, 5: "lzw", 8: "adobe_deflate", 32773: "packbits", 50000: "zstd"}
"""TIFF's numbers to tifffile's names. What is not listed (JPEG in TIFF, fax) would lose, or cannot
hold, what a filter gives, and is written with deflate."""
PHOTOMETRIC = {"gray": "minisblack", "rgb": "rgb", "cmyk": "separated"}


def page_options(meta: Metadata, space: str, alpha: bool) -> dict[str, Any]:
    """How the pixels of a page are written, in tifffile's words: compressed as the source was."""
    compression = COMPRESSIONS.get(meta.compression or 8, "adobe_deflate")
    return {
        "photometric": PHOTOMETRIC[space],
        "planarconfig": "contig" if COLOURS[space] > 1 or alpha else None,
        "extrasamples": ["unassalpha"] if alpha else None,
        "compression": compression,
        "predictor": compression in ("adobe_deflate", "lzw", "zstd"),
        "software": False,
        "metadata": None,
        # Readers of ImageJ's stacks find the pages by their size alone, one behind the other.
        "contiguous": compression is None,
    }


def encode_tiff(picture: Source) -> bytes:
    """Encode every frame as a page; compression as the source had it, deflate otherwise."""
    import tifffile

    out = io.BytesIO()
    pages: list[Fields] = []
    with tifffile.TiffWriter(out) as writer:
        for frame in picture.frames:
            meta = frame.meta or picture.meta
            pixels = frame.pixels
            if pixels.shape[-1] == 1:
                pixels = pixels[..., 0]
            options = page_options(meta, picture.space, picture.alpha)
            writer.write(np.ascontiguousarray(pixels), **options)
            pages.append(page_fields(meta))
    say(out, pages)
    return out.getvalue()


def say(file: IO[bytes], pages: Sequence[Fields]) -> None:
    """Put what the pages say into a TIFF that holds their pixels.

    tifffile would state a resolution of 1 where nobody has given one.
    """
    append_fields(file, pages, instead_of=RESOLUTION)
