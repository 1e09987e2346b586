"""A kernel as a figure: weights, frequency response, and the profile of the response."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.sizes import cross
from convcli.errors import UsageError
from convcli.imaging.shapes import Canvas, Image, Line, Rect, Shape, Text
from convcli.kernels.frequency_response import frequency_response
from convcli.kernels.kernel import Kernel
from convcli.show.colours import diverging, hex_of, luminance, sequential, settled
from convcli.show.draw.layout import Drawing
from convcli.show.draw.theme import Theme
from convcli.show.tensor_text import cell_text

__all__ = ["COUNT", "MOST", "WeightPlane", "kernel_figure", "weight_planes"]

Array = NDArray[np.float64]

COUNT = 65
"""Frequencies along each axis of a response."""

MOST = 8
"""Matrices that one figure holds."""

SIDE, GAP, MARGIN, TOP = 216.0, 64.0, 44.0, 112.0
TITLE, WORD, TICK = 18.0, 14.0, 12.0
NUMBERED = 9
"""Largest kernel with its weights written into the cells."""

STROKES = ((1.0, 0.0), (8.0, 3.5), (2.5, 2.0))
"""Strokes and gaps of three lines that a print in gray tells apart: whole, dashed, dotted."""

SMALLEST = 7.5
"""Smallest font of a weight; where it would have to be smaller, the colours alone are shown."""


@dataclass(frozen=True, slots=True, eq=False)
class WeightPlane:
    """One matrix of weights, scaled, with its heading; ``response`` is None for channels.

    So it is for the footprint of what is no sum, which no wave passes as it came.
    """

    heading: str
    weights: Array
    response: Array | None
    what: str = "weights"


def weight_planes(kernel: Kernel) -> list[WeightPlane]:
    """The matrices of a kernel: one, the parts of a stack, or the slices of a bank.

    >>> from convcli.kernels.load import load_kernel
    >>> [plane.heading for plane in weight_planes(load_kernel("sobel"))]
    ['sobel, part 1', 'sobel, part 2']
    """
    weights = kernel.weights * kernel.scale
    if not kernel.is_correlation:
        return [WeightPlane(kernel.name, settled(weights), None, "footprint")]
    if kernel.is_bank and kernel.shape == (1, 1):
        return [
            WeightPlane(
                f"{kernel.name}, output by input channel", settled(weights[:, :, 0, 0]), None
            )
        ]
    if weights.ndim == 2:
        pairs = [(kernel.name, weights)]
    elif weights.ndim == 3:
        pairs = [(f"{kernel.name}, part {i}", part) for i, part in enumerate(weights, 1)]
    else:
        pairs = [
            (f"{kernel.name}, {source} to {target}", weights[target, source])
            for target, source in np.ndindex(*weights.shape[:2])
        ]
    return [
        WeightPlane(name, settled(part), settled(frequency_response(part, COUNT)))
        for name, part in pairs
    ]


def kernel_figure(kernels: Sequence[Kernel], theme: Theme) -> Drawing:
    """One or two matrices in rows of panels, several side by side in columns.

    Weights share one colour scale and responses one, so that kernels can be compared.
    """
    planes = [plane for kernel in kernels for plane in weight_planes(kernel)]
    if len(planes) > MOST:
        raise UsageError(f"{len(planes)} matrices are too many; a figure holds at most {MOST}")
    reach = max(float(np.abs(plane.weights).max()) for plane in planes) or 1.0
    peaks = [float(plane.response.max()) for plane in planes if plane.response is not None]
    peak = max([*peaks, 1e-12])
    row = len(planes) <= 2
    panels = 3 if any(plane.response is not None for plane in planes) else 1
    across, down = (panels, len(planes)) if row else (len(planes), panels)
    width = 2 * MARGIN + across * SIDE + (across - 1) * GAP + 12
    height = TOP + down * (SIDE + 70) + 4
    shapes: list[Shape] = []
    title = " and ".join(kernel.name for kernel in kernels)
    shapes.append(Text(MARGIN, MARGIN + 4, title, TITLE, theme.ink, "start", True))
    notes = "; ".join(_note(kernel, len(kernels) == 1) for kernel in kernels)
    shapes.append(Text(MARGIN, MARGIN + 27, notes, WORD, theme.muted, "start"))
    for number, plane in enumerate(planes):
        for panel in range(panels if plane.response is not None else 1):
            column, line = (panel, number) if row else (number, panel)
            x = MARGIN + column * (SIDE + GAP)
            y = TOP + line * (SIDE + 70)
            heading = "" if len(planes) == 1 or (row and panel) else f"{plane.heading}: "
            shapes += _panel(panel, plane, x, y, heading, reach, peak, theme)
    width = max(width, MARGIN * 2 + max(len(notes) * 7.0, len(title) * 10.0))
    canvas = Canvas(round(width), round(height), theme.ground)
    return Drawing(canvas, ((tuple(shapes),),), title, _description(planes))


def _note(kernel: Kernel, alone: bool) -> str:
    words = f"{cross(kernel.shape)}, weights sum to {cell_text(round(kernel.sum, 6) + 0.0)}"
    if not kernel.is_correlation:
        words = f"{cross(kernel.shape)}, {np.count_nonzero(kernel.weights)} cells count"
    if not alone:
        return f"{kernel.name}: {words}"
    return f"{kernel.note}; {words}" if kernel.note else words


def _description(planes: Sequence[WeightPlane]) -> str:
    words = []
    for plane in planes:
        rows = "; ".join(
            " ".join(f"{value + 0.0:.4g}" for value in line) for line in plane.weights[:15, :15]
        )
        words.append(f"{plane.heading}: {plane.what} {rows}")
        if plane.response is not None:
            middle = COUNT // 2
            mean, across, along = (
                plane.response[middle, middle],
                plane.response[middle, -1],
                plane.response[-1, middle],
            )
            words.append(
                f"passes {mean:.3g} of the mean, {across:.3g} of the finest columns, "
                f"{along:.3g} of the finest rows"
            )
    return ". ".join(words)


def _panel(
    panel: int,
    plane: WeightPlane,
    x: float,
    y: float,
    heading: str,
    reach: float,
    peak: float,
    theme: Theme,
) -> Iterator[Shape]:
    name = (plane.what, "frequency response", "profile of the response")[panel]
    yield Text(x, y - 13, heading + name, WORD, theme.ink, "start", True)
    if panel == 0:
        yield from _weights(plane.weights, x, y, reach, theme)
    elif plane.response is not None and panel == 1:
        yield from _response(plane.response, x, y, peak, theme)
    elif plane.response is not None:
        yield from _profile(plane.response, x, y, peak, theme)


def _weights(weights: Array, x: float, y: float, reach: float, theme: Theme) -> Iterator[Shape]:
    rows, columns = weights.shape
    cell = SIDE / max(rows, columns)
    left, top = x + (SIDE - columns * cell) / 2, y + (SIDE - rows * cell) / 2
    ground = tuple(int(theme.ground[i : i + 2], 16) for i in (1, 3, 5))
    middle = ground if sum(ground) < 384 else (247, 247, 247)
    colours = diverging(weights / reach, middle)  # type: ignore[arg-type]
    if max(rows, columns) > NUMBERED:
        yield Image(left, top, columns * cell, rows * cell, rows, columns, colours.tobytes())
        yield Rect(left, top, columns * cell, rows * cell, "", theme.faint)
    else:
        texts, size = _texts(weights, cell)
        for r in range(rows):
            for c in range(columns):
                at = left + c * cell, top + r * cell
                yield Rect(*at, cell, cell, hex_of(colours[r, c]), theme.ground, 1.5, radius=3)
                ink = "#ffffff" if luminance(colours[r, c]) < 140 else "#10202e"
                if size >= SMALLEST:
                    yield Text(at[0] + cell / 2, at[1] + cell / 2, texts[r][c], size, ink)
    # The scale: from the most negative to the most positive that the figure holds.
    strip = diverging(np.linspace(-1, 1, 64)[None], middle)  # type: ignore[arg-type]
    yield Image(x, y + SIDE + 12, SIDE, 8, 1, 64, strip.tobytes())
    for place, value in ((0.0, -reach), (0.5, 0.0), (1.0, reach)):
        anchor = "start" if place == 0 else "end" if place == 1 else "middle"
        yield Text(x + place * SIDE, y + SIDE + 30, _brief(value), TICK, theme.muted, anchor)  # type: ignore[arg-type]


def _texts(weights: Array, cell: float) -> tuple[list[list[str]], float]:
    """What stands in the cells, with as many digits as can be read, and the size of its font."""
    for digits in (3, 2):
        texts = [[_brief(value, digits) for value in line] for line in weights.tolist()]
        longest = max(len(text) for line in texts for text in line)
        size = round(min(0.34 * cell, 0.86 * cell / (0.56 * longest), 20), 1)
        if size >= SMALLEST:
            break
    return texts, size


def _brief(value: float, digits: int = 3) -> str:
    text = f"{value + 0.0:.{digits}g}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def _response(response: Array, x: float, y: float, peak: float, theme: Theme) -> Iterator[Shape]:
    colours = sequential(response / peak)
    rows, columns = response.shape
    yield Image(x, y, SIDE, SIDE, rows, columns, colours.tobytes())
    yield Rect(x, y, SIDE, SIDE, "", theme.faint)
    for place, word in ((0.0, "-1/2"), (0.5, "0"), (1.0, "1/2")):
        yield Text(x + place * SIDE, y + SIDE + 12, word, TICK, theme.muted)
        yield Text(x - 6, y + place * SIDE, word, TICK, theme.muted, "end")
    words = "cycles per pixel, across and down"
    yield Text(x + SIDE / 2, y + SIDE + 30, words, TICK, theme.muted)


def _profile(response: Array, x: float, y: float, peak: float, theme: Theme) -> Iterator[Shape]:
    """The response along three rays from the middle: across, down, the stronger diagonal."""
    middle = COUNT // 2
    steps = range(COUNT - middle)
    falling = [response[middle + i, middle + i] for i in steps]
    rising = [response[middle - i, middle + i] for i in steps]
    tilted = max(rising) > 1.01 * max(falling)
    alike = np.allclose(rising, falling, atol=1e-3 * peak)
    rays = (
        ("across", [response[middle, middle + i] for i in steps], theme.roles["input"].lit_stroke),
        ("down", [response[middle + i, middle] for i in steps], theme.accent),
        (
            "diagonal" if alike else "diagonal /" if tilted else "diagonal \\",
            rising if tilted else falling,
            theme.roles["output"].lit_stroke,
        ),
    )
    for part in range(5):
        at = y + SIDE * part / 4
        yield Line(x, at, x + SIDE, at, theme.faint, 0.5)
        value = _brief(peak * (1 - part / 4))
        yield Text(x - 6, at, value, TICK, theme.muted, "end")
    for number, (name, values, colour) in enumerate(rays):
        points = [
            (x + SIDE * i / (len(values) - 1), y + SIDE * (1 - value / peak))
            for i, value in enumerate(values)
        ]
        yield from _stroked(points, STROKES[number], colour)
        at, below = x + number * SIDE / 3, y + SIDE + 30
        yield from _stroked([(at, below), (at + 19, below)], STROKES[number], colour)
        yield Text(at + 23, below, name, TICK, theme.muted, "start")
    for place, word in ((0.0, "0"), (0.5, "1/4"), (1.0, "1/2")):
        yield Text(x + place * SIDE, y + SIDE + 12, word, TICK, theme.muted)


def _stroked(
    points: Sequence[tuple[float, float]], stroke: tuple[float, float], colour: str
) -> Iterator[Line]:
    """A line through ``points``, in strokes and gaps as long on a steep part as on a flat one."""
    drawn, gap = stroke
    left = drawn if gap else math.inf
    on = True
    for (ax, ay), (bx, by) in itertools.pairwise(points):
        length = math.hypot(bx - ax, by - ay)
        done = 0.0
        while done < length:
            step = min(left, length - done)
            if on:
                ends = (
                    (ax + (bx - ax) * t / length, ay + (by - ay) * t / length)
                    for t in (done, done + step)
                )
                (x1, y1), (x2, y2) = ends
                yield Line(round(x1, 2), round(y1, 2), round(x2, 2), round(y2, 2), colour, 2.0)
            done += step
            left -= step
            if left <= 1e-9:
                on = not on
                left = drawn if on else gap
