"""The value that stands for a missing sample, as GDAL writes it into a TIFF: a number in letters.

Source: GDAL's ``GTiff`` driver, tag 42113 (``GDAL_NODATA``), and its ``CPLAtof``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convcli.imaging.header import as_sample
from convcli.imaging.metadata.tiff_fields import (
    ASCII,
    BYTE,
    PALETTE,
    WHITE_IS_ZERO,
    Field,
    Fields,
)

__all__ = ["NO_DATA", "NoData", "no_data_of", "no_data_text", "raw_no_data", "with_no_data"]

NO_DATA = 42113
NoData = int | float | None
WORDS = {"1.#qnan": math.nan, "1.#ind": math.nan, "1.#inf": math.inf}
"""What Microsoft's C library wrote, perhaps with a sign."""


def raw_no_data(fields: Fields, dtype: Any) -> tuple[NoData, str]:
    """The value among samples as they are stored, and the text where it is none of ``dtype``.

    >>> raw_no_data({NO_DATA: Field(ASCII, b"-9999.0\\0")}, "int16")
    (-9999, '')
    >>> raw_no_data({NO_DATA: Field(ASCII, b"-9999\\0")}, "uint8")
    (None, '-9999')
    """
    field = fields.get(NO_DATA)
    if field is None or field.kind not in (ASCII, BYTE):
        return None, ""
    text = field.data.split(b"\0")[0].decode("latin-1").strip()
    value = _number(text)
    fitting = None if value is None else as_sample(value, np.dtype(dtype))
    return fitting, text if fitting is None else ""


def _number(text: str) -> NoData:
    """A whole number stays one, so that 64 bits are exact."""
    word = text.lower()
    bare = word.lstrip("+-")
    if bare in WORDS:
        return -WORDS[bare] if word.startswith("-") else WORDS[bare]
    if "_" in word:  # which Python would read over
        return None
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return None


def no_data_of(
    fields: Fields, dtype: np.dtype[Any], bits: int, kind: int | None, notes: list[str]
) -> NoData:
    """The value among samples as they are read; what cannot be one is noted and ignored.

    Parameters
    ----------
    dtype
        Of the samples as they are read.
    bits, kind
        Of a sample as it is stored, and its photometric kind: 0 may be white, or an index.
    """
    if NO_DATA not in fields:
        return None
    value, text = raw_no_data(fields, dtype)
    if kind == PALETTE:
        notes.append("its no-data value is an entry of its colour table and was ignored")
        return None
    stored = min(bits, 8 * dtype.itemsize)
    if value is None or (dtype.kind == "u" and value >= 2**stored):
        text = text or str(value)
        kept = dtype.name if bits >= 8 else f"{bits} bits"
        notes.append(f"its no-data value {text!r} is none of {kept} and was ignored")
        return None
    if dtype.kind == "u" and kind == WHITE_IS_ZERO:
        value = 2**stored - 1 - int(value)
    if bits < 8:  # which come as 8
        value = int(value) * 255 // (2**bits - 1)
    return value


def no_data_text(value: float) -> str:
    """As GDAL writes it, in the fewest digits that say it.

    >>> no_data_text(-9999), no_data_text(-3.4028234663852886e38), no_data_text(-9999.0)
    ('-9999', '-3.4028234663852886e+38', '-9999')
    """
    return str(value).removesuffix(".0")


def with_no_data(fields: Fields, value: NoData, dtype: Any) -> Fields:
    """The fields of a page whose missing samples have this value, or which has none."""
    said = raw_no_data(fields, dtype)[0]
    both = said is not None and value is not None
    if both and np.array_equal(np.array(said), np.array(value), equal_nan=True):
        return fields  # in the words of the file
    fields = {tag: field for tag, field in fields.items() if tag != NO_DATA}
    if value is not None:
        fields[NO_DATA] = Field(ASCII, no_data_text(value).encode() + b"\0")
    return fields
