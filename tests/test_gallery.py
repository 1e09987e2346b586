"""The gallery and the tutorial: every command runs, every picture comes out the same."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import make_gallery as SCRIPT
import numpy as np
import pytest
from PIL import Image

from convcli import filter_image, max_pool

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()

TOPICS = [
    *("One dimension", "Padding", "Stride", "Dilation", "Two dimensions", "Channels"),
    *("One by one", "Groups", "Separable kernels", "Transposed convolution", "Pooling"),
    *(
        "Pooling is dilation with a stride",
        "Gradients",
        "Matrices",
        "Equivariance",
        "Architectures",
    ),
]
PICTURES = list(dict.fromkeys(SCRIPT.embedded(SCRIPT.gallery()) + SCRIPT.embedded(TUTORIAL)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("gallery")
    return folder, SCRIPT.make(folder)


def test_the_gallery_page_has_not_drifted() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text()
    assert page == SCRIPT.gallery(), "run: python docs/make_gallery.py"


def test_every_command_of_the_tutorial_does_something(made: tuple[Path, dict[str, str]]) -> None:
    folder, printed = made
    commands = SCRIPT.commands(TUTORIAL)
    assert len(commands) > 25
    for command in commands:
        target = re.search(r"-o (\S+)$", command)
        assert (folder / target[1]).stat().st_size if target else printed[command].strip(), command


def test_what_the_tutorial_says_of_pooling_and_dilation(made: tuple[Path, dict[str, str]]) -> None:
    folder, _ = made
    pooled, dilated = (np.load(folder / f"{name}.npy") for name in ("pooled", "dilated"))
    np.testing.assert_array_equal(pooled, dilated)
    assert pooled.shape == (3, 3)
    before, after = (
        np.asarray(Image.open(folder / n)) for n in ("samples/portrait.png", "dilated.png")
    )
    height, width = after.shape[:2]
    blocks = before[: 4 * height, : 4 * width].reshape(height, 4, width, 4, 3)
    np.testing.assert_array_equal(after, blocks.max(axis=(1, 3)))

    def pool(x: np.ndarray, size: int, **how: Any) -> np.ndarray:
        return np.asarray(max_pool(x[None], size, **how))[0]

    x = np.random.default_rng(1).integers(-99, 99, (7, 9)).astype(float)
    same: dict[str, Any] = {"padding": "same", "border": "missing"}
    ceil = pool(x, 2, ceil_mode=True)
    np.testing.assert_array_equal(filter_image(x, "max:2", values=True, stride=2, **same), ceil)
    assert filter_image(x, "max:2", values=True, stride=2, padding="valid").shape != ceil.shape
    around = {"stride": 2, "padding": 1}
    pooled = pool(x, 3, **around)
    for border, equal in (("missing", True), ("wrap", False), ("constant:255", False)):
        got = filter_image(x, "dilate:3", values=True, border=border, **around)
        assert np.array_equal(got, pooled) == equal
    pooled = pool(x, 2, stride=1, padding="same")
    np.testing.assert_array_equal(filter_image(x, "max:2", values=True, **same), pooled)
    turned = pool(x[::-1, ::-1], 2, stride=1, padding="same")[::-1, ::-1]
    np.testing.assert_array_equal(filter_image(x, "dilate:2", values=True, **same), turned)
    x[2, 2] = np.nan
    assert np.isnan(pool(x, 2)).sum() == 1
    got = filter_image(x, "max:2", values=True, stride=2, padding="valid", fill=True)
    assert got[1, 1] == np.nanmax(x[2:4, 2:4])


def test_every_shell_line_of_the_tutorial_is_run() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", TUTORIAL, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    assert lines == SCRIPT.commands(TUTORIAL)


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_come_out_the_same(
    name: str,
    made: tuple[Path, dict[str, str]],
    same_drawing: Callable[[bytes, bytes], None],
) -> None:
    folder, _ = made
    kept, new = (IMAGES / name).read_bytes(), (folder / name).read_bytes()
    if name.endswith(".svg"):
        same_drawing(new, kept)
        return
    # Another version of a codec or of the font's rasteriser may write other bytes.
    one, two = (np.asarray(Image.open(io.BytesIO(d)).convert("RGB"), float) for d in (kept, new))
    assert one.shape == two.shape
    assert np.abs(one - two).mean() < 1


def test_the_topics_come_in_the_order_of_a_course() -> None:
    assert re.findall(r"^## \d+\. (.*)$", TUTORIAL, re.MULTILINE) == TOPICS
    numbers = [int(n) for n in re.findall(r"^## (\d+)\.", TUTORIAL, re.MULTILINE)]
    assert numbers == list(range(1, len(TOPICS) + 1))


def test_the_pictures_of_the_repository_stay_small() -> None:
    kinds = {".png", ".svg", ".gif", ".jpg", ".webp"}
    files = [p for top in ("docs", "samples") for p in (ROOT / top).rglob("*") if p.suffix in kinds]
    assert sum(path.stat().st_size for path in files) < 6_000_000


def test_no_picture_is_left_over() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {name for page in pages for name in re.findall(r"images/([\w.-]+)", page.read_text())}
    assert {path.name for path in IMAGES.iterdir()} == shown


@pytest.mark.parametrize("name", [n for n in PICTURES if n.endswith(".svg")])
def test_drawings_have_text_alternatives(name: str) -> None:
    root = ET.parse(IMAGES / name).getroot()
    for tag in ("title", "desc"):
        assert (root.findtext(f"{{http://www.w3.org/2000/svg}}{tag}") or "").strip()
    for page in (TUTORIAL, SCRIPT.gallery()):
        assert f"![](images/{name})" not in page
