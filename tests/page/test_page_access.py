"""Nothing of the page is closed to a reader: axe-core finds nothing, in any view."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import convcli
from convcli.arithmetic.layer import Layer
from convcli.show.draw.operation import plan_operation
from convcli.show.page.layer_page import explore_page

pytestmark = pytest.mark.ci

VIEWS = ("numbers", "channels", "letters", "picture")


def view(name: str) -> str:
    rng = np.random.default_rng(5)
    if name != "channels":
        x, w = rng.integers(0, 9, (5, 4)), rng.integers(-3, 4, (3, 2))
        return explore_page(plan_operation(Layer("conv", (3, 2), padding=(1,)), (5, 4), x=x, w=w))
    x, w = rng.integers(0, 9, (3, 5, 5)), rng.integers(-3, 4, (2, 3, 3, 3))
    layer = Layer("conv", (3,), stride=(2,), padding=(1,), out_channels=2)
    return explore_page(plan_operation(layer, (5, 5), x=x, w=w, in_channels=3))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing(opened: Any, name: str, width: int) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    from axe_playwright_python.sync_playwright import Axe

    page = opened(view(name), viewport={"width": width, "height": 900}, reduced_motion="reduce")
    if name == "letters":
        page.get_by_role("button", name="Letters").click()
    if name == "picture":
        page.get_by_role("tab", name="Picture").click()
    page.locator("summary").first.evaluate("summary => { summary.parentElement.open = true; }")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{scheme}: {found.generate_report()[:3000]}"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_button_overrules_the_system(opened: Any) -> None:
    page = opened(view("numbers"), color_scheme="dark")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Light theme").click()
    assert page.evaluate(ground) == "rgb(255, 255, 255)" != dark
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(ground) == dark


def test_it_works_in_the_frame_of_a_notebook(opened: Any) -> None:
    """Without an address and an origin of its own, as a cell shows it."""
    framed = convcli.explore(n=4, k=2)._repr_html_()
    page = opened(f"<!doctype html><html lang=en><title>cell</title>{framed}")
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Step").click()
    assert frame.locator(".player output").inner_text() == "2 / 9"
    frame.get_by_role("tab", name="Picture").click()
    frame.get_by_role("button", name="Open a picture…").wait_for()
