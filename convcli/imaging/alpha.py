"""Filtering next to transparency: one step of a chain on colour and alpha together.

A weighted mean of colours must count each colour by how much of it is there, or the colour that
is hidden under transparent pixels bleeds out as a fringe. So kernels whose weights do not sum to
zero run on colour times alpha, and the result is divided by the filtered alpha. Kernels that sum
to zero measure differences; they, and kernels of one tap, leave alpha as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.kernels.kernel import Kernel

__all__ = ["Correlate", "KeepAlpha", "filter_step", "leaves_alpha", "parts", "picker"]

Pixels: TypeAlias = NDArray[Any]
Correlate: TypeAlias = Callable[[Pixels, Kernel, bool], Pixels]
"""``(pixels, kernel, outside_is_opaque)`` -> the response, unmapped."""

KeepAlpha: TypeAlias = Callable[[Pixels, Kernel], Pixels]
"""``(alpha, kernel)`` -> alpha as it was, at the positions of the kernel's output."""

EMPTY = 1e-6
"""Alpha below which a pixel has no colour: well under one level of 16 bits."""


def leaves_alpha(kernel: Kernel) -> bool:
    """Whether a kernel acts on colour alone."""
    if kernel.shape == (1, 1) or kernel.combine != "none":
        return True
    size = float(np.abs(kernel.weights).sum())
    return abs(float(kernel.weights.sum())) <= 1e-9 * size


@lru_cache(maxsize=64)
def picker(shape: tuple[int, int]) -> Kernel:
    """The kernel of ``shape`` that gives each position the pixel under its centre.

    The centre of an even size is the one before the middle: the extra row is at the end.
    """
    height, width = shape
    weights = np.zeros(shape)
    weights[(height - 1) // 2, (width - 1) // 2] = 1
    return Kernel(weights, name="centre")


@lru_cache(maxsize=64)
def parts(kernel: Kernel) -> tuple[Kernel, Kernel]:
    """What runs on colour times alpha, and the weighted mean that runs on alpha."""
    spatial = kernel.weights.sum(axis=(0, 1)) if kernel.is_bank else kernel.weights
    return kernel.replace(bias=0.0), Kernel(spatial / spatial.sum(), name="presence")


def filter_step(
    colours: Pixels, alpha: Pixels, kernel: Kernel, correlate: Correlate, keep_alpha: KeepAlpha
) -> tuple[Pixels, Pixels]:
    """Filter colours (H, W, C) and alpha (H, W, 1), floating point from 0 to 1."""
    if leaves_alpha(kernel):
        return correlate(colours, kernel, False), keep_alpha(alpha, kernel)
    on_colour, on_alpha = parts(kernel)
    premultiplied = correlate(colours * alpha, on_colour, False)
    present = correlate(alpha, on_alpha, True)
    there = present > EMPTY
    filtered = np.divide(premultiplied, present, out=np.zeros_like(premultiplied), where=there)
    # Where nothing is left there is no colour to offset either.
    filtered += np.where(there, kernel.bias / 255, 0.0).astype(filtered.dtype)
    return filtered, present.clip(0, 1)
