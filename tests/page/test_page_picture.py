"""The picture view gives what ``convcli.filter_image`` gives, sample by sample."""

from __future__ import annotations

import itertools
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import convcli
from convcli.arithmetic.layer import Layer
from convcli.cli.app import run
from convcli.imaging.embedded import embedded_picture
from convcli.kernels.load import load_chain
from convcli.show.draw.operation import plan_operation
from convcli.show.page.layer_page import PRESETS, explore_page

pytestmark = pytest.mark.ci

BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap")
RANGES = ("auto", "clip", "abs", "offset", "stretch")
SAMPLES = "() => ({ data: [...Picture.filtered.data], clipped: Picture.filtered.clipped })"
APPLY = """cases => cases.map(([kernel, border, range]) => {
  const number = text => Arithmetic.toNumber(Arithmetic.parse(text));
  const numbers = { ...kernel, scale: number(kernel.scale), bias: number(kernel.bias),
    planes: kernel.planes.map(plane => plane.map(row => row.map(number))) };
  return [...Filter.apply(Picture.picture, numbers, { border, range }).data];
})"""


def picture(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Slopes, edges and noise, black and white among them."""
    rng = np.random.default_rng(6)
    y, x = np.mgrid[: shape[0], : shape[1]]
    base = (x * 7 + y * 3) % 256 + 90 * ((x // 5 + y // 4) % 2)
    samples = base.reshape(base.shape + (1,) * (len(shape) - 2)) + rng.integers(-60, 60, shape)
    return np.clip(samples, 0, 255).astype(np.uint8)


def page_of(pixels: np.ndarray[Any, Any], folder: Path, kernel: str = "sobel-x") -> str:
    Image.fromarray(pixels).save(folder / "photo.png")
    layer = plan_operation(Layer("conv", (3,)), (5, 5))
    found = embedded_picture(str(folder / "photo.png"))
    return explore_page(layer, picture=found, kernel=load_chain(kernel)[0])


def document(kernel: str) -> Any:
    from convcli.show.page.layer_page import kernel_document

    return kernel_document(load_chain(kernel)[0])


def exact(kernel: str) -> bool:
    """Whether all weights are whole and only one plane is summed: then nothing is rounded twice."""
    found = load_chain(kernel)[0]
    return bool((found.weights == found.weights.round()).all()) and found.combine == "none"


def wait(page: Any) -> None:
    page.wait_for_selector("#where:not(:empty)")


@pytest.mark.parametrize("shape", [(23, 37, 3), (19, 26)])
def test_every_preset_border_and_range(opened: Any, tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = picture(shape)
    page = opened(page_of(pixels, tmp_path))
    wait(page)
    kernels = [*PRESETS, "gaussian:1.3", "kirsch", "freichen-x", "roberts-x", "1 2 -3 4", "box:2"]
    cases = [*itertools.product(kernels, BORDERS, ["auto"])]
    cases += [
        *itertools.product(["sobel-x", "sobel", "gaussian:1.3", "outline"], ["reflect"], RANGES)
    ]
    found = page.evaluate(APPLY, [[document(k), border, mode] for k, border, mode in cases])
    for (kernel, border, mode), data in zip(cases, found, strict=True):
        ours = np.array(data, np.uint8).reshape(pixels.shape)
        theirs = convcli.filter_image(pixels, kernel, border=border, range=mode)
        off = np.abs(ours.astype(int) - theirs.astype(int)).max()
        assert off <= (0 if exact(kernel) else 1), (kernel, border, mode, off)


def test_what_is_chosen_in_the_page(opened: Any, tmp_path: Path) -> None:
    pixels = picture((23, 37, 3))
    page = opened(page_of(pixels, tmp_path))
    wait(page)

    def check(kernel: Any, image: Any = pixels, **options: Any) -> None:
        found = page.evaluate(SAMPLES)
        theirs = np.asarray(convcli.filter_image(image, kernel, **options))
        np.testing.assert_array_equal(np.array(found["data"]).reshape(theirs.shape), theirs)

    check("sobel-x")
    page.get_by_label("Kernel", exact=True).last.select_option("sharpen")
    check("sharpen")
    page.get_by_label("Border", exact=True).last.select_option("wrap")
    check("sharpen", border="wrap")
    page.get_by_label("weight, row 1, column 1").fill("5")
    page.get_by_label("Scale").fill("1/2")
    page.get_by_label("Bias", exact=True).last.fill("10")
    weights = np.full((3, 3), -1.0)
    weights[1, 1] = 5
    check(weights, border="wrap", scale=0.5, bias=10)
    line = page.locator("#picture-command").inner_text()
    assert '-k "-1 -1 -1; -1 5 -1; -1 -1 -1" --scale 0.5 --bias 10 --border wrap' in line
    page.get_by_label("Gray").check()
    check(
        weights, np.asarray(Image.fromarray(pixels).convert("L")), border="wrap", scale=0.5, bias=10
    )
    address = page.evaluate("location.hash.slice(1)")
    again = opened(page_of(pixels, tmp_path), hash=address)
    wait(again)
    assert again.evaluate(SAMPLES) == page.evaluate(SAMPLES)
    page.get_by_label("weight, row 0, column 0").fill("a")
    assert "a is a letter" in page.locator("#picture-problem").inner_text()


def test_the_pixel_under_the_pointer_is_worked_out(opened: Any, tmp_path: Path) -> None:
    pixels = picture((19, 26))
    page = opened(page_of(pixels, tmp_path))
    wait(page)
    result = np.asarray(convcli.filter_image(pixels, "sobel-x"))
    assert page.locator("#channels").is_hidden()  # it is gray
    box = page.locator("#after").bounding_box()
    page.mouse.move(
        box["x"] + (7 + 0.5) * box["width"] / 26, box["y"] + (4 + 0.5) * box["height"] / 19
    )
    words = page.locator("#where").inner_text()
    assert words == f"x 7, y 4: {pixels[4, 7]} becomes {result[4, 7]}"
    summed = page.locator("#sum").inner_text()
    assert not summed.startswith("("), f"{summed}: what brackets hold is multiplied by nothing"
    around = [int(text) for text in page.locator("#magnifier .cell span").all_inner_texts()]
    assert around == pixels[3:6, 6:9].ravel().tolist()
    pane = page.get_by_role("application").first
    pane.focus()
    pane.press("ArrowRight")
    pane.press("Shift+ArrowDown")
    assert page.locator("#where").inner_text().startswith(f"x 8, y 14: {pixels[14, 8]} becomes")


def test_a_picture_is_opened_in_the_page_without_a_request(opened: Any, tmp_path: Path) -> None:
    pixels = picture((11, 9))
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    page = opened(explore_page(plan_operation(Layer("conv", (3,)), (5, 5))))
    page.get_by_role("tab", name="Picture").click()
    page.locator("#file").set_input_files(tmp_path / "mine.png")
    page.get_by_role("heading", name="mine.png under sobel-x").wait_for()
    assert page.evaluate("[...Picture.picture.data]") == pixels.ravel().tolist()


@pytest.mark.parametrize(
    ("kernel", "name"),
    [("1 2 -3 4", "a photo.png"), ("sobel", "$(touch x)!.png"), ("gaussian:1.3", "-rf.png")],
)
def test_the_command_line_filters_this_picture_with_this_kernel(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: str, name: str
) -> None:
    """Whatever the file is called, a shell hands it on as it is and runs none of it."""
    pixels = picture((19, 26))
    Image.fromarray(pixels).save(tmp_path / name)
    found = embedded_picture(str(tmp_path / name))
    layer = plan_operation(Layer("conv", (3,)), (5, 5))
    page = opened(explore_page(layer, picture=found, kernel=load_chain(kernel)[0]))
    wait(page)
    line = page.locator("#picture-command").inner_text()
    assert "!" not in line.replace(f"'{name}'", "")
    monkeypatch.chdir(tmp_path)
    assert run(shlex.split(line)[1:]) == 0, line
    written = np.asarray(Image.open(tmp_path / "out.png")).astype(int)
    off = np.abs(np.array(page.evaluate(SAMPLES)["data"]).reshape(written.shape) - written).max()
    assert off <= (0 if exact(kernel) else 1)


def test_a_weight_that_is_no_number_leaves_the_last_picture(opened: Any, tmp_path: Path) -> None:
    page = opened(page_of(picture((19, 26, 3)), tmp_path))
    wait(page)
    page.get_by_role("radio", name="Blue").check()
    page.get_by_label("Gray").check()
    page.get_by_label("Gray").uncheck()  # gray has one channel; the choice is said as it is
    assert page.get_by_role("radio", name="Red").is_checked()
    assert ", red:" in page.locator("#where").inner_text()
    page.get_by_label("weight, row 1, column 1").fill("-")
    box = page.locator("#after").bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)  # `opened` fails at an error of a script
    assert page.locator("#where").inner_text().startswith("x 0, y 0, red:")
