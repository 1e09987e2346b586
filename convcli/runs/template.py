"""Output names with fields in braces, as in ``out/{parent}/{stem}-{kernel}{suffix}``."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from string import Formatter

from convcli.errors import UsageError
from convcli.imaging.atomic import display_name
from convcli.imaging.urls import is_url, split_path, split_url

__all__ = ["FIELDS", "check_inside", "fill", "is_template", "root_of"]

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
    allowed = ", ".join(f"{{{name}}} ({what})" for name, what in FIELDS.items())
    try:
        fields = [(field, how) for _, field, _, how in Formatter().parse(template) if field]
    except ValueError as error:
        raise UsageError(f"--output {template!r}: {error}; allowed: {allowed}") from None
    for field, conversion in fields:
        if field not in FIELDS or conversion:
            raise UsageError(
                f"--output {template!r}: {{{field}}} is no field; allowed: {allowed}; "
                "{{ and }} stand for braces"
            )
    scheme, rest = split_url(template)
    try:
        normal = posixpath.normpath if scheme else os.path.normpath
        return scheme + normal(rest.format(**values))
    except (ValueError, IndexError, KeyError) as error:
        raise UsageError(f"--output {template!r}: {error}; allowed: {allowed}") from None


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
