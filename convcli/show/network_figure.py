"""A network as a diagram: every layer's size as a box, and how much of the input it sees."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from convcli.arithmetic.network_report import LayerReport, NetworkReport
from convcli.arithmetic.sizes import cross
from convcli.errors import ShapeError
from convcli.imaging.shapes import Canvas, Line, Polygon, Rect, Shape, Text, text_width
from convcli.show.draw.layout import Drawing
from convcli.show.draw.scene import Role
from convcli.show.draw.theme import Theme
from convcli.show.shape_document import amount, size
from convcli.show.shape_network import fold, same_scale

__all__ = ["MOST", "LayerBox", "layer_boxes", "network_figure"]

MOST = 14
"""Layers that are drawn one by one; in a deeper network those of one size make one box."""

CONVOLUTIONS = ("conv", "dwconv", "conv_transpose")

MARGIN, TOP, TALL, GAP, FIELD = 32.0, 96.0, 150.0, 26.0, 46.0
TITLE, WORD, SMALL = 18.0, 14.0, 12.0

ROW, PITCH = 1100.0, 320.0
"""Longest row of boxes, and from one row to the next: words of a longer one would be tiny."""


@dataclass(frozen=True, slots=True)
class LayerBox:
    """One box: a layer with what follows it, or a run of layers of one spatial size.

    ``output`` is channels and spatial sizes at its end; ``field`` the receptive field there,
    per axis, empty where there is none.
    """

    label: str
    kind: str
    output: tuple[int, ...]
    layers: int
    params: int
    macs: int
    field: tuple[float, ...]


def layer_boxes(report: NetworkReport) -> list[LayerBox]:
    """The boxes of a network, in the order they run.

    >>> from convcli.arithmetic.network import Network
    >>> network = Network.parse("conv 8 k3 | relu | maxpool k2 | flatten | linear 10")
    >>> report = network.evaluate((1, 28, 28))
    >>> [(box.label, box.output) for box in layer_boxes(report)]
    [('conv 8 k3', (8, 26, 26)), ('maxpool k2 s2', (8, 13, 13)), ('linear 10', (10,))]
    """
    groups = [group for group in fold(report.rows) if group[0].kind != "flatten"]
    if len(groups) > MOST:
        groups = _stages(groups)
    return [_box_of(group) for group in groups]


def _stages(groups: Sequence[Sequence[LayerReport]]) -> list[list[LayerReport]]:
    """Groups joined while the spatial size about stays; fully connected layers stay apart."""
    stages: list[list[LayerReport]] = []
    for group in groups:
        here = group[0].output[1:]
        before = stages[-1][-1].output[1:] if stages else ()
        if here and len(here) == len(before) and same_scale(here, before):
            stages[-1] += group
        else:
            stages.append(list(group))
    return stages


def _box_of(rows: Sequence[LayerReport]) -> LayerBox:
    main = next((row for row in rows if row.kind in CONVOLUTIONS), rows[0])
    convolutions = sum(row.kind in CONVOLUTIONS for row in rows)
    label, kind = main.label, main.kind
    if convolutions > 1:
        label, kind = f"{convolutions} convolutions", "conv"
    last = rows[-1]
    return LayerBox(
        label,
        kind,
        last.output,
        len(rows),
        sum(row.params for row in rows),
        sum(row.macs for row in rows),
        tuple(float(field.size) for field in last.fields),
    )


def network_figure(report: NetworkReport, theme: Theme) -> Drawing:
    """Boxes from left to right: as tall as the picture, as wide as there are channels.

    Under each stand its sizes and cost, and the receptive field as a share of the input.

    Raises
    ------
    ShapeError
        If the network has no layers.
    """
    boxes = layer_boxes(report)
    if not boxes:
        raise ShapeError("a network without layers cannot be drawn")
    start = LayerBox("input", "input", report.input, 1, 0, 0, ())
    tallest = max(_spatial(box) for box in [start, *boxes])
    shapes: list[Shape] = []
    every = [start, *boxes]
    rooms = [max(_box_width(box) + _depth(box, tallest), _words_width(box), FIELD) for box in every]
    rows = _rows(rooms)
    wide = 0.0
    for line, row in enumerate(rows):
        x, base = MARGIN, TOP + TALL + 30 + line * PITCH
        for number in row:
            shapes += _box(every[number], x, rooms[number], base, tallest, theme)
            shapes += _words(every[number], x + rooms[number] / 2, base, report.input, theme)
            if number < len(boxes):
                shapes += _arrow(x + rooms[number] + GAP / 2 - 7, base - 22, theme)
            x += rooms[number] + GAP
        wide = max(wide, x - GAP)
    totals = report.totals
    sub = f"input {cross(report.input)}"
    if report.failure is None:
        sub += f" -> output {cross(report.output)}"
        sub += f", {amount(totals.params)} parameters, {amount(totals.macs)} MACs"
    title = "Network" if report.title == "chain" else report.title
    shapes.append(Text(MARGIN, MARGIN + 4, title, TITLE, theme.ink, "start", True))
    shapes.append(Text(MARGIN, MARGIN + 27, sub, WORD, theme.muted, "start"))
    note = "the square is the input; filled, what one output sees of it"
    shapes.append(Text(MARGIN, base + 76 + FIELD + 24, note, SMALL, theme.muted, "start"))
    if report.failure is not None:
        failure = f"the chain breaks here: {report.failure}"
        shapes.append(Text(MARGIN, MARGIN + 46, failure, WORD, theme.accent, "start"))
    broken = text_width(str(report.failure), WORD) + 150 if report.failure else 0.0
    words = max(text_width(sub, WORD), text_width(note, SMALL), broken) + 2 * MARGIN
    width = max(wide + MARGIN, words)
    canvas = Canvas(round(width), round(base + 76 + FIELD + 46), theme.ground)
    return Drawing(canvas, ((tuple(shapes),),), title, _description(report, boxes))


def _rows(rooms: Sequence[float]) -> list[range]:
    """Boxes in as many rows as keep the words from being tiny, each about as wide.

    >>> _rows([500, 400, 300, 200]), _rows([300, 200])
    ([range(0, 2), range(2, 4)], [range(0, 2)])
    """
    whole = sum(rooms) + GAP * len(rooms)
    share = whole / math.ceil(whole / ROW)
    rows: list[range] = []
    begin, reached = 0, 0.0
    for number, room in enumerate(rooms):
        reached += room + GAP
        if reached >= share * (len(rows) + 1) - 1 or number == len(rooms) - 1:
            rows.append(range(begin, number + 1))
            begin = number + 1
    return rows


def _description(report: NetworkReport, boxes: Sequence[LayerBox]) -> str:
    words = [f"input {cross(report.input)}"]
    for box in boxes:
        field = f", receptive field {_field(box)}" if box.field else ""
        words.append(f"{box.label} to {cross(box.output)}{field}")
    return "; ".join(words)


def _spatial(box: LayerBox) -> float:
    return float(max(box.output[1:], default=1))


def _height(box: LayerBox, tallest: float) -> float:
    if len(box.output) == 1:
        return 12 + TALL * min(math.log2(box.output[0] + 1) / 14, 1)
    return 10 + TALL * math.sqrt(_spatial(box) / tallest)


def _box_width(box: LayerBox) -> float:
    if len(box.output) == 1:
        return 10.0
    return 8 + 5 * math.log2(box.output[0] + 1)


def _depth(box: LayerBox, tallest: float) -> float:
    return 0.0 if len(box.output) == 1 else 0.22 * _height(box, tallest)


def _role(box: LayerBox) -> Role:
    if box.kind in (
        "input",
        "maxpool",
        "avgpool",
        "globalavgpool",
        "globalmaxpool",
        "adaptiveavgpool",
    ):
        return "input"
    return "output" if box.kind == "linear" or len(box.output) == 1 else "kernel"


def _box(
    box: LayerBox, x: float, room: float, base: float, tallest: float, theme: Theme
) -> Iterator[Shape]:
    ink = theme.roles[_role(box)]
    wide, high, deep = _box_width(box), _height(box, tallest), _depth(box, tallest)
    left = round(x + (room - wide - deep) / 2, 1)
    right, top = round(left + wide, 1), round(base - high, 1)
    lift = round(0.6 * deep, 1)
    if deep:
        above = ((left, top), (left + deep, top - lift), (right + deep, top - lift), (right, top))
        beside = (
            (right, top),
            (right + deep, top - lift),
            (right + deep, base - lift),
            (right, base),
        )
        yield Polygon(above, ink.fill)
        yield Polygon(beside, ink.lit_stroke, 0.55)
        for (x1, y1), (x2, y2) in (
            (above[0], above[1]),
            (above[1], above[2]),
            (above[2], above[3]),
            (beside[1], beside[2]),
            (beside[2], beside[3]),
        ):
            yield Line(round(x1, 1), round(y1, 1), round(x2, 1), round(y2, 1), ink.lit_stroke)
    yield Rect(left, top, wide, round(high, 1), ink.lit, ink.lit_stroke)


def _arrow(x: float, y: float, theme: Theme) -> Iterator[Shape]:
    yield Line(round(x, 1), y, round(x + 12, 1), y, theme.muted, 1.2)
    points = ((x + 10, y - 4), (x + 16, y), (x + 10, y + 4))
    yield Polygon(tuple((round(a, 1), b) for a, b in points), theme.muted)


def _words_of(box: LayerBox) -> list[str]:
    cost = f"{amount(box.params)} params" if box.params else ""
    return [box.label, cross(box.output), cost]


def _words_width(box: LayerBox) -> float:
    words = _words_of(box)
    return max(text_width(words[0], WORD), *(text_width(word, SMALL) for word in words[1:])) + 4


def _words(
    box: LayerBox, x: float, base: float, whole: tuple[int, ...], theme: Theme
) -> Iterator[Shape]:
    x = round(x, 1)
    label, sizes, cost = _words_of(box)
    yield Text(x, base + 20, label, WORD, theme.ink, "middle", True)
    yield Text(x, base + 38, sizes, SMALL, theme.ink)
    if cost:
        yield Text(x, base + 53, cost, SMALL, theme.muted)
    if not box.field or len(box.output) == 1:
        return
    left, top = round(x - FIELD / 2, 1), base + 66
    yield Rect(left, top, FIELD, FIELD, "", theme.faint, 1, 2)
    share = min(max(box.field) / max(whole[1:]), 1.0)
    side = max(round(FIELD * share, 1), 2.0)
    at = round((FIELD - side) / 2, 1)
    yield Rect(
        left + at, top + at, side, side, theme.roles["input"].lit, theme.roles["input"].lit_stroke
    )
    yield Text(x, top + FIELD + 10, f"sees {_field(box)}", SMALL, theme.muted)


def _field(box: LayerBox) -> str:
    sides = [size(int(side) if side == int(side) else side) for side in box.field]
    return sides[0] if len({*sides}) == 1 else cross(sides)
