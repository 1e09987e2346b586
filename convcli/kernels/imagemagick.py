"""ImageMagick's kernel string, ``3x3: 1,0,-1 2,0,-2 1,0,-1``."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.numerals import parse_number
from convcli.errors import KernelError
from convcli.kernels.kernel import MAX_SIDE

__all__ = ["is_imagemagick", "parse_imagemagick"]

Array = NDArray[np.float64]

_GEOMETRY = re.compile(r"\s*(\d{1,9})(?:x(\d{1,9}))?([+-]\d+[+-]\d+)?([@<>]*)\s*:", re.ASCII)


def is_imagemagick(text: str) -> bool:
    """Whether text is ImageMagick's kernel string, ``WxH[+X+Y]: ...``.

    >>> is_imagemagick("3x3: 1,0,-1 2,0,-2 1,0,-1"), is_imagemagick("1 0 -1")
    (True, False)
    """
    return _GEOMETRY.match(text) is not None


def parse_imagemagick(text: str, name: str) -> Array:
    """Read ImageMagick's kernel string.

    Cells outside the kernel (``-`` or ``nan``) weigh nothing in a convolution, so they are 0.
    An origin that is not the centre (``+X+Y``) is moved there by rows and columns of zeros.
    https://imagemagick.org/Usage/morphology/#user

    >>> parse_imagemagick("2x2+0+0: 1,2 3,-", "literal").tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    >>> parse_imagemagick("3x1+0+0: 1,2,3", "literal").tolist()
    [[0.0, 0.0, 1.0, 2.0, 3.0]]
    """
    match = _GEOMETRY.match(text)
    if match is None:
        raise KernelError(f"{name} is not an ImageMagick kernel; one begins as in 3x3: 1,0,-1")
    width = int(match[1])
    height = int(match[2] or width)
    size = f"{width}x{height}"
    if match[4]:
        raise KernelError(
            f"{name}: {match[4]!r} asks ImageMagick for rotated copies; give one kernel, as in "
            f"{size}: 1,0,-1 ..."
        )
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise KernelError(f"{name} says {size}; 1x1 to {MAX_SIDE}x{MAX_SIDE} is allowed")
    body = text[match.end() :].strip()
    if ";" in body.rstrip(";"):
        raise KernelError(f"{name} is a list of kernels (';'); give one at a time")
    tokens = [token for token in re.split(r"[\s,]+", body.rstrip("; \n")) if token]
    if len(tokens) != width * height:
        raise KernelError(f"{name} says {size}, {width * height} weights, but {len(tokens)} follow")
    values = []
    for index, token in enumerate(tokens):
        try:
            hole = token in ("-", "nan", "NaN")
            values.append(0.0 if hole else parse_number(token))
        except ValueError as error:
            at = f"row {index // width + 1}, column {index % width + 1}"
            raise KernelError(f"{name}, {at}: {error}") from error
    weights = np.array(values).reshape(height, width)
    return _centred(weights, match[3], name)


def _centred(weights: Array, origin: str | None, name: str) -> Array:
    """Zeros around the weights so that ``origin`` becomes the middle cell, (k - 1) // 2."""
    if not origin:
        return weights
    height, width = weights.shape
    x, y = (int(n) for n in re.findall(r"[+-]\d+", origin))
    if not (0 <= x < width and 0 <= y < height):
        raise KernelError(f"{name}: the origin {origin} lies outside {width}x{height}")
    padded = np.pad(weights, (_margins(y, height), _margins(x, width)))
    if max(padded.shape) > MAX_SIDE:
        raise KernelError(f"{name}: the origin {origin} makes it larger than {MAX_SIDE}")
    return padded


def _margins(origin: int, size: int) -> tuple[int, int]:
    middle = (size - 1) // 2
    if origin == middle:
        return 0, 0
    return (0, 2 * origin + 1 - size) if origin > middle else (size - 1 - 2 * origin, 0)
