"""Stacks of which one plane alone has a directory: the others lie behind it.

So ImageJ writes what is larger than 4 GB, and tifffile what it is told to "truncate". Source: ImageJ's
``TiffEncoder`` and ``FileInfo.nImages``; tifffile's shaped and ImageJ series.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from convcli.imaging.header import Metadata
from convcli.imaging.metadata.stack_description import IMAGES, kind_of_stack
from convcli.imaging.metadata.tiff import DESCRIPTION
from convcli.imaging.metadata.tiff_fields import BLACK_IS_ZERO, RGB, Fields
from convcli.imaging.metadata.upright import ORIENTATION, orientation_of
from convcli.imaging.source import Frame, Plane

__all__ = ["PlanesBehind", "planes_behind"]

PLAIN = 1


def _planes_told(fields: Fields, samples: int) -> int:
    """How many planes of so many samples there are by the description of the only directory."""
    if DESCRIPTION not in fields:
        return 1
    text = fields[DESCRIPTION].data.rstrip(b"\0")
    kind = kind_of_stack(text)
    if kind == "ImageJ":
        found = IMAGES.search(text)
        return int(found[1]) if found and len(found[1]) < 10 else 1
    if kind != "tifffile":
        return 1
    try:
        facts = json.loads(text)
        all_samples = math.prod(int(n) for n in facts["shape"]) if facts.get("truncated") else 0
    except (ValueError, TypeError, KeyError, AttributeError):
        return 1
    return all_samples // samples if all_samples % samples == 0 else 1


class PlanesBehind:
    """The planes of a stack in a file's bytes, taken out as they are walked."""

    def __init__(self, data: bytes, page: Any, count: int, meta: Metadata) -> None:
        self.data, self.count, self.meta = data, count, meta
        self.stored = np.dtype(page.parent.byteorder + page.dtype.char)
        self.shape = int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel)
        self.offset = int(page.dataoffsets[0])

    def __iter__(self) -> Iterator[Plane]:
        size = math.prod(self.shape)
        wide = np.dtype(np.float32) if self.stored.name == "float16" else self.stored
        rest = Metadata(compression=self.meta.compression)
        for number in range(self.count):
            at = self.offset + number * size * self.stored.itemsize
            pixels = np.frombuffer(self.data, self.stored, size, at).reshape(self.shape)
            pixels = pixels.astype(wide.newbyteorder("="), copy=False)
            yield Frame(pixels, meta=rest if number else self.meta)


def planes_behind(page: Any, fields: Fields, size: int) -> int:
    """How many planes the only directory of a file of ``size`` bytes is for, its own the first.

    As many as the file says that there are, if they are all in it.
    """
    samples = math.prod((page.imagelength, page.imagewidth, page.samplesperpixel))
    count = _planes_told(fields, max(samples, 1))
    plain = (
        page.photometric in (BLACK_IS_ZERO, RGB)
        and page.compression == page.predictor == page.fillorder == PLAIN
        and page.is_contiguous
        and (page.samplesperpixel == 1 or page.planarconfig == 1)
        and page.dtype is not None
        and page.dtype.itemsize * 8 == page.bitspersample
        and orientation_of(page.tags.valueof(ORIENTATION), None) == 1
    )
    if count < 2 or not plain:
        return 1
    end = page.dataoffsets[0] + count * samples * page.dtype.itemsize
    return count if end <= size else 1
