"""One picture through many kernels, each result as a few RGB bytes to choose by eye.

The picture is made small first and filtered then: the mark that a 3x3 kernel leaves on a large
photograph is gone when the photograph is made small afterwards.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.engine.backends import NUMPY
from convcli.errors import ConvcliError
from convcli.imaging.frames import filtered
from convcli.imaging.header import full_scale
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Source
from convcli.imaging.stages.filter import Filter
from convcli.imaging.thumbnail import as_rgb, fitted
from convcli.kernels.kernel import Kernel

__all__ = ["Asked", "SheetTile", "shown", "small_picture", "tiles"]

Pixels = NDArray[np.uint8]


FAINT = 80.0
"""The level below which nearly all of a result lies that nobody could see in a small tile."""


class Asked(NamedTuple):
    """A chain of kernels as it was written; ``named`` by the user, or taken from the catalogue."""

    text: str
    kernels: Sequence[Kernel]
    group: str = ""
    named: bool = True


class SheetTile(NamedTuple):
    """What became of it: ``rgb`` (H, W, 3) bytes, or None and the reason why there is none.

    ``stretched`` says that its darkest is shown as black and its brightest as white.
    """

    asked: Asked
    rgb: Pixels | None
    refusal: str = ""
    stretched: bool = False


def small_picture(picture: Source, width: int, height: int) -> Source:
    """The first frame within a box of pixels, 8 bits, gray or RGB in sRGB, with its alpha.

    Nothing is enlarged. Cells are means over areas, weighted by alpha. A raster, whose values have
    no white, is shown from its smallest value to its largest; of its bands the first.

    >>> frame = np.full((10, 40, 1), 65535, np.uint16)
    >>> picture = Source("PNG", "gray", False, frame.dtype, (10, 40), [Frame(frame)])
    >>> small = small_picture(picture, 20, 20)
    >>> small.size, small.first.pixels.max()
    ((5, 20), np.uint8(255))
    """
    pixels = picture.first.pixels
    size, step = fitted(pixels.shape[:2], width, height)
    space, alpha = picture.space, picture.alpha
    if picture.is_raster:
        pixels, space, alpha = _stretched(pixels[..., :1], picture.nodata), "gray", False
    elif pixels.dtype != np.uint8:
        part = pixels[::step, ::step].astype(np.float32) * (255 / full_scale(pixels.dtype))
        pixels = np.rint(np.clip(np.nan_to_num(part), 0, 255)).astype(np.uint8)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels, _mode(space, alpha))
    small = image.resize(size, Image.Resampling.BOX) if image.size != size else image
    samples = np.asarray(_in_srgb(small, picture.meta.icc))
    samples = samples.reshape(*samples.shape[:2], -1)
    channels = samples.shape[2]
    space, alpha = ("gray", "rgb")[channels > 2], channels in (2, 4)
    frames = [Frame(samples)]
    name = picture.name
    return Source("memory", space, alpha, samples.dtype, samples.shape[:2], frames, name=name)


def _mode(space: str, alpha: bool) -> str:
    return {"gray": "L", "rgb": "RGB", "cmyk": "CMYK"}[space] + "A" * alpha


def _stretched(values: NDArray[np.generic], nodata: float | int | None) -> Pixels:
    """Values (H, W, 1) from the smallest, black, to the largest, white; missing ones are black."""
    samples = values.astype(np.float64)
    there = np.isfinite(samples) if nodata is None else np.isfinite(samples) & (values != nodata)
    if not there.any():
        return np.zeros(samples.shape, np.uint8)
    low, high = samples[there].min(), samples[there].max()
    scaled = (np.where(there, samples, low) - low) * (255 / (high - low or 1.0))
    levels: Pixels = np.rint(scaled).astype(np.uint8)
    return levels


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image in sRGB, or in gray: a sheet holds no profile of the picture's."""
    if image.mode == "CMYK" and profile is None:
        # Inverted ink over white, as every other picture on a screen of convcli's is shown.
        ink = np.asarray(image).astype(np.float32)
        light = (255 - ink[..., :3]) * (255 - ink[..., 3:]) / np.float32(255)
        return Image.fromarray(np.rint(light).astype(np.uint8))
    if profile is None:
        return image
    from PIL import ImageCms

    alpha = image.getchannel("A") if image.mode.endswith("A") else None
    plain = image.convert(image.mode.removesuffix("A")) if alpha else image
    mode = "L" if plain.mode == "L" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        # Gray has no place in sRGB of its own, so it comes back as the mean of three alike.
        colours = ImageCms.profileToProfile(plain, source, srgb, outputMode="RGB")
        plain = colours.convert(mode) if colours is not None else plain
    except (ImageCms.PyCMSError, OSError, ValueError):
        plain = plain.convert(mode)  # a profile of something else: the samples as they are
    if alpha is not None:
        plain.putalpha(alpha)
    return plain


def shown(picture: Source) -> Pixels:
    """An 8-bit picture's first frame as RGB bytes, (H, W, 3)."""
    return as_rgb(picture.first.pixels.astype(np.float32), picture)


def tiles(picture: Source, asked: Sequence[Asked]) -> Iterator[SheetTile]:
    """Each chain on a small picture, filtered as ``convcli filter`` does without options.

    A result of which nothing could be seen (slopes of a wide Gaussian are a few levels) is
    filtered with ``range`` stretch.

    Raises
    ------
    ConvcliError
        If a chain that was named cannot run on it. One of the catalogue's gives a tile that says why.
    """
    options = FilterOptions(backend=NUMPY, threads=1)
    faint = min(FAINT, _brightest(shown(picture)) / 2)
    for one in asked:
        try:
            rgb = _filtered(picture, one, options)
            dark = _brightest(rgb) < faint
            if dark:
                rgb = _filtered(picture, one, options._replace(range="stretch"))
        except ConvcliError as error:
            if one.named:
                raise
            yield SheetTile(one, None, str(error))
            continue
        yield SheetTile(one, rgb, stretched=dark)


def _filtered(picture: Source, asked: Asked, options: FilterOptions) -> Pixels:
    chain = Filter(picture, asked.kernels, options)
    frame = filtered(chain, picture.first)
    return as_rgb(frame.pixels.astype(np.float32), chain.outline.header)


def _brightest(rgb: Pixels) -> float:
    """The level that one sample in a hundred exceeds."""
    return float(np.percentile(rgb, 99))
