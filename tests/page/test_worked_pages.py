"""Every worked example as an interactive page: what it computes, and what its cells say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from worked import CASES, expected, layer

import convcli

pytestmark = pytest.mark.ci

SHOWN = """() => ({
  output: Explore.layer.output,
  cells: [...document.querySelectorAll('#boards .grid.output')]
    .filter(grid => grid.board.key.startsWith('y'))
    .map(grid => [...grid.querySelectorAll('.cell')].map(cell => cell.cell.text)),
})"""


@pytest.mark.parametrize("name", list(CASES))
def test_worked_page(name: str, opened: Callable[..., Any]) -> None:
    case = CASES[name]
    (x, w), words = layer(case)
    page = opened(convcli.explore(x, w, **words).html)
    shown = page.evaluate(SHOWN)
    if "output_shape" in case:
        assert shown["output"] == case["output_shape"][-2:]
        return
    cells = [[text.replace("\N{MINUS SIGN}", "-") for text in plane] for plane in shown["cells"]]
    assert cells == expected(case)
