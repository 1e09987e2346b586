"""Linear light and brightness: the ways from samples to layers of floats, and back to colours.

Source: IEC 61966-2-1 (the sRGB curve) and ITU-R BT.709 (the weights of luminance).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.regions import Ranges
from convcli.errors import InputError
from convcli.imaging.header import full_scale
from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.float_layers import Layers, LayerStage
from convcli.imaging.stages.missing import require_finite
from convcli.imaging.stages.plans import Plans
from convcli.kernels.blas import matmul

__all__ = ["LUMINANCE", "AsColours", "AsFloats", "from_linear", "luminance", "to_linear"]

LUMINANCE = (0.2126, 0.7152, 0.0722)


def to_linear(values: NDArray[Any], xp: Any = np) -> NDArray[Any]:
    """sRGB values, 0 to 1, as linear light; negative values mirror positive ones.

    ``xp`` is the module of the array.

    Raises
    ------
    InputError
        If a value is so large (1e16 in float32) that its light has no number.

    >>> to_linear(np.array([0.0, 0.5, 1.0])).round(4).tolist()
    [0.0, 0.214, 1.0]
    """
    size = xp.abs(values)
    try:
        with np.errstate(over="raise"):
            high = ((size + 0.055) * (1 / 1.055)) ** 2.4
        if xp is not np and bool(xp.isinf(high).any()):  # a GPU raises nothing
            raise FloatingPointError
    except FloatingPointError as error:
        raise InputError(
            f"a sample of {float(size.max()):g}, where 1 is white, has no linear light; drop --linear"
        ) from error
    curve = xp.where(size <= 0.04045, size * (1 / 12.92), high)
    signed: NDArray[Any] = xp.copysign(curve, values)
    return signed


def from_linear(values: NDArray[Any], xp: Any = np) -> NDArray[Any]:
    """Linear light as sRGB values; the inverse of :func:`to_linear`.

    >>> from_linear(to_linear(np.array([0.01, 0.7]))).round(6).tolist()
    [0.01, 0.7]
    """
    size = xp.abs(values)
    high = 1.055 * size ** (1 / 2.4) - 0.055
    curve = xp.where(size <= 0.0031308, size * 12.92, high)
    signed: NDArray[Any] = xp.copysign(curve, values)
    return signed


def luminance(colours: NDArray[Any], xp: Any = np) -> NDArray[Any]:
    """Brightness of RGB (H, W, 3) as (H, W, 1)."""
    weights = np.array(LUMINANCE, colours.dtype)
    if xp is not np:  # three multiply-adds a pixel are no work for cuBLAS
        red, green, blue = (colours[..., n : n + 1] * weight for n, weight in enumerate(weights))
        mixed: NDArray[Any] = red + green + blue
        return mixed
    return np.asarray(matmul(np, colours, weights))[..., np.newaxis]


@lru_cache(maxsize=2)
def _light_of(dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> NDArray[Any]:
    """The light of every sample of a type: a GPU looks it up, to the bits of the CPU."""
    white = int(full_scale(dtype))
    return to_linear(np.arange(white + 1).astype(float_dtype) * (1 / white))


class AsFloats:
    """Samples as floats from 0 to 1, in the light that is asked for, brightness split off."""

    def __init__(self, plane: Plane, plans: Plans, name: str) -> None:
        self.plane, self.plans, self.name = plane, plans, name

    def read(self, want: Ranges) -> Layers:
        """Layers of a region."""
        plans = self.plans
        colours, alpha = plans.split(require_finite(self.plane.read(want), self.name, plans.xp))
        if alpha is not None:
            alpha = self._as_floats(alpha)
        if plans.options.linear and plans.xp is not np and colours.dtype.kind == "u":
            light = plans.xp.asarray(_light_of(colours.dtype, plans.float_dtype))
            colours = plans.xp.take(light, colours)
        else:
            colours = self._as_floats(colours)
            if plans.options.linear:
                colours = to_linear(colours, plans.xp)
        if not plans.luma:
            return Layers(colours, alpha)
        brightness = luminance(colours, plans.xp)
        return Layers(brightness, alpha, colours - brightness)

    def _as_floats(self, samples: Pixels) -> Pixels:
        """White as 1."""
        kind, scale = self.plans.float_dtype, 1 / full_scale(self.plane.dtype)
        if self.plans.xp is np:
            return samples.astype(kind) * scale
        floats: Pixels = self.plans.xp.multiply(samples, kind.type(scale))  # the same, in one pass
        return floats


class AsColours:
    """Brightness and chroma put together again, linear light as sRGB."""

    def __init__(self, before: LayerStage, plans: Plans) -> None:
        self.before, self.linear, self.xp = before, plans.options.linear, plans.xp

    def read(self, want: Ranges) -> Layers:
        """Layers of a region."""
        colours, alpha, chroma, _ = self.before.read(want)
        if chroma is not None:
            colours = colours + chroma
        return Layers(from_linear(colours, self.xp) if self.linear else colours, alpha)
