"""Descriptions that programs write into a TIFF to find its stack of pages again.

They tell of sizes, types and numbers of pages. Those of a filtered picture are told anew; where
that cannot be done, the description is left out, since a reader would believe it.

Source: tifffile's documentation; ImageJ's ``TiffEncoder``; OME data model, 2016-06.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from convcli.imaging.metadata.georeference import Move
from convcli.records import NamedTuple

__all__ = ["IMAGES", "Stack", "described_anew", "kind_of_stack"]

OME_TYPES = {"float32": "float", "float64": "double"}
OME_TYPES |= {name: name for name in ("int8", "int16", "int32", "uint8", "uint16", "uint32")}
IMAGES = re.compile(rb"^images=(\d+)", re.MULTILINE)
"""How many pages there are, as ImageJ says it."""
TAG = re.compile(rb"<(?:\w+:)?Pixels\s[^>]*>")
REGIONS = re.compile(rb"\s*<((?:\w+:)?ROI)\s.*?</\1>|\s*<(?:\w+:)?ROIRef\s[^>]*/>", re.DOTALL)
"""Drawn on the picture, in pixels; and what refers to them."""
SAMPLES = re.compile(rb"SamplesPerPixel=[\"'](\d+)[\"']")


class Stack(NamedTuple):
    """What there is to be told."""

    pages: int
    """From the one on that is described."""
    old: tuple[int, int, int]
    new: tuple[int, int, int]
    """Height, width and channels of a page, before and after."""
    dtype: str = ""
    moves: tuple[Move, Move] = (Move(), Move())
    """Where the corners of the new pixels lie among the old ones, down and across."""
    gain: float | None = 1.0
    """What the filter makes of a flat 1; None if it mixes channels."""
    within: bool = True
    """Whether every result lies between the least and the largest sample."""


def kind_of_stack(text: bytes) -> str | None:
    """Whose description it is, if it is one of a stack.

    >>> kind_of_stack(b'{"shape": [3, 4]}'), kind_of_stack(b"A stack of hay")
    ('tifffile', None)
    """
    if text.startswith(b"{") and b'"shape"' in text:
        return "tifffile"
    if text.startswith(b"ImageJ="):
        return "ImageJ"
    return "OME" if b"<OME" in text[:4096] and TAG.search(text) else None


def described_anew(text: bytes, kind: str, stack: Stack) -> bytes | None:
    """The description of the result, or None if it cannot be told."""
    tell = {"tifffile": _shape, "ImageJ": _images, "OME": _pixels}[kind]
    try:
        return tell(text, stack)
    except (ValueError, TypeError, KeyError):  # no numbers where they should be
        return None


def _shape(text: bytes, stack: Stack) -> bytes | None:
    import json

    facts = json.loads(text)
    shape = tuple(int(n) for n in facts["shape"])
    (h, w, c), new = stack.old, stack.new
    told: tuple[int, ...]
    if shape[-3:] == (h, w, c):
        pages, told = shape[:-3], new
    elif shape[-2:] == (h, w) and c == new[2] == 1:
        pages, told = shape[:-2], new[:2]
    elif shape[-3:] == (c, h, w) and "axes" not in facts:  # planes, which are written as pixels
        pages, told = shape[:-3], new
    else:
        return None
    if math.prod(pages) > stack.pages:
        return None
    if pages + told == shape and "truncated" not in facts:
        return text
    facts.pop("truncated", None)  # one directory for all pages, of which each gets its own
    return json.dumps({**facts, "shape": [*pages, *told]}).encode()


def _images(text: bytes, stack: Stack) -> bytes | None:
    found = IMAGES.search(text)
    if int(found[1] if found else 1) != stack.pages:
        return None
    for name, move in zip((b"y", b"x"), stack.moves, strict=True):
        if move != Move():  # in pixels
            text = _line(text, name + b"origin", move.back)
    if not stack.within:  # what is shown as black and as white
        text = re.sub(rb"^(?:min|max)=.*\n?", b"", text, flags=re.MULTILINE)
    if stack.gain != 1:
        text = _calibrated(text, stack.gain)
    return text


def _line(text: bytes, name: bytes, change: Callable[[float], float]) -> bytes:
    """The same with another number after ``name=``."""
    return re.sub(
        rb"^(%s=)([-+.\deE]+)" % name,
        lambda found: found[1] + repr(change(float(found[2]))).encode(),
        text,
        flags=re.MULTILINE,
    )


def _calibrated(text: bytes, gain: float | None) -> bytes:
    """Values are a function of samples; where it is a line, that of the sums is known.

    ``cf`` says which function it is, 0 a line, and ``c0`` is what it makes of 0.
    """
    if gain is not None and re.search(rb"^cf=0\s*$", text, re.MULTILINE):
        return _line(text, b"c0", lambda old: old * gain)
    return re.sub(rb"^(?:cf|c\d|vunit)=.*\n?", b"", text, flags=re.MULTILINE)


def _pixels(text: bytes, stack: Stack) -> bytes | None:
    tags = TAG.findall(text)
    if len(tags) != 1:
        return None
    (old,) = tags
    number = {n: _number(old, n) for n in (b"SizeX", b"SizeY", b"SizeZ", b"SizeT", b"SizeC")}
    found = SAMPLES.search(text)
    planes = number[b"SizeZ"] * number[b"SizeT"] * number[b"SizeC"]
    per_page = int(found[1]) if found else stack.old[2]
    sizes = (number[b"SizeY"], number[b"SizeX"], per_page)
    if sizes != stack.old or planes != stack.pages * per_page or stack.new[2] != per_page:
        return None
    told = _set(_set(old, b"SizeY", stack.new[0]), b"SizeX", stack.new[1])
    told = _set(told, b"Type", OME_TYPES[stack.dtype].encode())  # it has no others
    for name, move in zip((b"PhysicalSizeY", b"PhysicalSizeX"), stack.moves, strict=True):
        value = re.search(rb"\b%s=[\"']([^\"']*)" % name, told)
        if value and move.scale != 1:
            told = _set(told, name, repr(float(value[1]) * move.scale).encode())
    if _type(old) != _type(told):
        told = re.sub(rb"\s+SignificantBits=[\"'][^\"']*[\"']", b"", told)
    if stack.old[:2] != stack.new[:2]:
        text = REGIONS.sub(b"", text)
    return text.replace(old, told)


def _type(tag: bytes) -> bytes:
    found = re.search(rb"\bType=[\"']([^\"']*)", tag)
    return found[1] if found else b""


def _number(tag: bytes, name: bytes) -> int:
    found = re.search(rb"\b%s=[\"'](\d+)[\"']" % name, tag)
    return int(found[1]) if found else 0


def _set(tag: bytes, name: bytes, value: bytes | int) -> bytes:
    text = value if isinstance(value, bytes) else b"%d" % value
    return re.sub(rb"(\b%s=[\"'])[^\"']*" % name, rb"\g<1>%b" % text, tag)
