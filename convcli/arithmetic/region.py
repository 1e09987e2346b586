"""A part of a picture, as users write it: ``X,Y,WxH`` in pixels or percent."""

from __future__ import annotations

import math
import re

from convcli.errors import ShapeError, UsageError
from convcli.records import NamedTuple

__all__ = ["Rectangle", "Region", "parse_region"]

FORMS = "X,Y,WxH in pixels, as in 100,50,300x200, or percent, as in 10%,10%,50%x50%"
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?%|\d{1,9}"
_LENGTH, _START = f"({_NUMBER})", f"(-?(?:{_NUMBER}))"
_REGION = rf"{_START},{_START},{_LENGTH}[xX\u00d7]{_LENGTH}"
_X, _Y, _W, _H = (f"(?P<{name}>{_NUMBER})" for name in "xywh")
_ELSEWHERE = (
    rf"{_W}[xX]{_H}\+{_X}\+{_Y}",
    rf"(?:crop=)?{_W}:{_H}:{_X}:{_Y}",
    rf"{_X}[ ;]+{_Y}[ ;]+{_W}[xX]{_H}",
)
"""As ImageMagick, FFmpeg and others write it."""


class Length(NamedTuple):
    """Pixels, or a percentage of a side."""

    amount: float
    percent: bool = False

    def of(self, side: int) -> float:
        """In pixels.

        >>> Length(25, True).of(30), Length(7).of(30)
        (7.5, 7)
        """
        return self.amount * side / 100 if self.percent else self.amount

    def __str__(self) -> str:
        return f"{self.amount:.15g}" + "%" * self.percent


class Rectangle(NamedTuple):
    """Rows and columns of a picture, from the first to before the last."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    def common(self, other: Rectangle) -> Rectangle | None:
        """What lies in both, if anything does.

        >>> Rectangle(0, 9, 0, 9).common(Rectangle(4, 20, 7, 8)), Rectangle(0, 9, 0, 9).common(Rectangle(9, 20, 7, 8))
        (Rectangle(top=4, bottom=9, left=7, right=8), None)
        """
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return Rectangle(top, bottom, left, right) if top < bottom and left < right else None

    def __str__(self) -> str:
        height, width = self.size
        return f"{self.left},{self.top},{width}x{height}"


class Region(NamedTuple):
    """Where a part begins, and how large it is."""

    x: Length
    y: Length
    width: Length
    height: Length

    def of(self, size: tuple[int, int], name: str) -> Rectangle:
        """The part of a picture of ``size`` (height, width). Edges in percent are rounded.

        Raises
        ------
        ShapeError
            If it reaches beyond the picture, or nothing of it is left.

        >>> str(parse_region("10%,0,50%x3").of((4, 30), "x.png"))
        '3,0,15x3'
        """
        left, right = _edges(self.x, self.width, size[1])
        top, bottom = _edges(self.y, self.height, size[0])
        picture = f"{name}: the picture has {size[1]}x{size[0]} pixels"
        if left < 0 or top < 0:
            raise ShapeError(
                f"{picture}, and the region {self} would begin at column {left:,} and row {top:,}; "
                "columns and rows are counted from 0"
            )
        if right > size[1] or bottom > size[0]:
            inside = Rectangle(top, bottom, left, right).common(Rectangle(0, size[0], 0, size[1]))
            end = f"column {right:,} and row {bottom:,}"
            advice = "" if inside is None else f"; of it {inside} lies inside"
            raise ShapeError(f"{picture}, and the region {self} would end at {end}{advice}")
        if left >= right or top >= bottom:
            raise ShapeError(f"{picture}, and the region {self} holds none of them")
        return Rectangle(top, bottom, left, right)

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width}x{self.height}"


def _edges(start: Length, length: Length, side: int) -> tuple[int, int]:
    """First cell and the one behind the last; halves are rounded up."""
    first = math.floor(start.of(side) + 0.5)
    if start.percent and length.percent:  # parts side by side have one edge
        both = Length(start.amount + length.amount, True)
        return first, math.floor(round(both.of(side), 6) + 0.5)
    return first, first + math.floor(length.of(side) + 0.5)


def parse_region(text: str, option: str = "--region") -> Region:
    """Read a region.

    Raises
    ------
    UsageError
        If it is none: says what was meant where it is written as in other programs.

    >>> str(parse_region("10%,5,300x12.5%"))
    '10%,5,300x12.5%'
    >>> parse_region("300x200+100+50")
    Traceback (most recent call last):
    ...
    convcli.errors.UsageError: --region '300x200+100+50' is not understood; did you mean \
'100,50,300x200'? allowed: X,Y,WxH in pixels, as in 100,50,300x200, or percent, as in \
10%,10%,50%x50%
    """
    found = re.fullmatch(_REGION, "".join(text.split()))
    if found is None:
        meant = _meant(text.strip())
        hint = f"; did you mean {' or '.join(map(repr, meant))}?" if meant else ";"
        raise UsageError(f"{option} {text[:40]!r} is not understood{hint} allowed: {FORMS}")
    lengths = [
        Length(float(one[:-1]), True) if "%" in one else Length(int(one)) for one in found.groups()
    ]
    region = Region(*lengths)
    if not (region.width.amount and region.height.amount):
        raise UsageError(f"{option} {text[:40]!r} is empty: width and height must be above 0")
    return region


def _meant(text: str) -> list[str]:
    """The region that is written as elsewhere: by ImageMagick, vips, FFmpeg, GDAL, Pillow."""
    size = re.fullmatch(rf"{_LENGTH}[xX]{_LENGTH}", text)
    if size is not None:
        return [f"0,0,{size[1]}x{size[2]}"]
    for form in _ELSEWHERE:
        found = re.fullmatch(form, text)
        if found is not None:
            return ["{x},{y},{w}x{h}".format(**found.groupdict())]
    apart = re.fullmatch(rf"\W*{'[ ,;]+'.join([_LENGTH] * 4)}\W*", text)
    if apart is None:
        return []
    x, y, width, height = apart.groups()
    meant = [f"{x},{y},{width}x{height}"]
    if "%" not in text and int(width) > int(x) and int(height) > int(y):  # of two corners
        meant.append(f"{x},{y},{int(width) - int(x)}x{int(height) - int(y)}")
    return meant
