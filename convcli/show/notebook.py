"""What values show of themselves in a notebook: SVG, HTML and LaTeX.

``convcli/displays.py`` says which function stands for which class. Drawings bring their own ground,
and tables have no colours, so that the notebook's own theme shows: both can be read on a light and
on a dark page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.arithmetic.network_report import NetworkReport
from convcli.show.latex import array_latex
from convcli.show.latex import polynomial_latex as _polynomial

if TYPE_CHECKING:
    from convcli.arithmetic.network import Network
    from convcli.kernels.kernel import Kernel
    from convcli.kernels.load import Chain
    from convcli.ops.gradients import Gradients
    from convcli.ops.matrices import SparseRows
    from convcli.ops.polynomial import Polynomial
    from convcli.ops.separable import Separated
    from convcli.show.shape_document import Document

__all__ = [
    "chain_html",
    "document_html",
    "gradients_latex",
    "kernel_svg",
    "network_html",
    "pairs_html",
    "polynomial_latex",
    "report_html",
    "separated_latex",
    "sparse_latex",
]

LARGEST = 1 << 20
"""Most entries of a sparse matrix that is written out to be shown."""


def kernel_svg(kernel: Kernel) -> str | None:
    """Weights, frequency response and profile; the footprint of what is no sum."""
    from convcli.show.draw.svg import write_svg
    from convcli.show.draw.theme import theme_of
    from convcli.show.kernel_figure import MOST, kernel_figure, weight_planes

    if len(weight_planes(kernel)) > MOST:
        return None
    return write_svg(kernel_figure([kernel], theme_of("light")), inline=True)


def chain_html(chain: Chain) -> str:
    """A row for each kernel: its name, its size, what it is for and what it does."""
    from convcli.arithmetic.sizes import cross
    from convcli.kernels.properties import describe

    rows = [
        (str(number), kernel.name, cross(kernel.shape), kernel.note, describe(kernel).effect)
        for number, kernel in enumerate(chain, 1)
    ]
    return _table(["", "kernel", "size", "for", "does"], rows, left={1, 3, 4})


def network_html(network: Network) -> str:
    """What it makes of the input that it is meant for; without one, its layers."""
    if network.input_shape is not None:
        return report_html(network.evaluate())
    rows = [(node.name, node.label) for node in network.nodes]
    hint = (
        "<p>What it makes of an input says <code>.evaluate((channels, height, width))</code>.</p>"
    )
    return _table(["name", "layer"], rows, left={0, 1}) + hint


def report_html(report: NetworkReport) -> str:
    """The diagram, and the table of the layers to be unfolded."""
    from convcli.show.shape_network import network_document

    document = document_html(network_document(report))
    if not report.rows:
        return document
    from convcli.show.draw.svg import write_svg
    from convcli.show.draw.theme import theme_of
    from convcli.show.network_figure import network_figure

    figure = write_svg(network_figure(report, theme_of("light")), inline=True)
    table = f"<details><summary>all layers</summary>{document}</details>"
    return f'<div style="overflow-x:auto">{figure}</div>{table}'


def document_html(document: Document) -> str:
    """A report as tables and lists, in the colours of the page that it stands in."""
    from convcli.show.shape_document import Formula, Notes, Table

    parts = [f"<p><b>{escape(document.title)}</b></p>"]
    for part in document.parts:
        if isinstance(part, Table):
            headings = [column.heading for column in part.columns]
            left = {n for n, column in enumerate(part.columns) if column.align == "left"}
            parts.append(_table(headings, part.rows, left=left, footer=part.footer))
        elif isinstance(part, Formula):
            parts.append(f"<p>{escape(part.title)}</p>" if part.title else "")
            parts.append(f"<pre>{escape(chr(10).join(part.lines))}</pre>")
        elif isinstance(part, Notes):
            title = f"<b>{escape(part.title)}</b>" if part.title else ""
            lines = "".join(f"<li>{escape(line)}</li>" for line in part.lines)
            parts.append(f"{title}<ul>{lines}</ul>")
        else:
            parts.append(pairs_html(part.rows))
    return "".join(parts)


def pairs_html(pairs: Iterable[tuple[str, str]]) -> str:
    """Labels and what they say, as a table without headings."""
    return _table([], list(pairs), left={0, 1})


def _table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: set[int],
    footer: int = 0,
) -> str:
    """Cells of text; columns in ``left`` begin at the left, and the last ``footer`` rows are sums."""

    def line(cells: Sequence[str], tag: str, *, bold: bool = False) -> str:
        return "".join(
            f'<{tag} style="text-align:{"left" if n in left else "right"}">'
            # Blanks before a layer show the branch that it stands in.
            + "&nbsp;" * (len(cell) - len(cell.lstrip(" ")))
            + (f"<b>{escape(cell)}</b>" if bold else escape(cell.lstrip(" ")))
            + f"</{tag}>"
            for n, cell in enumerate(cells)
        )

    sums = len(rows) - footer
    body = "".join(f"<tr>{line(row, 'td', bold=n >= sums)}</tr>" for n, row in enumerate(rows))
    head = f"<thead><tr>{line(headings, 'th')}</tr></thead>" if headings else ""
    return f"<table>{head}<tbody>{body}</tbody></table>"


def polynomial_latex(polynomial: Polynomial) -> str:
    """In the line of text that it stands in."""
    return f"${_polynomial(polynomial)}$"


def gradients_latex(gradients: Gradients[Any]) -> str:
    """Each of the three, below each other."""
    parts = zip(("x", "w", "b"), gradients, strict=True)
    lines = [
        f"\\frac{{\\partial L}}{{\\partial {name}}} = {array_latex(_on_host(array))}"
        for name, array in parts
    ]
    return _lines(lines)


def sparse_latex(rows: SparseRows[Any, Any]) -> str | None:
    """The whole matrix, its middle left out where it is large."""
    if rows.shape[0] * rows.shape[1] > LARGEST:
        return None
    data, indices, indptr = (_on_host(array) for array in rows[:3])
    dense = np.zeros(rows.shape, data.dtype)
    for row in range(rows.shape[0]):
        places = slice(int(indptr[row]), int(indptr[row + 1]))
        dense[row, indices[places]] = data[places]
    return _lines([array_latex(dense)])


def separated_latex(separated: Separated) -> str:
    """Columns times rows, added up."""
    products = [
        array_latex(separated.columns[:, n, None]) + array_latex(separated.rows[n, None])
        for n in range(separated.rank)
    ]
    return _lines([" + ".join(products)])


def _lines(formulas: Sequence[str]) -> str:
    if len(formulas) == 1:
        return f"$$ {formulas[0]} $$"
    return "$$ \\begin{gathered}" + " \\\\[1ex] ".join(formulas) + "\\end{gathered} $$"


def _on_host(array: Any) -> Any:
    """A NumPy array, of one on a GPU too."""
    return array.get() if hasattr(array, "get") else np.asarray(array)
