"""A trace on paper: what is lit is what was traced, and every number is told."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from convcli.arithmetic.network import Network
from convcli.arithmetic.network_report import NetworkReport
from convcli.arithmetic.trace import Trace, trace
from convcli.cli.app import run
from convcli.imaging.shapes import Line, Polygon, Rect, Shape, Text, text_width
from convcli.show.draw.layout import Drawing
from convcli.show.draw.theme import theme_of
from convcli.show.trace_document import traced_maps
from convcli.show.trace_figure import trace_figure
from convcli.show.trace_stops import stops_and_links

THEME = theme_of("light")
FILLS = {ink.fill for ink in THEME.roles.values()}
LIT = {ink.lit for ink in THEME.roles.values()}
CHAIN = "conv 8 k3 s2 | conv 16 k3 p1 d2 | relu | maxpool k2 s2"


def worked(
    text: str, shape: tuple[int, ...], cell: tuple[int, ...] | None = None
) -> tuple[NetworkReport, Trace]:
    report = Network.load(text).evaluate(shape, maps=True)
    return report, trace(report, cell)


def shapes_of(drawing: Drawing) -> tuple[Shape, ...]:
    return drawing.frames[0][0]


def area(points: tuple[tuple[float, float], ...]) -> float:
    turned = [*points[1:], points[0]]
    return abs(sum(a * d - c * b for (a, b), (c, d) in zip(points, turned, strict=True))) / 2


def lit_shares(drawing: Drawing) -> Iterator[float]:
    """Of each plane, the share that is lit."""
    whole = lit = 0.0
    for shape in shapes_of(drawing):
        if isinstance(shape, Polygon) and shape.fill in FILLS:
            if whole:
                yield lit / whole
            whole, lit = area(shape.points), 0.0
        elif isinstance(shape, Polygon) and shape.fill in LIT:
            lit += area(shape.points)
    yield lit / whole


@pytest.mark.parametrize("cell", [(0, 4), (3, 0), (5, 2), (-1, -1)])
def test_planes_are_lit_where_cells_were_traced(cell: tuple[int, ...]) -> None:
    report, found = worked(CHAIN, (3, 32, 27), cell)
    drawing = trace_figure(report, found, THEME)
    stops, links = stops_and_links(report, found)
    assert list(lit_shares(drawing)) == pytest.approx([s.traced.share for s in stops], rel=0.03)
    assert len(links) == 3
    dashed = any(isinstance(s, Line) and s.stroke == THEME.accent for s in shapes_of(drawing))
    assert dashed == any(any(side) for sides in found.padding.values() for side in sides)


def test_rows_are_lit_cell_by_cell_and_lines_join_what_is_read() -> None:
    rng = random.Random(3)
    for _ in range(20):
        text = " | ".join(
            f"conv 1 k{rng.randint(1, 4)} s{rng.randint(1, 2)} d{rng.randint(1, 3)} p{rng.randint(0, 2)}"
            for _ in range(3)
        )
        report = Network.parse(text).evaluate((1, 41), maps=True)
        found = trace(report, (rng.choice([0, -1, report.output[1] // 2]),))
        shapes = shapes_of(trace_figure(report, found, THEME))
        lit = sum(isinstance(shape, Rect) and shape.fill in LIT for shape in shapes)
        maps = traced_maps(report, found)
        assert lit == sum(b - a + 1 for one in maps for a, b in one.runs[0]), text
        dashed = sum(isinstance(shape, Rect) and shape.dash > 0 for shape in shapes)
        pairs = beyond = 0
        lines = sum(isinstance(shape, Line) for shape in shapes)
        for one in maps:
            for _, (reading, *_) in one.map.reads:
                cells = [o for a, b in one.runs[0] for o in range(a, b + 1)]
                pairs += sum(
                    0 <= reading.stride * o + reading.offset + reading.step * t < reading.inputs
                    for o in cells for t in range(reading.taps)
                )  # fmt: skip
                read = {reading.stride * o + reading.offset + reading.step * t
                        for o in cells for t in range(reading.taps)}  # fmt: skip
                beyond += sum(not 0 <= i < reading.inputs for i in read)
        assert (lines, dashed) == (pairs, beyond), text


@pytest.mark.parametrize("name", Network.builtin_names())
def test_every_built_in_network_fits_its_canvas(name: str) -> None:
    report, found = worked(name, Network.load(name).input_shape or ())
    drawing = trace_figure(report, found, THEME)
    stops, _ = stops_and_links(report, found)
    assert 3 <= len(stops) <= 12
    assert [stops[0].name, stops[-1].name] == ["input", found.start]
    assert sum(stop.layers for stop in stops) == len(traced_maps(report, found)) - 1
    for shape in shapes_of(drawing):
        if isinstance(shape, Text):
            wide = text_width(shape.text, shape.size)
            left = shape.x - wide / 2 if shape.anchor == "middle" else shape.x
            assert left >= 0 and left + wide <= drawing.canvas.width, shape
            assert shape.size >= 12 and shape.y < drawing.canvas.height
        if isinstance(shape, Polygon):
            assert all(
                0 <= x <= drawing.canvas.width and 60 < y < drawing.canvas.height
                for x, y in shape.points
            )


def test_branches_stand_above_each_other_and_skips_have_beams() -> None:
    text = "concat[ conv 4 k1 ; conv 4 k3 p1 | conv 4 k3 p1 ; identity ]"
    stops, links = stops_and_links(*worked(text, (4, 9, 9)))
    assert [(stop.name, stop.column) for stop in stops] == [
        ("input", 0), ("conv1", 1), ("conv2", 1), ("conv3", 2), ("concat1", 3),
    ]  # fmt: skip
    assert {(link.source, link.target) for link in links} == {
        ("input", "conv1"), ("input", "conv2"), ("conv2", "conv3"),
        ("conv1", "concat1"), ("conv3", "concat1"), ("input", "concat1"),
    }  # fmt: skip
    one = next(link for link in links if link.source == "input" and link.target == "concat1")
    assert one.region == ((((4, 4),), ((4, 4),)),)


def test_the_command_prints_and_draws(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    chain = ["shape", CHAIN, "--n", "32x27", "--trace", "0,4"]
    assert run(chain) == 0
    text = capfd.readouterr().out
    assert "rows 0-10, columns 14-26 of input: 143 of 864 cells, 16.6 %" in text
    assert "1,0x0" in next(line for line in text.splitlines() if line.startswith("relu1"))
    assert run([*chain, "--json"]) == 0
    data = json.loads(capfd.readouterr().out)
    assert data["maps"][0]["regions"] == [[[[0, 10]], [[14, 26]]]]
    assert data["maps"][2]["regions"] == [[[[0, 1]], [[8, 9]]]]
    assert data["maps"][2]["padding"] == [[1, 0], [0, 0]]
    target = tmp_path / "field.svg"
    assert run([*chain, "-o", str(target)]) == 0
    words = "".join(ET.parse(target).getroot().itertext())
    assert "cell 0,4 of maxpool1 (6x5)" in words and "rows 0-10" in words
    assert run([*chain, "-o", str(target)]) == 2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["--k", "3", "--n", "9", "--trace", "middle"], "write a chain"),
        (["conv 1 k3", "--n", "9", "--trace", "7,0"], "its last one is 6,6"),
        (["conv 1 k3", "--n", "9", "--trace", "a"], "write row,column"),
        (["conv 1 k3", "--n", "9", "--trace", "1,1@cnv1"], "did you mean 'conv1'"),
        (["conv 1 k3", "--n", "2", "--trace", "middle"], "does not fit"),
        (["input 1x4x5x6 | conv 1 k3", "--trace", "middle", "-o", "x.svg"], "shown as a table"),
        (["conv 1 k3", "--n", "9", "--trace", "middle", "--csv", "-o", "x.svg"], "--csv cannot"),
    ],
)  # fmt: skip
def test_what_cannot_be_traced_says_why(
    line: list[str], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["shape", *line]) == 2
    error = capfd.readouterr().err
    assert told in error and error.count("\n") == 1
