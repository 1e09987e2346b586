"""Decoding PNG by libpng: whatever is not plain. It also judges the pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.imaging.formats.shared.quiet import listen

__all__ = ["decode_still"]

OF_IMAGECODECS = "Interlace handling should be turned on when using png_read_image"
"""Said of every interlaced file, for how imagecodecs calls libpng."""


def decode_still(data: bytes, name: str, notes: list[str]) -> NDArray[Any]:
    """The pixels (H, W, C) of a file that :func:`pixels_alone` has seen, as libpng reads them.

    Fewer than 8 bits become 8, palettes colours, a transparent colour alpha. What libpng minds
    but reads goes to the notes.

    Raises
    ------
    InputError
        What libpng refuses, too few pixels among it.
    """
    import imagecodecs

    with listen("imagecodecs") as said:
        try:
            pixels = np.asarray(imagecodecs.png_decode(data))
        except RuntimeError as error:
            why = "; ".join([str(error), *(t for t in said if t != OF_IMAGECODECS)])
            raise InputError(f"{name}: libpng refuses the PNG: {why}") from error
    notes += [f"its pixels were read, but libpng says: {t}" for t in said if t != OF_IMAGECODECS]
    return pixels.reshape(*pixels.shape[:2], -1)
