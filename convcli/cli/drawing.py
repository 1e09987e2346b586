"""Drawings into files, for the commands that draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from convcli.errors import UsageError

if TYPE_CHECKING:
    from convcli.show.draw.layout import Drawing

__all__ = ["FIGURES", "SUFFIXES", "check_drawing", "write_drawing"]

SUFFIXES = (".svg", ".gif", ".png", ".apng", ".webp")
FIGURES = (".svg", ".png", ".webp")
"""Suffixes of animations, and of figures that do not move."""


def check_drawing(output: str, overwrite: bool, allowed: tuple[str, ...] = SUFFIXES) -> None:
    """Refuse a target before anything is drawn."""
    if _suffix(output) not in allowed:
        raise UsageError(f"{output!r}: a drawing is written as {', '.join(allowed)}")
    from convcli.imaging.atomic import check_target

    check_target(output, overwrite=overwrite)


def write_drawing(
    drawing: Drawing,
    output: str,
    what: str,
    *,
    overwrite: bool,
    width: int | None = None,
    fps: float = 2.0,
    frame: int | None = None,
) -> None:
    """Write a drawing in the format of the suffix, and say so."""
    from convcli.imaging.atomic import display_name, write_atomic
    from convcli.show.draw.drawing_bytes import drawing_bytes

    data = drawing_bytes(drawing, _suffix(output), width=width, fps=fps, frame=frame)
    write_atomic(output, data, overwrite=overwrite)
    typer.echo(f"{what} -> {display_name(output)}", err=True)


def _suffix(output: str) -> str:
    return output[output.rfind(".") :].lower() if "." in output else ""
