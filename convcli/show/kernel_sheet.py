"""A contact sheet: one picture through many kernels, each labelled with what to type for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePath
from typing import NamedTuple

from convcli.arithmetic.sizes import cross
from convcli.imaging.contact_sheet import Asked, Pixels, SheetTile, shown, small_picture, tiles
from convcli.imaging.shapes import Canvas, Image, Rect, Shape, Text, text_width
from convcli.imaging.source import Source
from convcli.kernels.catalogue import GROUPS, PRESETS
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_chain
from convcli.show.draw.layout import Drawing
from convcli.show.draw.theme import Theme

__all__ = ["asked_for", "kernel_sheet"]

PAGE = 1760
"""Usual width of a sheet of many tiles, in pixels."""

AREA, NARROW, WIDE, TALL = 30_000.0, 150, 560, 300
"""Pixels of a usual tile, the least and most of its width, and the most of its height."""

SMALLEST, LARGEST = 48, 400
"""Least pixels across a tile of a narrow sheet, and most of a sheet of few."""

FEW = 30
"""Tiles that are laid out in rows of about one length."""

MARGIN, GAP, LABEL = 32, 18, 52
TITLE, GROUP, NAME, WORD = 22.0, 17.0, 14.0, 12.0


SIDES = ("size", "width", "height")
"""Parameters that the size of the kernel says already."""


class _Grid(NamedTuple):
    """Where tiles stand: ``columns`` of them, of ``width`` by ``height`` pixels."""

    columns: int
    width: int
    height: int

    @property
    def page(self) -> int:
        """Pixels across."""
        return 2 * MARGIN + self.columns * (self.width + GAP) - GAP


def asked_for(texts: Sequence[str]) -> list[Asked]:
    """The kernels or chains that are named, or every preset, by group, as ``kernel list`` has them.

    A preset that cannot do without numbers has those of its example.

    >>> [one.text for one in asked_for(["sobel", "gaussian:1 | sobel"])]
    ['sobel', 'gaussian:1 | sobel']
    >>> next(one.text for one in asked_for([]) if one.text.startswith("motion"))
    'motion:15,45'

    Raises
    ------
    KernelError
        If there is no such kernel.
    """
    if texts:
        return [Asked(text, load_chain(text)) for text in texts]
    found = []
    for group in GROUPS:
        for preset in PRESETS.values():
            if preset.group == group:
                text = preset.example if preset.required else preset.name
                found.append(Asked(text, load_chain(text), group, named=False))
    return found


def kernel_sheet(
    picture: Source, asked: Sequence[Asked], theme: Theme, *, width: int | None = None
) -> Drawing:
    """The picture, then a tile for each chain, in groups where they come from the catalogue.

    Parameters
    ----------
    picture
        Of any size; it is made as small as a tile before it is filtered.
    width
        Pixels across the sheet; by default 1,760, or less for a few tiles.

    Raises
    ------
    ConvcliError
        If a chain that was named cannot run on the picture.
    """
    rows, columns = picture.size
    grid = _grid(rows, columns, len(asked) + 1, width)
    small = small_picture(picture, grid.width, grid.height)
    made = list(tiles(small, asked))
    height = small.size[0] * _zoom(small.size, grid)
    grid = grid._replace(height=max(height, 1))
    beside = grid.width + GAP if asked and asked[0].group else 0
    title, *notes = _words(picture, small, made)
    room = grid.page - 2 * MARGIN - beside
    words = [title, *(line for note in notes for line in _wrapped(note, room, 4))]
    shapes: list[Shape] = list(_heading(words, MARGIN + beside, grid.page - MARGIN, theme))
    first = SheetTile(Asked("the picture itself", ()), shown(small))
    if asked and asked[0].group:
        groups = [(name, list(group)) for name, group in groupby(made, lambda t: t.asked.group)]
        shapes += _tile(first, MARGIN, MARGIN, grid, theme)
        top = MARGIN + max(grid.height + LABEL, 70)
    else:
        groups = [("", [first, *made])]
        top = MARGIN + 32 + 19 * len(words)
    for name, group in groups:
        if name:
            shapes.append(Text(MARGIN, top + 12, name, GROUP, theme.ink, "start", True))
            top += 32
        for number, tile in enumerate(group):
            x = MARGIN + number % grid.columns * (grid.width + GAP)
            y = top + number // grid.columns * (grid.height + LABEL)
            shapes += _tile(tile, x, y, grid, theme)
        top += math.ceil(len(group) / grid.columns) * (grid.height + LABEL) + 8
    names = ", ".join(tile.asked.text for tile in made)
    canvas = Canvas(max(width or 0, grid.page), top + MARGIN - 20, theme.ground)
    return Drawing(canvas, ((tuple(shapes),),), title, f"{title}: {names}")


def _grid(rows: int, columns: int, count: int, width: int | None) -> _Grid:
    """Tiles of one area whatever the picture's shape; a few are larger than many.

    >>> _grid(3000, 4000, 74, None), _grid(3000, 4000, 3, None)
    (_Grid(columns=8, width=196, height=147), _Grid(columns=3, width=400, height=300))
    """
    wide = min(max(math.sqrt(AREA * columns / rows), NARROW), WIDE)
    across = max(round((PAGE - 2 * MARGIN + GAP) / (wide + GAP)), 1)
    room = (width or PAGE) - 2 * MARGIN
    across = max(min(across, count, (room + GAP) // (NARROW + GAP)), 1)
    if count <= FEW:  # no row of one tile alone
        across = math.ceil(count / math.ceil(count / across))
    side = max((room - GAP * (across - 1)) // across, SMALLEST)
    if width is None:
        side = min(side, max(LARGEST, round(wide)))
    tall = TALL if width is None else max(TALL, side)
    side = min(side, max(round(tall * columns / rows), NARROW))
    return _Grid(across, side, min(max(round(side * rows / columns), 1), tall))


def _zoom(size: tuple[int, int], grid: _Grid) -> int:
    """How many pixels each of a small picture's takes, so that tiny ones fill their tile."""
    return max(min(grid.width // size[1], grid.height // size[0]), 1)


def _words(picture: Source, small: Source, made: Sequence[SheetTile]) -> list[str]:
    """The title, and what has to be known of the tiles."""
    name = PurePath(picture.name).name
    what = "preset" if made and made[0].asked.group else "kernel"
    words = [f"{name} through {len(made)} {what}{'s' * (len(made) != 1)}"]
    before, after = cross(picture.size[::-1]), cross(small.size[::-1])
    words.append(f"{before} pixels" + f", made {after} first, then filtered" * (before != after))
    if before != after:
        words.append("On the full picture the same kernel reaches less far: enlarge sigma or size.")
    if picture.is_raster:
        words.append("Values are shown from the smallest (black) to the largest (white).")
    if any(tile.stretched for tile in made):
        words.append("--range stretch stands where little could be seen without it.")
    return words


def _heading(words: Sequence[str], left: float, right: float, theme: Theme) -> Iterator[Shape]:
    title, *notes = words
    size = _fitting(title, TITLE, right - left)
    yield Text(left, MARGIN + 10, title, size, theme.ink, "start", True)
    for number, line in enumerate(notes):
        size = _fitting(line, WORD + 1, right - left)
        yield Text(left, MARGIN + 36 + 19 * number, line, size, theme.muted, "start")


def _tile(tile: SheetTile, x: float, y: float, grid: _Grid, theme: Theme) -> Iterator[Shape]:
    if tile.rgb is None:
        yield Rect(x, y, grid.width, grid.height, "", theme.faint, dash=4)
        for number, line in enumerate(
            _wrapped(tile.refusal, grid.width - 20, max((grid.height - 20) // 15, 1))
        ):
            yield Text(x + 10, y + 18 + 15 * number, line, WORD, theme.muted, "start")
    else:
        picture = _image(tile.rgb, x, y, grid)
        yield picture
        yield Rect(picture.x, picture.y, picture.width, picture.height, "", theme.faint, 0.5)
    below = y + grid.height
    name = tile.asked.text
    yield Text(x, below + 13, name, _fitting(name, NAME, grid.width), theme.ink, "start", True)
    words = " | ".join(filter(None, map(_facts, tile.asked.kernels)))
    words += ", --range stretch" * tile.stretched
    for number, line in enumerate(_wrapped(words, grid.width, 2)):
        size = _fitting(line, WORD, grid.width)
        yield Text(x, below + 29 + 14 * number, line, size, theme.muted, "start")


def _image(rgb: Pixels, x: float, y: float, grid: _Grid) -> Image:
    rows, columns = rgb.shape[:2]
    zoom = _zoom((rows, columns), grid)
    down = grid.height - rows * zoom
    return Image(x, y + down, columns * zoom, rows * zoom, rows, columns, rgb.tobytes())


def _facts(kernel: Kernel) -> str:
    """Its size and the parameters that its name leaves to their defaults: ``3x3, amount 1``."""
    name, _, given = kernel.name.partition(":")
    preset = PRESETS.get(name)
    words = [cross(kernel.shape)] if kernel.shape != (1, 1) else []
    if preset is not None:
        left = preset.parameters[len(given.split(",")) if given else 0 :]
        words += [
            f"{p.name} {p.default:g}" for p in left if p.default is not None and p.name not in SIDES
        ]
    return ", ".join(words)


def _fitting(text: str, size: float, room: float) -> float:
    """The font's size, smaller where the text, in bold, would be wider than its room."""
    return round(min(size, size * room / max(1.08 * text_width(text, size), 1)), 1)


def _wrapped(text: str, room: float, most: int) -> list[str]:
    """Words in lines of ``room`` pixels; the last of ``most`` ends with dots where there are more."""
    import textwrap

    letters = max(int(room / (0.5 * WORD)), 8)
    return textwrap.wrap(text, letters, max_lines=most, placeholder=" ...")
