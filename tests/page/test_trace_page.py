"""The page of a trace: it finds the cells that the package finds, and answers to all hands."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from convcli.arithmetic.network import Network
from convcli.arithmetic.network_report import NetworkReport
from convcli.arithmetic.trace import Region, along, cell_count, trace
from convcli.show.trace_document import trace_document
from convcli.show.trace_page import map_data, trace_page

pytestmark = pytest.mark.ci

CHAIN = "conv 8 k3 s2 | conv 16 k3 p1 d2 | relu | maxpool k2 s2"
COUNT = 300
TRACE = """cases => cases.map(({ maps, start, cell }) => {
  const all = regions => [...regions].map(([map, region]) => [map, region, Trace.cellCount(region)]);
  return [all(Trace.backwards(maps, start, cell)), all(Trace.forwards(maps, start, cell))];
})"""


def page_of(text: str, shape: tuple[int, ...], cell: tuple[int, ...] | None = None) -> str:
    report = Network.parse(text).evaluate(shape, maps=True)
    return trace_page(report, trace(report, cell))


def random_network(rng: random.Random) -> NetworkReport:
    """Sliding layers of all kinds, uneven pooling, branches that cross, skips that are cropped."""

    def two(low: int, high: int) -> str:
        return f"{rng.randint(low, high)}x{rng.randint(low, high)}"

    def layer() -> str:
        kind = rng.choice(
            ["conv 2", "conv 2", "maxpool", "tconv 2", "upsample", "adaptive", "branch"]
        )
        if kind == "upsample":
            return f"upsample {two(1, 2)}"
        if kind == "adaptive":
            return f"adaptiveavgpool {two(2, 6)}"
        if kind == "branch":
            return "concat[ conv 2 k1x3 p0x1 ; conv 2 k3x1 d2 p2x0 ; identity ]"
        pads = "x".join(f"{rng.randint(0, 1)},{rng.randint(0, 1)}" for _ in "rc")
        ceil = " ceil" if kind == "maxpool" and rng.random() < 0.5 else ""
        return f"{kind} k{two(1, 3)} s{two(1, 3)} d{two(1, 2)} p{pads}{ceil}"

    while True:
        layers = [layer() for _ in range(rng.randint(1, 4))]
        if rng.random() < 0.3:
            layers = [
                "conv 2 k3 p1 @skip",
                "maxpool k2",
                *layers[:1],
                "tconv 2 k2 s2",
                "concat skip crop",
            ]
        shape = (2, rng.randint(5, 13), rng.randint(5, 13))
        report = Network.parse(" | ".join(layers)).evaluate(shape, maps=True)
        if not report.failure and max(report.output) < 60:
            return report


def cells(region: Region) -> set[tuple[int, int]]:
    return {
        (row, column)
        for rows, columns in region
        for top, bottom in rows for row in range(top, bottom + 1)
        for left, right in columns for column in range(left, right + 1)
    }  # fmt: skip


def test_the_page_traces_what_the_package_traces(opened: Any) -> None:
    rng = random.Random(11)
    page = opened(page_of(CHAIN, (3, 32, 27)))
    cases, wanted = [], []
    for _ in range(COUNT):
        report = random_network(rng)
        start = rng.randrange(1, len(report.maps))
        first, name = report.maps[0], report.maps[start].name
        cell = tuple(rng.randrange(n) for n in report.maps[start].sizes)
        origin = tuple(rng.randrange(n) for n in first.sizes)
        data = map_data(report.maps)
        cases += [
            {"maps": data, "start": start, "cell": cell},
            {"maps": data, "start": 0, "cell": origin},
        ]
        names = [one.name for one in report.maps]
        for found in (trace(report, cell, name), trace(report, origin, first.name)):
            wanted.append({names.index(one): region for one, region in found.regions.items()})
    answers = page.evaluate(TRACE, cases)
    for case, want, (back, forth) in zip(cases, wanted, answers, strict=True):
        got = {at: (region, count) for at, region, count in (back if case["start"] else forth)}
        assert got.keys() == want.keys(), case
        for at, region in want.items():
            assert cells(got[at][0]) == cells(region), case
            assert got[at][1] == cell_count(region), case


def rows(page: Any) -> list[list[str]]:
    found: list[list[str]] = page.evaluate(
        "[...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map(c => c.textContent))"
    )
    return found


def expected(text: str, shape: tuple[int, ...], cell: tuple[int, ...]) -> list[list[str]]:
    """The rows of ``convcli shape --trace``: name, map, rows, columns, cells, share."""
    report = Network.parse(text).evaluate(shape, maps=True)
    table: Any = trace_document(report, trace(report, cell)).parts[0]
    return [[*row[:5], row[6], row[7]] for row in table.rows]


def test_its_table_says_what_the_command_says(opened: Any) -> None:
    page = opened(page_of(CHAIN, (3, 32, 27), (0, 4)))
    told = [[row[1], row[0], *row[2:]] for row in rows(page)]
    assert told == expected(CHAIN, (3, 32, 27), (0, 4))
    assert "rows 0-10, columns 14-26 of input: 16.6 %" in page.inner_text("#said")


def test_pointer_keys_and_fields_move_the_cell(opened: Any) -> None:
    page = opened(page_of(CHAIN, (3, 32, 27), (2, 2)))
    current = "[Field.current.map, ...Field.current.cell]"
    stage = page.locator("#stage")
    stage.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(current) == [4, 1, 3]
    page.keyboard.press("PageUp")
    assert page.evaluate(current) == [3, 6, 5]
    row_field = page.get_by_role("spinbutton", name="row")
    row_field.fill("12")
    row_field.press("Enter")
    assert page.evaluate(current) == [3, 12, 5]
    page.get_by_role("combobox", name="Layer").select_option(label="conv1: conv 8 k3 s2")
    assert page.evaluate(current)[0] == 1
    assert "reaches" in page.inner_text("#said")
    # The middle of the input's plane is its middle cell; leaving it brings the held cell back.
    box = page.locator(".ground").first.bounding_box()
    middle = round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2) + 3
    page.mouse.move(*middle)
    at, row, column = page.evaluate(current)
    assert at == 0 and abs(row - 15.5) <= 1 and abs(column - 13) <= 1
    assert page.evaluate("Trace.along(Field.regionOf(4), 0)") == along_of((row, column))
    page.mouse.move(2, 2)
    assert page.evaluate(current)[0] == 1
    page.mouse.click(*middle)
    page.mouse.move(2, 2)
    assert page.evaluate(current) == [0, row, column]


def along_of(cell: tuple[int, int]) -> list[list[int]]:
    report = Network.parse(CHAIN).evaluate((3, 32, 27), maps=True)
    found = trace(report, cell, "input").regions["maxpool1"]
    return [list(run) for run in along(found, 0)]


def test_it_plays_and_a_tap_holds_a_cell_of_one_axis(opened: Any) -> None:
    html = page_of("conv 4 k2 p1,0 | conv 4 k2 d2 p2,0", (1, 24), (20,))
    page = opened(html, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    said = page.inner_text("#said")
    page.get_by_role("button", name="Play").click()
    moved = "Field.current.cell[0]"
    for _ in range(100):
        if page.evaluate(moved) == 22:
            break
        page.wait_for_timeout(50)
    page.get_by_role("button", name="Pause").click()
    assert page.evaluate(moved) >= 22 and page.inner_text("#said") != said
    ground = page.locator(".ground").nth(2)
    ground.scroll_into_view_if_needed()
    box = ground.bounding_box()
    page.touchscreen.tap(box["x"] + 2 * box["width"] / 24 + 4, box["y"] + box["height"] / 2)
    assert page.evaluate("[Field.current.map, ...Field.current.cell]") == [2, 2]
    lines = page.evaluate(
        "[...document.querySelectorAll('.beam')].map(b => b.getAttribute('d')).join('')"
    )
    assert lines.count("M") == 2 + 3  # 0 and 2 are read; of -1, 0, 1 and 2 the padding is no cell


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("chain", [CHAIN, "input 1x32 | conv 4 k3 | conv 4 k3 s2"])
def test_axe_finds_nothing(opened: Any, finds_nothing: Any, width: int, chain: str) -> None:
    report = Network.parse(chain).evaluate((3, 32, 27) if chain == CHAIN else None, maps=True)
    html = trace_page(report, trace(report))
    page = opened(html, viewport={"width": width, "height": 900}, reduced_motion="reduce")
    finds_nothing(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", Network.builtin_names())
def test_a_page_of_any_built_in_network_is_small_and_opens(opened: Any, name: str) -> None:
    report = Network.load(name).evaluate(maps=True)
    found = trace(report)
    html = trace_page(report, found)
    assert len(html.encode()) < 200_000
    page = opened(html)
    assert len(rows(page)) == len(
        json.loads(json.dumps(trace_document(report, found).data))["maps"]
    )
