"""Presets that take something else than a sum of the cells under a footprint: ranks and statistics."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from convcli.kernels.bilateral_weights import bilateral_disk, weights_by_distance
from convcli.kernels.formulas import Parts
from convcli.kernels.parameters import Parameter
from convcli.kernels.preset import TEXTBOOK, Preset

__all__ = ["ORDER", "square"]

PERCENT = Parameter("percent", "0 the smallest, 50 the median, 100 the largest", 0, 100)
SPACE = Parameter(
    "sigma_space", "standard deviation of the distance, in pixels", 0.05, 1666, default=3
)
RANGE = Parameter(
    "sigma_range", "standard deviation of the difference, in levels of 255", 1e-9, inf, default=30
)
HUANG = "Huang, Yang and Tang 1979"


def square(side: int = 3) -> Callable[..., Parts]:
    """The footprint that is taken where none is written."""
    return lambda **_: Parts(np.ones((side, side)))


ORDER = [
    # Of n cells that vote, in order and counted from 0: number floor(n percent / 100), at most the last.
    Preset("median", "order", "the value in the middle: noise goes, edges stay", square(),
           HUANG, "other", example="median:5", operation="rank", numbers=(50,),
           also="median-blur median-filter medfilt medfilt2"),
    Preset("percentile", "order", "the value below which so many percent lie",
           square(), HUANG, "other", (PERCENT,), required=1, example="percentile:90,7",
           operation="rank", also="percentile-filter"),
    Preset("min", "order", "the smallest value", square(), "SciPy minimum_filter", "other",
           example="min:5", operation="rank", numbers=(0,), also="minimum min-filter minimum-filter"),
    Preset("max", "order", "the largest value", square(), "SciPy maximum_filter", "other",
           example="max:5", operation="rank", numbers=(100,), also="maximum max-filter maximum-filter"),
    Preset("range", "order", "the largest value less the smallest", square(),
           "ImageMagick -statistic contrast", "other", example="range:5", operation="range",
           also="rangefilt peak-to-peak"),
    Preset("stddev", "order", "the standard deviation: how far values lie apart", square(), TEXTBOOK, "other",
           example="stddev:5", operation="spread", numbers=(1,),
           also="std stdev standard-deviation stdfilt"),
    Preset("variance", "order", "the variance; of a picture a part of white squared, with --depth float", square(),
           TEXTBOOK, "other", example="variance:5", operation="spread", numbers=(0,),
           also="var"),
    Preset("mode", "order", "the most frequent value", square(),
           "Pillow ModeFilter", "other", example="mode:5", operation="mode",
           also="mode-filter majority modal majority-filter"),
    # exp(-s s / (2 sigma_space^2)) exp(-r r / (2 sigma_range^2)), s the distance of a cell, r of its colour.
    Preset("bilateral", "order", "a mean of what is near and alike: noise goes, edges stay", bilateral_disk,
           "Tomasi and Manduchi 1998", "other", (SPACE, RANGE), example="bilateral:2,20",
           operation="bilateral", weigh=lambda cells, sigma_space, **_: weights_by_distance(cells, sigma_space),
           also="bilateral-filter bilateral-blur surface-blur selective-blur smart-blur denoise-bilateral"),
]  # fmt: skip
