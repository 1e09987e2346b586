"""Encoding with Pillow, always into memory: a full disk is noticed when the bytes are written."""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.imaging.gif import GifFrame, assemble_gif, image_block
from convcli.imaging.picture import Frame, Metadata, Picture
from convcli.imaging.pillow_read import PLUGINS
from convcli.imaging.webp import assemble_webp

__all__ = ["DEFAULT_QUALITY", "encode_with_pillow", "metadata_options", "to_pillow"]

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


def encode_with_pillow(picture: Picture, kind: str, quality: int | None) -> bytes:
    """Encode as WebP, GIF, BMP or AVIF."""
    if kind == "GIF":
        return _gif(picture)
    options = metadata_options(picture.meta, kind)
    if kind == "WEBP":
        # `exact` keeps the colours of fully transparent pixels, which lossless promises.
        lossless = picture.format == "WEBP" and picture.meta.lossless and quality is None
        options |= {"lossless": lossless, "exact": lossless, "quality": quality or DEFAULT_QUALITY}
        if picture.n_frames > 1:
            stills = [(_still(f, picture, options), f.duration) for f in picture.frames]
            return assemble_webp(picture.size, stills, picture.meta, alpha=picture.alpha)
    elif kind == "AVIF" and quality is not None:
        options["quality"] = quality
    image = to_pillow(next(iter(picture.frames)).pixels, picture.space, picture.alpha)
    return _save(image, kind, **options)


def _still(frame: Frame, picture: Picture, options: dict[str, Any]) -> bytes:
    pixel_options = {key: options[key] for key in ("lossless", "exact", "quality")}
    return _save(to_pillow(frame.pixels, picture.space, picture.alpha), "WEBP", **pixel_options)


def metadata_options(meta: Metadata, kind: str) -> dict[str, Any]:
    """What travels along, as Pillow's writers call it."""
    if kind == "BMP":
        return {"dpi": meta.dpi} if meta.dpi else {}
    options: dict[str, Any] = {"icc_profile": meta.icc} if meta.icc else {}
    if meta.exif:
        options["exif"] = b"Exif\0\0" + meta.exif
    if meta.xmp:
        options["xmp"] = meta.xmp
    if kind == "JPEG":
        if meta.dpi:
            options["dpi"] = tuple(round(value) for value in meta.dpi)
        if meta.comment:
            options["comment"] = meta.comment
    return options


def _gif(picture: Picture) -> bytes:
    frames: list[GifFrame] = []
    for frame in picture.frames:
        block, transparent = _gif_frame(frame.pixels, picture.space, picture.alpha)
        frames.append((block, frame.duration, frame.disposal, transparent))
    # Every frame covers the canvas; only before a frame with holes must the canvas be cleared.
    for index, (block, duration, _, transparent) in enumerate(frames):
        following = frames[(index + 1) % len(frames)][3]
        if following is not None and len(frames) > 1:
            frames[index] = (block, duration, 2, transparent)
    loop = picture.meta.loop if picture.n_frames > 1 else None
    return assemble_gif(picture.size, frames, loop=loop, comment=picture.meta.comment)


def _gif_frame(pixels: NDArray[Any], space: str, alpha: bool) -> tuple[bytes, int | None]:
    """One frame as an image block, with the index of its transparent colour."""
    colours = pixels[..., : pixels.shape[-1] - alpha]
    clear = pixels[..., -1] < 128 if alpha else None
    spare = int(clear is not None and bool(clear.any()))
    rgb = np.repeat(colours, 3, axis=-1) if space == "gray" else colours
    codes = (rgb.astype(np.uint32) * np.array([1 << 16, 1 << 8, 1], np.uint32)).sum(-1)
    if spare:
        codes[clear] = codes[~clear][0] if clear is not None and not clear.all() else 0
    distinct, indices = np.unique(codes, return_inverse=True)
    if len(distinct) <= 256 - spare:
        # Few enough colours: exact, whatever a quantiser would make of them.
        palette = np.stack([distinct >> 16, distinct >> 8 & 255, distinct & 255], -1)
        indexed = indices.reshape(codes.shape).astype(np.uint8)
        table = palette.astype(np.uint8).tobytes()
    else:
        image = to_pillow(np.ascontiguousarray(rgb), "rgb", False)
        best = image.quantize(256 - spare)
        drawn = image.quantize(palette=best, dither=Image.Dither.FLOYDSTEINBERG)
        indexed = np.array(drawn)
        table = bytes(best.getpalette("RGB"))[: 3 * (256 - spare)]
    transparent = len(table) // 3 if spare else None
    if clear is not None and transparent is not None:
        indexed[clear] = transparent
        table += b"\0\0\0"
    image = Image.fromarray(np.ascontiguousarray(indexed))
    image.putpalette(table)
    return image_block(_save(image, "GIF", optimize=False)), transparent
