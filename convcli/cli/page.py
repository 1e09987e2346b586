"""Interactive pages into files, for the commands that make them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from convcli.errors import UsageError
from convcli.show.page.target import SUFFIX

if TYPE_CHECKING:
    from convcli.show.draw.operation import Operation

__all__ = ["draw_page", "show_page", "write_page"]

NO_BROWSER = "no browser could be opened here; open the file in one"


def write_page(html: str, output: str, what: str, *, overwrite: bool) -> None:
    """Write a page, and say so."""
    import typer

    from convcli.imaging.atomic import display_name, write_atomic

    write_atomic(output, html.encode(), overwrite=overwrite)
    typer.echo(f"{what} -> {display_name(output)}", err=True)


def show_page(html: str, what: str) -> None:
    """Write a page into the temporary folder and open it in the browser; say where it is."""
    from tempfile import mkstemp

    import typer

    from convcli.system.browser import open_in_browser

    descriptor, name = mkstemp(prefix="convcli-", suffix=SUFFIX)
    with os.fdopen(descriptor, "wb") as file:
        file.write(html.encode())
    opened = open_in_browser(Path(name).as_uri())
    typer.echo(f"{what} -> {name}" + ("" if opened else f"; {NO_BROWSER}"), err=True)


def draw_page(
    operation: Operation,
    output: str,
    *,
    overwrite: bool,
    theme: str = "light",
    view: str = "",
    size: str = "",
    fps: float = 2.0,
    frame: int | None = None,
) -> None:
    """What ``convcli draw -o page.html`` writes: the interactive page of the same layer.

    Raises
    ------
    UsageError
        If an option is for drawings that do not change.
    """
    from convcli.show.page.layer_page import explore_page

    if view not in ("", "window", "gather"):
        raise UsageError(f"--view {view} is a drawing; a page shows the windows: leave it out")
    if size:
        raise UsageError(f"--size is {size}; a page is as wide as its window: leave it out")
    outputs = operation.out_channels
    for cells in operation.outputs:
        outputs *= cells
    if frame is not None and frame > outputs:
        raise UsageError(f"--frame is {frame}; the page has the steps 1 to {outputs}")
    html = explore_page(
        operation, theme="dark" if theme == "dark" else "", step=(frame or 1) - 1, fps=fps
    )
    write_page(html, output, f"{operation.title}: {operation.subtitle}", overwrite=overwrite)
