"""Numbers and sums as a drawing writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from convcli.show.tensor_text import bracketed, cell_text

__all__ = ["LONGEST", "factor", "number", "products", "shortened", "span", "wrapped"]

LONGEST = 66
"""Characters of a line of the formula; longer rows keep their first terms and their last."""

MOST_LINES = 6


def number(value: Any) -> str:
    """A number as short as a cell needs it.

    >>> number(np.float64(1) / 3), number(np.int64(-2)), number(2.0), number(12499.6)
    ('0.333', '-2', '2', '12500')
    >>> number(1e-7), number(2.5e9)
    ('1e-7', '2.5e9')
    """
    if isinstance(value, float | np.floating):
        plain = float(value)
        text = f"{plain:.0f}" if 1000 <= abs(plain) < 1e6 else f"{plain:.3g}"
        text = re.sub(r"e\+?(-?)0*", r"e\1", text)
        return "0" if text == "-0" else text
    return cell_text(value)


def factor(value: Any) -> str:
    """A number as one factor of a product, in brackets where it needs them.

    >>> from convcli.ops.polynomial import Polynomial
    >>> factor(-1), factor(2), factor(Polynomial.of("a") - 1)
    ('(-1)', '2', '(a-1)')
    """
    return bracketed(number(value), value)


def products(rows: Sequence[Sequence[tuple[Any, Any]]], total: Any) -> tuple[str, ...]:
    """The sum of products, a line for each row of the kernel.

    >>> products([[(3, 0), (3, 1)], [(0, 2), (0, -2)]], 3)
    ('3·0 + 3·1 + 0·2 + 0·(-2) = 3',)
    >>> products([[(30, 10)] * 4, [(20, 10)] * 4], 2000)
    ('30·10 + 30·10 + 30·10 + 30·10', '+ 20·10 + 20·10 + 20·10 + 20·10 = 2000')
    """
    lines = [" + ".join(f"{factor(a)}·{factor(b)}" for a, b in row) for row in rows if row]
    return wrapped(lines, total)


def wrapped(lines: Sequence[str], total: Any) -> tuple[str, ...]:
    """Join the rows of a sum with a plus sign and end it with its value."""
    rows = [shortened(line) for line in lines] or ["0"]
    if len(rows) > MOST_LINES:
        rows = [*rows[:2], "...", *rows[-2:]]
    if sum(map(len, rows)) + 3 * len(rows) < LONGEST - 12:
        rows = [" + ".join(rows)]
    rows = [row if not index else f"+ {row}" for index, row in enumerate(rows)]
    rows[-1] += f" = {number(total)}"
    return tuple(rows)


def shortened(line: str) -> str:
    """A sum that is not too long: its first terms and its last."""
    if len(line) <= LONGEST:
        return line
    terms = line.split(" + ")
    while len(terms) > 3 and len(" + ".join(terms)) > LONGEST - 6:
        terms.pop(-2)
    return " + ".join([*terms[:-1], "...", terms[-1]])


def span(cells: Sequence[int]) -> str:
    """Cells at equal distances: the first, the last, and the step where it is not 1.

    >>> span([0, 2, 4]), span([-1, 0]), span([7]), span([])
    ('0..4 by 2', '-1..0', '7', 'nothing')
    """
    if len(cells) < 2:
        return str(cells[0]) if cells else "nothing"
    step = cells[1] - cells[0]
    return f"{cells[0]}..{cells[-1]}" + (f" by {step}" if step != 1 else "")
