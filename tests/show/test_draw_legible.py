"""Drawings can be read: numbers stay in their cells, beams lie below them, words are not tiny."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from legible import texts_in_cells, width
from PIL import ImageFont

from convcli.arithmetic.layer import Layer
from convcli.imaging.raster import font_file
from convcli.imaging.shapes import Line, Polygon, Rect, Text, text_width
from convcli.kernels.load import load_kernel
from convcli.show.draw.layout import Drawing, lay_out
from convcli.show.draw.lettering import BOLD
from convcli.show.draw.operation import plan_operation
from convcli.show.draw.theme import THEMES, theme_of
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


@pytest.mark.parametrize("view", VIEWS)
def test_numbers_stay_in_their_cells(view: str) -> None:
    frames = drawing(view, LONG, LONG[:2, :2]).frames
    texts = [text for frame in frames for text in texts_in_cells(frame)]
    assert all(text.size >= 0.6 * SMALLEST - 0.05 for text in texts)
    assert len(texts) > 50


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


SCENES = {
    "classic": (Layer("conv", (3, 3), (2,), (1,)), (5, 5), "window"),
    "a letter": (Layer("conv", (5, 5), (6,)), (28, 28), "window"),
    "padded": (Layer("conv", (9, 9), (4,), (2,)), (28, 28), "window"),
    "sequence": (Layer("conv", (5,)), (62,), "window"),
    "matrix": (Layer("conv", (3, 3)), (8, 8), "matrix"),
    "row by row": (Layer("conv", (3,)), (7,), "matrix"),
    "gradient": (Layer("conv", (5, 5), (8,)), (28, 28), "gradient"),
    "stamps": (Layer("conv_transpose", (3, 2), (2, 3), (1, 0), (2, 1), (1, 1)), (5, 7), "scatter"),
    "gather": (Layer("conv_transpose", (3, 2), (2, 3), (1, 0), (2, 1), (1, 1)), (5, 7), "gather"),
    "pool": (Layer("maxpool", (3,), (2,), (1,), ceil_mode=True), (6, 6), "window"),
    "tall": (Layer("conv", (3, 1)), (30, 2), "window"),
    "one": (Layer("conv", (1, 1)), (1, 1), "window"),
}


@pytest.mark.parametrize("name", SCENES)
def test_words_are_read_at_the_back_of_the_hall(name: str) -> None:
    """On a projector of 1920x1080 no caption is lower than a fiftieth of the picture."""
    layer, sizes, view = SCENES[name]
    made = lay_out(build_scene(plan_operation(layer, sizes), view), theme_of("light"))
    scale = min(1920 / made.canvas.width, 1080 / made.canvas.height)
    for frame in (made.frames[0], made.frames[len(made.frames) // 2], made.frames[-1]):
        texts = [s for n in (0, -1) for s in frame[n] if isinstance(s, Text)]
        assert min(text.size for text in texts) * scale >= 1080 / 50
        for text in texts:
            left = text.x - width(text) * {"start": 0, "middle": 0.5, "end": 1}[text.anchor]
            assert left >= 0
            assert left + width(text) <= made.canvas.width
            assert text.size / 2 <= text.y <= made.canvas.height - text.size / 2


def test_long_words_are_broken_and_none_is_lost() -> None:
    operation = plan_operation(Layer("conv", (2,)), (4,))
    plain = build_scene(operation, "window")
    words = [f"a_{i}·w_{i:02}" for i in range(40)]
    long = replace(
        plain,
        title="A title " * 20,
        subtitle=", ".join(f"word {i}" for i in range(60)),
        steps=tuple(replace(s, formula=(" + ".join(words),)) for s in plain.steps),
    )
    made = lay_out(long, theme_of("light"))
    assert made.canvas.width < 1000
    for frame in made.frames:
        texts = [s for n in (0, -1) for s in frame[n] if isinstance(s, Text)]
        written = " ".join(text.text for text in texts)
        assert [word for word in written.split() if word.startswith("a_")] == words
        assert written.count("A title") == 20
        assert long.subtitle in written
        for text in texts:
            assert text.x - width(text) * (text.anchor != "start") / 2 >= 0
            assert text.x + width(text) * {"start": 1, "middle": 0.5, "end": 0}[text.anchor] <= (
                made.canvas.width
            )
        rows = sorted((t.y, t.size) for t in texts if t.anchor == "middle")
        assert all(b[0] - a[0] >= a[1] for a, b in itertools.pairwise(rows))


@pytest.mark.parametrize("bold", [False, True])
def test_words_keep_to_the_width_that_is_reckoned_with(bold: bool) -> None:
    font = ImageFont.truetype(font_file(bold), 100)
    letters = "".join(map(chr, range(33, 127))) + "αβγδεθλμπστφωΓΔΣΩ·×−′→₀₁₂₉_½"
    words = ["w_11x_00", "-12.35", "1/3", "0.123456", "a' + b'", "ω·β", "Kernel, turned", "22x36"]
    for word in [*set(letters) - set("{}½"), *words]:
        assert font.getlength(word) <= 101 * text_width(word, 1) * (BOLD if bold else 1), word
    # Every letter is there: none is drawn as the box of letters that are missing.
    box = bytes(font.getmask("\uffff"))
    assert not [letter for letter in letters if bytes(font.getmask(letter)) == box]


def luminance(colour: tuple[float, ...]) -> float:
    """WCAG 2.2, relative luminance."""
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def parts(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def contrast(one: str, other: str, beam: str = "") -> float:
    """WCAG 2.2, contrast ratio; with a beam of that colour over the second."""
    under = parts(other)
    if beam:
        under = tuple(0.87 * p + 0.13 * q for p, q in zip(under, parts(beam), strict=True))
    low, high = sorted((luminance(parts(one)), luminance(under)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_every_word_and_every_stroke_has_the_contrast_that_wcag_asks_for(theme: str) -> None:
    look = theme_of(theme)
    grounds = [look.ground, *(ink.fill for ink in look.roles.values())]
    lit = [ink.lit for ink in look.roles.values()]
    for beam in ("", look.accent):
        texts = [(look.muted, look.ground)]
        texts += [(colour, g) for colour in (look.ink, look.lit_ink, look.corner) for g in grounds]
        texts += [(colour, g) for colour in (look.lit_ink, look.corner) for g in lit if not beam]
        assert not [(pair, contrast(*pair, beam)) for pair in texts if contrast(*pair, beam) < 4.5]
    strokes = [look.faint, look.accent]
    strokes += [c for ink in look.roles.values() for c in (ink.stroke, ink.lit_stroke)]
    pairs = [(stroke, look.ground) for stroke in strokes]
    pairs += [(look.accent, g) for g in [*grounds, *lit]]
    assert not [(pair, contrast(*pair)) for pair in pairs if contrast(*pair) < 3]
    # What is lit differs in brightness from what is not, so a print in gray says the same.
    assert min(contrast(ink.fill, ink.lit) for ink in look.roles.values()) > 1.3


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
