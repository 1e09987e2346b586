"""Decoding JPEG: large ones on a thread of their own, the rest by Pillow."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.imaging.flowing import FlowingPlane
from convcli.imaging.formats.jpeg.check import jpeg_faults, open_jpeg
from convcli.imaging.formats.jpeg.flow import JpegFlow
from convcli.imaging.formats.jpeg.large import LargeJpeg, begin_jpeg
from convcli.imaging.formats.jpeg.metadata import read_jpeg_metadata
from convcli.imaging.formats.shared.pillow import SPACES, picture_of, pixels_of
from convcli.imaging.header import Metadata
from convcli.imaging.limits import check_size, decoding
from convcli.imaging.metadata.upright import take_orientation
from convcli.imaging.row_stream import DoesNotFlow
from convcli.imaging.source import Source

__all__ = ["flowing_jpeg", "read_jpeg"]


def read_jpeg(data: bytes, name: str, max_pixels: int, begun: LargeJpeg | None = None) -> Source:
    """Decode a JPEG, whose pixels may have been ``begun`` before."""
    if begun is None:
        begun = begin_jpeg(data, max_pixels)
    image, meta, notes = _opened(data, name, max_pixels)
    notes += jpeg_faults(data)  # while the pixels are decoded, if they are begun
    orientation = _oriented(image, meta, notes)

    def decode(image: Any, name: str, mode: str | None, notes: list[str]) -> NDArray[Any]:
        pixels = None
        if begun is not None and begun.shape == _shape(image):
            pixels = begun.pixels()
        return pixels_of(image, name, mode, notes) if pixels is None else pixels

    how: dict[str, Any] = {"one": True, "decode": decode}
    return picture_of(image, "JPEG", name, meta, notes, max_pixels, orientation, **how)


def flowing_jpeg(flow: JpegFlow, name: str, max_pixels: int) -> Source:
    """A JPEG whose rows flow.

    Raises
    ------
    DoesNotFlow
        If Pillow takes it for something else.
    """
    with ExitStack() as undone, decoding(name, "JPEG"):
        undone.callback(flow.stream.close)
        image, meta, notes = _opened(flow.data, name, max_pixels)
        orientation = _oriented(image, meta, notes)
        shape, dtype = flow.frame.shape, np.dtype(np.uint8)
        if _shape(image) != shape or image.mode not in ("L", "RGB") or orientation != 1:
            raise DoesNotFlow("it is decoded whole")
        undone.pop_all()
    flow.stream.name = name
    space, alpha = SPACES[image.mode]
    plane = FlowingPlane(flow.stream, shape, dtype, lambda: None)
    return Source("JPEG", space, alpha, dtype, shape[:2], [plane], meta=meta, notes=notes)


def _opened(data: bytes, name: str, max_pixels: int) -> tuple[Any, Metadata, list[str]]:
    """A Pillow image whose pixels are not read yet, what the file says besides, and notes."""
    image = open_jpeg(data)
    meta = Metadata()
    notes: list[str] = []
    read_jpeg_metadata(data, meta, notes)
    meta.jpeg = _settings(image)
    check_size(name, image.width, image.height, max_pixels)
    return image, meta, notes


def _oriented(image: Any, meta: Metadata, notes: list[str]) -> int:
    """How the picture is to be turned; the other pictures of a file of several are told of."""
    orientation = take_orientation(meta, notes)
    others = int(getattr(image, "n_frames", 1)) - 1
    if others > 0:  # previews and depth maps
        notes.append(f"{others} secondary pictures of the JPEG were left out")
    return orientation


def _shape(image: Any) -> tuple[int, int, int]:
    return image.height, image.width, len(image.getbands())


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
