"""Whether the texts of a drawing stay within their cells, in the font that pictures have."""

from __future__ import annotations

from PIL import ImageFont

from convcli.imaging.raster import font_file
from convcli.imaging.shapes import Rect, Text
from convcli.show.draw.layout import Layers


def width(text: Text) -> float:
    """As the font of the pictures has it."""
    font = ImageFont.truetype(font_file(text.bold), text.size * 8)
    return float(font.getlength(text.text)) / 8


def texts_in_cells(frame: Layers) -> list[Text]:
    """The texts of a step's cells, none of which overruns its cell."""
    joined, _, behind, written, _ = frame
    boxes = [s for s in joined + behind if isinstance(s, Rect) and s.stroke]
    texts = [s for s in written if isinstance(s, Text)]
    for text in texts:
        half = width(text) / 2
        middle = text.x - half if text.anchor == "end" else text.x
        (box,) = [b for b in boxes if 0 <= text.x - b.x < b.width and 0 <= text.y - b.y < b.height]
        assert box.x <= middle - half, text
        assert middle + half <= box.x + box.width, text
    return texts
