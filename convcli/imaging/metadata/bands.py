"""What a TIFF says of its bands in the words of GDAL: names, units, scale and offset, statistics.

Source: GDAL's ``GTiff`` driver, tag 42112 (``GDAL_METADATA``): an XML text of items, of which those
of a band name it by its number, ``sample``, counted from 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from convcli.imaging.header import Metadata
from convcli.imaging.metadata.tiff_fields import ASCII, Field, Fields

__all__ = ["GDAL_METADATA", "bands_after", "choose_bands"]

GDAL_METADATA = 42112
ITEM = re.compile(rb"\s*<Item\b([^<>]*)>([^<]*)</Item>")
SAMPLE = re.compile(rb"(\bsample=[\"'])(\d+)(?=[\"'])")
STATISTICS = re.compile(rb"\bname=[\"']STATISTICS_")
OFFSET = re.compile(rb"\brole=[\"']offset[\"']")
UNIT = re.compile(rb"\brole=[\"'](?:offset|scale|unittype)[\"']")
END = b"</GDALMetadata>"


def choose_bands(meta: Metadata, bands: Sequence[int]) -> Metadata:
    """What is said of these bands alone, counted from 0, in this order; all else stays."""
    text = _text(meta.fields)
    if text is None or END not in text:
        return meta
    of_bands: dict[int, list[bytes]] = {}

    def take(found: re.Match[bytes]) -> bytes:
        number = SAMPLE.search(found[1])
        if number is None:
            return found[0]
        of_bands.setdefault(int(number[2]), []).append(found[0])
        return b""

    head, end, tail = ITEM.sub(take, text).rpartition(END)
    chosen = b"".join(
        SAMPLE.sub(rb"\g<1>%d" % new, item)
        for new, old in enumerate(bands)
        for item in of_bands.get(old, ())
    )
    blank = head[len(head.rstrip()) :]
    return meta.but(fields=_with(meta.fields, head.rstrip() + chosen + blank + end + tail))


def bands_after(fields: Fields, gain: float | None, mixes: bool) -> Fields:
    """What stays true after a filter.

    Least and largest value, mean and deviation are those of the old samples. A value is scale times
    sample plus offset: the offset of sums of values is ``gain`` times as large. Where that is None,
    samples are in no unit any more; where bands are mixed, nothing is left of any of them.
    """
    text = _text(fields)
    if text is None:
        return fields

    def revised(found: re.Match[bytes]) -> bytes:
        about, value = found[1], found[2]
        lost = (gain is None and UNIT.search(about)) or (mixes and SAMPLE.search(about))
        if lost or STATISTICS.search(about):
            return b""
        if gain is None or gain == 1 or not OFFSET.search(about):
            return found[0]
        try:
            new = float(value) * gain
        except ValueError:
            return found[0]
        whole, start = found[0], found.start(0)
        told = repr(new + 0.0).removesuffix(".0").encode()
        return whole[: found.start(2) - start] + told + whole[found.end(2) - start :]

    return _with(fields, ITEM.sub(revised, text))


def _text(fields: Fields) -> bytes | None:
    field = fields.get(GDAL_METADATA)
    return field.data.rstrip(b"\0") if field is not None and field.kind == ASCII else None


def _with(fields: Fields, text: bytes) -> Fields:
    return {**fields, GDAL_METADATA: Field(ASCII, text + b"\0")}
