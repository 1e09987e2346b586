"""The screens of ``convcli shape``, kept as text, with their sums checked on their own."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest

from convcli import Network
from convcli.arithmetic.dialects import compare
from convcli.arithmetic.layer import Layer
from convcli.arithmetic.solver import solve
from convcli.show.shape_compare import compare_document, solve_document
from convcli.show.shape_document import Document, amount
from convcli.show.shape_layer import layer_document
from convcli.show.shape_network import network_document
from convcli.show.shape_output import FORMATS, emit

Golden = Callable[..., None]


def one_layer(roomy: bool) -> Document:
    layer = Layer("conv", (7,), (2,), ("same",), out_channels=64)
    return layer_document(layer, layer.windows((224, 160)), in_channels=3)


def one_dimension(roomy: bool) -> Document:
    layer = Layer("conv", (5,), padding=(2,))
    return layer_document(layer, layer.windows((32,)))


def transposed(roomy: bool) -> Document:
    layer = Layer("conv_transpose", (3,), (2,), (1,), output_padding=(1,), out_channels=8)
    return layer_document(layer, layer.windows((14, 14)), in_channels=16, batch=4)


def compared(roomy: bool) -> Document:
    layer = Layer("conv_transpose", (2,), (3,))
    return compare_document(layer, (5, 7), compare(layer, (5, 7)))


def solved(roomy: bool) -> Document:
    return solve_document("conv", (32,), (16,), solve((32,), (16,)))


def resnet50(roomy: bool) -> Document:
    return network_document(Network.load("resnet50").evaluate(), roomy=roomy)


def broken(roomy: bool) -> Document:
    chain = "conv 64 k7 s2 p3 | relu | maxpool k3 s2 p1 | conv 128 k3 | maxpool k2 | conv 256 k5"
    return network_document(Network.parse(chain).evaluate((3, 32, 32)), roomy=roomy)


SCREENS = [one_layer, one_dimension, transposed, compared, solved, resnet50, broken]


def drawn(build: Callable[[bool], Document], form: str | None = None, width: int = 0) -> str:
    out = io.StringIO()
    emit(build, form, file=out, width=width or None)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.__name__)
def test_the_screen_is_the_one_that_was_looked_at(
    screen: Callable[[bool], Document], width: int, golden: Golden
) -> None:
    text = drawn(screen, width=width)
    assert max(map(len, text.splitlines())) <= width
    golden(f"shape/{screen.__name__}-{width}.txt", text, by_words=True)


@pytest.mark.ci
@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.__name__)
def test_the_pinned_rich_lays_it_out_as_it_was_looked_at(
    screen: Callable[[bool], Document], width: int, golden: Golden
) -> None:
    golden(f"shape/{screen.__name__}-{width}.txt", drawn(screen, width=width))


@pytest.mark.parametrize("form", [None, *FORMATS], ids=lambda form: form or "plain")
def test_every_format_is_the_one_that_was_looked_at(form: str | None, golden: Golden) -> None:
    for screen in (one_layer, compared, broken):
        golden(f"shape/{screen.__name__}-{form or 'plain'}.txt", drawn(screen, form))


def cells_of(text: str) -> list[list[str]]:
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def test_the_columns_of_the_wide_screen_sum_to_its_totals() -> None:
    """Read back from the text itself, and against the published figures."""
    rows = cells_of(drawn(resnet50, width=120))
    layers = [row for row in rows if len(row) == 9 and re.fullmatch(r"[\d.]+ [kMG]?B", row[5])]
    total = next(row for row in rows if row[0] == "total")
    assert len(layers) == 73
    for column, published in ((3, 25_557_032), (4, 4_089_184_256)):
        numbers = [int(row[column].replace(",", "")) for row in layers if row[column] != "-"]
        assert sum(numbers) == published
        assert int(total[column - 2].replace(",", "")) == published


def test_the_narrow_screen_rounds_the_same_totals() -> None:
    total = next(row for row in cells_of(drawn(resnet50, width=80)) if row[0] == "total")
    assert total[1:3] == [amount(25_557_032), amount(4_089_184_256)] == ["25.6 M", "4.09 G"]


@pytest.mark.parametrize("width", [30, 44, 60, 70])
def test_a_small_terminal_loses_nothing(width: int) -> None:
    text = drawn(resnet50, width=width)
    assert "…" not in text
    flat = "".join(text.split())
    assert "conv2048k1" in flat
    assert "512x14x14" in flat
    assert "25,557,032" in flat


def test_no_number_is_cut_or_folded_on_the_narrow_screen() -> None:
    for name in Network.builtin_names():
        report = Network.load(name).evaluate()
        text = drawn(lambda roomy, report=report: network_document(report, roomy=roomy), width=80)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= 80
        shown = text.split()
        assert all("x".join(map(str, row.output)) in shown for row in report.rows)
