"""One cell as shapes: its ground, its mark, its number, the weight in its corner."""

from __future__ import annotations

from collections.abc import Iterator

from convcli.imaging.shapes import Line, Polygon, Rect, Shape, Text, text_width
from convcli.show.draw.lettering import BOLD
from convcli.show.draw.scene import Cell, Role
from convcli.show.draw.theme import Theme

__all__ = ["cell_shapes", "font_size"]


SMALLEST = 6.5
"""Smallest font of a number in a cell; a smaller one nobody reads, so it is left out."""

ROOMY, TOO_LONG = 24.0, "…"
"""Side of a cell that says it holds a text that is too long for it, and what it says."""

ASIDE = 0.08
"""How far a number moves up and to the left for the weight in its corner, in cells."""


def font_size(cell: float, longest: str, aside: bool = False) -> float:
    """A font in which the ``longest`` text fits into a cell, bold too; 0 where it is too small.

    ``aside`` makes room for a weight in the corner.

    >>> font_size(40, "1"), font_size(40, "-0.0152"), font_size(40, "-0.0152", aside=True)
    (16.0, 9.2, 7.8)
    >>> font_size(14, "255")
    0.0
    """
    room = (0.92 - 2 * ASIDE if aside else 0.9) * cell
    fits = room / max(BOLD * text_width(longest, 1), 0.1)
    size = round(min(0.4 * cell, fits), 1)
    return size if size >= SMALLEST else 0.0


def cell_shapes(
    cell: Cell, role: Role, x: float, y: float, side: float, font: float, theme: Theme
) -> Iterator[Shape]:
    """The shapes of a cell whose top left corner is (x, y)."""
    if cell.mark == "blank":
        return
    ink = theme.roles[role]
    lit = cell.lit in ("tap", "target")
    inset = 0.5 if side > 14 else 0.0
    box = x + inset, y + inset, side - 2 * inset, side - 2 * inset
    radius = 3.0 if side > 20 else 0.0
    hollow = cell.mark in ("padding", "border", "overhang", "cropped", "pending", "nought")
    fill = ink.lit if lit and cell.mark in ("value", "added", "zero") else ""
    if not fill and not hollow:
        fill = ink.fill if cell.mark != "zero" else ""
    if hollow and lit:
        fill = ink.fill
    stroke = ink.lit_stroke if lit else ink.stroke if cell.mark != "nought" else theme.faint
    dash = {"padding": 3.0, "border": 3.0, "overhang": 3.0, "cropped": 3.0, "zero": 1.5}.get(
        cell.mark, 0.0
    )
    thin = 0.5 if cell.mark == "nought" and not lit else 1.0
    yield Rect(*box, fill, stroke, thin, dash, radius)
    strong = lit or cell.echo
    yield from _mark(cell, x, y, side, ink.lit_stroke if strong else ink.stroke, theme)
    if cell.text and (font or side >= ROOMY):
        quiet = not lit and cell.mark in ("padding", "border", "zero", "cropped", "overhang")
        colour = theme.lit_ink if lit else theme.muted if quiet else theme.ink
        shift = ASIDE * side if cell.corner else 0.0
        font = font or font_size(side, cell.text, bool(cell.corner))
        text = cell.text if font else TOO_LONG
        yield Text(
            x + side / 2 - shift, y + side / 2 - shift, text, font or 0.3 * side, colour, bold=lit
        )
    small = 0.6 * font_size(side, cell.corner) if side >= 24 else 0.0
    if cell.corner and small:
        size = round(min(0.26 * side, small), 1)
        yield Text(x + side * 0.93, y + side * 0.82, cell.corner, size, theme.corner, "end")


def _mark(
    cell: Cell, x: float, y: float, side: float, stroke: str, theme: Theme
) -> Iterator[Shape]:
    """The strokes that tell a kind of cell without its colour."""
    low, high = 0.14 * side, 0.86 * side
    if cell.echo:
        # An ear in the corner that neither the number nor its weight comes near.
        edge, ear = round(0.06 * side, 1), round(0.26 * side, 1)
        yield Polygon(((x + edge, y + edge), (x + ear, y + edge), (x + edge, y + ear)), stroke)
    if cell.mark in ("overhang", "cropped"):
        yield Line(x + low, y + high, x + high, y + low, stroke)
    if cell.mark == "cropped":
        yield Line(x + low, y + low, x + high, y + high, stroke)
    if cell.mark == "added":
        middle, arm = 0.2 * side, 0.1 * side
        yield Line(x + middle - arm, y + middle, x + middle + arm, y + middle, stroke, 1.5)
        yield Line(x + middle, y + middle - arm, x + middle, y + middle + arm, stroke, 1.5)
    if cell.mark in ("zero", "nought") and not cell.text:
        dot = max(round(0.08 * side, 1), 1.0)
        colour = theme.faint if cell.mark == "nought" else stroke
        yield Rect(x + side / 2 - dot, y + side / 2 - dot, 2 * dot, 2 * dot, colour, radius=dot)
    if cell.unread:
        for offset in (-0.36, 0.0, 0.36):
            start, end = max(low, low + offset * side), min(high, high + offset * side)
            yield Line(
                x + start, y + start - offset * side, x + end, y + end - offset * side, theme.faint
            )
