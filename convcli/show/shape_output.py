"""Where a report goes: to a terminal with Rich, anywhere else as plain text or as asked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from convcli.errors import OutputError
from convcli.show.console import is_terminal, make_console
from convcli.show.shape_document import Document

__all__ = ["FORMATS", "emit"]

FORMATS = ("json", "csv", "markdown", "latex")


def emit(
    build: Callable[[bool], Document],
    form: str | None = None,
    *,
    file: TextIO | None = None,
    width: int | None = None,
) -> None:
    """Print a report on standard output, or on ``file``.

    Parameters
    ----------
    build
        Makes the report; it is told whether there is room for everything.
    form
        One of ``FORMATS``, or None for tables on a terminal and plain text in a pipe.
    width
        Columns of a terminal to draw for, even if ``file`` is none: for text that is kept.

    Raises
    ------
    OutputError
        If standard output is closed.
    """
    stream = sys.stdout if file is None else file
    if stream is None:
        raise OutputError("standard output is closed")
    if form is None and (width is not None or is_terminal(stream)):
        from convcli.show.shape_network import ROOMY
        from convcli.show.shape_rich import draw

        console = make_console(file=file, width=width)
        draw(build(console.width >= ROOMY), console)
        return
    _write(stream, _text(build(True), form))


def _text(document: Document, form: str | None) -> str:
    from convcli.show import shape_text

    writers = {
        None: shape_text.to_plain,
        "json": shape_text.to_json,
        "csv": shape_text.to_csv,
        "markdown": shape_text.to_markdown,
        "latex": shape_text.to_latex,
    }
    return writers[form](document)


def _write(stream: TextIO, text: str) -> None:
    """Write text that may quote a file name of any bytes."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
