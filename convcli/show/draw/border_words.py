"""Which cells of the input a border shows, in words."""

from __future__ import annotations

from collections.abc import Sequence

from convcli.show.draw.axes import AxisView
from convcli.show.draw.operation import Operation
from convcli.show.draw.scene import Place

__all__ = ["border_lines"]

MOST = 4
"""Cells that are named one by one; of more the first and the last."""


def border_lines(
    operation: Operation, rows: AxisView, columns: AxisView, output: Place
) -> tuple[str, ...]:
    """A line that names the cells outside that an output reads, and the cells that they show.

    No line where it reads none, or where a constant stands there.

    >>> from convcli.arithmetic.borders import Border
    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.axes import axis_view
    >>> from convcli.show.draw.operation import plan_operation
    >>> layer = Layer("conv", (3,), padding=(2,))
    >>> operation = plan_operation(layer, (4, 5), border=Border("reflect"))
    >>> axes = (axis_view(window, operation.border) for window in operation.windows)
    >>> border_lines(operation, *axes, (0, 1))
    ('border: rows -2, -1 are rows 2, 1; column -1 is column 1',)
    """
    if operation.border.is_constant:
        return ()
    flat = len(operation.windows) == 1
    axes = (columns,) if flat else (rows, columns)
    places = output[-len(axes) :]
    words = [
        _axis_words("" if flat else name, axis, place)
        for name, axis, place in zip(("row", "column")[-len(axes) :], axes, places, strict=True)
    ]
    found = "; ".join(filter(None, words))
    return (f"border: {found}",) if found else ()


def _axis_words(name: str, axis: AxisView, output: int) -> str:
    pairs = [
        (cell - axis.origin, source)
        for cell in axis.taps[output]
        if axis.marks[cell] == "border" and (source := axis.sources[cell]) is not None
    ]
    if not pairs:
        return ""
    outside, shown = zip(*pairs, strict=True)
    verb = "are" if len(pairs) > 1 else "is"
    return f"{_listed(name, outside)} {verb} {_listed(name, shown)}"


def _listed(name: str, cells: Sequence[int]) -> str:
    """Cells one by one, or the first and the last of many; one that is there again only once.

    >>> _listed("", [1, 2]), _listed("row", [0, 0]), _listed("row", [4, 3, 2, 1, 0])
    ('x[1], x[2]', 'row 0', 'rows 4 ... 0')
    """
    cells = cells[:1] if len({*cells}) == 1 else cells
    words = [str(cell) if name else f"x[{cell}]" for cell in cells]
    listed = ", ".join(words) if len(words) <= MOST else f"{words[0]} ... {words[-1]}"
    return f"{name}{'s' * (len(words) > 1)} {listed}" if name else listed
