"""Small pictures to look at: any picture as a few RGB bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.imaging.header import Header, full_scale
from convcli.imaging.source import Source

__all__ = ["as_pillow", "as_rgb", "fitted", "thumbnail"]

GROUND = 96
"""Gray behind what is transparent."""


def thumbnail(picture: Source, width: int, height: int) -> NDArray[np.uint8]:
    """The first frame as RGB, (H, W, 3) of uint8, within a box of pixels, its shape kept.

    Averages over areas, so nothing is missed; transparent pixels lie on gray; deeper samples
    and floating point are shown as they would be at 8 bits.

    >>> frame = np.full((10, 40, 1), 65535, np.uint16)
    >>> from convcli.imaging.source import Frame
    >>> picture = Source("PNG", "gray", False, frame.dtype, (10, 40), [Frame(frame)])
    >>> thumbnail(picture, 20, 20).shape
    (5, 20, 3)
    """
    pixels = next(iter(picture.frames)).pixels
    size, step = fitted(pixels.shape[:2], width, height)
    part = pixels[::step, ::step].astype(np.float32) * (255 / full_scale(pixels.dtype))
    image = Image.fromarray(as_rgb(np.clip(part, 0, 255), picture))
    return np.asarray(image.resize(size, Image.Resampling.BOX))


def fitted(shape: tuple[int, ...], width: int, height: int) -> tuple[tuple[int, int], int]:
    """Width and height within a box, nothing enlarged; and a step to take pixels at before.

    Taken as views at whole steps, a large photograph is never copied at another depth.

    >>> fitted((3000, 4000), 200, 200)
    ((200, 150), 5)
    """
    rows, columns = shape
    scale = min(width / columns, height / rows, 1.0)
    size = max(round(columns * scale), 1), max(round(rows * scale), 1)
    return size, max(int(min(columns / size[0], rows / size[1]) // 4), 1)


def as_rgb(samples: NDArray[np.float32], picture: Header) -> NDArray[np.uint8]:
    """Samples of 0 to 255, (H, W, C), as RGB bytes (H, W, 3); what is transparent lies on gray."""
    return np.rint(_rgb(samples, picture)).astype(np.uint8)


def _rgb(samples: NDArray[np.float32], picture: Header) -> NDArray[np.float32]:
    colours: NDArray[np.float32] = samples[..., : samples.shape[2] - picture.alpha]
    if picture.space == "cmyk":
        colours = (255 - colours[..., :3]) * (255 - colours[..., 3:]) / np.float32(255)
    if picture.space == "gray":
        colours = np.repeat(colours, 3, axis=-1)
    if not picture.alpha:
        return colours
    weight = samples[..., -1:] / np.float32(255)
    over: NDArray[np.float32] = colours * weight + np.float32(GROUND) * (1 - weight)
    return over


def as_pillow(pixels: NDArray[np.uint8]) -> Any:
    """A Pillow image of RGB bytes, for libraries that take nothing else."""
    return Image.fromarray(pixels)
