"""Animated PNG, read: each frame is decoded as a PNG of its own and laid on the canvas.

Not through Pillow, which reads no 16 bits, and lays half-transparent pixels over others as if
alpha were a colour.

Source: Portable Network Graphics (PNG) Specification, third edition, sections 11.3.6 and 13.16.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.imaging.formats.png.chunks import Ihdr, assemble, chunk, walk
from convcli.imaging.formats.png.libpng import decode_still
from convcli.imaging.formats.shared.animation import PREVIOUS, Animation, Place, Shot, shows_ground
from convcli.imaging.header import Metadata, full_scale
from convcli.imaging.limits import decoding
from convcli.imaging.metadata.upright import take_orientation, turn_upright
from convcli.imaging.source import Frame, Source

__all__ = ["read_apng"]

OVER = 1
CONTROL = struct.Struct(">4I2H2B")


@dataclass(slots=True)
class _ApngShot(Shot):
    """A frame as it is stored."""

    blend: int
    data: list[memoryview]
    """What its pixels were compressed to."""


class _Apng(NamedTuple):
    """What :func:`_parse` finds."""

    claimed: int
    plays: int
    shots: list[_ApngShot]
    still: list[memoryview]
    """The picture that is no part of the animation, if there is one."""
    shared: list[tuple[bytes, bytes]]
    """Palette and transparent colours, for all frames."""


def read_apng(
    data: bytes, name: str, header: Ihdr, max_pixels: int, meta: Metadata, notes: list[str]
) -> Source:
    """Read what ``pixels_alone`` left of a file with an ``acTL`` chunk."""
    file = _parse(data, name)
    _check(file, header, name)
    meta.loop = file.plays
    frames = _ApngFrames(file, header, name, take_orientation(meta, notes), notes)
    picture = frames.picture("PNG", name, max_pixels, meta, notes)
    picture.still_first = bool(file.still) and picture.n_frames > 1
    return picture


def _parse(data: bytes, name: str) -> _Apng:
    file = _Apng(0, 0, [], [], [])
    sequence = 0
    for kind, body, crc in walk(data, name):
        if kind in (b"acTL", b"fcTL", b"fdAT"):
            if isal_zlib.crc32(body, isal_zlib.crc32(kind)) != crc:
                raise InputError(f"{name}: the PNG's chunk {kind.decode()} is damaged")
            if len(body) < {b"acTL": 8, b"fcTL": CONTROL.size + 4, b"fdAT": 4}[kind]:
                raise InputError(f"{name}: the PNG's chunk {kind.decode()} is cut short")
        if kind in (b"fcTL", b"fdAT"):
            if int.from_bytes(body[:4]) != sequence:
                raise InputError(f"{name}: the animation's chunks are out of order")
            sequence += 1
        if kind == b"acTL":
            claimed, plays = struct.unpack_from(">II", body)
            file = file._replace(claimed=claimed, plays=plays)
        elif kind == b"fcTL":
            width, height, x, y, part, whole, *ops = CONTROL.unpack_from(body, 4)
            delay = 1000 * part / (whole or 100)
            place = Place(x, y, width, height)
            file.shots.append(_ApngShot(place, delay, ops[0], 0, ops[1], []))
        elif kind == b"IDAT":
            (file.shots[-1].data if file.shots else file.still).append(body)
        elif kind == b"fdAT":
            if not file.shots:
                raise InputError(f"{name}: the animation's chunks are out of order")
            file.shots[-1].data.append(body[4:])
        elif kind in (b"PLTE", b"tRNS"):
            file.shared.append((kind, bytes(body)))
    return file


def _check(file: _Apng, header: Ihdr, name: str) -> None:
    if file.claimed != len(file.shots) or not file.shots:
        raise InputError(
            f"{name}: the animation claims {file.claimed} frames, and the file has {len(file.shots)}"
        )
    whole = Place(0, 0, header.width, header.height)
    for number, shot in enumerate(file.shots, 1):
        inside = whole.covers(shot.place) and min(shot.place[2:]) > 0
        if number == 1 and not file.still:  # in IDAT, which is as large as the canvas
            inside &= shot.place == whole
        if not inside or not shot.data or shot.dispose > PREVIOUS or shot.blend > OVER:
            raise InputError(f"{name}: frame {number} of the animation is damaged")


class _ApngFrames(Animation[_ApngShot]):
    """Before them the picture that is none."""

    def __init__(self, file: _Apng, header: Ihdr, name: str, turn: int, notes: list[str]) -> None:
        self._of = file, header, name, notes
        space = "gray" if header.colour_type in (0, 4) else "rgb"
        whole = Place(0, 0, header.width, header.height)
        laid = [(shot.place, shot.dispose, True) for shot in file.shots]
        alpha = header.colour_type in (4, 6) or any(k == b"tRNS" for k, _ in file.shared)
        alpha = alpha or shows_ground(laid, whole)
        dtype = np.uint16 if header.depth == 16 else np.uint8
        super().__init__(file.shots, whole, space, alpha, dtype, 0, turn)
        self.n_frames += bool(file.still)

    def __iter__(self) -> Iterator[Frame]:
        still = self._of[0].still
        if still:
            yield Frame(turn_upright(self._decoded(self.whole, still), self.turn))
        yield from super().__iter__()

    def lay(self, shot: _ApngShot, under: NDArray[Any]) -> NDArray[Any]:
        pixels = self._decoded(shot.place, shot.data)
        return _over(pixels, under) if self.alpha and shot.blend == OVER else pixels

    def _decoded(self, place: Place, stream: list[memoryview]) -> NDArray[Any]:
        file, header, name, notes = self._of
        alone = header._replace(width=place.width, height=place.height)
        data = assemble(alone, file.shared, (chunk(b"IDAT", bytes(part)) for part in stream))
        said: list[str] = []
        with decoding(name, "PNG"):
            pixels = decode_still(b"".join(data), name, said)
        notes += [note for note in said if note not in notes]
        if pixels.shape[-1] < self.channels:
            opaque = np.full_like(pixels[..., :1], full_scale(pixels.dtype))
            pixels = np.concatenate([pixels, opaque], axis=-1)
        return pixels


def _over(front: NDArray[Any], back: NDArray[Any]) -> NDArray[Any]:
    """Front laid over back, both with alpha that colours are not multiplied by."""
    white = full_scale(front.dtype)
    of_front = front[..., -1:] / white
    of_back = back[..., -1:] / white * (1 - of_front)
    alpha = of_front + of_back
    mixed = front[..., :-1] * of_front + back[..., :-1] * of_back
    colours = np.divide(mixed, alpha, out=back[..., :-1].astype(float), where=alpha > 0)
    joined = np.rint(np.concatenate([colours, alpha * white], axis=-1))
    return np.asarray(joined, front.dtype)
