"""PDF, written by hand: a page for each step, vectors, texts that can be selected.

A drawing has six kinds of shapes, which PDF draws as they are. Source: ISO 32000-1 (PDF 1.7).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from convcli.imaging.shapes import Canvas, Image, Line, Polygon, Rect, Shape, Text
from convcli.show.draw.layout import Drawing
from convcli.show.draw.pdf_font import PdfFont

__all__ = ["write_pdf"]

POINTS = 0.75
"""Points (72 to the inch) for a pixel (96 to the inch), as in CSS."""

ROUND = 0.5523
"""Where the handles of a Bezier curve lie that comes nearest to a quarter of a circle."""


class _Document:
    """Objects of a file, numbered from 1 as they are added."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.fonts = {"F0": PdfFont(bold=False), "F1": PdfFont(bold=True)}
        self.opacities: dict[float, str] = {}
        self.images: dict[Image, str] = {}

    def add(self, body: bytes) -> int:
        self.bodies.append(body)
        return len(self.bodies)

    def stream(self, data: bytes, about: str = "") -> int:
        packed = zlib.compress(data, 9)
        head = f"<< {about}/Length {len(packed)} /Filter /FlateDecode >>\nstream\n"
        return self.add(head.encode() + packed + b"\nendstream")

    def resources(self) -> int:
        """What the pages name: fonts, opacities, pictures."""
        fonts = " ".join(
            f"/{name} {font.write(self.add)} 0 R" for name, font in self.fonts.items() if font.used
        )
        states = " ".join(f"/{name} << /ca {_n(o)} >>" for o, name in self.opacities.items())
        pictures = " ".join(f"/{name} {self._picture(i)} 0 R" for i, name in self.images.items())
        body = f"<< /Font << {fonts} >> /ExtGState << {states} >> /XObject << {pictures} >> >>"
        return self.add(body.encode())

    def _picture(self, image: Image) -> int:
        size = f"/Width {image.columns} /Height {image.rows} "
        kind = "/Type /XObject /Subtype /Image /ColorSpace /DeviceRGB /BitsPerComponent 8 "
        return self.stream(image.rgb, kind + size)

    def file(self, root: int, info: int) -> bytes:
        """Everything, with the table of where each object begins."""
        out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        places = []
        for number, body in enumerate(self.bodies, 1):
            places.append(len(out))
            out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
        start = len(out)
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
        out += b"".join(b"%010d 00000 n \n" % place for place in places)
        out += b"trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R >>\n" % (
            len(places) + 1, root, info,
        )  # fmt: skip
        return bytes(out) + b"startxref\n%d\n%%%%EOF\n" % start


def write_pdf(drawing: Drawing, *, width: float | None = None, frame: int | None = None) -> bytes:
    """The drawing as a PDF with a page for each step.

    Parameters
    ----------
    width
        Pixels across, 96 to the inch; by default those of the canvas.
    frame
        Only this step, counted from 0.
    """
    frames = drawing.frames if frame is None else drawing.frames[frame : frame + 1]
    canvas = drawing.canvas
    scale = POINTS * (1.0 if width is None else width / canvas.width)
    box = f"[0 0 {_n(canvas.width * scale)} {_n(canvas.height * scale)}]"
    made = _Document()
    contents = [made.stream(_page(layers, canvas, scale, made)) for layers in frames]
    resources = made.resources()
    tree = len(made.bodies) + len(frames) + 1
    pages = [
        made.add(
            f"<< /Type /Page /Parent {tree} 0 R /MediaBox {box} /Resources {resources} 0 R "
            f"/Contents {content} 0 R >>".encode()
        )
        for content in contents
    ]
    kids = " ".join(f"{page} 0 R" for page in pages)
    made.add(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    root = made.add(
        f"<< /Type /Catalog /Pages {tree} 0 R /Lang (en) "
        "/ViewerPreferences << /DisplayDocTitle true >> >>".encode()
    )
    title, subject = _string(drawing.title), _string(drawing.description)
    info = made.add(f"<< /Title {title} /Subject {subject} /Producer (convcli) >>".encode())
    return made.file(root, info)


def _page(
    layers: Iterable[Iterable[Shape]], canvas: Canvas, scale: float, made: _Document
) -> bytes:
    """The operators of one page; its axes are turned to point right and down, as the canvas's."""
    height = canvas.height * scale
    lines = [
        f"{_n(scale)} 0 0 {_n(-scale)} 0 {_n(height)} cm",
        f"{_colour(canvas.ground)} rg 0 0 {_n(canvas.width)} {_n(canvas.height)} re f",
        f"1 0 0 1 {_n(canvas.left)} {_n(canvas.top)} cm",
    ]
    for layer in layers:
        for shape in layer:
            lines += _operators(shape, made)
    return "\n".join(lines).encode()


def _operators(shape: Shape, made: _Document) -> Iterator[str]:
    if isinstance(shape, Rect):
        paint = {(True, True): "B", (True, False): "f", (False, True): "S"}
        how = paint.get((bool(shape.fill), bool(shape.stroke)))
        if how is not None:
            yield f"q {_pen(shape.fill, shape.stroke, shape.thickness, shape.dash)} {_outline(shape)} {how} Q"
    elif isinstance(shape, Line):
        ends = f"{_n(shape.x1)} {_n(shape.y1)} m {_n(shape.x2)} {_n(shape.y2)} l"
        yield f"q {_pen('', shape.stroke, shape.thickness, shape.dash)} {ends} S Q"
    elif isinstance(shape, Polygon):
        name = made.opacities.setdefault(shape.opacity, f"G{len(made.opacities)}")
        corners = " l ".join(f"{_n(x)} {_n(y)}" for x, y in shape.points).replace(" l ", " m ", 1)
        yield f"q /{name} gs {_colour(shape.fill)} rg {corners} l h f Q"
    elif isinstance(shape, Image):
        name = made.images.setdefault(shape, f"I{len(made.images)}")
        place = (
            f"{_n(shape.width)} 0 0 {_n(-shape.height)} {_n(shape.x)} {_n(shape.y + shape.height)}"
        )
        yield f"q {place} cm /{name} Do Q"
    else:
        yield _text(shape, made)


def _text(shape: Text, made: _Document) -> str:
    name = f"F{int(shape.bold)}"
    font = made.fonts[name]
    left = (
        shape.x
        - font.width(shape.text, shape.size)
        * ({"start": 0.0, "middle": 0.5, "end": 1.0}[shape.anchor])
    )
    # The baseline stands where the SVG writer puts it; letters stand upright on turned axes.
    place = f"1 0 0 -1 {_n(left)} {_n(shape.y + 0.35 * shape.size)} Tm"
    look = f"/{name} {_n(shape.size)} Tf {_colour(shape.fill)} rg"
    return f"BT {look} {place} <{font.shown(shape.text)}> Tj ET"


def _pen(fill: str, stroke: str, thickness: float, dash: float) -> str:
    look = [f"{_colour(fill)} rg"] if fill else []
    if stroke:
        look.append(f"{_colour(stroke)} RG {_n(thickness)} w")
    if dash:
        look.append(f"[{_n(dash)}] 0 d")
    return " ".join(look)


def _outline(shape: Rect) -> str:
    x, y, wide, high = shape.x, shape.y, shape.width, shape.height
    r = min(shape.radius, wide / 2, high / 2)
    if not r:
        return f"{_n(x)} {_n(y)} {_n(wide)} {_n(high)} re"
    right, low, near = x + wide, y + high, r * (1 - ROUND)
    path = [
        ((x + r, y), "m"), ((right - r, y), "l"),
        ((right - near, y, right, y + near, right, y + r), "c"), ((right, low - r), "l"),
        ((right, low - near, right - near, low, right - r, low), "c"), ((x + r, low), "l"),
        ((x + near, low, x, low - near, x, low - r), "c"), ((x, y + r), "l"),
        ((x, y + near, x + near, y, x + r, y), "c"),
    ]  # fmt: skip
    return " ".join(" ".join(map(_n, numbers)) + f" {how}" for numbers, how in path) + " h"


def _colour(colour: str) -> str:
    return " ".join(_n(int(colour[i : i + 2], 16) / 255, 4) for i in (1, 3, 5))


def _string(text: str) -> str:
    """A text of the document itself, in UTF-16."""
    return f"<FEFF{text.encode('utf-16-be').hex().upper()}>"


def _n(value: float, digits: int = 2) -> str:
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
