"""``convcli.explore``: the interactive page of a layer, for Python and for notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from os import PathLike, fspath
from typing import Unpack

from numpy.typing import ArrayLike

from convcli.errors import UsageError
from convcli.show.draw.given_operation import LayerWords, given_operation
from convcli.show.page.layer_page import explore_page

__all__ = ["Page", "explore"]

HEIGHT = 860
"""Pixels of a page in a notebook; it scrolls where it is longer."""


@dataclass(frozen=True, slots=True)
class Page:
    """A self-contained HTML page that a notebook shows in a frame of its own."""

    html: str
    height: int = HEIGHT

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write it as an .html file.

        Raises
        ------
        UsageError
            If it has another suffix, or is there and may not be replaced.
        """
        from convcli.imaging.atomic import check_target, write_atomic

        name = fspath(path)
        if not name.lower().endswith((".html", ".htm")):
            raise UsageError(f"{name!r}: a page is written as .html")
        check_target(name, overwrite=overwrite)
        write_atomic(name, self.html.encode(), overwrite=overwrite)

    def _repr_html_(self) -> str:
        # The frame keeps the page's styles and scripts from the notebook's, and the other way.
        style = f"width:100%;height:{self.height}px;border:0"
        text = escape(self.html, quote=True)
        return f'<iframe srcdoc="{text}" style="{style}" sandbox="allow-scripts"></iframe>'

    def __repr__(self) -> str:
        return f"Page({len(self.html):,} characters)"


def explore(
    x: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    *,
    theme: str = "",
    **layer: Unpack[LayerWords],
) -> Page:
    """An interactive page of a layer: sliders, boards that light up, exact numbers and letters.

    Parameters
    ----------
    x, weight, bias, layer
        As :func:`convcli.draw` has them; without any, an input of 5x5 under a kernel of 3x3.
    theme
        ``light`` or ``dark``; by default as the reader's system has it.

    Returns
    -------
    Page
        It shows itself in a notebook, and loads nothing; ``.save("page.html")`` writes it.

    Raises
    ------
    ShapeError, TensorError, UsageError
        As of :func:`convcli.draw`.

    >>> "<iframe" in explore(n=5, k=3, stride=2, padding=1)._repr_html_()
    True
    """
    if x is None and weight is None and not layer:
        layer = {"n": 5, "k": 3}
    return Page(explore_page(given_operation(x, weight, bias, layer), theme=theme))
