"""Which pages of a TIFF are pictures, and which are overviews and masks of them.

Source: TIFF 6.0, tag 254 (``NewSubfileType``); GDAL's ``GTiff`` driver, "Internal nodata masks".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.imaging.formats.tiff.pages import Directory, pictures_of
from convcli.imaging.header import full_scale
from convcli.imaging.metadata.tiff_fields import Read

__all__ = ["Roles", "cover", "lay_over", "mask_pixels", "patched", "roles_of"]


class Roles(NamedTuple):
    """The pages by their numbers."""

    pictures: list[int]
    masks: dict[int, int]
    """Of the pictures, counted among themselves."""
    notes: list[str]
    links: dict[int, int]
    """Where in the file which address has to stand, so that pictures alone are in the chain."""


def roles_of(pages: Sequence[Directory], head: bytes) -> Roles:
    """What each page is for; ``head`` are the first 16 bytes of the file."""
    pages = list(pages)
    shown = {page.at for page in pictures_of(pages)}
    pictures, masks, small, unfit = list[int](), dict[int, int](), 0, 0
    for number, page in enumerate(pages):
        owner = len(pictures) - 1
        if page.at in shown:
            pictures.append(number)
        elif not page.is_mask:
            small += 1
        elif owner in masks or owner < 0 or page.size[:2] != pages[pictures[owner]].size[:2]:
            unfit += 1
        else:
            masks[owner] = number
    notes = [f"its {small} overviews were left out" if small > 1 else "its overview was left out"]
    notes = notes if small else []
    if masks:
        notes.append("its mask became its alpha channel" + "s" * (len(masks) > 1))
    if unfit:
        notes.append("a mask of other pixels than those of the page before was left out")
    links = dict[int, int]()
    if len(pictures) != len(pages):
        order = "<" if head[:2] == b"II" else ">"
        first = 8 if struct.unpack_from(order + "H", head, 2)[0] == 43 else 4
        places = [first, *(pages[number].link for number in pictures)]
        links = dict(zip(places, [*(pages[number].at for number in pictures), 0], strict=True))
    return Roles(pictures, masks, notes, links)


def patched(read: Read, links: dict[int, int], head: bytes) -> Read:
    """What is read of a file in which the addresses ``links`` are others."""
    order = "<" if head[:2] == b"II" else ">"
    word = order + ("Q" if struct.unpack_from(order + "H", head, 2)[0] == 43 else "I")
    size = struct.calcsize(word)

    def read_patched(at: int, count: int) -> bytes:
        data = bytearray(read(at, count))
        for place, address in links.items():
            lie = place - at
            if -size < lie < len(data):
                put = struct.pack(word, address)[max(-lie, 0) : len(data) - lie]
                data[max(lie, 0) : max(lie, 0) + len(put)] = put
        return bytes(data)

    return read_patched


def mask_pixels(page: Any) -> NDArray[np.bool_]:
    """Which pixels a mask keeps, as tifffile opens its page."""
    samples = np.asarray(page.asarray()).reshape(page.imagelength, page.imagewidth)
    return samples.astype(np.bool_)


def cover(pixels: NDArray[Any], mask: NDArray[np.bool_] | None, alpha: bool) -> NDArray[Any]:
    """Pixels with an alpha of 0 where the ``mask`` is; they may have an ``alpha`` of their own."""
    if alpha and mask is None:
        return pixels
    height, width, samples = pixels.shape
    out = np.empty((height, width, samples + (not alpha)), pixels.dtype)
    out[..., :samples] = pixels
    lay_over(out, mask, alpha)
    return out


def lay_over(out: NDArray[Any], mask: NDArray[np.bool_] | None, alpha: bool) -> None:
    """The same in place; the last channel is to be the alpha, or is it if there is ``alpha``."""
    if not alpha:
        out[..., -1] = full_scale(out.dtype)
    if mask is not None:
        out[..., -1][~mask] = 0
