"""Drawings into files, for the commands that draw."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from convcli.errors import OutputError, UsageError
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.show.draw.layout import Drawing

__all__ = [
    "FIGURES",
    "STILLS",
    "SUFFIXES",
    "Folder",
    "Page",
    "check_drawing",
    "check_stills",
    "is_folder",
    "listed",
    "parse_page",
    "write_drawing",
    "write_stills",
]

Page: TypeAlias = tuple[int, int | None]
"""Pixels across and down of a picture; down is None where the drawing keeps its own shape."""

SUFFIXES = (".svg", ".gif", ".png", ".apng", ".webp", ".mp4", ".webm", ".pdf")
FIGURES = (".svg", ".png", ".webp", ".pdf")
"""Suffixes of animations, and of figures that do not move."""

STILLS = tuple(suffix[1:] for suffix in FIGURES)
"""Formats of the stills in a folder, as they are typed."""

VIDEOS = (".mp4", ".webm")
PAGED = (".pdf",)
"""Formats that hold every step as a page of its own."""

SLIDE: Page = (1920, 1080)
"""Pixels of a video and shape of the pages of a deck, unless a size is given: a projector's."""


class Folder(NamedTuple):
    """Where stills go: the folder, what their names begin with, and their format."""

    path: str
    name: str
    form: str = ""


SMALLEST, LARGEST = 64, 8192
"""Fewest and most pixels of a side."""


def listed(suffixes: tuple[str, ...]) -> str:
    """Suffixes as a help text names them.

    >>> listed(FIGURES)
    '.svg, .png, .webp or .pdf'
    """
    return f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"


def parse_page(text: str) -> Page | None:
    """The size that was asked for: pixels across, or across and down.

    >>> parse_page("800"), parse_page("1920x1080"), parse_page("")
    ((800, None), (1920, 1080), None)
    """
    if not text:
        return None
    from convcli.arithmetic.sizes import parse_sizes

    sides = parse_sizes(text, "--size")
    if len(sides) > 2 or not all(SMALLEST <= side <= LARGEST for side in sides):
        raise UsageError(
            f"--size is {text}; pixels across, or across and down as 1920x1080, each "
            f"{SMALLEST} to {LARGEST}"
        )
    return sides[0], sides[1] if len(sides) == 2 else None


def is_folder(output: str) -> bool:
    """Whether a target is a folder for stills: one that is there, or a name that ends so."""
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def check_drawing(output: str, overwrite: bool, allowed: tuple[str, ...] = SUFFIXES) -> None:
    """Refuse a target before anything is drawn."""
    suffix = _suffix(output)
    if suffix not in allowed:
        hint = (
            f"; stills of all steps go to a folder, {output}/"
            if not suffix and set(VIDEOS) & set(allowed)
            else ""
        )
        raise UsageError(f"{output!r}: a drawing is written as {', '.join(allowed)}{hint}")
    from convcli.imaging.atomic import check_target

    check_target(output, overwrite=overwrite)
    if suffix in VIDEOS:
        from convcli.imaging.video import check_ffmpeg

        check_ffmpeg(output)
    if suffix in PAGED:
        from convcli.show.draw.pdf import check_pdf

        check_pdf()


def check_stills(folder: str, form: str) -> None:
    """Refuse a folder, or a format of the stills in it, before anything is drawn."""
    if form and form.removeprefix(".").lower() not in STILLS:
        raise UsageError(f"--format is {form}; stills are written as {', '.join(STILLS)}")
    if f".{form.removeprefix('.').lower()}" in PAGED:
        from convcli.show.draw.pdf import check_pdf

        check_pdf()
    there = next(part for part in (Path(folder), *Path(folder).parents) if part.exists())
    from convcli.imaging.atomic import display_name

    if not there.is_dir():
        raise UsageError(f"{display_name(folder)}: {display_name(there)} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {display_name(there)} cannot be written to")


def write_drawing(
    drawing: Drawing,
    output: str,
    what: str,
    *,
    overwrite: bool,
    width: int | None = None,
    page: Page | None = None,
    fps: float = 2.0,
    frame: int | None = None,
) -> None:
    """Write a drawing in the format of the suffix, and say so."""
    import typer

    from convcli.imaging.atomic import display_name
    from convcli.show.draw.drawing_bytes import write_drawn

    suffix = _suffix(output)
    if width is not None:
        page = width, None
    deck = suffix in PAGED and frame is None and len(drawing.frames) > 1
    if page is None and (deck or suffix in VIDEOS):
        page = SLIDE
    drawing, width = _on_page(drawing, page)
    write_drawn(drawing, output, suffix, width=width, fps=fps, frame=frame, overwrite=overwrite)
    typer.echo(f"{what} -> {display_name(output)}", err=True)


def write_stills(
    drawing: Drawing,
    where: Folder,
    what: str,
    *,
    overwrite: bool,
    page: Page | None = None,
    frame: int | None = None,
) -> None:
    """Write each step into a file of its own, ``NAME-01.svg`` and so on, and say so.

    Nothing is written where one of them exists and ``overwrite`` is false. Each is whole: what was
    written before a failure stays.
    """
    import typer

    from convcli.imaging.atomic import check_target, display_name, write_atomic
    from convcli.show.draw.drawing_bytes import drawing_bytes

    count = len(drawing.frames)
    folder, name, form = where
    suffix = f".{form.removeprefix('.').lower() or STILLS[0]}"
    digits = max(len(str(count)), 2)
    steps = range(count) if frame is None else (frame,)
    files = {step: Path(folder) / f"{name}-{step + 1:0{digits}}{suffix}" for step in steps}
    drawing, width = _on_page(drawing, page)
    made = not Path(folder).exists()
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{display_name(folder)}: {error.strerror}") from error
    try:
        for path in files.values():
            check_target(path, overwrite=overwrite)
        for step, path in files.items():
            data = drawing_bytes(drawing, suffix, width=width, frame=step)
            write_atomic(path, data, overwrite=overwrite)
    finally:
        if made:  # and still empty, since the first failed
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
    first, *more = (display_name(path) for path in files.values())
    stills = f"{len(files)} stills, {first} to {Path(more[-1]).name}" if more else first
    typer.echo(f"{what} -> {stills}", err=True)


def _on_page(drawing: Drawing, page: Page | None) -> tuple[Drawing, int | None]:
    """The drawing, centred on a page if that has a height, and its width in pixels."""
    if page is None:
        return drawing, None
    width, height = page
    if height is None:
        return drawing, width
    from dataclasses import replace

    return replace(drawing, canvas=drawing.canvas.framed(width, height)), width


def _suffix(output: str) -> str:
    return output[output.rfind(".") :].lower() if "." in output else ""
