"""Encoding with Pillow, always into memory: a full disk is noticed when the bytes are written."""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.imaging.formats.pillow_read import PLUGINS
from convcli.imaging.formats.webp.container import assemble_webp
from convcli.imaging.header import Metadata
from convcli.imaging.metadata.exif import without_orientation
from convcli.imaging.source import Source

__all__ = ["DEFAULT_QUALITY", "encode_with_pillow", "to_pillow"]

DEFAULT_QUALITY = 90
"""Quality of JPEG and lossy WebP where the source has none to keep."""

MODES = {
    ("gray", False): "L",
    ("gray", True): "LA",
    ("rgb", False): "RGB",
    ("rgb", True): "RGBA",
    ("cmyk", False): "CMYK",
}


def to_pillow(pixels: NDArray[Any], space: str, alpha: bool) -> Any:
    """A Pillow image over the same memory: uint8 of every kind, uint16 and float32 gray."""
    height, width, _ = pixels.shape
    mode = MODES[space, alpha]
    if pixels.dtype != np.uint8:
        mode = {"uint16": "I;16", "float32": "F"}[pixels.dtype.name]
        pixels = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    raw = "F;32F" if mode == "F" else mode
    pixels = np.ascontiguousarray(pixels)
    return Image.frombuffer(mode, (width, height), pixels, "raw", raw, 0, 1)


def _save(image: Any, kind: str, **options: Any) -> bytes:
    import_module(f"PIL.{PLUGINS[kind]}")
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def encode_with_pillow(picture: Source, kind: str, quality: int | None) -> bytes:
    """Encode as WebP, BMP or AVIF."""
    if kind == "WEBP":
        return _webp(picture, quality)
    options = metadata_options(picture.meta, kind)
    if kind == "AVIF" and quality is not None:
        options["quality"] = quality
    image = to_pillow(next(iter(picture.frames)).pixels, picture.space, picture.alpha)
    return _save(image, kind, **options)


def _webp(picture: Source, quality: int | None) -> bytes:
    # `exact` keeps the colours of fully transparent pixels, which lossless promises.
    lossless = picture.format == "WEBP" and picture.meta.lossless and quality is None
    how = {"lossless": lossless, "exact": lossless, "quality": quality or DEFAULT_QUALITY}
    stills = []
    for frame in picture.frames:
        image = to_pillow(frame.pixels, picture.space, picture.alpha)
        stills.append((_save(image, "WEBP", **how), frame.duration))
    animated = picture.n_frames > 1
    return assemble_webp(picture.size, stills, picture.meta, alpha=picture.alpha, animated=animated)


def metadata_options(meta: Metadata, kind: str) -> dict[str, Any]:
    """What travels along in a BMP or AVIF, as Pillow's writers call it."""
    if kind == "BMP":
        return {"dpi": meta.dpi} if meta.dpi else {}
    options: dict[str, Any] = {"icc_profile": meta.icc} if meta.icc else {}
    if meta.exif:
        options["exif"] = b"Exif\0\0" + without_orientation(meta.exif)
    if meta.xmp:
        options["xmp"] = meta.xmp
    return options
