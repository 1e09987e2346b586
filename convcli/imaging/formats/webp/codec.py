"""WebP: the pixels by Pillow, each frame as a picture of its own."""

from __future__ import annotations

from convcli.errors import InputError
from convcli.imaging.atomic import Data
from convcli.imaging.formats.shared.pillow import (
    DEFAULT_QUALITY,
    open_with_pillow,
    picture_of,
    save_with_pillow,
    to_pillow,
)
from convcli.imaging.formats.webp.container import assemble_webp, read_webp_metadata
from convcli.imaging.header import Metadata
from convcli.imaging.metadata.upright import take_orientation
from convcli.imaging.source import Source

__all__ = ["encode_webp", "read_webp"]


def read_webp(data: bytes, name: str, max_pixels: int) -> Source:
    """Decode a WebP, every frame of it as it is seen."""
    claimed = int.from_bytes(data[4:8], "little") + 8
    if claimed > len(data):
        raise InputError(f"{name}: the WebP is cut short: {len(data)} bytes of {claimed}")
    image = open_with_pillow(data, "WebP")
    notes: list[str] = []
    loop = image.info.get("loop")
    meta = Metadata(loop=None if loop is None else int(loop))
    read_webp_metadata(data, meta, notes)
    meta.lossless = b"VP8L" in data[: 1 << 12]
    orientation = take_orientation(meta, notes)
    return picture_of(image, "WEBP", name, meta, notes, max_pixels, orientation)


def encode_webp(picture: Source, quality: int | None, *, lossless: bool) -> Data:
    """Encode every frame whole."""
    # `exact` keeps the colours of fully transparent pixels, which lossless promises.
    how = {"lossless": lossless, "exact": lossless, "quality": quality or DEFAULT_QUALITY}
    stills = []
    for frame in picture.frames:
        image = to_pillow(frame.pixels, picture.space, picture.alpha)
        stills.append((save_with_pillow(image, "WebP", **how), frame.duration))
    animated = picture.n_frames > 1
    return assemble_webp(picture.size, stills, picture.meta, alpha=picture.alpha, animated=animated)
