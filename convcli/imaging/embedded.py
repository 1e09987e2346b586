"""A picture made small enough to lie inside a page, as a ``data:`` address."""

from __future__ import annotations

import base64
import io
from pathlib import PurePath
from typing import Any

from PIL import Image

from convcli.imaging.atomic import display_name
from convcli.imaging.opening import read_picture
from convcli.imaging.thumbnail import thumbnail

__all__ = ["LONGEST", "embedded_picture"]

LONGEST = 192
"""Pixels of the longer side: enough to know a picture by, few enough to see each of them."""


def embedded_picture(path: str) -> dict[str, Any]:
    """Read a picture and make it small, its samples kept exactly (PNG), 8 bits, gray or RGB.

    Parameters
    ----------
    path
        A file in any format that is read, or ``-`` for standard input.

    Returns
    -------
    dict
        ``name`` without folders, and ``data``, the address. What is transparent lies on gray.

    Raises
    ------
    InputError
        If it is no picture, or damaged.
    """
    picture = read_picture(path)
    small = thumbnail(picture, LONGEST, LONGEST)
    image = Image.fromarray(small[..., 0] if picture.space == "gray" else small)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    code = base64.b64encode(buffer.getvalue()).decode("ascii")
    name = "picture.png" if path == "-" else display_name(PurePath(path).name)
    return {"name": name, "data": f"data:image/png;base64,{code}"}
