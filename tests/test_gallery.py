"""The gallery: every command runs, every picture comes out the same."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import make_gallery as SCRIPT
import pytest

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
PICTURES = SCRIPT.embedded(SCRIPT.gallery())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    SCRIPT.make(folder)
    return folder


def test_the_gallery_page_has_not_drifted() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text()
    assert page == SCRIPT.gallery(), "run: python docs/make_gallery.py"


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_come_out_the_same(
    name: str, made: Path, same_picture: Callable[[Path, Path], None]
) -> None:
    same_picture(made / name, IMAGES / name)


def test_the_pictures_of_the_repository_stay_small() -> None:
    kinds = {".png", ".svg", ".gif", ".jpg", ".webp"}
    files = [p for top in ("docs", "samples") for p in (ROOT / top).rglob("*") if p.suffix in kinds]
    assert sum(path.stat().st_size for path in files) < 7_000_000


def test_no_picture_is_left_over() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"images/([\w.-]+)", page.read_text())}
    assert {path.name for path in IMAGES.iterdir()} == shown


@pytest.mark.parametrize("name", [n for n in PICTURES if n.endswith(".svg")])
def test_drawings_have_text_alternatives(name: str) -> None:
    root = ET.parse(IMAGES / name).getroot()
    for tag in ("title", "desc"):
        assert (root.findtext(f"{{http://www.w3.org/2000/svg}}{tag}") or "").strip()
    assert f"![](images/{name})" not in SCRIPT.gallery()
