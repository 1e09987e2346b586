"""Output names with fields in braces, as in ``out/{parent}/{stem}-{kernel}{suffix}``."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

from convcli.errors import UsageError
from convcli.imaging.atomic import display_name
from convcli.imaging.urls import is_url, split_path, split_url

__all__ = ["FIELDS", "NAME_BYTES", "check_inside", "fill", "is_template", "root_of"]

NAME_BYTES = 255
"""Longest file name that the common file systems take."""
FIELDS = {
    "parent": "the input's folder",
    "stem": "its name without the suffix",
    "suffix": "the suffix with its dot",
    "name": "stem and suffix",
    "kernel": "the chain of kernels",
    "index": "1, 2, 3, ... (also {index:05})",
}


def is_template(output: str) -> bool:
    """Whether an output name has fields.

    >>> is_template("out/{stem}.png"), is_template("out/")
    (True, False)
    """
    return "{" in output or "}" in output


def root_of(template: str) -> str:
    """The folder that no result may leave: all before the first part with a field.

    >>> root_of("out/small/{parent}/{stem}.png"), root_of("{stem}-blur.png")
    ('out/small', '.')
    """
    scheme, path = split_path(template)
    parts = path.parts
    fixed = parts[: next(i for i, part in enumerate(parts) if is_template(part))]
    return scheme + str(type(path)(*fixed)) if fixed else os.curdir


def fill(template: str, **values: str | int) -> str:
    """Put values into a template.

    Raises
    ------
    UsageError
        If it has a field that there is not, or braces that do not match.

    >>> fill("out/{parent}/{stem}-{kernel}{suffix}", parent="a", stem="x", kernel="box", suffix=".png")
    'out/a/x-box.png'
    """
    from convcli.runs.template_fields import Names

    scheme, rest = split_url(template)
    try:
        filled: str = Names(FIELDS, NAME_BYTES).vformat(rest, (), values)
    except ValueError as error:
        allowed = ", ".join(f"{{{name}}} ({what})" for name, what in FIELDS.items())
        raise UsageError(
            f"--output {template!r}: {error}; allowed: {allowed}; {{{{ and }}}} stand for braces"
        ) from None
    normal = posixpath.normpath if scheme else os.path.normpath
    return scheme + normal(filled)


def check_inside(path: str, root: str) -> None:
    """Refuse an output that would leave its root, by ``..`` or through a symbolic link.

    Raises
    ------
    UsageError
        If it would.
    """
    if is_url(path):
        home, folder = (
            str(p).strip("/") for p in (split_path(root)[1], split_path(path)[1].parent)
        )
        mark = "/"
    else:
        home, folder = os.path.realpath(root), os.path.realpath(Path(path).parent)
        mark = os.sep
    if folder != home and not folder.startswith(home.rstrip(mark) + mark):
        raise UsageError(
            f"{display_name(path)} would lie outside of {display_name(root)}, in "
            f"{display_name(folder)}; nothing was done"
        )
