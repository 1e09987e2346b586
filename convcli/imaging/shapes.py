"""Shapes of a drawing: what the raster and the SVG writer both know how to put down.

Coordinates and lengths are in pixels at scale 1, the origin at the top left. Colours are
``#rrggbb``. Shapes are frozen, so that two steps of an animation can be asked what they share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Canvas", "Image", "Line", "Polygon", "Rect", "Shape", "Text", "text_width"]

Anchor: TypeAlias = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle; ``dash`` is the length of dashes and gaps, 0 for a solid outline."""

    x: float
    y: float
    width: float
    height: float
    fill: str = ""
    stroke: str = ""
    thickness: float = 1.0
    dash: float = 0.0
    radius: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line from (x1, y1) to (x2, y2)."""

    x1: float
    y1: float
    x2: float
    y2: float
    stroke: str
    thickness: float = 1.0
    dash: float = 0.0


@dataclass(frozen=True, slots=True)
class Polygon:
    """A filled polygon; ``opacity`` is 0 to 1."""

    points: tuple[tuple[float, float], ...]
    fill: str
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text, centred vertically on ``y``; ``size`` is the font's."""

    x: float
    y: float
    text: str
    size: float
    fill: str
    anchor: Anchor = "middle"
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """Pixels, ``rows`` by ``columns`` of RGB bytes, stretched over a rectangle without blur."""

    x: float
    y: float
    width: float
    height: float
    rows: int
    columns: int
    rgb: bytes


Shape: TypeAlias = Rect | Line | Polygon | Text | Image


@dataclass(frozen=True, slots=True)
class Canvas:
    """Size and ground of a drawing; ``left`` and ``top`` are room before it, where it is centred."""

    width: float
    height: float
    ground: str
    left: float = 0.0
    top: float = 0.0

    def framed(self, width: float, height: float) -> Canvas:
        """With room around it, so that its sides are to each other as ``width`` to ``height``.

        >>> Canvas(90, 60, "#ffffff").framed(1920, 1080)
        Canvas(width=106.66666666666667, height=60, ground='#ffffff', left=8.333333333333336, top=0.0)
        """
        wide = max(self.width, self.height * width / height)
        high = max(self.height, self.width * height / width)
        return Canvas(wide, high, self.ground, (wide - self.width) / 2, (high - self.height) / 2)


_WIDTHS = {
    letter: width
    for letters, width in (
        (" .,:;·'|′ijlI", 0.34),
        ("()[]!-", 0.39),
        ('0123456789₀₁₂₃₄₅₆₇₈₉_/\\?$*"{}', 0.58),
        ("abcdefghknopqrstuvxyz", 0.6),
        ("mMW@%&→←—…", 1.0),
    )
    for letter in letters
}
"""Shares of the size, of common sans-serif fonts in which each letter is widest."""

_WIDE = 0.8
"""Capitals, signs, letters of other scripts."""


def text_width(text: str, size: float) -> float:
    """A width that the text keeps to in any common sans-serif font, without opening one.

    >>> text_width("12", 10), text_width("a - 3", 10)
    (11.6, 22.5)
    """
    return round(size * sum(_WIDTHS.get(letter, _WIDE) for letter in text), 2)
