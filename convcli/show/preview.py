"""Pictures in the terminal, with whatever it can do.

With textual-image installed (``pip install 'convcli[preview]'``) that is its best: sixel
(iTerm2, WezTerm, Konsole, xterm and others) or kitty's protocol. Without it, half blocks in 24-bit
colour, which every modern terminal has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convcli.imaging.source import Source
from convcli.imaging.thumbnail import as_pillow, thumbnail
from convcli.show.colours import luminance
from convcli.show.console import make_console
from convcli.show.kernel_plots import block_lines, shade_lines

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["show_pictures", "side_by_side"]

GAP = 2
"""Columns between two pictures."""

SHARP = 8
"""Pixels of a column, where the terminal shows pixels."""


def side_by_side(
    pictures: list[Source], columns: int, lines: int, *, zoom: int = 1
) -> NDArray[np.uint8]:
    """Thumbnails beside each other, ``zoom`` pixels for each column, twice as many each line."""
    wide = max((columns - GAP * (len(pictures) - 1)) // len(pictures), 1)
    parts = [thumbnail(p, wide * zoom, 2 * lines * zoom) for p in pictures]
    tall = max(len(part) for part in parts)
    gap = np.zeros((tall, GAP * zoom, 3), np.uint8)
    strip: list[NDArray[np.uint8]] = []
    for part in parts:
        below = np.zeros((tall - len(part), part.shape[1], 3), np.uint8)
        strip += [gap, np.concatenate([part, below])]
    return np.concatenate(strip[1:], axis=1)


def show_pictures(pictures: list[Source], console: Console | None = None) -> None:
    """Print pictures side by side, no higher than half the window."""
    console = console or make_console()
    columns, lines = min(console.width, 100), max(min(console.height // 2, 30), 8)
    graphics = _graphics()
    if console.no_color or console.color_system is None:
        gray = luminance(side_by_side(pictures, columns, lines)[::2])
        for line in shade_lines(gray / 255):
            console.print(line, soft_wrap=True)
        return
    if graphics is None:
        for line in block_lines(side_by_side(pictures, columns, lines)):
            console.print(line, soft_wrap=True)
        return
    strip = side_by_side(pictures, columns, lines, zoom=SHARP)
    console.print(graphics(as_pillow(strip), width=-(-strip.shape[1] // SHARP)))


def _graphics() -> Any:
    """The renderable for terminals that show pixels, or None."""
    try:
        from textual_image import renderable
    except ImportError:
        return None
    if renderable.Image in (renderable.HalfcellImage, renderable.UnicodeImage):
        return None
    return renderable.Image
