"""EXIF orientation: pixels are turned upright once, and the tag says so afterwards."""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.imaging.picture import Metadata

__all__ = ["exif_orientation", "reset_exif", "reset_xmp", "take_orientation", "turn_upright"]

ORIENTATION = 0x0112


def turn_upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo an EXIF orientation (1 to 8; anything else counts as 1) of an array (H, W, C).

    The result is contiguous. Source: EXIF 2.32, tag 274: where row 0 and column 0 lie.

    >>> turn_upright(np.array([[[1], [2]]]), 6)[..., 0].tolist()
    [[1], [2]]
    >>> turn_upright(np.array([[[1], [2]]]), 3)[..., 0].tolist()
    [[2, 1]]
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _entry(exif: bytes) -> tuple[str, int] | None:
    """Byte order, and where the orientation's value lies, or None if there is none.

    Raises ``ValueError`` if the bytes are no TIFF structure.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        raise ValueError("no TIFF header")
    try:
        (offset,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, offset)
        for i in range(count):
            at = offset + 2 + 12 * i
            tag, kind, n = struct.unpack_from(f"{order}HHI", exif, at)
            if tag == ORIENTATION and kind == 3 and n == 1:
                struct.unpack_from(f"{order}H", exif, at + 8)
                return order, at + 8
    except struct.error as error:
        raise ValueError("directory beyond the end") from error
    return None


def exif_orientation(exif: bytes) -> int:
    """Orientation of an EXIF block; 1 when there is none.

    Raises
    ------
    ValueError
        If the block is malformed.
    """
    entry = _entry(exif)
    if entry is None:
        return 1
    order, at = entry
    return int(struct.unpack_from(f"{order}H", exif, at)[0])


def reset_exif(exif: bytes) -> bytes:
    """The same block with orientation 1, every other byte untouched.

    Patching in place keeps what a rewrite would lose: maker notes that point by offset.
    """
    entry = _entry(exif)
    if entry is None:
        return exif
    order, at = entry
    return exif[:at] + struct.pack(f"{order}H", 1) + exif[at + 2 :]


def reset_xmp(xmp: bytes) -> bytes:
    """The same packet with ``tiff:Orientation`` 1, as attribute or element.

    >>> reset_xmp(b'<rdf tiff:Orientation="6"/>')
    b'<rdf tiff:Orientation="1"/>'
    """
    xmp = re.sub(rb"(tiff:Orientation\s*=\s*[\"'])\d(?=[\"'])", rb"\g<1>1", xmp)
    return re.sub(rb"(<tiff:Orientation>\s*)\d(?=\s*<)", rb"\g<1>1", xmp)


def take_orientation(meta: Metadata, notes: list[str]) -> int:
    """Read the orientation and reset it in the metadata, for pixels that are then turned.

    A malformed EXIF block is left out, with a note. Resolutions change places with the axes.
    """
    if meta.xmp is not None:
        meta.xmp = reset_xmp(meta.xmp)
    if meta.exif is None:
        return 1
    try:
        orientation = exif_orientation(meta.exif)
        meta.exif = reset_exif(meta.exif)
    except ValueError as error:
        meta.exif = None
        notes.append(f"its EXIF block is malformed ({error}) and was left out")
        return 1
    if orientation in (5, 6, 7, 8):
        meta.dpi = meta.dpi[::-1] if meta.dpi else None
        meta.png_chunks = [
            (kind, body[4:8] + body[:4] + body[8:] if kind == b"pHYs" else body)
            for kind, body in meta.png_chunks
        ]
    return orientation
