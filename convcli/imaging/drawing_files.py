"""Drawings as PNG, APNG, GIF and WebP files.

Frames of an animation are encoded as soon as they are drawn. Of GIF and APNG a frame holds the
rectangle that has changed, and in it a transparent index where a pixel stays as it is.

Source: GIF89a specification (1990), sections 17 to 26; PNG specification, third edition, for
animations.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin
from PIL import Image as Pillow

from convcli.imaging.raster import Frames, rasterise, scale_of
from convcli.imaging.shapes import Canvas

__all__ = ["RASTERS", "encode_drawing"]

RASTERS = (".png", ".apng", ".gif", ".webp")
"""Suffixes of the files that are written."""

EXACT = 128
"""Colours of a palette that are kept as they are."""

STAYS = 255
"""Index of a pixel that stays as it is in the frame before."""

_STILLS = {".png": "PNG", ".apng": "PNG", ".gif": "GIF", ".webp": "WEBP"}


def encode_drawing(
    canvas: Canvas,
    frames: Frames,
    suffix: str,
    *,
    width: int | None = None,
    durations: Sequence[float] = (),
) -> bytes:
    """A picture file of the frames, each a sequence of layers of shapes.

    Parameters
    ----------
    canvas
        Size at scale 1, and the ground.
    frames
        One frame is a still picture.
    suffix
        One of ``RASTERS``.
    width
        Pixels across; by default those of the canvas.
    durations
        Milliseconds of each frame.

    Raises
    ------
    UsageError
        If the picture would be too large.
    """
    scale = scale_of(canvas, width)
    images = rasterise(canvas, frames, scale)
    out = io.BytesIO()
    if len(frames) == 1:
        options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
        next(images).save(out, _STILLS[suffix], **options)
        return out.getvalue()
    times = [round(ms) for ms in durations]
    if suffix == ".webp":
        # Key frames are whole pictures, which players that begin at the beginning do not need.
        reel = _Reel(images, len(frames))
        reel.save(
            out, "WEBP", save_all=True, lossless=True, method=2, kmin=0, kmax=0,
            duration=times, loop=0,
        )  # fmt: skip
        return out.getvalue()
    sample = [frames[index] for index in (0, len(frames) // 2, -1)]
    palette = _Palette(list(rasterise(canvas, sample, scale)))
    write = _gif if suffix == ".gif" else _apng
    return b"".join(write(_patches(images, palette), palette, times))


class _Reel(Pillow.Image):
    """Frames that Pillow asks for one after another, as it does of a file with several."""

    def __init__(self, images: Iterator[Any], count: int) -> None:
        super().__init__()
        self.n_frames = count
        self._images, self._at = images, -1
        self.seek(0)

    def tell(self) -> int:
        """The frame that is shown."""
        return self._at

    def seek(self, frame: int) -> None:
        """Show a frame; Pillow goes back at the end, which these do not."""
        if frame > self._at:
            image = next(self._images)
            self.im, self._mode, self._size, self._at = image.im, image.mode, image.size, frame


class _Patch(NamedTuple):
    """What a frame changes: palette indices (height, width), and where they are laid."""

    indices: NDArray[np.uint8]
    left: int
    top: int


def _patches(images: Iterator[Any], palette: _Palette) -> Iterator[_Patch]:
    """The first frame whole, then of each what differs from the one before it."""
    before = _codes(next(images))
    yield _Patch(palette.indices(before), 0, 0)
    for image in images:
        now = _codes(image)
        differs = now != before
        # A frame that changes nothing stays a frame, of a pixel.
        rows, columns = (_ends(differs.any(axis)) for axis in (1, 0))
        indices = palette.indices(now[rows, columns])
        indices[~differs[rows, columns]] = STAYS
        yield _Patch(indices, columns.start, rows.start)
        before = now


def _ends(there: NDArray[np.bool_]) -> slice:
    """From the first to the last that is true; the first cell where none is."""
    found = np.flatnonzero(there)
    return slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 1)


class _Palette:
    """255 colours for all frames, of which those that occur most in some are exact.

    Not Pillow's quantizer: it rounds what it looks up, and white becomes 252.
    """

    def __init__(self, images: Sequence[Any]) -> None:
        shares = [np.unique(_codes(image), return_counts=True) for image in images]
        found, at = np.unique(np.concatenate([some for some, _ in shares]), return_inverse=True)
        counts = np.bincount(at, np.concatenate([many for _, many in shares]))
        ranked = found[np.argsort(-counts, kind="stable")]
        # The rest are edges: colours that stand for groups of them.
        parts = _parts(ranked[:EXACT])
        if ranked.size > EXACT:
            rest = Pillow.fromarray(_parts(ranked[EXACT:]).astype(np.uint8)[None])
            groups = rest.quantize(STAYS - EXACT).getpalette()
            parts = np.concatenate([parts, np.array(groups, np.int32).reshape(-1, 3)])[:STAYS]
        self._parts = parts
        # One more than the index of each colour, 0 of those that have not been met.
        self._index = np.zeros(1 << 24, np.int16)
        self._index[ranked[:EXACT]] = np.arange(min(ranked.size, EXACT)) + 1
        self.table = np.resize(parts.astype(np.uint8), (256, 3)).tobytes()
        """Red, green and blue of each index."""

    def indices(self, codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """The nearest colours of the pixels, (height, width)."""
        strange = np.unique(codes[self._index[codes] == 0])
        # Of all at a time, the distances to each of the palette would take much memory.
        for some in np.array_split(strange, strange.size // 1024 + 1):
            far = ((_parts(some)[:, None] - self._parts[None]) ** 2).sum(-1)
            self._index[some] = far.argmin(1) + 1
        return (self._index[codes] - 1).astype(np.uint8)


def _parts(codes: Any) -> Any:
    """Red, green and blue of colours ``0xrrggbb``."""
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1).astype(np.int32)


def _codes(image: Any) -> NDArray[np.uint32]:
    """Every pixel as one number, ``0xrrggbb``: (height, width)."""
    raw = np.frombuffer(image.tobytes("raw", "BGRX"), "<u4")
    return raw.reshape(image.height, image.width).astype(np.uint32, copy=False)


def _gif(patches: Iterator[_Patch], palette: _Palette, times: list[int]) -> Iterator[bytes]:
    """The blocks of a GIF; Pillow compresses each frame."""
    for number, (patch, time) in enumerate(zip(patches, times, strict=True)):
        image = Pillow.fromarray(patch.indices)
        image.putpalette(palette.table)
        if number == 0:
            yield from GifImagePlugin.getheader(image, info={"loop": 0})[0]
        yield from GifImagePlugin.getdata(
            image, (patch.left, patch.top), duration=time, disposal=1, transparency=STAYS
        )
    yield b";"


def _apng(patches: Iterator[_Patch], palette: _Palette, times: list[int]) -> Iterator[bytes]:
    """The chunks of an APNG, frames laid over what is there."""
    from convcli.imaging.formats.png.chunks import SIGNATURE, chunk

    number = 0
    for index, (patch, time) in enumerate(zip(patches, times, strict=True)):
        height, width = patch.indices.shape
        if index == 0:
            yield SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
            yield chunk(b"acTL", struct.pack(">II", len(times), 0))
            yield chunk(b"PLTE", palette.table) + chunk(b"tRNS", bytes([255] * STAYS + [0]))
        delay = Fraction(time, 1000).limit_denominator(65535)
        place = (width, height, patch.left, patch.top, delay.numerator, delay.denominator, 0, 1)
        yield chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, *place))
        # A byte before each row says that it is stored as it is.
        data = zlib.compress(np.pad(patch.indices, ((0, 0), (1, 0))).tobytes())
        number += 1
        if index == 0:
            yield chunk(b"IDAT", data)
        else:
            yield chunk(b"fdAT", struct.pack(">I", number) + data)
            number += 1
    yield chunk(b"IEND", b"")
