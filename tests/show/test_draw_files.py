"""Drawn files: valid, readable aloud, the same in every format and on every run."""

from __future__ import annotations

import io
import itertools
import re
import shutil
import subprocess
import weakref
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.arithmetic.layer import Layer
from convcli.imaging import drawing_files
from convcli.imaging.drawing_files import encode_drawing
from convcli.imaging.raster import rasterise
from convcli.show.draw.classics import CLASSICS
from convcli.show.draw.drawing_bytes import drawing_bytes
from convcli.show.draw.layout import Drawing, lay_out
from convcli.show.draw.operation import plan_operation
from convcli.show.draw.svg import HOLD
from convcli.show.draw.theme import THEMES, theme_of
from convcli.show.draw.views import build_scene

SVG = "{http://www.w3.org/2000/svg}"
X = np.arange(20).reshape(4, 5) % 7
W = np.array([[1, 0, -1], [2, 0, -2]])

VIEWS: dict[str, tuple[Layer, str, bool]] = {
    "window": (Layer("conv", (2, 3), (1, 2), (1,)), "window", True),
    "gradient": (Layer("conv", (2, 3), (2,)), "gradient", True),
    "matrix": (Layer("conv", (2, 3)), "matrix", True),
    "gather": (Layer("conv_transpose", (2, 3), (2,), (1,)), "gather", True),
    "scatter": (Layer("conv_transpose", (2, 3), (2,), output_padding=(1,)), "scatter", True),
    "pool": (Layer("maxpool", (3,), (2,), ceil_mode=True), "window", False),
}


def drawing(view: str, theme: str = "light") -> Drawing:
    layer, name, weighted = VIEWS[view]
    operation = plan_operation(layer, X.shape, x=X, w=W if weighted else None)
    return lay_out(build_scene(operation, name), theme_of(theme))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("view", VIEWS)
def test_svg_is_valid_and_says_in_words_what_it_shows(view: str, theme: str) -> None:
    made = drawing(view, theme)
    data = drawing_bytes(made, ".svg")
    root = ET.fromstring(data)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert desc is not None
    assert title.text == made.title
    assert "output" in (desc.text or "")
    assert f"{len(made.frames)} steps" in (desc.text or "")
    words = {element.text for element in root.iter(f"{SVG}text")}
    assert made.title in words
    assert all(f"{i + 1} / {len(made.frames)}" in words for i in range(len(made.frames)))


@pytest.mark.parametrize("view", VIEWS)
def test_every_step_shows_its_own_shapes_at_its_own_time(view: str) -> None:
    """The keyframes are read back: what shows in a step is what was laid out for it."""
    made = drawing(view)
    root = ET.fromstring(drawing_bytes(made, ".svg"))
    css = root.findtext(f"{SVG}style") or ""
    total = len(made.frames) + HOLD
    groups = {g.get("class"): len(list(g)) for g in root.iter(f"{SVG}g")}
    shown = dict.fromkeys(range(total), 0)
    for name in {g.get("class") for g in root.iter(f"{SVG}g")}:
        rules = css.split(f"@keyframes {name}{{", 1)[1].split("}}", 1)[0]
        keys = [rule.split("%{visibility:") for rule in rules.split("}") if rule]
        count = sum(len(list(g)) for g in root.iter(f"{SVG}g") if g.get("class") == name)
        for step in range(total):
            state = [word for at, word in keys if float(at) <= 100 * step / total + 0.01][-1]
            shown[step] += count * (state == "visible")
    assert groups
    always = (
        len(
            [
                e
                for e in root
                if e.tag in (f"{SVG}rect", f"{SVG}path", f"{SVG}text", f"{SVG}polygon")
            ]
        )
        - 1
    )
    for step in range(total):
        frame = made.frames[min(step, len(made.frames) - 1)]
        assert shown[step] + always == sum(len(dict.fromkeys(layer)) for layer in frame)


@pytest.mark.parametrize("view", VIEWS)
def test_no_cell_ever_covers_what_is_written_in_it(view: str) -> None:
    """Shapes come in another order than in a frame: those of a step lie together."""
    made = drawing(view)
    root = ET.fromstring(drawing_bytes(made, ".svg"))
    css = root.findtext(f"{SVG}style") or ""
    filled = set(re.findall(r"\.(s\d+){fill:#", css))
    boxes = 0
    written: list[tuple[float, float, str]] = []
    over = 0
    for place in root:
        group = place.get("class", "") if place.tag == f"{SVG}g" else ""
        for element in place if group else [place]:
            if element.tag == f"{SVG}text":
                written.append((float(element.get("x", 0)), float(element.get("y", 0)) - 4, group))
            elif element.tag == f"{SVG}rect" and element.get("class") in filled:
                x, y, wide, high = (float(element.get(k, 0)) for k in ("x", "y", "width", "height"))
                boxes += 1
                covered = [w for w in written if x < w[0] < x + wide and y < w[1] < y + high]
                over += len([w for w in covered if wide > 15])
    assert boxes
    assert over == 0


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_animations_have_a_frame_for_each_step(suffix: str) -> None:
    made = drawing("window")
    with Image.open(io.BytesIO(drawing_bytes(made, suffix, fps=4))) as image:
        assert image.n_frames == len(made.frames)
        assert image.size == (made.canvas.width, made.canvas.height)
        image.load()
        assert image.info["duration"] == 250
        first = np.asarray(image.convert("RGB"))
        image.seek(image.n_frames - 1)
        image.load()
        assert image.info["duration"] == 1000
        last = np.asarray(image.convert("RGB"))
    assert (first != last).any()
    still = drawing_bytes(made, ".png", frame=len(made.frames) - 1)
    with Image.open(io.BytesIO(still)) as image:
        exact = np.asarray(image.convert("RGB")).astype(int)
    # A palette of 256 colours moves only the edges of letters, and those by little.
    assert np.abs(exact - last).max() < 40
    assert (np.abs(exact - last).max(-1) == 0).mean() > 0.97


@pytest.mark.parametrize("suffix", [".gif", ".apng", ".webp"])
def test_frames_are_drawn_and_let_go_one_after_another(
    suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, most = 0, 0

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def watched(*args: Any) -> Iterator[Any]:
        nonlocal alive, most
        for image in rasterise(*args):
            alive, most = alive + 1, max(most, alive + 1)
            weakref.finalize(image, gone)
            yield image

    monkeypatch.setattr(drawing_files, "rasterise", watched)
    made = drawing("window")
    assert len(made.frames) > 6
    drawing_bytes(made, suffix, width=200)
    assert most <= 3  # from which the palette is made


@pytest.mark.parametrize("suffix", [".gif", ".apng", ".webp"])
def test_every_frame_shows_its_step_though_only_what_changes_is_stored(suffix: str) -> None:
    made = drawing("window")
    # One that changes nothing is a frame too; libwebp folds it into the one before.
    again = made.frames if suffix == ".webp" else (made.frames[0], *made.frames)
    data = encode_drawing(made.canvas, again, suffix, durations=[100] * len(again))
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == len(again)
        for number, drawn in enumerate(rasterise(made.canvas, again)):
            image.seek(number)
            shown = np.asarray(image.convert("RGB")).astype(int)
            off = np.abs(shown - np.asarray(drawn).astype(int))
            assert off.max() < (1 if suffix == ".webp" else 40)
    first = len(encode_drawing(made.canvas, again[:1], suffix))
    assert len(data) < len(again) / 2 * first


@pytest.mark.parametrize(
    "suffix",
    [".svg", ".gif", *(pytest.param(s, marks=pytest.mark.slow) for s in (".png", ".webp"))],
)
def test_the_same_drawing_is_the_same_bytes(suffix: str) -> None:
    one, two = (drawing_bytes(drawing("scatter"), suffix) for _ in range(2))
    assert one == two


def test_the_width_is_what_was_asked_for() -> None:
    made = drawing("window")
    with Image.open(io.BytesIO(drawing_bytes(made, ".png", width=333, frame=0))) as image:
        assert image.width == 333
    assert ET.fromstring(drawing_bytes(made, ".svg", width=333, frame=0)).get("width") == "333"


def test_every_classic_is_an_svg_of_modest_size() -> None:
    total = 0
    for case in CLASSICS.values():
        kind: Any = (
            "conv_transpose" if case.transpose else f"{case.pool}pool" if case.pool else "conv"
        )
        layer = Layer(
            kind, (int(case.k),), (int(case.s),), (int(case.p),), (int(case.d),), (int(case.op),)
        )
        scene = build_scene(plan_operation(layer, (int(case.n),) * 2))
        total += len(drawing_bytes(lay_out(scene, theme_of("light")), ".svg"))
    assert total < 1_000_000


def test_boards_never_overlap() -> None:
    for view in VIEWS:
        made = drawing(view)
        for frame in made.frames:
            boxes = {
                (s.x, s.y, s.x + s.width, s.y + s.height)
                for s in frame[0]
                if type(s).__name__ == "Rect" and s.width > 15
            }
            for (ax, ay, bx, by), (cx, cy, dx, dy) in itertools.combinations(boxes, 2):
                assert bx <= cx or dx <= ax or by <= cy or dy <= ay
            assert all(b[0] >= 0 and b[2] <= made.canvas.width for b in boxes)
            assert all(b[1] >= 0 and b[3] <= made.canvas.height for b in boxes)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
@pytest.mark.parametrize(("view", "theme"), [("window", "light"), ("matrix", "dark")])
def test_a_browser_shows_what_the_raster_shows(view: str, theme: str, tmp_path: Path) -> None:
    made = drawing(view, theme)
    step = len(made.frames) // 2
    page, shot = tmp_path / "drawing.svg", tmp_path / "shot.png"
    page.write_bytes(drawing_bytes(made, ".svg", frame=step))
    size = f"--window-size={made.canvas.width},{made.canvas.height}"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = ["chromium", *flags, profile, size, f"--screenshot={shot}", page.as_uri()]
    subprocess.run(command, capture_output=True, timeout=300, check=True)
    with Image.open(shot) as image:
        seen = np.asarray(image.convert("RGB")).astype(int)
    with Image.open(io.BytesIO(drawing_bytes(made, ".png", frame=step))) as image:
        drawn = np.asarray(image.convert("RGB")).astype(int)
    # Letters differ, since the browser has other fonts; grounds, cells and outlines do not.
    assert seen.shape == drawn.shape
    different = np.abs(seen - drawn).max(-1) > 48
    assert different.mean() < 0.05
