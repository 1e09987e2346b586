"""Drawings can be read: numbers stay in their cells, beams lie below them, words are not tiny."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from PIL import ImageFont

from convcli.arithmetic.layer import Layer
from convcli.imaging.shapes import Line, Polygon, Rect, Text
from convcli.kernels.load import load_kernel
from convcli.show.draw.layout import Drawing, lay_out
from convcli.show.draw.operation import plan_operation
from convcli.show.draw.theme import theme_of
from convcli.show.draw.views import build_scene
from convcli.show.kernel_figure import SIDE, kernel_figure

SMALLEST = 6.5
LONG = np.array([[0.123456, -123.4, 2.0], [1e-7, 0.5, -0.000123], [1.0, 98765.4, 3.0]])
VIEWS = {
    "window": Layer("conv", (2, 2), padding=(1,)),
    "gradient": Layer("conv", (2, 2)),
    "matrix": Layer("conv", (2, 2)),
    "scatter": Layer("conv_transpose", (2, 2), (2,)),
    "gather": Layer("conv_transpose", (2, 2), (2,)),
}


def drawing(view: str, x: np.ndarray, w: np.ndarray) -> Drawing:
    operation = plan_operation(VIEWS[view], x.shape, x=x, w=w)
    return lay_out(build_scene(operation, view), theme_of("light"))


def width(text: Text) -> float:
    """As the font of the pictures has it, with the strokes that make it bold."""
    return float(ImageFont.load_default(text.size * 8).getlength(text.text) / 8) + (
        0.044 * text.size if text.bold else 0
    )


@pytest.mark.parametrize("view", VIEWS)
def test_numbers_stay_in_their_cells(view: str) -> None:
    found = 0
    for cells, _, written, _ in drawing(view, LONG, LONG[:2, :2]).frames:
        boxes = [s for s in cells if isinstance(s, Rect) and s.stroke]
        for text in (s for s in written if isinstance(s, Text)):
            half = width(text) / 2
            middle = text.x - half if text.anchor == "end" else text.x
            (box,) = [
                b for b in boxes if 0 <= text.x - b.x < b.width and 0 <= text.y - b.y < b.height
            ]
            assert box.x <= middle - half, text
            assert middle + half <= box.x + box.width, text
            assert text.size >= 0.6 * SMALLEST - 0.05
            found += 1
    assert found > 50


def test_no_beam_covers_a_number_or_a_caption() -> None:
    for view in VIEWS:
        for frame in drawing(view, LONG, LONG[:2, :2]).frames:
            layers = {
                "beam": [n for n, layer in enumerate(frame) if any(isinstance(s, Polygon) for s in layer)],
                "text": [n for n, layer in enumerate(frame) if any(isinstance(s, Text) for s in layer)],
            }  # fmt: skip
            # Titles, in the lowest layer, stand where no beam is.
            assert max(layers["beam"]) < min(n for n in layers["text"] if n)
            covers = [s for s in frame[-1] if isinstance(s, Rect) and s.fill == "#ffffff"]
            captions = [s for s in frame[-1] if isinstance(s, Text) and s.anchor == "start"]
            assert captions
            for caption in captions:
                inside = [
                    c for c in covers if c.x <= caption.x and c.y < caption.y < c.y + c.height
                ]
                assert any(caption.x + width(caption) <= c.x + c.width for c in inside)


@pytest.mark.parametrize("numbers", [False, True])
def test_words_of_a_large_drawing_are_not_tiny(numbers: bool) -> None:
    """28x28 is what handwritten digits have: no word is below 1/60 of the picture's width."""
    x = np.arange(28 * 28).reshape(28, 28) * 80 if numbers else None
    w = np.ones((5, 5), int) if numbers else None
    operation = plan_operation(Layer("conv", (5, 5), (4,)), (28, 28), x=x, w=w)
    made = lay_out(build_scene(operation, "window"), theme_of("light"))
    texts = [s for layer in made.frames[0] for s in layer if isinstance(s, Text)]
    assert min(text.size for text in texts) >= made.canvas.width / 60
    assert min(text.size for text in texts) >= SMALLEST
    side = min(s.width for s in made.frames[0][0] if isinstance(s, Rect) and s.stroke)
    assert side >= 6


@pytest.mark.parametrize("name", ["gabor:8,45", "gaussian:2", "laplacian"])
def test_a_steep_curve_is_one_line_and_its_key_is_drawn_alike(name: str) -> None:
    theme = theme_of("light")
    shapes = kernel_figure([load_kernel(name)], theme).frames[0][0]
    for role in ("input", "output"):
        colour = theme.roles[role].lit_stroke
        lines = [s for s in shapes if isinstance(s, Line) and s.stroke == colour]
        below = max(line.y1 for line in lines)
        key = [line for line in lines if line.y1 == line.y2 == below]
        curve = [line for line in lines if line not in key]
        gaps, strokes = gaps_and_strokes(curve)
        assert max(gaps, default=0) <= 4
        assert max(line.x2 for line in curve) - min(line.x1 for line in curve) >= SIDE - 5
        key_gaps, key_strokes = gaps_and_strokes(key)
        assert max(key_gaps, default=0) == pytest.approx(max(gaps, default=0), abs=0.05)
        if gaps:
            assert max(key_strokes) == pytest.approx(max(strokes), abs=0.05)


def gaps_and_strokes(lines: list[Line]) -> tuple[list[float], list[float]]:
    """Along a path that is drawn piece by piece; pieces that touch are one stroke."""
    lengths = [math.hypot(a.x2 - a.x1, a.y2 - a.y1) for a in lines]
    gaps, strokes = [], lengths[:1]
    for (a, b), length in zip(itertools.pairwise(lines), lengths[1:], strict=True):
        gap = math.hypot(b.x1 - a.x2, b.y1 - a.y2)
        if gap > 0.1:
            gaps.append(gap)
            strokes.append(length)
        else:
            strokes[-1] += length
    return gaps, strokes
