"""PDFs are read back by pypdf: pages, texts, fonts, transparency, pictures."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pypdf import PageObject, PdfReader

from convcli.arithmetic.layer import Layer
from convcli.imaging.raster import rasterise
from convcli.imaging.shapes import Canvas, Line, Polygon, Rect, Shape, Text
from convcli.imaging.shapes import Image as Picture
from convcli.kernels.load import load_kernel
from convcli.ops.polynomial import symbols
from convcli.show.draw.drawing_bytes import drawing_bytes
from convcli.show.draw.given_operation import classic_operation
from convcli.show.draw.layout import Drawing, lay_out
from convcli.show.draw.operation import plan_operation
from convcli.show.draw.theme import theme_of
from convcli.show.draw.views import build_scene
from convcli.show.kernel_figure import kernel_figure


def drawing(theme: str = "light") -> Drawing:
    layer, x = Layer("conv", (1, 2), (1, 2), (1,)), symbols("α β_1 c'; -1 2 x")
    operation = plan_operation(layer, x.shape, x=x, w=np.array([[2, -3]]))
    return lay_out(build_scene(operation), theme_of(theme))


def read(made: Drawing, **how: Any) -> PdfReader:
    return PdfReader(io.BytesIO(drawing_bytes(made, ".pdf", **how)), strict=True)


def shapes_of(made: Drawing, frame: int) -> list[Shape]:
    return [shape for layer in made.frames[frame] for shape in layer]


def operations(page: PageObject) -> list[tuple[list[Any], bytes]]:
    contents = page.get_contents()
    assert contents is not None
    return contents.operations


def check_texts(page: PageObject, shapes: list[Shape]) -> None:
    """A reader that selects everything gets the texts in their order, whatever the gaps."""
    written = "".join(s.text for s in shapes if isinstance(s, Text))
    assert "".join(page.extract_text().split()) == "".join(written.split())


def test_every_step_is_a_page_with_its_texts_as_text() -> None:
    made = drawing()
    pdf = read(made)
    assert len(pdf.pages) == len(made.frames) > 2
    for number, page in enumerate(pdf.pages):
        shapes = shapes_of(made, number)
        check_texts(page, shapes)
        done = Counter(operator for _, operator in operations(page))
        assert done[b"Tj"] == sum(isinstance(s, Text) for s in shapes)
        boxes = [s for s in shapes if isinstance(s, Rect) and (s.fill or s.stroke)]
        beams = [s for s in shapes if isinstance(s, Polygon)]
        lines = [s for s in shapes if isinstance(s, Line)]
        painted = sum(done[operator] for operator in (b"B", b"f", b"S"))
        assert painted == len(boxes) + len(beams) + len(lines) + 1  # the ground
        assert len(beams) > 0
        states = page["/Resources"]["/ExtGState"].values()  # type: ignore[index]
        opacities = {float(s.get_object()["/ca"]) for s in states if "/ca" in s.get_object()}
        assert opacities == {beam.opacity for beam in beams}
    assert "α" in pdf.pages[0].extract_text()
    assert pdf.metadata is not None
    assert (pdf.metadata.title, pdf.metadata.subject) == (made.title, made.description)
    assert pdf.metadata.creator == "convcli"
    assert pdf.root_object["/Lang"] == "en"
    assert pdf.root_object["/ViewerPreferences"]["/DisplayDocTitle"]  # type: ignore[index]


def test_one_step_is_a_page_of_the_drawing_s_own_shape() -> None:
    made = drawing()
    (page,) = read(made, frame=1, width=2 * made.canvas.width).pages
    assert [float(side) for side in page.mediabox] == [
        0, 0, pytest.approx(1.5 * made.canvas.width), pytest.approx(1.5 * made.canvas.height)
    ]  # fmt: skip
    check_texts(page, shapes_of(made, 1))


def test_both_weights_of_the_font_are_in_the_file_as_far_as_they_are_used() -> None:
    made = drawing()
    (page,) = read(made, frame=0).pages
    fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]  # type: ignore[index]
    below = [font["/DescendantFonts"][0].get_object() for font in fonts]
    sizes = [len(b["/FontDescriptor"]["/FontFile2"].get_data()) for b in below]
    assert len(sizes) == 2
    assert all(1_000 < size < 40_000 for size in sizes)  # whole: 100,000 and more


def test_figures_with_pictures_in_them_are_written() -> None:
    made = kernel_figure([load_kernel("gaussian:3")], theme_of("dark"))
    (page,) = read(made).pages
    pictures = [s for s in shapes_of(made, 0) if isinstance(s, Picture)]
    stored = page["/Resources"]["/XObject"].values()  # type: ignore[index]
    assert {s.get_object().get_data() for s in stored} == {picture.rgb for picture in pictures}
    done = Counter(operator for _, operator in operations(page))
    assert done[b"Do"] == len(pictures) > 1


def test_the_same_drawing_is_the_same_bytes(tmp_path: Path) -> None:
    """In another process too, later, where Python orders its sets in another way."""
    name = "no_padding_strides"
    command = [sys.executable, "-m", "convcli", "draw", name, "-o", tmp_path / "x.pdf"]
    again = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run([*command, "--frame", "2"], env=again, check=True, timeout=300)
    made = lay_out(build_scene(classic_operation(name)), theme_of("light"))
    assert (tmp_path / "x.pdf").read_bytes() == drawing_bytes(made, ".pdf", frame=1)


def test_texts_are_what_they_are(caplog: pytest.LogCaptureFixture) -> None:
    """No words of fpdf2's own, and letters that the font has not are told from none."""
    texts = [
        Text(50, 20 * n, text, 10, "#000000") for n, text in enumerate(["{nb}", "**a**", "漢b"])
    ]
    made = Drawing(Canvas(100, 90, "#ffffff"), (((*texts,),),), "t", "d")
    (page,) = read(made).pages
    assert page.extract_text().split() == ["{nb}", "**a**", "\ufffdb"]
    assert not caplog.records


@pytest.mark.ci
@pytest.mark.skipif(
    shutil.which("pdftoppm") is None and os.environ.get("CI") != "true", reason="needs pdftoppm"
)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", [None, (1920, 1080)], ids=["own", "slide"])
def test_a_rendered_page_shows_what_the_raster_shows(
    theme: str, page: tuple[int, int] | None, tmp_path: Path
) -> None:
    made = drawing(theme)
    if page is not None:
        made = Drawing(made.canvas.framed(*page), made.frames, made.title, made.description)
    file = tmp_path / "x.pdf"
    file.write_bytes(drawing_bytes(made, ".pdf", frame=3))
    size = round(made.canvas.width), round(made.canvas.height)
    scale = ["-scale-to-x", str(size[0]), "-scale-to-y", str(size[1])]
    command = ["pdftoppm", "-png", *scale, str(file), str(tmp_path / "page")]
    subprocess.run(command, check=True, timeout=300)
    with Image.open(next(tmp_path.glob("page*.png"))) as image:
        seen = np.asarray(image.convert("RGB")).astype(int)
    (drawn,) = rasterise(made.canvas, made.frames[3:4])
    # Edges are smoothed in other ways; letters, which are the same font, and grounds are not.
    different = np.abs(seen - np.asarray(drawn).astype(int)).max(-1) > 64
    assert different.mean() < 0.03
    said = subprocess.run(
        ["pdftotext", str(file), "-"], check=True, capture_output=True, timeout=300
    )
    words = said.stdout.decode()
    assert made.title in words
    assert "β_1·2" in words
