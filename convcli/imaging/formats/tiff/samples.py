"""Pages of a TIFF as tifffile opens them: what their samples are, and the pixels.

Source: TIFF 6.0, sections 3 to 6, 16, 18.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.imaging.header import widened

__all__ = ["page_pixels", "page_space", "says_its_kind"]

BITS, KIND, EXTRA_SAMPLES = 258, 262, 338
WHITE_IS_ZERO, PALETTE = 0, 3
SPACES = {
    WHITE_IS_ZERO: ("gray", 1),
    1: ("gray", 1),
    2: ("rgb", 3),
    PALETTE: ("rgb", 1),
    5: ("cmyk", 4),
}
"""Colour space of each kind that is read, and samples that it takes."""
PREMULTIPLIED, ALPHA, COREL = 1, 2, 999
IMPLYING = (2, 3, 4, 6)
"""Compressions that tell what 0 is: fax, where it is white, and JPEG of the old kind."""
DTYPES = ("uint8", "uint16", "float16", "float32", "float64")


def says_its_kind(kind: Any, compression: Any) -> bool:
    """Whether tag 262, which has no default, is there or can be done without.

    Where it is missing Pillow takes 0 for white, GDAL for black, and OpenCV gives up.
    """
    return kind is not None or compression in IMPLYING


def page_space(page: Any) -> tuple[str, bool] | None:
    """Colour space and alpha, or None where samples are left over.

    An extra sample is alpha if the file says so, or if the file says nothing and it is RGB, as
    Pillow has it. Of others nobody knows whether colours are to be weighted by them.
    """
    space, takes = SPACES.get(page.photometric, ("", 0))
    extra, meaning = int(page.samplesperpixel) - takes, _extra_samples(page)
    alpha = meaning == (ALPHA,) or (takes == 3 and meaning in ((), (COREL,)))
    known = extra == 0 or (extra == 1 and alpha and page.photometric != PALETTE)
    return (space, extra == 1) if takes and known else None


def _extra_samples(page: Any) -> tuple[int, ...]:
    found = page.tags.valueof(EXTRA_SAMPLES, default=())
    return tuple(int(n) for n in (found if isinstance(found, tuple | bytes) else (found,)))


def page_pixels(page: Any, name: str, notes: list[str]) -> tuple[NDArray[Any], str, bool]:
    """Pixels (H, W, C), colour space and alpha of one page, and a note if they were widened.

    Raises
    ------
    InputError
        If a sample would be lost, changed or misunderstood.
    """
    space, alpha = _understood(page, name)
    samples = int(page.samplesperpixel)
    pixels = np.asarray(page.asarray())
    if samples > 1 and page.planarconfig == 2:
        pixels = np.moveaxis(pixels.reshape(samples, *pixels.shape[-2:]), 0, -1)
    pixels = pixels.reshape(page.imagelength, page.imagewidth, samples)
    if pixels.dtype.kind == "f":
        half = pixels.dtype == np.float16
        pixels = pixels.astype(np.float32 if half else pixels.dtype.newbyteorder("="), copy=False)
        if not np.isfinite(pixels).all():
            raise InputError(
                f"{name}: some samples are not finite numbers; a filter would smear them"
            )
    elif page.photometric == PALETTE:
        table = (np.asarray(page.colormap) >> 8).astype(np.uint8).T
        pixels = table[pixels[..., 0].astype(np.uint8)]
    else:
        pixels = _whole_numbers(pixels, page, notes)
    return np.ascontiguousarray(pixels), space, alpha


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


def _understood(page: Any, name: str) -> tuple[str, bool]:
    """Colour space and alpha of a page that is read; others are refused in one line."""
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
    if page.photometric == WHITE_IS_ZERO and dtype.kind == "f":
        raise InputError(f"{name}: floating-point samples where 0 is white are not read")
    if page.photometric == PALETTE and (bits > 8 or dtype.kind == "f"):
        raise InputError(f"{name}: a palette of {bits} bits is not read")
    if (known := page_space(page)) is not None:
        return known
    meaning = _extra_samples(page)
    if meaning == (PREMULTIPLIED,):
        raise InputError(f"{name}: premultiplied alpha at this depth is not read")
    said = f" (ExtraSamples {', '.join(map(str, meaning))})" if meaning else ""
    raise InputError(
        f"{name}: {page.samplesperpixel} samples per pixel of {kind}{said} are not read; allowed: "
        "those of gray, RGB or CMYK, and one more if ExtraSamples says that it is alpha (2)"
    )
