"""Shapes as pixels.

Pillow draws, at twice the size, and the result is halved: smooth edges in any shape. Letters
come from fonts that lie beside this file, so the pixels do not depend on the machine, and letters
that people type (Greek, subscripts, arrows) are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from convcli.errors import UsageError
from convcli.imaging.shapes import Canvas, Image, Line, Polygon, Rect, Shape, Text

__all__ = ["Frames", "font_file", "rasterise", "scale_of"]

FINE = 2
"""Pixels drawn for each pixel of the result, along each side."""

MAX_PIXELS = 40_000_000
"""Of one frame, before it is halved twice over: a mistyped size must not take all memory."""

FONTS = Path(__file__).with_name("fonts")
"""DejaVu Sans Condensed, regular and bold: wide open letters that are read from far away."""

Frames = Sequence[Sequence[Sequence[Shape]]]


def scale_of(canvas: Canvas, width: int | None) -> float:
    """Pixels for each unit of the canvas, where it is to be so wide.

    Raises
    ------
    UsageError
        If the picture would be too large.
    """
    scale = 1.0 if width is None else width / canvas.width
    if canvas.width * canvas.height * scale * scale > MAX_PIXELS:
        raise UsageError(
            f"a drawing of {canvas.width * scale:.0f}x{canvas.height * scale:.0f} pixels is too "
            f"large; at most {MAX_PIXELS:,} pixels are drawn. An .svg or a .pdf has any size"
        )
    return scale


def rasterise(canvas: Canvas, frames: Frames, scale: float = 1.0) -> Iterator[Any]:
    """Pillow images of the frames, ``round(size * scale)`` pixels large, one after another."""
    page = round(canvas.width * scale), round(canvas.height * scale)
    left, top = round(canvas.left * scale), round(canvas.top * scale)
    size = page[0] - 2 * left, page[1] - 2 * top
    fine = FINE * scale
    big = Pillow.new("RGB", (size[0] * FINE, size[1] * FINE), canvas.ground)
    # What every frame shows in its lowest layer is drawn once; nothing there overlaps.
    common = {*frames[0][0]}.intersection(*(frame[0] for frame in frames[1:]))
    _put(big, [shape for shape in frames[0][0] if shape in common], fine)
    image = big.copy()
    for frame in frames:
        image.paste(big)
        _put(image, [shape for shape in frame[0] if shape not in common], fine)
        for layer in frame[1:]:
            _put(image, layer, fine)
        drawn = image.reduce(FINE)
        if size != page:
            whole = Pillow.new("RGB", page, canvas.ground)
            whole.paste(drawn, (left, top))
            drawn = whole
        yield drawn


def _put(image: Any, shapes: Sequence[Shape], scale: float) -> None:
    pen = ImageDraw.Draw(image, "RGBA")
    for shape in shapes:
        if isinstance(shape, Rect):
            _rect(pen, shape, scale)
        elif isinstance(shape, Line):
            _line(pen, shape, scale)
        elif isinstance(shape, Polygon):
            colour = shape.fill + f"{round(255 * shape.opacity):02x}"
            pen.polygon([(x * scale, y * scale) for x, y in shape.points], fill=colour)
        elif isinstance(shape, Text):
            _text(pen, shape, scale)
        else:
            _image(image, shape, scale)


def _rect(pen: Any, shape: Rect, scale: float) -> None:
    left, top = shape.x * scale, shape.y * scale
    right, bottom = left + shape.width * scale, top + shape.height * scale
    thick = max(round(shape.thickness * scale), 1)
    if shape.stroke and shape.dash:
        if shape.fill:
            pen.rounded_rectangle((left, top, right, bottom), shape.radius * scale, shape.fill)
        x1, y1, x2, y2 = shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
        for ends in ((x1, y1, x2, y1), (x2, y1, x2, y2), (x2, y2, x1, y2), (x1, y2, x1, y1)):
            _line(pen, Line(*ends, shape.stroke, shape.thickness, shape.dash), scale)
        return
    half = thick / 2 if shape.stroke else 0.0
    pen.rounded_rectangle(
        (left - half, top - half, right + half - 1, bottom + half - 1),
        (shape.radius * scale + half) if shape.radius else 0,
        shape.fill or None,
        shape.stroke or None,
        thick,
    )


def _line(pen: Any, shape: Line, scale: float) -> None:
    thick = max(round(shape.thickness * scale), 1)
    x, y = shape.x1 * scale, shape.y1 * scale
    dx, dy = (shape.x2 - shape.x1) * scale, (shape.y2 - shape.y1) * scale
    length = (dx * dx + dy * dy) ** 0.5
    # An odd number of dashes and gaps, so that a dash is at both ends.
    pieces = max(round(length / (shape.dash * scale)) // 2 * 2 + 1, 1) if shape.dash else 1
    for piece in range(0, pieces, 2):
        a, b = piece / pieces, (piece + 1) / pieces
        pen.line((x + a * dx, y + a * dy, x + b * dx, y + b * dy), shape.stroke, thick)


def font_file(bold: bool) -> Path:
    """The font that drawings are written in."""
    return FONTS / f"DejaVuSansCondensed{'-Bold' * bold}.ttf"


class _Font(ImageFont.FreeTypeFont):
    """A font that remembers what it has drawn: most of a drawing says the same in every step."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._drawn = lru_cache(1024)(super().getmask2)

    def getmask2(self, text: str | bytes, *args: Any, **options: Any) -> tuple[Any, Any]:
        """The letters as a mask, which nobody changes, and where it lies."""
        return self._drawn(text, *args, **options)


@lru_cache(64)
def _font(size: float, bold: bool) -> Any:
    # The other way of placing letters needs libraries that not every machine has.
    return _Font(font_file(bold), size, layout_engine=ImageFont.Layout.BASIC)


def _text(pen: Any, shape: Text, scale: float) -> None:
    anchor = {"start": "l", "middle": "m", "end": "r"}[shape.anchor]
    # The baseline stands where the SVG writer puts it.
    at = (shape.x * scale, (shape.y + 0.35 * shape.size) * scale)
    font = _font(round(shape.size * scale, 1), shape.bold)
    pen.text(at, shape.text, shape.fill, font, anchor + "s")


def _image(target: Any, shape: Image, scale: float) -> None:
    source = Pillow.frombytes("RGB", (shape.columns, shape.rows), shape.rgb)
    size = max(round(shape.width * scale), 1), max(round(shape.height * scale), 1)
    place = round(shape.x * scale), round(shape.y * scale)
    target.paste(source.resize(size, Pillow.Resampling.NEAREST), place)
