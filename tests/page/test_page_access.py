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
def test_axe_finds_nothing(opened: Any, finds_nothing: Any, name: str, width: int) -> None:
    page = opened(view(name), viewport={"width": width, "height": 900}, reduced_motion="reduce")
    if name == "letters":
        page.get_by_role("button", name="Letters").click()
    if name == "picture":
        page.get_by_role("tab", name="Picture").click()
    page.locator("summary").first.evaluate("summary => { summary.parentElement.open = true; }")
    finds_nothing(page)
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


REACHING_OUT = """async wanted => {
  const blocked = [];
  document.addEventListener('securitypolicyviolation', e => blocked.push(e.effectiveDirective));
  const add = (tag, attributes) => document.body.append(Object.assign(document.createElement(tag), attributes));
  const far = 'https://example.invalid/x';
  add('img', { src: far }); add('script', { src: far }); add('iframe', { src: far });
  add('link', { rel: 'stylesheet', href: far }); add('base', { href: far }); add('audio', { src: far });
  const form = Object.assign(document.createElement('form'), { action: far });
  document.body.append(form);
  form.submit();
  await fetch(far).catch(() => 0);
  for (let i = 0; i < 100 && !wanted.every(one => blocked.includes(one)); i++) await new Promise(done => setTimeout(done, 50));
  return blocked;
}"""


def test_the_policy_lets_nothing_out(browser: Any, tmp_path: Any) -> None:
    """Whatever a script tried, the browser refuses it by the policy, before it asks a network."""
    target = tmp_path / "page.html"
    target.write_text(view("numbers"), encoding="utf-8")
    page = browser.new_page()
    page.goto(target.as_uri())
    answers: list[str] = []
    page.on("requestfailed", lambda request: answers.append(request.failure))
    page.on("response", lambda response: answers.append(response.url))
    wanted = "base-uri connect-src form-action frame-src img-src media-src".split()
    wanted += ["script-src-elem", "style-src-elem"]
    blocked = page.evaluate(REACHING_OUT, wanted)
    page.close()
    assert {*answers} <= {"csp"}, answers
    assert {*blocked} == {*wanted}


def test_fingers_may_always_zoom(opened: Any) -> None:
    page = opened(view("numbers"))
    page.get_by_role("tab", name="Picture").click()
    actions = page.evaluate(
        "[...document.querySelectorAll('.grid, .pane')].map(e => getComputedStyle(e).touchAction)"
    )
    assert actions and all("pinch-zoom" in a or a == "manipulation" for a in actions), actions


def test_on_paper_it_is_light_and_shows_only_the_layer(opened: Any) -> None:
    page = opened(view("numbers"), color_scheme="dark")
    page.get_by_role("button", name="Light theme").click()
    page.get_by_role("button", name="Dark theme").click()
    page.emulate_media(media="print", color_scheme="dark")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    assert [page.locator(one).is_visible() for one in ("#boards", "#formula", "#command")] == [
        True
    ] * 3
    assert not any(page.locator(one).is_visible() for one in ("#controls", "#player", "#tools"))


def test_what_is_chosen_is_seen_where_the_system_chooses_colours(opened: Any) -> None:
    page = opened(view("numbers"), forced_colors="active")
    ground = "e => getComputedStyle(e).backgroundColor"
    on, off = (
        page.locator(f".pill input{state} + span").first.evaluate(ground)
        for state in (":checked", ":not(:checked)")
    )
    assert on != off
    lit, plain = (page.locator(f".grid.input .cell{c}").last.evaluate(ground) for c in (".lit", ""))
    assert lit != plain


def test_names_that_run_from_right_to_left_keep_the_order(opened: Any) -> None:
    page = opened(
        view("numbers"), hash="kind=conv&axes=1&n=1x2&k=1x2&s=1x1&p=0,0x0,0&d=1x1&x=א ב&w=1 -1"
    )
    assert page.evaluate("Explore.results.outputs[0].map(Arithmetic.exact)") == ["א-ב"]
    left = """() => { const text = document.querySelector('.grid.output .cell span').firstChild, range = document.createRange();
      return ['א', 'ב'].map(one => { const at = text.data.indexOf(one); range.setStart(text, at); range.setEnd(text, at + 1);
        return range.getBoundingClientRect().left; }); }"""
    first, second = page.evaluate(left)
    assert first < second


def test_cells_are_lit_at_once(opened: Any) -> None:
    """Hundreds change under the pointer; a transition of each would take several frames."""
    page = opened(view("numbers"), reduced_motion="no-preference")
    duration = "e => getComputedStyle(e).transitionDuration"
    assert page.locator("#boards .cell").first.evaluate(duration) == "0s"
