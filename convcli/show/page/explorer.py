"""``convcli.explore``: the interactive page of a layer, for Python and for notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from os import PathLike, fspath
from typing import Unpack

from numpy.typing import ArrayLike

from convcli.errors import UsageError
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel
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
        from convcli.imaging.atomic import write_atomic
        from convcli.show.page.target import check_page

        name = fspath(path)
        check_page(name, overwrite=overwrite)
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
    picture: str | PathLike[str] | None = None,
    kernel: str | Kernel | None = None,
    theme: str = "",
    **layer: Unpack[LayerWords],
) -> Page:
    """An interactive page: a layer with sliders and boards that light up, or a picture.

    Parameters
    ----------
    x, weight, bias, layer
        As :func:`convcli.draw` has them; without any, an input of 5x5 under a kernel of 3x3.
    picture, kernel
        A picture file to begin with, pixel by pixel under a kernel that can be edited, in place
        of a layer; ``sobel-x`` by default.
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
    embedded = None
    if picture is not None:
        if x is not None or weight is not None or layer:
            raise UsageError("picture takes a kernel, not the options of a layer")
        from convcli.imaging.embedded import embedded_picture

        embedded = embedded_picture(fspath(picture))
    elif kernel is not None:
        raise UsageError("kernel is for a picture; a layer has its weight")
    if x is None and weight is None and not layer:
        layer = {"n": 5, "k": 3}
    operation = given_operation(x, weight, bias, layer)
    shown = None if kernel is None else load_kernel(kernel)
    return Page(explore_page(operation, theme=theme, picture=embedded, kernel=shown))
