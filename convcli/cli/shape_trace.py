"""``convcli shape --trace``: one cell followed through a network, as a table or a drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from convcli.errors import ShapeError

if TYPE_CHECKING:
    from convcli.arithmetic.network_report import NetworkReport
    from convcli.arithmetic.trace import Trace

__all__ = ["show_trace"]


def show_trace(
    work_out: Callable[[], NetworkReport],
    asked: str,
    form: str | None,
    output: str,
    overwrite: bool,
) -> None:
    """Print the trace of the cell that was asked for, or draw it if there is an output."""
    from convcli.arithmetic.trace import parse_cell, trace

    cell, layer = parse_cell(asked)
    if output:
        _check_target(output, overwrite)
    report = work_out()
    if report.failure:
        raise ShapeError(str(report.failure))
    found = trace(report, cell, layer)
    if output:
        _write(report, found, output, overwrite)
        return
    from convcli.show.shape_output import emit
    from convcli.show.trace_document import trace_document

    emit(lambda roomy: trace_document(report, found), form)


def _check_target(output: str, overwrite: bool) -> None:
    from convcli.cli.drawing import FIGURES, check_drawing
    from convcli.show.page.target import SUFFIX

    check_drawing(output, overwrite, (*FIGURES, SUFFIX))


def _write(report: NetworkReport, found: Trace, output: str, overwrite: bool) -> None:
    from convcli.show.page.target import is_page

    if is_page(output):
        from convcli.cli.page import write_page
        from convcli.show.trace_document import trace_title
        from convcli.show.trace_page import trace_page

        title = trace_title(report, found)
        write_page(trace_page(report, found), output, title, overwrite=overwrite)
        return
    from convcli.cli.drawing import write_drawing
    from convcli.show.draw.theme import theme_of
    from convcli.show.trace_figure import trace_figure

    drawing = trace_figure(report, found, theme_of("light"))
    write_drawing(drawing, output, drawing.title, overwrite=overwrite)
