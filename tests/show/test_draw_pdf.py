"""PDFs are read back object by object: pages, texts, fonts, transparency."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from convcli.arithmetic.layer import Layer
from convcli.imaging.raster import font_file, rasterise
from convcli.imaging.shapes import Image as Picture
from convcli.imaging.shapes import Polygon, Rect, Text
from convcli.kernels.load import load_kernel
from convcli.ops.polynomial import symbols
from convcli.show.draw.drawing_bytes import drawing_bytes
from convcli.show.draw.layout import Drawing, lay_out
from convcli.show.draw.operation import plan_operation
from convcli.show.draw.pdf_font import PdfFont
from convcli.show.draw.theme import theme_of
from convcli.show.draw.views import build_scene
from convcli.show.kernel_figure import kernel_figure


def drawing(theme: str = "light") -> Drawing:
    layer, x = Layer("conv", (1, 2), (1, 2), (1,)), symbols("α β_1 c'; -1 2 x")
    operation = plan_operation(layer, x.shape, x=x, w=np.array([[2, -3]]))
    return lay_out(build_scene(operation), theme_of(theme))


class Pdf:
    """The objects of a file, found by its own table."""

    def __init__(self, data: bytes) -> None:
        assert data.startswith(b"%PDF-1.7\n")
        assert data.endswith(b"%%EOF\n")
        start = int(re.findall(rb"startxref\n(\d+)\n", data)[-1])
        head = re.match(rb"xref\n0 (\d+)\n", data[start:])
        assert head is not None
        count = int(head[1])
        rows = data[start + head.end() :][: 20 * count]
        assert rows[:20] == b"0000000000 65535 f \n"
        self.objects: dict[int, bytes] = {}
        for number in range(1, count):
            place = int(rows[20 * number : 20 * number + 10])
            body = data[place : data.index(b"\nendobj\n", place)]
            assert body.startswith(b"%d 0 obj\n" % number)
            self.objects[number] = body.split(b"\n", 1)[1]
        trailer = data[start:]
        self.root, self.info = (
            self.objects[int(re.search(rb"/%s (\d+) 0 R" % key, trailer)[1])]  # type: ignore[index]
            for key in (b"Root", b"Info")
        )
        tree = self.follow(self.root, "Pages")
        self.pages = [self.objects[int(n)] for n in re.findall(rb"(\d+) 0 R", tree)]
        assert int(re.search(rb"/Count (\d+)", tree)[1]) == len(self.pages)  # type: ignore[index]

    def follow(self, body: bytes, key: str) -> bytes:
        found = re.search(rb"/%s \[?(\d+) 0 R" % key.encode(), body)
        assert found is not None, key
        return self.objects[int(found[1])]

    @staticmethod
    def stream(body: bytes) -> bytes:
        head, _, rest = body.partition(b"stream\n")
        length = re.search(rb"/Length (\d+)", head)
        assert length is not None
        assert rest[int(length[1]) :] == b"\nendstream"
        return zlib.decompress(rest[: int(length[1])])

    def texts(self, page: bytes) -> list[str]:
        """What is written on a page, as a reader that selects it gets it."""
        resources = self.follow(page, "Resources")
        maps = {}
        for name in re.findall(rb"/(F\d) \d+ 0 R", resources):
            letters = self.stream(self.follow(self.follow(resources, name.decode()), "ToUnicode"))
            pairs = re.findall(rb"<(\w{4})> <(\w+)>", letters.split(b"endcodespacerange")[1])
            maps[name] = {a: bytes.fromhex(b.decode()).decode("utf-16-be") for a, b in pairs}
        words = re.findall(rb"BT /(F\d) .*?<(\w*)> Tj", self.content(page))
        return [
            "".join(maps[font][glyphs[i : i + 4]] for i in range(0, len(glyphs), 4))
            for font, glyphs in words
        ]

    def content(self, page: bytes) -> bytes:
        return self.stream(self.follow(page, "Contents"))


def test_every_step_is_a_page_with_its_texts_as_text() -> None:
    made = drawing()
    pdf = Pdf(drawing_bytes(made, ".pdf"))
    assert len(pdf.pages) == len(made.frames) > 2
    for page, frame in zip(pdf.pages, made.frames, strict=True):
        shapes = [shape for layer in frame for shape in layer]
        assert pdf.texts(page) == [s.text for s in shapes if isinstance(s, Text)]
        content = pdf.content(page)
        assert content.count(b" gs ") == sum(isinstance(s, Polygon) for s in shapes) > 0
        boxes = [s for s in shapes if isinstance(s, Rect) and (s.fill or s.stroke)]
        assert len(re.findall(rb" (?:re|h) (?:B|f|S) Q", content)) == len(boxes) + content.count(
            b" gs "
        )
    assert any("α" in text for text in pdf.texts(pdf.pages[0]))
    assert b"/ca 0.13" in pdf.follow(pdf.pages[0], "Resources")
    title = re.search(rb"/Title <FEFF(\w+)>", pdf.info)
    assert title is not None
    assert bytes.fromhex(title[1].decode()).decode("utf-16-be") == made.title


def test_one_step_is_a_page_of_the_drawing_s_own_shape() -> None:
    made = drawing()
    pdf = Pdf(drawing_bytes(made, ".pdf", frame=1, width=2 * made.canvas.width))
    (page,) = pdf.pages
    box = re.search(rb"/MediaBox \[0 0 (\S+) (\S+)\]", page)
    assert box is not None
    assert [float(side) for side in box.groups()] == [
        pytest.approx(1.5 * side, abs=0.01) for side in (made.canvas.width, made.canvas.height)
    ]
    assert pdf.texts(page) == [
        s.text for layer in made.frames[1] for s in layer if isinstance(s, Text)
    ]


def test_the_font_is_in_the_file_with_its_widths() -> None:
    pdf = Pdf(drawing_bytes(drawing(), ".pdf"))
    resources = pdf.follow(pdf.pages[0], "Resources")
    for name, bold in (("F0", False), ("F1", True)):
        below = pdf.follow(pdf.follow(resources, name), "DescendantFonts")
        file = pdf.stream(pdf.follow(pdf.follow(below, "FontDescriptor"), "FontFile2"))
        assert file == font_file(bold).read_bytes()
        assert re.search(rb"/W \[\d+ \[\d+\]", below)


@pytest.mark.parametrize("bold", [False, True])
def test_widths_are_those_that_freetype_finds(bold: bool) -> None:
    """Whoever reads a font's tables wrongly takes letters for others, of other widths."""
    font = PdfFont(bold)
    reference = ImageFont.truetype(font_file(bold), 2048, layout_engine=ImageFont.Layout.BASIC)
    for code in [
        *range(32, 127),
        *range(0xA0, 0x180),
        *range(0x391, 0x3CA),
        0x2080,
        0x2192,
        0x2212,
    ]:
        expected = reference.getlength(chr(code)) / 2048
        assert font.width(chr(code), 1) == pytest.approx(expected, abs=1e-3), chr(code)


def test_figures_with_pictures_in_them_are_written() -> None:
    made = kernel_figure([load_kernel("gaussian:3")], theme_of("dark"))
    pdf = Pdf(drawing_bytes(made, ".pdf"))
    (page,) = pdf.pages
    pictures = [s for layer in made.frames[0] for s in layer if isinstance(s, Picture)]
    resources = pdf.follow(page, "Resources")
    stored = [pdf.stream(pdf.objects[int(n)]) for n in re.findall(rb"/I\d+ (\d+) 0 R", resources)]
    assert stored == [picture.rgb for picture in dict.fromkeys(pictures)]
    assert pdf.content(page).count(b" Do Q") == len(pictures) > 1


def test_the_same_drawing_is_the_same_bytes() -> None:
    assert drawing_bytes(drawing(), ".pdf") == drawing_bytes(drawing(), ".pdf")


@pytest.mark.ci
@pytest.mark.skipif(
    shutil.which("pdftoppm") is None and os.environ.get("CI") != "true", reason="needs pdftoppm"
)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_rendered_page_shows_what_the_raster_shows(theme: str, tmp_path: Path) -> None:
    made = drawing(theme)
    file = tmp_path / "x.pdf"
    file.write_bytes(drawing_bytes(made, ".pdf", frame=3))
    size = made.canvas.width, made.canvas.height
    scale = ["-scale-to-x", str(size[0]), "-scale-to-y", str(size[1])]
    command = ["pdftoppm", "-png", *scale, str(file), str(tmp_path / "page")]
    subprocess.run(command, check=True, timeout=60)
    with Image.open(next(tmp_path.glob("page*.png"))) as image:
        seen = np.asarray(image.convert("RGB")).astype(int)
    (drawn,) = rasterise(made.canvas, made.frames[3:4])
    # Edges are smoothed in other ways; letters, which are the same font, and grounds are not.
    different = np.abs(seen - np.asarray(drawn).astype(int)).max(-1) > 64
    assert different.mean() < 0.03
    said = subprocess.run(
        ["pdftotext", str(file), "-"], check=True, capture_output=True, timeout=60
    )
    words = said.stdout.decode()
    assert made.title in words
    assert "β_1·2" in words
