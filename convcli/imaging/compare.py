"""How far two pictures are apart: PSNR, SSIM, the largest difference, and where it is.

Missing samples, NaN and those that a file declares, are NaN here, and left out of every measure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import UsageError
from convcli.imaging.header import full_scale
from convcli.imaging.source import Frame, Plane, Source

__all__ = ["Comparison", "compare_pictures", "difference_picture", "ssim"]

Array = NDArray[np.float64]

SIGMA, RADIUS = 1.5, 5
C1, C2 = 0.01**2, 0.03**2
STRIP = 256
"""Rows computed at a time, so that a large photograph needs little memory."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two pictures on a scale where white is 1.

    Parameters
    ----------
    size, frames
        (height, width) and number of frames.
    mse
        Mean squared difference of all samples.
    ssim
        Structural similarity, mean over channels and frames; None below 11 pixels a side, and
        where none of its windows is without a missing sample.
    largest
        Largest absolute difference, and ``where`` as (frame, row, column, channel).
    equal
        Share of the pixels that are exactly the same; missing in both is the same.
    white
        White of the deeper of the two, for differences in levels.
    missing, alone
        How many samples are missing in one or both, and how many of them in one alone.
    """

    size: tuple[int, int]
    frames: int
    mse: float
    ssim: float | None
    largest: float
    where: tuple[int, int, int, int]
    equal: float
    white: float
    missing: int = 0
    alone: int = 0

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio in decibels, ``10 log10(1 / mse)``; infinite if equal."""
        return math.inf if self.mse == 0 else -10 * math.log10(self.mse)


def compare_pictures(a: Source, b: Source, names: tuple[str, str]) -> Comparison:
    """Compare pixel by pixel, alpha included, each picture scaled by its own white.

    Raises
    ------
    UsageError
        If sizes, channels or frames differ.
    """
    _check_alike(a, b, names)
    total, count, same, peak = 0.0, 0, 0, -1.0
    missing = alone = 0
    where = (0, 0, 0, 0)
    similar: list[float] = []
    for number, (one, two) in enumerate(zip(a.frames, b.frames, strict=True)):
        if one.pixels.shape != two.pixels.shape:
            raise UsageError(
                f"frame {number + 1} is {_shape(one)} in {names[0]} and {_shape(two)} in {names[1]}"
            )
        for top in range(0, len(one.pixels), STRIP):
            difference, only = _difference(_scaled(a, one, top), _scaled(b, two, top))
            gone = np.isnan(difference)
            difference[gone] = 0
            total += float(np.square(difference).sum())
            count += difference.size
            missing += int(gone.sum())
            alone += int(only.sum())
            same += int(((difference == 0) & ~only).all(-1).sum())
            if difference.max() > peak:
                peak = float(difference.max())
                r, c, channel = np.unravel_index(difference.argmax(), difference.shape)
                where = (number, top + int(r), int(c), int(channel))
        similar += _frame_ssim(a, one, b, two)
    channels = next(iter(a.frames)).pixels.shape[2]
    return Comparison(
        a.size,
        a.n_frames,
        total / max(count - missing, 1),
        sum(similar) / len(similar) if similar else None,
        peak,
        where,
        same / (count // channels),
        max(full_scale(a.dtype), full_scale(b.dtype)),
        missing,
        alone,
    )


def _check_alike(a: Source, b: Source, names: tuple[str, str]) -> None:
    for what, one, two in (
        ("pixels", f"{a.size[1]}x{a.size[0]}", f"{b.size[1]}x{b.size[0]}"),
        ("channels", a.space + " with alpha" * a.alpha, b.space + " with alpha" * b.alpha),
        ("frames", str(a.n_frames), str(b.n_frames)),
    ):
        if one != two:
            raise UsageError(
                f"{names[0]} has {one} and {names[1]} has {two} as {what}; only pictures of the "
                "same size, channels and frames are compared"
            )


def _shape(frame: Plane) -> str:
    return f"{frame.pixels.shape[1]}x{frame.pixels.shape[0]}"


def _scaled(source: Source, frame: Plane, top: int = 0, stop: int | None = None) -> Array:
    """Rows of a frame, NaN where a sample is missing."""
    rows = frame.pixels[top : top + STRIP if stop is None else stop]
    scaled = rows.astype(np.float64) / full_scale(rows.dtype)
    if source.nodata is not None:
        colours = slice(source.colours)
        scaled[..., colours][rows[..., colours] == source.nodata] = np.nan
    return scaled


def _difference(one: Array, two: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Absolute differences, NaN where a sample is missing, and where one alone is."""
    with np.errstate(invalid="ignore"):
        difference = np.where(one == two, 0, np.abs(one - two))
    return difference, np.isnan(one) != np.isnan(two)


def _frame_ssim(a: Source, one: Plane, b: Source, two: Plane) -> list[float]:
    """The mean over all windows without a missing sample, if there are any."""
    height = one.pixels.shape[0]
    total, count = 0.0, 0
    for top in range(0, height - 2 * RADIUS, STRIP):
        stop = min(top + STRIP + 2 * RADIUS, height)
        with np.errstate(invalid="ignore"):
            found = ssim(_scaled(a, one, top, stop), _scaled(b, two, top, stop))
        gone = np.isnan(found)
        found[gone] = 0
        total += float(found.sum())
        count += found.size - int(gone.sum())
    return [total / count] if count else []


def ssim(a: Array, b: Array) -> Array:
    """The map of structural similarity of arrays (H, W, C) from 0 to 1, where windows fit.

    Gaussian windows of 11x11 with sigma 1.5, K1 = 0.01, K2 = 0.03, moments weighted by the
    window. Source: Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing
    13 (2004).

    >>> x = np.linspace(0, 1, 12 * 13).reshape(12, 13, 1)
    >>> ssim(x, x).shape, float(ssim(x, x).min())
    ((2, 3, 1), 1.0)
    """
    mean_a, mean_b = _blur(a), _blur(b)
    var_a = _blur(a * a) - mean_a * mean_a
    var_b = _blur(b * b) - mean_b * mean_b
    both = _blur(a * b) - mean_a * mean_b
    above = (2 * mean_a * mean_b + C1) * (2 * both + C2)
    below = (mean_a * mean_a + mean_b * mean_b + C1) * (var_a + var_b + C2)
    return above / below


def _blur(x: Array) -> Array:
    """The Gaussian mean over each window that fits."""
    taps = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    taps /= taps.sum()
    rows, columns = x.shape[0] - 2 * RADIUS, x.shape[1] - 2 * RADIUS
    down = sum(tap * x[i : i + rows] for i, tap in enumerate(taps))
    across: Any = sum(tap * down[:, i : i + columns] for i, tap in enumerate(taps))
    result: Array = across
    return result


def difference_picture(a: Source, b: Source, largest: float) -> Source:
    """Absolute differences of the colours, 8 bits, the ``largest`` of them white.

    So is what is missing in one alone; what is missing in both is black.
    """

    def frames() -> Iterator[Frame]:
        for one, two in zip(a.frames, b.frames, strict=True):
            colours = one.pixels.shape[2] - a.alpha
            height = len(one.pixels)
            difference, only = _difference(_scaled(a, one, 0, height), _scaled(b, two, 0, height))
            shown = np.rint(np.nan_to_num(difference) * (255 / largest if largest else 0))
            shown = np.where(only, 255, shown)[..., :colours]
            yield Frame(np.minimum(shown, 255).astype(np.uint8), one.duration)

    return Source(
        "memory",
        a.space,
        False,
        np.dtype(np.uint8),
        a.size,
        list(frames()),
        n_frames=a.n_frames,
        animated=a.animated,
    )
