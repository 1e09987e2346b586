"""A signal as a sum of weighted, shifted impulses, and its response as the sum of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from convcli.errors import TensorError
from convcli.ops.border_cells import refuse_affine
from convcli.ops.conv import conv
from convcli.ops.conv_geometry import conv_geometry
from convcli.ops.operands import Array

__all__ = ["Impulse", "decomposed", "impulse_response", "impulses"]


MAX_VALUES = 4096
"""Most values of a signal: each of them is convolved on its own."""


@dataclass(frozen=True, slots=True)
class Impulse:
    """One value of the signal: where it is, how large, and what the kernel answers."""

    index: tuple[int, ...]
    value: Any
    response: Array


def impulse_response(weight: Array, *, flip: bool = False) -> Array:
    """What a unit impulse becomes under the full convolution.

    The kernel itself under convolution (``flip``), the kernel reversed under correlation.

    >>> impulse_response(np.array([1, 2, 3]))
    array([3, 2, 1])
    """
    return conv(np.ones((1,) * weight.ndim, np.int64), weight, padding="full", flip=flip)


def decomposed(x: Array) -> Iterator[Impulse]:
    """The non-zero values of ``x``, each alone on zeros: ``x[n] = sum over k of x[k] delta[n-k]``.

    >>> [(part.index, part.response.tolist()) for part in decomposed(np.array([0, 2, 1]))]
    [((1,), [0, 2, 0]), ((2,), [0, 0, 1])]
    """
    yield from impulses(x, np.ones((1,) * x.ndim, np.int64))


def impulses(x: Array, weight: Array, *, flip: bool = False, **options: Any) -> Iterator[Impulse]:
    """The non-zero values of ``x``, each with the response to it alone.

    ``y[n] = sum over k of x[k] h[n - k]``: the responses add up to ``conv(x, weight, ...)``.

    Parameters
    ----------
    x, weight
        Bare spatial arrays of the same rank.
    options
        As for :func:`convcli.conv`.

    >>> parts = impulses(np.array([0, 2, 1]), np.array([1, 10]), padding="full", flip=True)
    >>> [(part.index, part.value, part.response.tolist()) for part in parts]
    [((1,), 2, [0, 2, 20, 0]), ((2,), 1, [0, 0, 1, 10])]
    """
    if x.ndim != weight.ndim or x.ndim > 3:
        raise TensorError(
            f"x has {x.ndim} axes and the kernel {weight.ndim}; impulses are shown for bare "
            "arrays of the same number of axes, 1 to 3"
        )
    refuse_affine(conv_geometry(x.shape, weight.shape, dims=x.ndim, **options), "sum of impulses")
    if x.size > MAX_VALUES:
        raise TensorError(f"x has {x.size} values; at most {MAX_VALUES} are taken apart")
    for index in np.ndindex(x.shape):
        value = x.item(index)
        if value == 0:
            continue
        alone = np.zeros_like(x)
        alone[index] = value
        yield Impulse(index, value, conv(alone, weight, flip=flip, dims=x.ndim, **options))
