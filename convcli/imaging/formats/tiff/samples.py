"""Pages of a TIFF as tifffile opens them: what their samples are, and the pixels.

Source: TIFF 6.0, sections 3 to 6, 16, 18.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.engine.numerics import DTYPES
from convcli.errors import InputError
from convcli.imaging.formats.tiff.lerc import heed_masks
from convcli.imaging.header import widened
from convcli.imaging.metadata.tiff_fields import (
    BITS,
    BLACK_IS_ZERO,
    KIND,
    PALETTE,
    RGB,
    WHITE_IS_ZERO,
)

__all__ = ["Layout", "layout_of", "page_pixels", "says_its_kind"]

EXTRA_SAMPLES = 338
SPACES = {
    WHITE_IS_ZERO: ("gray", 1),
    BLACK_IS_ZERO: ("gray", 1),
    RGB: ("rgb", 3),
    PALETTE: ("rgb", 1),
    5: ("cmyk", 4),
}
"""Colour space of each kind that is read, and samples that it takes."""
BANDED = (BLACK_IS_ZERO, RGB)
"""Kinds whose further samples are bands."""
PREMULTIPLIED, ALPHA, COREL = 1, 2, 999
UNSAID = ((), (COREL,))
"""What a fourth sample of RGB may be said to be, and is alpha."""
IMPLYING = (2, 3, 4, 6)
"""Compressions that tell what 0 is: fax, where it is white, and JPEG of the old kind."""
TURNED = ("uint8", "uint16")
"""Types that are light, so that they may count from white; others are measured."""


class Layout(NamedTuple):
    """What the samples of a pixel are."""

    space: str
    bands: int
    """How many there are in the space ``bands``, else 0."""
    alpha: bool
    """Whether one more follows."""


def says_its_kind(kind: Any, compression: Any) -> bool:
    """Whether tag 262, which has no default, is there or can be done without.

    Where it is missing Pillow takes 0 for white, GDAL for black, and OpenCV gives up.
    """
    return kind is not None or compression in IMPLYING


def layout_of(page: Any) -> Layout | None:
    """What a page's samples are, or None where that is not told.

    The last one is alpha if the file says so, or if the file says nothing and it is the fourth
    of RGB, as Pillow has it. What else is more than gray or RGB has makes all of them bands: nobody
    knows whether colours are to be weighted by them.
    """
    space, takes = SPACES.get(page.photometric, ("", 0))
    samples, meaning = int(page.samplesperpixel), _extra_samples(page)
    extra = samples - takes
    if not takes or extra < 0:
        return None
    if extra == 0:
        return Layout(space, 0, False)
    colour = page.photometric != PALETTE
    if extra == 1 and colour and (meaning == (ALPHA,) or (takes == 3 and meaning in UNSAID)):
        return Layout(space, 0, True)
    told = meaning + (0,) * (extra - len(meaning))
    alpha = told[-1] == ALPHA
    unknown = len(told) != extra or any(told[: extra - alpha])
    if page.photometric not in BANDED or unknown:
        return None
    return Layout("bands", samples - alpha, alpha)


def _extra_samples(page: Any) -> tuple[int, ...]:
    found = page.tags.valueof(EXTRA_SAMPLES, default=())
    return tuple(int(n) for n in (found if isinstance(found, tuple | bytes) else (found,)))


def page_pixels(page: Any, name: str, notes: list[str]) -> tuple[NDArray[Any], Layout]:
    """Pixels (H, W, C) of one page and what they are, and a note if they were widened.

    Raises
    ------
    InputError
        If a sample would be lost, changed or misunderstood.
    """
    layout = _understood(page, name)
    samples = int(page.samplesperpixel)
    heed_masks(page)
    pixels = np.asarray(page.asarray())
    if samples > 1 and page.planarconfig == 2:
        pixels = np.moveaxis(pixels.reshape(samples, *pixels.shape[-2:]), 0, -1)
    pixels = pixels.reshape(page.imagelength, page.imagewidth, samples)
    if pixels.dtype.kind == "f":
        half = pixels.dtype == np.float16
        pixels = pixels.astype(np.float32 if half else pixels.dtype.newbyteorder("="), copy=False)
    elif page.photometric == PALETTE:
        table = (np.asarray(page.colormap) >> 8).astype(np.uint8).T
        pixels = table[pixels[..., 0].astype(np.uint8)]
    elif page.bitspersample > 16 or pixels.dtype.kind == "i":
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    else:
        pixels = _whole_numbers(pixels, page, notes)
    return np.ascontiguousarray(pixels), layout


def _whole_numbers(pixels: NDArray[Any], page: Any, notes: list[str]) -> NDArray[Any]:
    """Samples from black up; of fewer than 8 bits stretched to 8, as Pillow does."""
    bits = page.bitspersample
    pixels = pixels.astype(np.uint8 if bits <= 8 else np.uint16, copy=False)
    top = 2**bits - 1
    if page.photometric == WHITE_IS_ZERO:
        pixels = pixels.dtype.type(top) - pixels
    if bits < 8:
        pixels = ((pixels.astype(np.uint16) * 255 + top // 2) // top).astype(np.uint8)
    if bits not in (8, 16) and widened(bits) not in notes:
        notes.append(widened(bits))
    return pixels


def _understood(page: Any, name: str) -> Layout:
    """What the samples of a page that is read are; others are refused in one line."""
    bits, dtype = page.bitspersample, page.dtype
    if BITS not in page.tags and page.samplesperpixel > 1:
        raise InputError(f"{name}: its tag 258, bits per sample, is missing or damaged")
    if not says_its_kind(page.tags.valueof(KIND), page.compression):
        meant = "2 for RGB" if page.samplesperpixel > 2 else "1 where 0 is black, 0 where white"
        raise InputError(
            f"{name}: its tag 262 is missing, without which nobody knows what its samples are; "
            f"set it with tiffset -s 262 N, N being {meant}"
        )
    kind = getattr(page.photometric, "name", page.photometric)
    if page.photometric not in SPACES or page.imagedepth != 1:
        raise InputError(f"{name}: a TIFF of kind {kind} is not read at this depth")
    if dtype is None or not isinstance(bits, int) or not (dtype.name in DTYPES or bits == 1):
        raise InputError(
            f"{name}: samples of type {dtype} and {bits} bits are not read, since they could not "
            f"be kept exactly; allowed: {', '.join(DTYPES)}"
        )
    if page.photometric == WHITE_IS_ZERO and bits != 1 and dtype.name not in TURNED:
        what = "floating-point samples" if dtype.kind == "f" else f"samples of type {dtype}"
        raise InputError(f"{name}: {what} where 0 is white are not read")
    if page.photometric == PALETTE and (bits > 8 or dtype.kind not in "ub"):
        raise InputError(f"{name}: a palette of {bits} bits is not read")
    if (known := layout_of(page)) is not None:
        return known
    meaning = _extra_samples(page)
    if meaning == (PREMULTIPLIED,):
        raise InputError(f"{name}: premultiplied alpha at this depth is not read")
    said = f" (ExtraSamples {', '.join(map(str, meaning))})" if meaning else ""
    raise InputError(
        f"{name}: {page.samplesperpixel} samples per pixel of {kind}{said} are not read; allowed: "
        "those of gray, RGB or CMYK, one more if ExtraSamples says that it is alpha (2), and any "
        "number of bands (0) with gray or RGB, perhaps with alpha behind them"
    )
