"""The one place that makes a Rich console, so that every screen behaves alike.

Colour only on a terminal and never under ``NO_COLOR``; no markup, emoji or highlighting of what
users named (``photo[red].png`` is printed whole); no wrapping at a guessed width in a pipe.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["PIPE_WIDTH", "is_terminal", "make_console"]

PIPE_WIDTH = 10_000
"""Columns of a console that writes to a file or a pipe: nothing is cut or wrapped there."""


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether ``stream`` (standard output by default) is shown to a person.

    Needs no Rich, so a command can ask before it pays for the import.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None or stream.closed:
        return False
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


def make_console(
    to: Literal["stdout", "stderr"] = "stdout",
    *,
    file: TextIO | None = None,
    width: int | None = None,
) -> Console:
    """A console for data (``stdout``) or for everything else (``stderr``).

    Parameters
    ----------
    to
        Which standard stream; looked up when something is printed, not now.
    file
        Another stream instead, for tests and for text that is kept.
    width
        Columns. By default those of the terminal, or ``PIPE_WIDTH`` where there is none.

    >>> import io
    >>> out = io.StringIO()
    >>> make_console(file=out).print("photo[red].png :tada: 12")
    >>> out.getvalue()
    'photo[red].png :tada: 12\\n'
    """
    from rich.console import Console

    class Quiet(Console):
        """Leaves a closed pipe to the boundary of the program; Rich would end with 1."""

        def on_broken_pipe(self) -> None:
            raise  # the BrokenPipeError that Rich is handling when it calls this

    stream = file if file is not None else getattr(sys, to)
    if width is None and not is_terminal(stream):
        width = PIPE_WIDTH
    return Quiet(
        file=file, stderr=to == "stderr", width=width, markup=False, emoji=False, highlight=False
    )
