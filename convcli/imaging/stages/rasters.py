"""Raster or picture: whether samples are values in units of their own, or light."""

from __future__ import annotations

from typing import Any

import numpy as np

from convcli.errors import UsageError
from convcli.imaging.header import Header, is_light
from convcli.imaging.options import FilterOptions

__all__ = ["DEPTHS", "holds_values", "needs_float64"]

DEPTHS = {"8": "uint8", "16": "uint16", "float": "float32"}
"""Depths of pictures; the types of rasters have their own names."""


def holds_values(header: Header, options: FilterOptions) -> bool:
    """Whether a picture is taken as a raster.

    Raises
    ------
    UsageError
        If it is to be light, and there is no white.
    """
    to = header.dtype if options.depth in (None, *DEPTHS) else np.dtype(options.depth)
    without = [d.name for d in (header.dtype, to) if not is_light(d)]
    if options.values is None:
        named = isinstance(options.nodata, int | float) or options.nodata_out is not None
        return header.is_raster or bool(without) or named
    if without and not options.values:
        raise UsageError(f"{header.name}: {without[0]} samples have no white: drop --picture")
    return options.values


def needs_float64(dtype: np.dtype[Any]) -> bool:
    """Whether float32 does not hold every sample."""
    return dtype.itemsize > (4 if dtype.kind == "f" else 2)
