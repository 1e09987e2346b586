"""Orientation in EXIF, TIFF tags and XMP: pixels are turned upright once, and all say so then."""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.imaging.header import Metadata

__all__ = [
    "ORIENTATION",
    "exif_orientation",
    "orientation_of",
    "packet_of",
    "reset_exif",
    "reset_xmp",
    "take_orientation",
    "turn_upright",
]

ORIENTATION = 0x0112
KINDS = {3: "H", 4: "I"}
"""Types that the tag is found with, SHORT as it should be and LONG, in struct's words."""
IN_XMP = re.compile(
    rb"(\btiff:Orientation(?:\s*=\s*[\"']|\s*>|\s[^<>]{0,200}>)\s*)([0-9])(?=\s*[\"'<])"
)
"""``tiff:Orientation`` as attribute or element. Bounded, so that no packet takes long to search."""


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


def _entries(exif: bytes) -> list[tuple[str, int]]:
    """How and where the orientation stands in the first directory: struct's format, offset.

    Raises ``ValueError`` if the bytes are no TIFF structure.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        raise ValueError("no TIFF header")
    found = []
    try:
        (offset,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, offset)
        for at in range(offset + 2, offset + 2 + 12 * count, 12):
            tag, kind, n = struct.unpack_from(f"{order}HHI", exif, at)
            if tag == ORIENTATION and kind in KINDS and n == 1:
                struct.unpack_from(f"{order}I", exif, at + 8)
                found.append((order + KINDS[kind], at + 8))
    except struct.error as error:
        raise ValueError("directory beyond the end") from error
    return found


def exif_orientation(exif: bytes) -> int | None:
    """What an EXIF block says, the first entry of several; None if it says nothing.

    Raises
    ------
    ValueError
        If the block is malformed.
    """
    return next((int(struct.unpack_from(kind, exif, at)[0]) for kind, at in _entries(exif)), None)


def reset_exif(exif: bytes) -> bytes:
    """The same block with orientation 1, every other byte untouched.

    Patching in place keeps what a rewrite would lose: maker notes that point by offset.
    """
    block = bytearray(exif)
    for kind, at in _entries(exif):
        struct.pack_into(kind, block, at, 1)
    return bytes(block)


def reset_xmp(xmp: bytes) -> bytes:
    """The same packet with ``tiff:Orientation`` 1, as attribute or element.

    >>> reset_xmp(b'<rdf tiff:Orientation="6"/>')
    b'<rdf tiff:Orientation="1"/>'
    """
    return IN_XMP.sub(rb"\g<1>1", xmp)


def packet_of(xmp: Any) -> bytes | None:
    """The XMP packet in a tag of bytes or text; one of numbers is none."""
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    return xmp if isinstance(xmp, bytes) and xmp else None


def orientation_of(stated: Any, xmp: bytes | None) -> int:
    """The orientation, 1 to 8, where EXIF or a TIFF tag has ``stated`` one, or None.

    XMP counts where they say nothing; where both do, EXIF is right, as the Metadata Working
    Group has it: programs that know no XMP turn pictures too.

    >>> orientation_of(None, b'<tiff:Orientation>6</tiff:Orientation>')
    6
    >>> orientation_of(3, b'<tiff:Orientation>6</tiff:Orientation>')
    3
    """
    if stated is None and xmp is not None:
        found = IN_XMP.search(xmp)
        stated = int(found[2]) if found else None
    return int(stated) if isinstance(stated, int) and 1 <= stated <= 8 else 1


def take_orientation(meta: Metadata, notes: list[str], stated: Any = None) -> int:
    """Read the orientation and reset it in the metadata, for pixels that are then turned.

    ``stated`` is what the file says outside of EXIF and XMP: a tag of TIFF. A malformed EXIF block
    is left out, with a note. Resolutions change places with the axes.
    """
    if meta.exif is not None:
        try:
            in_exif = exif_orientation(meta.exif)
            meta.exif = reset_exif(meta.exif)
            stated = in_exif if stated is None else stated
        except ValueError as error:
            meta.exif = None
            notes.append(f"its EXIF block is malformed ({error}) and was left out")
    orientation = orientation_of(stated, meta.xmp)
    if meta.xmp is not None:
        meta.xmp = reset_xmp(meta.xmp)
    if orientation >= 5:
        meta.dpi = meta.dpi[::-1] if meta.dpi else None
        meta.aspect = meta.aspect[::-1] if meta.aspect else None
    return orientation
