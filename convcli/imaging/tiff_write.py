"""Encoding TIFF at every depth, every page, with tifffile."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np

from convcli.imaging.picture import COLOURS, Metadata, Picture

__all__ = ["encode_tiff", "page_options"]

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
XMP, EXIF_IFD, PLACEHOLDER = 700, 34665, 65000
PHOTOMETRIC = {"gray": "minisblack", "rgb": "rgb", "cmyk": "separated"}


def page_options(meta: Metadata, space: str, alpha: bool, *, same_source: bool) -> dict[str, Any]:
    """How a page is written, in tifffile's words; the compression is the source's if it was TIFF."""
    compression = (
        COMPRESSIONS.get(meta.compression, "adobe_deflate") if same_source else "adobe_deflate"
    )
    texts = dict(meta.tiff_tags)
    extra: list[tuple[int, int, int, Any, bool]] = [
        (code, 2, len(text.encode()) + 1, text.encode(), True)
        for code, text in texts.items()
        if code not in (DESCRIPTION, SOFTWARE, DATE_TIME)
    ]
    if meta.xmp:
        extra.append((XMP, 1, len(meta.xmp), meta.xmp, True))
    return {
        "photometric": PHOTOMETRIC[space],
        "planarconfig": "contig" if COLOURS[space] > 1 or alpha else None,
        "extrasamples": ["unassalpha"] if alpha else None,
        "compression": compression,
        "predictor": compression in ("adobe_deflate", "lzw", "zstd"),
        "description": texts.get(DESCRIPTION),
        "software": texts.get(SOFTWARE, False),
        "datetime": texts.get(DATE_TIME),
        "resolution": meta.dpi,
        "resolutionunit": "INCH" if meta.dpi else None,
        "iccprofile": meta.icc,
        "extratags": extra,
        "metadata": None,
        "contiguous": False,
    }


def encode_tiff(picture: Picture) -> bytes:
    """Encode every frame as a page; compression as the source had it, deflate otherwise."""
    import tifffile

    meta = picture.meta
    options = page_options(meta, picture.space, picture.alpha, same_source=picture.format == "TIFF")
    details = _exif_details(meta.exif) if meta.exif else None
    if details is not None:
        options["extratags"].append((PLACEHOLDER, 4, 1, 0, True))
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for frame in picture.frames:
            pixels = frame.pixels
            if pixels.shape[-1] == 1:
                pixels = pixels[..., 0]
            writer.write(np.ascontiguousarray(pixels), **options)
    return out.getvalue() if details is None else _with_exif(out.getvalue(), details)


def _exif_details(exif: bytes) -> Any:
    """The EXIF directory of an EXIF block as Pillow reads it, or None if there is none.

    Nor if it is damaged: pixels matter more than the date they were taken.
    """
    from PIL import Image, TiffImagePlugin

    directory = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\x08\0\0\0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            block = Image.Exif()
            block.load(b"Exif\0\0" + exif)
            for tag, value in block.get_ifd(EXIF_IFD).items():
                directory[tag] = value
            directory.tobytes(8)  # values of types that cannot be written show here
    except Exception:
        return None
    return directory if len(directory) else None


def _with_exif(tiff: bytes, details: Any) -> bytes:
    """Append the directory and let the first page point to it.

    tifffile writes no directories below a page's own, and no tag that points to one; so a
    placeholder was written, whose entry is renamed here and sorted in.
    """
    if tiff[:4] != b"II*\0" or len(tiff) >= 2**32 - 2**20:
        return tiff  # BigTIFF: pixels matter more than the date they were taken
    tiff += b"\0" * (len(tiff) % 2)
    (start,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, start)
    entries = [struct.unpack_from("<HHII", tiff, start + 2 + 12 * i) for i in range(count)]
    pointer = (EXIF_IFD, 4, 1, len(tiff))
    sorted_in = sorted(pointer if entry[0] == PLACEHOLDER else entry for entry in entries)
    table = b"".join(struct.pack("<HHII", *entry) for entry in sorted_in)
    end = start + 2 + 12 * count
    return tiff[: start + 2] + table + tiff[end:] + bytes(details.tobytes(len(tiff)))
