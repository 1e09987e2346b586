"""The page is used as its reader uses it: keys, pointer, fingers, links; with the network off."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from convcli.arithmetic.layer import Layer
from convcli.cli.app import invoke
from convcli.show.draw.operation import Operation, plan_operation
from convcli.show.page.layer_page import explore_page

pytestmark = pytest.mark.ci

LIT = """key => [...document.querySelectorAll('#boards .grid')]
  .find(grid => grid.board.key === key).querySelectorAll('.lit, .target')"""


DRAG = """([x, y, toX, toY]) => {
  const send = (name, clientX, clientY) => document.elementFromPoint(clientX, clientY).dispatchEvent(
    new PointerEvent(name, { clientX, clientY, pointerType: 'touch', bubbles: true, pointerId: 7 }));
  send('pointerdown', x, y); send('pointermove', toX, toY); send('pointerup', toX, toY);
}"""


def layer(**options: Any) -> Operation:
    """A 5x6 input under a 3x2 kernel, padded by one cell."""
    rng = np.random.default_rng(3)
    x, w = rng.integers(-9, 9, (5, 6)), rng.integers(-3, 4, (3, 2))
    return plan_operation(Layer("conv", (3, 2), padding=(1,), **options), (5, 6), x=x, w=w)


def mixed() -> Operation:
    """Four channels to four in two groups, with a bias."""
    rng = np.random.default_rng(4)
    x, w = rng.integers(-9, 9, (4, 4, 3)), rng.integers(-3, 4, (4, 2, 2, 2))
    shift = rng.integers(1, 5, 4)
    plan = Layer("conv", (2,), out_channels=4, groups=2)
    return plan_operation(plan, (4, 3), x=x, w=w, bias=shift, in_channels=4)


def lit(page: Any, key: str) -> set[int]:
    """Places of the lit cells of a board, counted row by row."""
    script = "key => [...(" + LIT + ")(key)].map(cell => cell.place)"
    return set(page.evaluate(script, key))


def formula(page: Any) -> str:
    """What the formula says, without the marks where its lines may break."""
    return re.sub("[\u200b\u200e]", "", page.locator("#formula").inner_text()).replace("−", "-")


def cell(page: Any, key: str, place: int) -> Any:
    index = page.evaluate(
        "key => [...document.querySelectorAll('#boards .grid')].findIndex(g => g.board.key === key)",
        key,
    )
    return page.locator("#boards .grid").nth(index).locator(".cell").nth(place)


def test_pointing_lights_what_makes_an_output_and_what_an_input_reaches(opened: Any) -> None:
    page = opened(explore_page(layer()))
    cell(page, "y0", 2 * 7 + 3).hover()  # output (2, 3) of 5x7 reads rows 2 to 4, columns 3 to 4
    assert lit(page, "x0") == {r * 8 + c for r in (2, 3, 4) for c in (3, 4)}  # of 7x8 with padding
    assert lit(page, "w0_0") == set(range(6))
    cell(page, "x0", 3 * 8 + 4).hover()  # input (2, 3): windows that begin 0 to 2 up, 0 to 1 left
    assert lit(page, "y0") == {r * 7 + c for r in (1, 2, 3) for c in (3, 4)}
    assert lit(page, "w0_0") == set(range(6))
    cell(page, "w0_0", 1).hover()  # the upper right weight meets the first rows and columns only
    reached = {r * 7 + c for r in range(5) for c in range(7) if 0 <= r - 1 < 5 and c < 6}
    assert lit(page, "y0") == reached
    assert "reaches 24 outputs" in page.locator("#formula").inner_text()


def test_groups_light_their_own_channels(opened: Any) -> None:
    page = opened(explore_page(mixed()))
    cell(page, "s0_1", 2).hover()  # one line in place of three: the boards stay where they are
    assert lit(page, "s0_1") == {2} and lit(page, "y0") == {2}
    cell(page, "y2", 0).hover()
    assert [len(lit(page, f"x{c}")) for c in range(4)] == [0, 0, 4, 4]
    assert lit(page, "w2_3") == {0, 1, 2, 3} and lit(page, "w3_3") == set()
    cell(page, "y2", 1).click()  # the shares of that channel, their sum and the bias
    values = page.evaluate(
        "[Explore.results.partial[2].map(s => s[1]), Explore.results.outputs[2][1]]"
    )
    expected = mixed()
    assert expected.y is not None and expected.bias is not None
    assert values[1] == expected.y[2, 0, 1] == sum(values[0]) + expected.bias[2]
    text = formula(page).replace("(", "").replace(")", "")
    assert f"{values[0][0]} + {values[0][1]} + bias {expected.bias[2]} = {values[1]}" in text
    assert [
        g
        for g in range(4)
        if page.locator(f"[aria-label='share of channel {g} in output channel 2']").count()
    ] == [2, 3]


def test_products_stand_as_the_terminal_prints_them(opened: Any, capsys: Any) -> None:
    assert invoke(["conv", "2 3 5 7", "11 -13 1", "--at", "1"]) == 0
    printed = capsys.readouterr().out.splitlines()[0]
    x, w = np.array([2, 3, 5, 7]), np.array([11, -13, 1])
    page = opened(explore_page(plan_operation(Layer("conv", (3,)), (4,), x=x, w=w)))
    cell(page, "y0", 1).hover()
    assert formula(page) == printed == "y[1] = 3·11 + 5·(-13) + 7·1 = -25"


def test_sliders_by_keyboard_and_what_is_impossible(opened: Any) -> None:
    page = opened(explore_page(layer()))
    slider = page.get_by_label("Stride, rows, slider")
    slider.focus()
    slider.press("ArrowRight")
    assert page.evaluate("Explore.state.s") == [2, 1]
    assert page.locator("#c-s-0").input_value() == "2"
    kernel = page.locator("#c-k-0")
    kernel.fill("9")
    kernel.press("Enter")
    assert page.evaluate("Explore.state.k") == [3, 2]  # 9 do not fit into 7 cells
    assert kernel.input_value() == "3"
    assert "does not fit into 7 cells" in page.locator("#c-k-0-why").inner_text()
    slider = page.get_by_label("Kernel, rows, slider")
    slider.focus()
    slider.press("End")
    assert page.evaluate("Explore.state.k[0]") == 7
    page.get_by_label("Input channels", exact=True).fill("3")
    page.keyboard.press("Enter")
    page.get_by_label("Output channels", exact=True).fill("9")
    page.keyboard.press("Enter")
    assert page.evaluate("[Explore.state.in, Explore.state.out]") == [3, 1]
    assert "9 is not a whole number from 1 to 4" in page.locator("#c-out-why").inner_text()
    groups = page.get_by_label("Groups", exact=True)
    groups.fill("2")
    groups.press("Enter")
    assert page.evaluate("Explore.state.groups") == 1
    assert "groups 2 does not divide 3 input channels" in page.locator("#c-groups-why").inner_text()


def test_play_step_and_keys(opened: Any) -> None:
    from playwright.sync_api import expect

    page = opened(explore_page(layer(), fps=50))
    place = page.locator(".player output")
    assert place.inner_text() == "1 / 35"
    page.get_by_role("button", name="Step").click()
    page.get_by_role("button", name="Step").click()
    page.get_by_role("button", name="Back").click()
    assert place.inner_text() == "2 / 35"
    page.get_by_role("button", name="Play").click()
    expect(place).to_have_text(re.compile(r"^([6-9]|\d\d) / 35$"))
    page.get_by_role("button", name="Pause").click()
    stopped = place.inner_text()
    page.wait_for_timeout(200)
    assert place.inner_text() == stopped
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert place.inner_text() == "9 / 35"
    before = page.locator("#speed").input_value()
    page.keyboard.press("-")
    assert int(page.locator("#speed").input_value()) == int(before) - 1
    page.keyboard.press(" ")
    assert page.get_by_role("button", name="Pause").count() == 1
    page.keyboard.press(" ")
    assert page.get_by_role("button", name="Pause").count() == 0


@pytest.mark.parametrize(("typed", "value"), [("1/3", "1/3"), ("-7", "-7"), ("a", "a")])
def test_a_cell_is_edited(opened: Any, typed: str, value: str) -> None:
    page = opened(explore_page(layer()))
    cell(page, "w0_0", 3).click()
    page.locator(".editor").fill(typed)
    page.keyboard.press("Enter")
    assert page.evaluate("Explore.state.w[3]") == value
    texts = page.evaluate("Explore.results.outputs[0].map(Arithmetic.exact)")
    assert (typed == "a") == any("a" in text for text in texts)
    page.keyboard.press("ArrowLeft")  # the focus is back on the board
    page.keyboard.press("5")
    assert page.locator(".editor").input_value() == "5"
    page.locator(".editor").fill("1/0")
    page.keyboard.press("Enter")
    assert "divides by zero" in page.locator("#problem").inner_text()
    page.keyboard.press("Escape")
    assert page.evaluate("Explore.state.w[2]") == str(layer().w.ravel()[2])  # type: ignore[union-attr]


def test_the_address_restores_the_page_and_the_state_survives_a_switch(opened: Any) -> None:
    page = opened(explore_page(mixed()))
    page.get_by_role("radio", name="Transposed").check()
    page.get_by_role("button", name="Letters").click()
    state, address = page.evaluate("[Explore.state, location.hash.slice(1)]")
    again = opened(explore_page(layer()), hash=address)
    assert again.evaluate("Explore.state") == state
    assert again.evaluate("Explore.results.outputs.flat().map(Arithmetic.exact)") == page.evaluate(
        "Explore.results.outputs.flat().map(Arithmetic.exact)"
    )
    again.evaluate("location.hash = 'kind=maxpool&n=4x3&k=2x2&s=2x1&p=0,0x0,0'")
    again.get_by_role("heading", name="Max pooling").wait_for()
    assert again.evaluate("Explore.layer.output") == [2, 2]
    weights = page.evaluate("Explore.state.w")
    page.get_by_role("radio", name="Max pooling").check()
    page.get_by_role("radio", name="Convolution").check()
    assert page.evaluate("Explore.state.w") == weights


@pytest.mark.parametrize(
    "hash", ["kind=conv&n=0x3", "kind=none", "kind=conv&k=99x99", "x", "kind=conv&x=$"]
)
def test_an_address_that_cannot_be_is_left_out(opened: Any, hash: str) -> None:
    page = opened(explore_page(layer()), hash=hash)
    assert page.evaluate("Explore.state.n") == [5, 6]


def test_fingers_light_drag_and_edit(opened: Any) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = opened(explore_page(layer()), **phone)
    cell(page, "y0", 8).tap()
    assert page.locator(".player output").inner_text() == "9 / 35"
    assert len(lit(page, "x0")) > 2
    start, end = (cell(page, "y0", place).bounding_box() for place in (8, 10))
    page.evaluate(DRAG, [start["x"] + 9, start["y"] + 9, end["x"] + 9, end["y"] + 9])
    assert page.locator(".player output").inner_text() == "11 / 35"
    cell(page, "x0", 3 * 8 + 4).tap()
    assert lit(page, "y0") == {r * 7 + c for r in (1, 2, 3) for c in (3, 4)}
    assert page.locator(".editor").count() == 0
    cell(page, "x0", 3 * 8 + 4).tap()  # once more
    assert page.locator(".editor").count() == 1
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, select, input[type=number], .cell, [role=tab]')]
        .filter(e => e.offsetParent).map(e => e.getBoundingClientRect())
        .filter(box => box.width < 40 || box.height < 40).length"""
    )
    assert small == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def focused(page: Any) -> Any:
    return page.evaluate("document.activeElement.getAttribute('aria-label')")


def test_the_focus_stays_on_its_cell_whatever_changes(opened: Any) -> None:
    page = opened(explore_page(mixed()))
    cell(page, "y0", 0).focus()
    page.keyboard.press("Tab")  # the board of the next channel, whose shares are shown then
    assert focused(page).startswith("output channel 1 row 0, column 0")
    page.keyboard.press("ArrowRight")
    assert focused(page).startswith("output channel 1 row 0, column 1")
    assert page.locator("[aria-label='share of channel 1 in output channel 1']").count() == 1
    page.evaluate("Explore.set({ ...Explore.state, k: [1, 1] })")  # boards of another size
    assert focused(page).startswith("output channel 1 row 0, column 1")


def test_one_cell_after_the_other_is_edited_by_a_click_each(opened: Any) -> None:
    page = opened(explore_page(layer()))
    cell(page, "w0_0", 0).click()
    page.locator(".editor").fill("7")
    cell(page, "w0_0", 4).click()
    assert page.evaluate("Explore.state.w[0]") == "7"
    page.locator(".editor").fill("8")
    page.keyboard.press("Enter")
    assert page.evaluate("[Explore.state.w[0], Explore.state.w[4]]") == ["7", "8"]


def test_arrow_keys_go_through_the_presets(opened: Any) -> None:
    page = opened(explore_page(layer()))
    select = page.locator("#preset")
    names = select.evaluate("select => [...select.options].map(option => option.value)")
    for name in names[1:4]:
        select.select_option(name)  # what an arrow key does to a closed list
        assert select.input_value() == name
    cell(page, "w0_0", 0).click()
    page.locator(".editor").fill("77")
    page.keyboard.press("Enter")
    assert select.input_value() == ""


def test_a_link_within_the_page_shows_its_view_and_its_controls(opened: Any) -> None:
    page = opened(explore_page(plan_operation(Layer("conv", (3,)), (5, 5))))
    first = page.evaluate("location.hash")
    page.evaluate("location.hash = '#view=picture&kernel=sharpen&border=wrap'")
    page.get_by_role("heading", name="sample.png under sharpen").wait_for()
    page.evaluate("location.hash = '#view=picture&kernel=outline&border=edge'")
    page.get_by_role("heading", name="sample.png under outline").wait_for()
    assert page.locator("#picture-border").input_value() == "edge"
    page.evaluate("location.hash = '#kind=conv&n=4x7&k=3x3&s=1x1&p=1,0x0,2&d=1x1'")
    page.get_by_role("heading", name="Convolution", exact=True).wait_for()
    values = [
        page.locator(f"#c-p-{axis}-{side}").input_value() for axis in (0, 1) for side in (0, 1)
    ]
    assert values == ["1", "0", "0", "2"]
    page.evaluate("location.hash = '#kind=damaged&x=%'")
    page.wait_for_function("location.hash.includes('kind=conv')")
    page.go_back()
    page.go_back()
    page.go_back()
    page.go_back()
    page.wait_for_function("first => location.hash === first", arg=first)
    assert page.evaluate("Explore.state.n") == [5, 5]


def test_letters_that_were_typed_stay_when_sizes_change(opened: Any) -> None:
    page = opened(
        explore_page(layer()), hash="kind=conv&axes=1&n=1x3&k=1x2&p=0,0x0,0&x=p q r&w=u v"
    )
    page.evaluate("Explore.set({ ...Explore.state, n: [1, 4], k: [1, 3] })")
    assert page.evaluate("[Explore.state.x, Explore.state.w]") == [
        ["p", "q", "r", "d"],
        ["u", "v", "u'"],
    ]
    page.evaluate("Explore.set({ ...Explore.state, n: [1, 4], k: [1, 1] })")
    assert page.evaluate("Explore.state.w") == ["u"]
