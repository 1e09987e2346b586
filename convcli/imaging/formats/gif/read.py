"""Reading GIFs: each frame is decoded as a GIF of its own and laid on the canvas.

Not all by Pillow: it takes the disposal that a frame does not name from the frame before, and what
the first frame leaves open for the first colour.

Source: GIF89a specification (1990), sections 18 to 23.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.imaging.formats.gif.container import (
    blocks_of,
    read_gif_metadata,
    read_loop,
    table_bytes,
)
from convcli.imaging.formats.shared.animation import (
    BACKGROUND,
    NOTHING,
    PREVIOUS,
    Animation,
    Place,
    Shot,
    shows_ground,
)
from convcli.imaging.formats.shared.pillow import open_with_pillow
from convcli.imaging.header import Metadata
from convcli.imaging.limits import check_size, decoding
from convcli.imaging.metadata.upright import take_orientation
from convcli.imaging.source import Source

__all__ = ["read_gif"]

IMAGE, EXTENSION, CONTROL = 0x2C, 0x21, 0xF9
DISPOSALS = {2: BACKGROUND, 3: PREVIOUS, 4: PREVIOUS}  # 4 stands in old files
INTERLACED = 0x40
CLEAR = (0, 0, 0, 0)
RAMP = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)


@dataclass(slots=True)
class _GifShot(Shot):
    """A frame as it is stored."""

    clear: int | None
    """Index of the transparent colour."""
    table: bytes
    """Its own colours, or those for all frames."""
    data: bytes
    """Whether it is interlaced, and the compressed indices."""

    @property
    def colours(self) -> NDArray[np.uint8]:
        """256 of them; without a table, gray."""
        return _colours(self.table) if self.table else RAMP


def read_gif(data: bytes, name: str, max_pixels: int) -> Source:
    """Decode a GIF, its frames as they are seen.

    Cleared places are transparent, or of the background's colour where no frame is transparent.
    """
    shots = list(_shots(data, name))
    if not shots:
        raise InputError(f"{name}: the GIF holds no picture")
    whole = _canvas(data, shots)
    check_size(name, whole.width, whole.height, max_pixels)
    meta = Metadata(loop=read_loop(data, name))
    notes: list[str] = []
    read_gif_metadata(data, meta, notes)
    frames = _GifFrames(shots, whole, _ground(data, shots), name, take_orientation(meta, notes))
    return frames.picture("GIF", name, max_pixels, meta, notes)


def _shots(data: bytes, name: str) -> Iterator[_GifShot]:
    blocks = list(blocks_of(data, name))
    shared = data[13 : 13 + table_bytes(data[10])]
    plain = flags, delay, clear = 0, 0, 0
    for kind, start, end in blocks:
        if kind == EXTENSION and data[start + 1] == CONTROL and data[start + 2] >= 4:
            flags, delay, clear = struct.unpack_from("<BHB", data, start + 3)
        elif kind == IMAGE:
            place = Place(*struct.unpack_from("<4H", data, start + 1))
            if not (place.width and place.height):
                raise InputError(f"{name}: the GIF is damaged: a frame without pixels")
            packed, at = data[start + 9], start + 10
            table = data[at : at + table_bytes(packed)] or shared
            stream = bytes([packed & INTERLACED]) + data[at + table_bytes(packed) : end]
            hole = clear if flags & 1 else None
            disposal = flags >> 2 & 7
            dispose = DISPOSALS.get(disposal, NOTHING)
            yield _GifShot(place, 10.0 * delay, dispose, disposal, hole, table, stream)
            flags, delay, clear = plain


def _canvas(data: bytes, shots: list[_GifShot]) -> Place:
    """As large as the file says, and as its frames need."""
    width, height = struct.unpack_from("<HH", data, 6)
    return Place(
        0,
        0,
        max(width, *(s.place.x + s.place.width for s in shots)),
        max(height, *(s.place.y + s.place.height for s in shots)),
    )


def _ground(data: bytes, shots: list[_GifShot]) -> tuple[int, ...]:
    """What is seen where no frame is: red, green, blue and alpha."""
    shared = data[13 : 13 + table_bytes(data[10])]
    at = 3 * data[11]
    if at >= len(shared) or any(shot.clear is not None for shot in shots):
        return CLEAR
    return (*shared[at : at + 3], 255)


def _colours(table: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(table.ljust(768, b"\0"), np.uint8).reshape(256, 3)


class _GifFrames(Animation[_GifShot]):
    """With what Pillow has to be told of each."""

    def __init__(
        self, shots: list[_GifShot], whole: Place, ground: tuple[int, ...], name: str, turn: int
    ) -> None:
        self._name = name
        laid = [(shot.place, shot.dispose, shot.clear is None) for shot in shots]
        alpha = ground == CLEAR and shows_ground(laid, whole)
        # As a GIF writer that knows gray says it: each colour is its own index.
        gray = all(_is_ramp(shot.table) for shot in shots) and len(set(ground[:3])) == 1
        space = "gray" if gray or not any(shot.table for shot in shots) else "rgb"
        self._picks = ([0] if space == "gray" else [0, 1, 2]) + [3] * alpha
        pixel = np.array(ground, np.uint8)[self._picks]
        super().__init__(shots, whole, space, alpha, np.uint8, pixel, turn)

    def lay(self, shot: _GifShot, under: NDArray[Any]) -> NDArray[Any]:
        with decoding(self._name, "GIF"):
            indices = _indices(shot)
        table = np.insert(shot.colours, 3, 255, axis=1)[:, self._picks]
        pixels = table[indices]
        if shot.clear is None:
            return pixels
        return np.where((indices == shot.clear)[..., None], under, pixels)


def _is_ramp(table: bytes) -> bool:
    return table == RAMP.tobytes()[: len(table)]


def _indices(shot: _GifShot) -> NDArray[np.uint8]:
    """The colours' indices (H, W), as Pillow unpacks them."""
    size = shot.place.width, shot.place.height
    packed = 0x80 | ((len(shot.table) // 3).bit_length() - 2) if shot.table else 0
    head = b"GIF89a" + struct.pack("<HHBBB", *size, packed, 0, 0) + shot.table
    alone = head + struct.pack("<B4H", IMAGE, 0, 0, *size) + shot.data + b";"
    image = open_with_pillow(alone, "Gif")
    image.load()
    return np.asarray(image)
