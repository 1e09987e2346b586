"""The chain rule written out: every product that an entry of a gradient adds up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from convcli.ops.gradient_sums import GradientSum, GradientTerm
from convcli.show.console import make_console
from convcli.show.tensor_steps import PADDING_STYLE, at, factor
from convcli.show.tensor_text import cell_text

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["OTHERS", "gradient_lines", "show_loss"]

OTHERS = {"x": "w", "weight": "x", "bias": ""}
"""What ``dL/dy`` is multiplied with, for each gradient."""
LETTERS = {"x": "x", "weight": "w", "bias": "b"}
MOST_TERMS, MOST_ROWS = 8, 8
"""Terms of a row and rows that are written; the middle of longer ones is left out."""


def gradient_lines(
    name: str, step: GradientSum, axes: tuple[int, int, int], value: Any
) -> list[Text]:
    """The lines of one entry: the products by their names, then with their numbers.

    Parameters
    ----------
    name
        ``x``, ``weight`` or ``bias``.
    axes
        Leading axes that ``y``, what it is multiplied with, and the gradient do not have.
    value
        The gradient as it was computed, which rounding may part from the sum of the terms.

    >>> terms = (GradientTerm(1, (0, 0, 0), 7, (0, 0, 1)), GradientTerm(-2, (0, 0, 1), 5, (0, 0, 0)))
    >>> for line in gradient_lines("x", GradientSum((0, 0, 1), (terms,)), (2, 2, 2), -3):
    ...     print(line.plain)
    dL/dx[1] = dL/dy[0]·w[1] + dL/dy[1]·w[0]
             = 1·7 + (-2)·5 = -3
    """
    from rich.text import Text

    of_y, of_other, of_own = axes
    other = OTHERS[name]

    def named(term: GradientTerm) -> Text:
        text = Text(at("dL/dy", term.grad_at[of_y:]))
        if not other:
            return text
        if term.other_at is None:
            return text.append("·").append(f"[{cell_text(term.other)}]", PADDING_STYLE)
        cell = at(other, term.other_at[of_other:])
        return text.append("·").append(
            f"[{cell}]" if term.is_padding else cell, PADDING_STYLE if term.is_padding else ""
        )

    def valued(term: GradientTerm) -> Text:
        text = Text(factor(term.grad))
        if not other:
            return text
        if term.is_padding:
            return text.append("·").append(f"[{cell_text(term.other)}]", PADDING_STYLE)
        return text.append(f"·{factor(term.other)}")

    lead = at(f"dL/d{LETTERS[name]}", step.index[of_own:])
    if not step.rows:
        return [Text(f"{lead} = 0   nothing reaches it")]
    rows = _abridged(step.rows)
    lines: list[Text] = []
    for write in (named, valued):
        sign = "= "
        for row in rows:
            line = Text(lead if not lines else " " * len(lead)).append(f" {sign}")
            line.append_text(_row(row, write) if row is not None else Text("…"))
            lines.append(line)
            sign = "+ "
    if not lines[-1].plain.endswith(f"  = {cell_text(value)}"):
        lines[-1].append(f" = {cell_text(value)}")
    return lines


def show_loss(*, aside: bool) -> None:
    """Say what the loss is where no gradient for the output was given."""
    from rich.text import Text

    console = make_console("stderr" if aside else "stdout")
    console.print(Text("the loss L is the sum of y, so every dL/dy is 1", "dim"), soft_wrap=True)


def _abridged(
    rows: Sequence[tuple[GradientTerm, ...]],
) -> Sequence[tuple[GradientTerm, ...] | None]:
    """Short rows one after the other in one line, and of many rows the first and the last."""
    if sum(map(len, rows)) <= MOST_TERMS // 2:
        return [tuple(term for row in rows for term in row)]
    if len(rows) <= MOST_ROWS:
        return rows
    return [*rows[: MOST_ROWS // 2], None, rows[-1]]


def _row(row: tuple[GradientTerm, ...], write: Callable[[GradientTerm], Text]) -> Text:
    from rich.text import Text

    if len(row) <= MOST_TERMS:
        return Text(" + ").join(write(term) for term in row)
    first = [write(term) for term in row[: MOST_TERMS - 2]]
    return Text(" + ").join([*first, Text("…"), write(row[-1])])
