"""PDF: a page for each step, in vectors, with texts that can be selected; fpdf2 writes it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

from convcli.errors import UsageError
from convcli.imaging.raster import font_file
from convcli.imaging.shapes import Image, Line, Polygon, Rect, Shape, Text
from convcli.show.draw.layout import Drawing
from convcli.show.draw.svg import image_png

if TYPE_CHECKING:
    from fpdf import FPDF

__all__ = ["check_pdf", "write_pdf"]

POINTS = 0.75
"""Points (72 to the inch) for a pixel (96 to the inch), as in CSS."""

FAMILY = "DejaVu"
MISSING = "\ufffd"
"""What stands for a letter that the font has not."""


def check_pdf() -> None:
    """Raise a UsageError that says what to install, where fpdf2 is not."""
    if find_spec("fpdf") is None:
        raise UsageError(
            "PDF needs the fpdf2 package; pip install 'convcli[pdf]'. An .svg has vectors without it"
        )


def write_pdf(drawing: Drawing, *, width: float | None = None, frame: int | None = None) -> bytes:
    """The drawing as a PDF with a page for each step, the same bytes on every run.

    Parameters
    ----------
    width
        Pixels across, 96 to the inch; by default those of the canvas.
    frame
        Only this step, counted from 0.

    Raises
    ------
    UsageError
        If fpdf2 is not installed.
    """
    check_pdf()
    from fpdf import FPDF
    from fpdf.drawing_primitives import Transform
    from fpdf.prefs import ViewerPreferences

    frames = drawing.frames if frame is None else drawing.frames[frame : frame + 1]
    canvas = drawing.canvas
    scale = POINTS * (1.0 if width is None else width / canvas.width)
    pdf = FPDF(unit=scale, format=(canvas.width, canvas.height))
    pdf.set_creation_date(datetime.fromtimestamp(0, UTC))  # now is another on every run
    pdf.alias_nb_pages("")  # "{nb}" is a text like any other
    pdf.set_image_filter("FlateDecode")
    pdf.set_title(drawing.title)
    pdf.set_subject(drawing.description)
    pdf.set_creator("convcli")
    pdf.set_lang("en")
    pdf.viewer_preferences = ViewerPreferences(display_doc_title=True)
    for bold in (False, True):
        pdf.add_font(FAMILY, "B" * bold, font_file(bold))
    for layers in frames:
        pdf.add_page()
        pdf.set_fill_color(canvas.ground)
        pdf.rect(0, 0, canvas.width, canvas.height, "F")
        # Dashes end where they end, as in SVG; by default fpdf2 makes them longer.
        with (
            pdf.local_context(stroke_cap_style="butt"),
            pdf.transform(Transform.translation(canvas.left, canvas.top)),
        ):
            for layer in layers:
                _put(pdf, layer)
    return bytes(pdf.output())


def _put(pdf: FPDF, shapes: Iterable[Shape]) -> None:
    for shape in shapes:
        if isinstance(shape, Rect):
            _rect(pdf, shape)
        elif isinstance(shape, Line):
            _pen(pdf, shape)
            pdf.line(shape.x1, shape.y1, shape.x2, shape.y2)
        elif isinstance(shape, Polygon):
            with pdf.local_context(fill_opacity=shape.opacity, fill_color=shape.fill):
                pdf.polygon(shape.points, style="F")
        elif isinstance(shape, Image):
            pdf.image(image_png(shape), shape.x, shape.y, shape.width, shape.height)
        else:
            _text(pdf, shape)


def _rect(pdf: FPDF, shape: Rect) -> None:
    style = "D" * bool(shape.stroke) + "F" * bool(shape.fill)
    if not style:
        return
    if shape.fill:
        pdf.set_fill_color(shape.fill)
    if shape.stroke:
        _pen(pdf, shape)
    # From half a side on, fpdf2 takes the radius for a share.
    radius = min(shape.radius, 0.499 * min(shape.width, shape.height))
    pdf.rect(shape.x, shape.y, shape.width, shape.height, style, radius > 0, radius)


def _pen(pdf: FPDF, shape: Rect | Line) -> None:
    pdf.set_draw_color(shape.stroke)
    pdf.set_line_width(shape.thickness)
    pdf.set_dash_pattern(shape.dash, shape.dash)


def _text(pdf: FPDF, shape: Text) -> None:
    from fpdf.fonts import TTFFont

    pdf.set_font(FAMILY, "B" * shape.bold, shape.size * pdf.k)
    pdf.set_text_color(shape.fill)
    font = pdf.current_font
    assert isinstance(font, TTFFont)
    text = "".join(letter if ord(letter) in font.cmap else MISSING for letter in shape.text)
    share = {"start": 0.0, "middle": 0.5, "end": 1.0}[shape.anchor]
    # The baseline stands where the SVG writer puts it.
    pdf.text(shape.x - share * pdf.get_string_width(text), shape.y + 0.35 * shape.size, text)
