"""The words around the boards: how large they are, and where a long line is broken."""

from __future__ import annotations

import re
from dataclasses import dataclass

from convcli.imaging.shapes import text_width

__all__ = ["BOLD", "Lettering", "lines_within"]

BOLD = 1.08
"""How much wider a bold text is."""

TALLEST, WIDEST = 480.0, 720.0
"""Largest drawing with words of the usual size. On a slide of 1920x1080 pixels they are then at
least 27 pixels high; in a larger drawing they grow with it."""

MOST = 1.6


@dataclass(frozen=True, slots=True)
class Lettering:
    """Sizes of fonts and of the rooms that words take, all in proportion to ``unit``."""

    unit: float = 1.0

    @classmethod
    def of(cls, width: float, height: float) -> Lettering:
        """For a drawing that would be so large with words of the usual size.

        >>> Lettering.of(640, 400).small, Lettering.of(960, 700).small
        (13.0, 19.0)
        """
        return cls(round(min(max(width / WIDEST, height / TALLEST, 1.0), MOST), 2))

    def _scaled(self, size: float) -> float:
        return round(size * self.unit, 1)

    @property
    def title(self) -> float:
        """Font of the title."""
        return self._scaled(17.0)

    @property
    def small(self) -> float:
        """Font of a board's name, and of what stands under the title."""
        return self._scaled(13.0)

    @property
    def note(self) -> float:
        """Font of a board's size and of the legend."""
        return self._scaled(12.0)

    @property
    def formula(self) -> float:
        """Font of the sum."""
        return self._scaled(15.0)

    @property
    def line(self) -> float:
        """Distance of two lines of the sum."""
        return self._scaled(21.0)

    @property
    def label(self) -> float:
        """Room over a board for its name."""
        return self._scaled(24.0)

    @property
    def swatch(self) -> float:
        """Side of a cell in the legend."""
        return self._scaled(18.0)

    @property
    def margin(self) -> float:
        """Room around everything."""
        return self._scaled(24.0)


def lines_within(text: str, size: float, width: float) -> tuple[str, ...]:
    """A text in lines no wider than ``width``, broken between the terms of a sum or after commas.

    A part that is too wide itself is broken between words, and a word that is too wide stays.

    >>> lines_within("3·0 + 3·1 + 2·2 = 7", 10, 90)
    ('3·0 + 3·1', '+ 2·2 = 7')
    >>> lines_within("input 5x5, kernel 3x3 -> output 3x3", 10, 150)
    ('input 5x5, kernel 3x3', '-> output 3x3')
    """
    if text_width(text, size) <= width:
        return (text,)
    lines = [""]
    for part in re.split(r"(?<=[,;:]) | (?=[+-] |-> )", text):
        words = [part] if text_width(part, size) <= width else part.split(" ")
        for word in words:
            longer = f"{lines[-1]} {word}" if lines[-1] else word
            if text_width(longer, size) <= width or not lines[-1]:
                lines[-1] = longer
            else:
                lines.append(word)
    return tuple(lines)
