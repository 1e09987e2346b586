"""What LERC in a TIFF keeps beside its samples: which of them are NaN, or transparent.

libtiff stores neither: it gives LERC a mask instead, of all bands together or, where it is not the
same for all of them, of band after band. tifffile takes no notice, so that NaN becomes 0, and bands
change places. Source: libtiff 4.5, tif_lerc.c.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["heed_masks"]

LERC = 34887


def heed_masks(page: Any) -> None:
    """Make a page that tifffile has opened decode strips and tiles with their masks."""
    page = page.keyframe
    if page.compression != LERC:
        return
    inner = page.decode
    samples = int(page.samplesperpixel) if page.planarconfig == 1 else 1

    def decode(data: bytes | None, index: int, /, **how: Any) -> Any:
        _, place, shape = inner(None, index, **how)
        if data is None:
            return None, place, shape
        pixels = _with_masks(data, samples).astype(page.dtype, copy=False)
        return pixels[None, : shape[1], : shape[2]], place, shape

    page.decode = decode


def _with_masks(data: bytes, samples: int) -> NDArray[Any]:
    """Rows, columns and samples of a strip or tile."""
    import imagecodecs

    pixels, mask = imagecodecs.lerc_decode(data, masks=True)
    if mask is not None and mask.ndim == 3:
        pixels, mask = np.moveaxis(pixels, 0, -1), np.moveaxis(mask, 0, -1)
    elif mask is not None:
        mask = mask[..., None]
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.shape[-1] == samples - 1:  # alpha was all or nothing, and is the mask
        present = np.ones((*pixels.shape[:2], 1), bool) if mask is None else mask
        alpha = np.where(present, 255, 0).astype(pixels.dtype)
        return np.concatenate([pixels, alpha], axis=-1)
    if mask is not None and pixels.dtype.kind == "f":
        pixels = np.where(mask, pixels, pixels.dtype.type(np.nan))
    return pixels
