"""Files that are read part by part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from convcli.imaging.atomic import display_name
from convcli.imaging.formats import every_format, format_of_file, format_of_suffix
from convcli.imaging.options import MAX_PIXELS
from convcli.imaging.source import Source
from convcli.imaging.urls import is_url

if TYPE_CHECKING:
    from convcli.imaging.formats.raw import RawLayout

__all__ = ["open_stored"]


def open_stored(
    path: str, layout: RawLayout | None = None, max_pixels: int = MAX_PIXELS
) -> Source | None:
    """Open a picture to be read part by part, or give None where it can only be read whole.

    It may have more than ``max_pixels``, if the file is large enough to hold them.

    Raises
    ------
    InputError
        If the file is damaged.
    UsageError
        If it holds what is no picture, or a raw file has no ``layout``.
    """
    found = format_of_suffix(path)
    if is_url(path) and not (found and found.is_folder):
        return None  # fetched whole
    if layout is not None and not (found and found.in_parts):
        found = format_of_file("", raw=True)
    elif Path(path).is_dir():
        found = next((f for f in every_format() if f.recognises_folder(path)), found)
    return found.open(path, display_name(path), max_pixels, layout) if found else None
