"""Presets that blur and sharpen, with their formulas."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from convcli.kernels.formulas import (
    Parts,
    direction,
    disk_of,
    gaussian_row,
    grid,
    outer,
    pascal,
    radius_of,
)
from convcli.kernels.kernel import MAX_SIDE
from convcli.kernels.parameters import Parameter
from convcli.kernels.preset import (
    AMOUNT,
    PILLOW,
    SIGMA,
    SIZE,
    TEXTBOOK,
    Preset,
    fixed,
    strengthened,
)

__all__ = ["BLUR", "SHARPEN"]

ANGLE = Parameter("angle", "degrees, counterclockwise", -360, 360, default=0)
UNSHARP_SIZE = SIZE._replace(
    named=True,
    note="side, by name, as the threshold is, which elsewhere is the third number; "
    "2 ceil(3 sigma) + 1 by default",
)
THRESHOLD = Parameter(
    "threshold",
    "by name: what differs less from its blur stays as it is; 255 is black to white, as of --bias",
    0, math.inf, named=True,
)  # fmt: skip


def binomial(size: float) -> Parts:
    """Pascal's row times itself over ``4**(size - 1)``."""
    row = pascal(int(size))
    return Parts(outer(row, row), 0.25 ** (int(size) - 1))


def box(width: float = 3, height: float | None = None) -> Parts:
    """The mean of a rectangle."""
    shape = int(width if height is None else height), int(width)
    return Parts(np.ones(shape), 1 / math.prod(shape))


def total(width: float = 3, height: float | None = None) -> Parts:
    """The sum of a rectangle."""
    return box(width, height)._replace(scale=1)


def disk(radius: float) -> Parts:
    """The mean of the pixels whose centres lie within ``radius`` (as scikit-image's ``disk``)."""
    weights = disk_of(radius)
    return Parts(weights, 1 / weights.sum())


def motion(length: float, angle: float = 0) -> Parts:
    """The mean along a line of ``length`` pixels, its ends and sides antialiased.

    A pixel counts ``1 - d``, where ``d`` is its distance to the line segment of ``length - 1``
    pixels through the centre; none beyond 1. As MATLAB's ``fspecial('motion')``.
    """
    half = (length - 1) / 2
    x, y = grid(math.ceil(half))
    cosine, sine = direction(angle)
    along, across = x * cosine - y * sine, x * sine + y * cosine
    beyond = np.maximum(np.abs(along) - half, 0)
    weights = np.maximum(1 - np.hypot(beyond, across), 0)
    used_y, used_x = weights.any(axis=1), weights.any(axis=0)
    weights = weights[np.ix_(used_y, used_x)]
    return Parts(weights, 1 / weights.sum())


def gaussian(sigma: float | None = None, size: float | None = None) -> Parts:
    """Sampled Gaussian; without a sigma the binomial 3x3 (or of ``size``)."""
    if sigma is None:
        return binomial(3 if size is None else size)
    row = gaussian_row(sigma, radius_of("gaussian", sigma, size))
    return Parts(outer(row, row))


def unsharp(
    sigma: float | None = None,
    amount: float = 1,
    size: float | None = None,
    threshold: float | None = None,
) -> Parts:
    """``(1 + amount)`` times the picture less ``amount`` times its blur.

    Without a sigma the blur is the binomial 5x5, in whole numbers:
    ``2 * 256 - [1 4 6 4 1]^2`` over 256. With a threshold it is no sum: the weights are the blur's.
    """
    if sigma is None:
        row, whole = pascal(5), 256.0
    else:
        row, whole = gaussian_row(sigma, radius_of("unsharp", sigma, size)), 1.0
    if threshold is not None:
        return Parts(outer(row, row), operation="unsharp", numbers=(amount, threshold))
    weights = -amount * outer(row, row)
    centre = len(row) // 2
    weights[centre, centre] += (1 + amount) * whole
    return Parts(weights, 1 / whole)


BLUR = [
    Preset(
        "gaussian", "blur", "soft blur; without a sigma the binomial 3x3", gaussian,
        "sampled Gaussian; binomial 3x3: Burt and Adelson 1983", "smooth",
        (SIGMA, SIZE), example="gaussian:1.5",
        also="blur gauss gaussian-blur gaussian-filter gauss-blur gblur soften",
    ),
    Preset(
        "gaussian-3x3", "blur", "soft blur, slight, in whole numbers",
        partial(binomial, 3), "binomial: Burt and Adelson 1983", "smooth",
    ),
    Preset(
        "gaussian-5x5", "blur", "soft blur, a little stronger, in whole numbers",
        partial(binomial, 5), "binomial: Burt and Adelson 1983", "smooth",
    ),
    Preset(
        "binomial", "blur", "soft blur of a given side, in whole numbers", binomial,
        "rows of Pascal's triangle: Burt and Adelson 1983", "smooth",
        # 4**26 is the last sum of weights that float64 adds up exactly.
        (Parameter("size", "side", 1, 27, whole=True),), required=1, example="binomial:7",
    ),
    Preset(
        "box", "blur", "mean of a square, rectangle or footprint, 3x3 by itself", box,
        TEXTBOOK, "smooth",
        (
            Parameter("width", "columns", 1, MAX_SIDE, default=3, whole=True),
            Parameter("height", "rows; the width by default", 1, MAX_SIDE, whole=True),
        ),
        example="box:9x5",
        also="average mean avg uniform box-blur box-filter uniform-filter mean-filter average-blur avg-blur",
        cells=True,
    ),
    Preset(
        "sum", "blur", "sum of a square, rectangle or footprint: of what is there, where samples are missing",
        total, TEXTBOOK, "other",
        (
            Parameter("width", "columns", 1, MAX_SIDE, default=3, whole=True),
            Parameter("height", "rows; the width by default", 1, MAX_SIDE, whole=True),
        ),
        example="sum:5", also="total ones focal-sum", total=True, cells=True,
    ),
    Preset(
        "disk", "blur", "blur of a lens out of focus", disk, "scikit-image morphology.disk",
        "smooth", (Parameter("radius", "pixels", 0, (MAX_SIDE - 1) // 2),), required=1,
        example="disk:5", also="bokeh lens-blur defocus pillbox",
    ),
    Preset(
        "motion", "blur", "blur of a moving camera", motion, "MATLAB fspecial('motion')",
        "smooth", (Parameter("length", "pixels", 1, MAX_SIDE - 3), ANGLE), required=1,
        example="motion:15,45", also="motion-blur dblur",
    ),
    Preset(
        "smooth", "blur", "very slight blur", fixed("1 1 1;1 5 1;1 1 1", 1 / 13), f"{PILLOW}.SMOOTH",
        "smooth", sized="gaussian",
    ),
    Preset(
        "smooth-more", "blur", "slight blur",
        fixed("1 1 1 1 1;1 5 5 5 1;1 5 44 5 1;1 5 5 5 1;1 1 1 1 1", 1 / 100),
        f"{PILLOW}.SMOOTH_MORE", "smooth", sized="gaussian",
    ),
]  # fmt: skip

SHARPEN = [
    Preset(
        "sharpen", "sharpen", "strong sharpening, diagonals too",
        strengthened("-1 -1 -1;-1 8 -1;-1 -1 -1"), TEXTBOOK, "sharpen", (AMOUNT,),
        example="sharpen:0.5", also="sharpen8 sharpen-8-neighbours sharpness",
    ),
    Preset(
        "sharpen4", "sharpen", "sharpening", strengthened("0 -1 0;-1 4 -1;0 -1 0"), TEXTBOOK,
        "sharpen", (AMOUNT,), example="sharpen4:2", also="sharpen-4-neighbours",
    ),
    Preset(
        "unsharp", "sharpen", "sharpening by subtracting a blur", unsharp,
        "unsharp masking; 5x5 as on Wikipedia, Kernel (image processing)", "sharpen",
        (SIGMA, AMOUNT, UNSHARP_SIZE, THRESHOLD), example="unsharp:2,0.8", also="unsharp-mask usm",
    ),
    Preset(
        "detail", "sharpen", "slight sharpening", fixed("0 -1 0;-1 10 -1;0 -1 0", 1 / 6),
        f"{PILLOW}.DETAIL", "sharpen", sized="sharpen4",
    ),
    Preset(
        "edge-enhance", "sharpen", "crisp edges", fixed("-1 -1 -1;-1 10 -1;-1 -1 -1", 1 / 2),
        f"{PILLOW}.EDGE_ENHANCE", "sharpen", sized="sharpen",
    ),
    Preset(
        "edge-enhance-more", "sharpen", "crisper edges; the weights of sharpen",
        fixed("-1 -1 -1;-1 9 -1;-1 -1 -1"), f"{PILLOW}.EDGE_ENHANCE_MORE", "sharpen",
    ),
]  # fmt: skip
