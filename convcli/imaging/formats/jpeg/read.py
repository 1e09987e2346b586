"""Decoding JPEG: large ones on a thread of their own, the rest by Pillow."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from convcli.imaging.formats.jpeg.check import jpeg_faults, open_jpeg
from convcli.imaging.formats.jpeg.large import LargeJpeg, begin_jpeg
from convcli.imaging.formats.jpeg.metadata import read_jpeg_metadata
from convcli.imaging.formats.shared.pillow import picture_of, pixels_of
from convcli.imaging.header import Metadata
from convcli.imaging.limits import check_size
from convcli.imaging.metadata.upright import take_orientation
from convcli.imaging.source import Source

__all__ = ["read_jpeg"]


def read_jpeg(data: bytes, name: str, max_pixels: int, begun: LargeJpeg | None = None) -> Source:
    """Decode a JPEG, whose pixels may have been ``begun`` before."""
    if begun is None:
        begun = begin_jpeg(data, max_pixels)
    image = open_jpeg(data)
    meta = Metadata()
    notes: list[str] = []
    read_jpeg_metadata(data, meta, notes)
    meta.jpeg = _settings(image)
    check_size(name, image.width, image.height, max_pixels)
    notes += jpeg_faults(data)  # while the pixels are decoded, if they are begun
    orientation = take_orientation(meta, notes)
    others = int(getattr(image, "n_frames", 1)) - 1
    if others > 0:  # the other pictures of a file of several are previews and depth maps
        notes.append(f"{others} secondary pictures of the JPEG were left out")

    def decode(image: Any, name: str, mode: str | None, notes: list[str]) -> NDArray[Any]:
        pixels = None
        if begun is not None and begun.shape == (*image.size[::-1], len(image.getbands())):
            pixels = begun.pixels()
        return pixels_of(image, name, mode, notes) if pixels is None else pixels

    how: dict[str, Any] = {"one": True, "decode": decode}
    return picture_of(image, "JPEG", name, meta, notes, max_pixels, orientation, **how)


def _settings(image: Any) -> dict[str, Any]:
    """Quantisation tables and subsampling, so that saving again loses as little as possible."""
    from PIL import JpegImagePlugin

    settings: dict[str, Any] = {"qtables": dict(image.quantization)}
    sampling = JpegImagePlugin.get_sampling(image)
    if sampling != -1:
        settings["subsampling"] = sampling
    if image.info.get("progressive") or image.info.get("progression"):
        settings["progressive"] = True
    return settings
