"""Writing GIFs: the colours of each frame, exact where they are few enough, and its holes."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image

from convcli.imaging.formats.gif.container import GifFrame, assemble_gif, image_block
from convcli.imaging.source import Plane, Source

__all__ = ["encode_gif"]

ROOM = 256
FEW = 1024
"""Colours up to which each becomes the nearest of the palette. Of more, as photographs have, the
errors are spread over the neighbours (dithered): bands would show more than noise does."""


class _Still(NamedTuple):
    """A frame made ready, and what it lost."""

    block: bytes
    clear: int | None
    """Index of the transparent colour, where one is to spare."""
    holes: bool
    frame: tuple[float, int]
    """Duration and disposal."""
    off: int
    """Levels by which some colour is off."""
    faint: bool
    """Whether some alpha was neither 0 nor 255."""


def encode_gif(picture: Source) -> bytes:
    """Each frame whole, with a palette of its own; what could not be kept becomes a note."""
    stills = [_still(frame, picture, spare=False) for frame in picture.frames]
    holes = any(still.holes for still in stills)
    if holes and any(still.clear is None for still in stills):
        # After a frame that names no transparent colour, Pillow and OpenCV clear the canvas to an
        # opaque one, whatever the next frame says.
        stills = [_still(frame, picture, spare=True) for frame in picture.frames]
    picture.notes += _notes(stills)
    frames: list[GifFrame] = []
    for index, still in enumerate(stills):
        duration, disposal = still.frame
        # Every frame covers the canvas; only before one with holes must the canvas be cleared.
        if len(stills) > 1 and stills[(index + 1) % len(stills)].holes:
            disposal = 2
        frames.append((still.block, duration, disposal, still.clear if holes else None))
    loop = picture.meta.loop if picture.n_frames > 1 else None
    return assemble_gif(picture.size, frames, picture.meta, loop=loop)


def _notes(stills: list[_Still]) -> list[str]:
    notes = []
    off = [still.off for still in stills if still.off]
    if off:
        which = f" ({len(off)} of {len(stills)} have more)" if len(stills) > 1 else ""
        notes.append(
            f"a GIF has {ROOM} colours a frame{which}: colours are off by up to {max(off)} levels"
        )
    if any(still.faint for still in stills):
        notes.append("a GIF is transparent or not: half-transparent pixels became one or the other")
    late = max(abs(still.frame[0] - 10 * round(still.frame[0] / 10)) for still in stills)
    if len(stills) > 1 and late:
        notes.append(
            f"a GIF counts hundredths of a second: frames last up to {late:.3g} ms less or more"
        )
    return notes


def _still(frame: Plane, picture: Source, *, spare: bool) -> _Still:
    """One frame as an image block; ``spare`` keeps an index for the transparent colour."""
    alpha = frame.pixels[..., -1] if picture.alpha else None
    colours = frame.pixels[..., :-1] if picture.alpha else frame.pixels
    clear = np.zeros(colours.shape[:2], bool) if alpha is None else alpha < 128
    holes = bool(clear.any())
    rgb = np.repeat(colours, 3, axis=-1) if picture.space == "gray" else colours
    indexed, palette = _indexed(rgb, clear, ROOM - (holes or spare))
    off = np.abs(palette[indexed].astype(np.int16) - rgb)[~clear].max(initial=0)
    index = len(palette) if picture.alpha and len(palette) < ROOM else None
    if index is not None:
        indexed[clear] = index
    image = Image.fromarray(indexed)
    image.putpalette(palette.tobytes() + b"\0\0\0" * (index is not None))
    return _Still(
        block=_block(image),
        clear=index,
        holes=holes,
        frame=(frame.duration, frame.disposal),
        off=int(off),
        faint=alpha is not None and bool(((alpha > 0) & (alpha < 255)).any()),
    )


def _indexed(
    rgb: NDArray[np.uint8], clear: NDArray[np.bool_], room: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Indices (H, W) and palette (N, 3), N at most ``room``; cleared pixels need no colour."""
    codes = (rgb.astype(np.uint32) * np.array([1 << 16, 1 << 8, 1], np.uint32)).sum(-1)
    codes[clear] = codes[~clear][0] if not clear.all() else 0
    distinct, indices = np.unique(codes, return_inverse=True)
    colours = np.stack([distinct >> 16, distinct >> 8 & 255, distinct & 255], -1).astype(np.uint8)
    if len(distinct) <= room:
        # Few enough colours: exact, whatever a quantiser would make of them.
        return indices.reshape(codes.shape).astype(np.uint8), colours
    image = Image.fromarray(colours[indices].reshape(rgb.shape))
    if len(distinct) <= FEW:
        drawn = image.quantize(room, Image.Quantize.MAXCOVERAGE, kmeans=1)
        best = drawn
    else:
        best = image.quantize(room)
        drawn = image.quantize(palette=best, dither=Image.Dither.FLOYDSTEINBERG)
    palette = np.frombuffer(bytes(best.getpalette("RGB") or []), np.uint8).reshape(-1, 3)[:room]
    return np.array(drawn), palette


def _block(image: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, GifImagePlugin.GifImageFile.format, optimize=False)
    return image_block(out.getvalue())
