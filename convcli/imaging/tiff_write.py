"""Encoding TIFF at every depth, every page, with tifffile."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from convcli.imaging.picture import COLOURS, Picture

__all__ = ["encode_tiff"]

# Pillow's names of compressions -> tifffile's. What is not listed (JPEG in TIFF, fax) would
# lose or cannot hold what a filter gives, and is written with deflate.
COMPRESSIONS = {
    "raw": None,
    None: None,
    "tiff_adobe_deflate": "adobe_deflate",
    "tiff_deflate": "adobe_deflate",
    "tiff_lzw": "lzw",
    "zstd": "zstd",
    "packbits": "packbits",
}
DESCRIPTION, SOFTWARE, DATE_TIME = 270, 305, 306
XMP = 700
PHOTOMETRIC = {"gray": "minisblack", "rgb": "rgb", "cmyk": "separated"}


def encode_tiff(picture: Picture) -> bytes:
    """Encode every frame as a page; compression as the source had it, deflate otherwise."""
    import tifffile

    meta = picture.meta
    same_source = picture.format == "TIFF"
    compression = (
        COMPRESSIONS.get(meta.compression, "adobe_deflate") if same_source else ("adobe_deflate")
    )
    predictor = compression in ("adobe_deflate", "lzw", "zstd")
    texts = dict(meta.tiff_tags)
    extra: list[tuple[int, int, int, Any, bool]] = [
        (code, 2, len(text.encode()) + 1, text.encode(), True)
        for code, text in texts.items()
        if code not in (DESCRIPTION, SOFTWARE, DATE_TIME)
    ]
    if meta.xmp:
        extra.append((XMP, 1, len(meta.xmp), meta.xmp, True))
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for frame in picture.frames:
            pixels = frame.pixels
            colours = COLOURS[picture.space]
            if pixels.shape[-1] == 1:
                pixels = pixels[..., 0]
            writer.write(
                np.ascontiguousarray(pixels),
                photometric=PHOTOMETRIC[picture.space],
                planarconfig="contig" if colours > 1 or picture.alpha else None,
                extrasamples=["unassalpha"] if picture.alpha else None,
                compression=compression,
                predictor=predictor,
                description=texts.get(DESCRIPTION),
                software=texts.get(SOFTWARE, False),
                datetime=texts.get(DATE_TIME),
                resolution=meta.dpi,
                resolutionunit="INCH" if meta.dpi else None,
                iccprofile=meta.icc,
                extratags=extra,
                metadata=None,
                contiguous=False,
            )
    return out.getvalue()
