"""How values show themselves in a notebook: which function of ``convcli.show`` draws which class.

A notebook asks the value that a cell ends with for ``_repr_svg_``, ``_repr_html_`` or
``_repr_latex_``. Most classes that have something to show stand in folders that know nothing of
drawings, so their methods ask here, and the function is imported by its name when it is wanted,
as ``convcli/__init__.py`` imports what it offers.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["DISPLAYS", "displayed"]

DISPLAYS: dict[str, str] = {
    "Chain": "chain_html",
    "Gradients": "gradients_latex",
    "Kernel": "kernel_svg",
    "Network": "network_html",
    "NetworkReport": "report_html",
    "Polynomial": "polynomial_latex",
    "Separated": "separated_latex",
    "SparseRows": "sparse_latex",
}
"""Class -> function of ``convcli.show.notebook`` that takes a value of it and gives the text."""


def displayed(value: Any) -> str | None:
    """SVG, HTML or LaTeX of a value, whichever its class has; None where there is nothing to show.

    >>> from convcli.ops.polynomial import Polynomial
    >>> displayed(Polynomial.of("x1") * 2)
    '$2x_{1}$'
    """
    name = next(kind.__name__ for kind in type(value).__mro__ if kind.__name__ in DISPLAYS)
    show = getattr(import_module("convcli.show.notebook"), DISPLAYS[name])
    text: str | None = show(value)
    return text
