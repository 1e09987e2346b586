"""What Zarr arrays say besides their samples: missing values, units, places.

Which value means missing
    The attribute ``_FillValue``, else ``missing_value``, as the CF conventions have it; the latter
    only where it is one value. In version 2 also ``fill_value``, where ``_ARRAY_DIMENSIONS`` says
    that the array was written for xarray: xarray and GDAL keep ``_FillValue`` there, and write
    null where nothing is missing. Elsewhere ``fill_value`` is what chunks that are not there hold,
    0 most often, and says nothing of missing samples. A value that the type cannot hold declares
    nothing. In version 3 xarray writes a float as base64 of 8 bytes.

What is kept
    All attributes. Places (``transform`` and the like) follow the pixels; ``add_offset`` is
    multiplied by the sum of the weights. What would not be true any more is left out with a note.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from typing import Any

import numpy as np

from convcli.imaging.header import Header, as_sample
from convcli.imaging.metadata.changes import SAME, Changes

__all__ = ["declared_missing", "encoded_missing", "followed"]

DIMENSIONS = "_ARRAY_DIMENSIONS"
FILL, MISSING = "_FillValue", "missing_value"
RANGES = ("actual_range", "valid_range", "valid_min", "valid_max")
"""Values that samples lie between."""
PACKING = ("scale_factor", "add_offset")
TRANSFORMS = ("transform", "spatial:transform", "proj:transform")
"""Affine maps from columns and rows to places, as in rasterio: a, b, c, d, e, f."""
SHAPES = ("spatial:shape", "proj:shape")
BOXES = ("spatial:bbox", "proj:bbox")


def declared_missing(
    attributes: dict[str, Any], dtype: np.dtype[Any], version: int, fill: Any
) -> float | int | None:
    """The value that stands for missing samples of a stored type, if one is declared."""
    said = attributes.get(FILL)
    if said is None:
        said = attributes.get(MISSING)
    if said is None and version == 2 and DIMENSIONS in attributes:
        said = fill
    if isinstance(said, list | tuple):
        said = said[0] if len(said) == 1 else None
    if isinstance(said, str):
        said = _from_text(said)
    if isinstance(said, np.generic):
        said = said.item()
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    return as_sample(said, dtype)


def _from_text(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(struct.unpack("<d", base64.b64decode(text, validate=True))[0])
    except (binascii.Error, struct.error, ValueError):
        return None


def encoded_missing(header: Header, attributes: dict[str, Any], version: int) -> dict[str, Any]:
    """The attributes of an array, and what is declared as missing; by ``fill_value`` beside them.

    In version 2 ``_FillValue`` is left to ``fill_value`` where xarray will look there.
    """
    new = {key: value for key, value in attributes.items() if key not in (FILL, MISSING)}
    if header.nodata is None:
        return new
    value: Any = header.nodata
    if header.dtype.kind == "f":
        value = base64.b64encode(struct.pack("<d", value)).decode()
        if version == 2:
            value = "NaN" if math.isnan(header.nodata) else float(header.nodata)
    if MISSING in attributes:
        new[MISSING] = value
    if version == 3 or DIMENSIONS not in new or FILL in attributes:
        new[FILL] = value
    return new


def followed(attributes: dict[str, Any], header: Header, changes: Changes | None) -> dict[str, Any]:
    """The attributes that are true of a result; a note names those that are not."""
    changes = changes or SAME
    new, lost = dict(attributes), [name for name in RANGES if name in attributes]
    same_place = (changes.down, changes.across) == (SAME.down, SAME.across)
    for name in TRANSFORMS:
        if name in new and not same_place:
            moved = _moved(new[name], changes)
            lost += [name] if moved is None else []
            new[name] = moved
    for name in SHAPES:
        if name in new:
            new[name] = list(header.size)
    lost += [name for name in BOXES if name in new and not same_place]
    if changes.gain is None:
        lost += [name for name in PACKING if name in new]
    elif isinstance(new.get("add_offset"), int | float):
        new["add_offset"] *= changes.gain
    if lost:
        header.notes.append(f"left out: {', '.join(lost)} (true of the old pixels only)")
    return {name: value for name, value in new.items() if name not in lost}


def _moved(numbers: Any, changes: Changes) -> list[float] | None:
    if not (isinstance(numbers, list) and len(numbers) in (6, 9)):
        return None
    if not all(isinstance(number, int | float) for number in numbers):
        return None
    y, x = changes.corners
    new = list(numbers)
    for i in (0, 3):
        a, b, c = numbers[i : i + 3]
        new[i : i + 3] = [a * x.scale, b * y.scale, c + a * x.shift + b * y.shift]
    return new
