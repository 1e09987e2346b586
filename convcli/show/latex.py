"""Numbers, letters and arrays as LaTeX, for notebooks and for slides."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from convcli.ops.polynomial import Polynomial
from convcli.show.tensor_text import abbreviated, cell_text

__all__ = ["Latex", "array_latex", "cell_latex", "latex", "polynomial_latex"]

Array = np.ndarray[Any, Any]

SIDE = 12
"""Most rows and columns of a matrix; of more the middle is left out."""

SLICES = 6
"""Most matrices of an array of more than two axes."""

GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega".split()
)


class Latex(str):
    """LaTeX that a notebook sets; it is a text, to be pasted between dollar signs."""

    __slots__ = ()

    def _repr_latex_(self) -> str:
        return f"$$ {self} $$"


def latex(array: ArrayLike | Polynomial) -> Latex:
    """An array or a polynomial as mathematics is written: a notebook sets what a cell ends with.

    Parameters
    ----------
    array
        Numbers or symbols of any number of axes; a single axis is a row. Sides longer than 12 are
        abbreviated.

    >>> from convcli.ops.polynomial import symbols
    >>> print(latex(symbols("w1 0; -2x[0] 1")))
    \\begin{bmatrix}w_{1} & 0 \\\\ -2x[0] & 1\\end{bmatrix}
    """
    if isinstance(array, Polynomial):
        return Latex(polynomial_latex(array))
    return Latex(array_latex(array))


def array_latex(array: Any) -> str:
    """An array in brackets, without dollar signs; of more than two axes slice by slice.

    Parameters
    ----------
    array
        Numbers or symbols. A single axis is a row; what is longer than 12 is abbreviated.

    >>> print(array_latex(np.array([[1, -2], [0, 0.5]])))
    \\begin{bmatrix}1 & -2 \\\\ 0 & 0.5\\end{bmatrix}
    """
    array = np.asarray(array)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 0:
        return cell_latex(array[()])
    if array.ndim <= 2:
        return _matrix(array.reshape((1,) * (2 - array.ndim) + array.shape))
    places = list(itertools.product(*map(range, array.shape[:-2])))
    parts = [
        "\\quad \\cdots"
        if index is None
        else _matrix(array[places[index]]) + f"_{{{','.join(map(str, places[index]))}}}"
        for index in abbreviated(len(places), SLICES)
    ]
    return "\\quad ".join(parts)


def _matrix(matrix: Array) -> str:
    rows, columns = (abbreviated(size, SIDE) for size in matrix.shape)

    def cell(row: int | None, column: int | None) -> str:
        if row is None or column is None:
            return "\\vdots" if column is not None else "\\ddots" if row is None else "\\cdots"
        return cell_latex(matrix[row, column])

    lines = [" & ".join(cell(row, column) for column in columns) for row in rows]
    return "\\begin{bmatrix}" + " \\\\ ".join(lines) + "\\end{bmatrix}"


def cell_latex(value: Any) -> str:
    """One entry of an array.

    >>> cell_latex(Polynomial.of("x1") * Polynomial.of("w_11")), cell_latex(np.float64(1.5e-7))
    ('w_{11}x_{1}', '1.5\\\\cdot 10^{-7}')
    """
    if isinstance(value, Polynomial):
        return polynomial_latex(value)
    if isinstance(value, Fraction):
        return _quotient(str(abs(value.numerator)), value.denominator, value < 0)
    return _power_of_ten(cell_text(value))


def polynomial_latex(polynomial: Polynomial) -> str:
    """A sum of products, equal names as powers, and one line under what shares a denominator.

    >>> a, b = Polynomial.of("a"), Polynomial.of("x[0]")
    >>> polynomial_latex(a * a - 2 * b + 1)
    'a^{2}-2x[0]+1'
    """
    terms = polynomial.ordered
    if not terms:
        return "0"
    below = {_parts(number)[1] for _, number in terms}
    if len(terms) > 1 and len(below) == 1 and below != {1}:
        shared = below.pop()
        whole = Polynomial({names: number * shared for names, number in terms})
        return _quotient(polynomial_latex(whole), shared, False)
    text = ""
    for names, number in terms:
        sign = "-" if number < 0 else "+" if text else ""
        text += sign + _term(names, abs(number))
    return text


def _term(names: Sequence[str], number: Any) -> str:
    above, below = _parts(number)
    powers = [(name, len(list(group))) for name, group in itertools.groupby(names)]
    letters = "".join(_name(name) + (f"^{{{n}}}" if n > 1 else "") for name, n in powers)
    first = "" if above == 1 and letters else _power_of_ten(cell_text(above))
    return first + letters if below == 1 else _quotient(first + letters, below, False)


def _parts(number: Any) -> tuple[Any, int]:
    """Numerator and denominator; a floating-point number is its own numerator."""
    if isinstance(number, Fraction):
        return number.numerator, number.denominator
    return number, 1


def _quotient(above: str, below: int, negative: bool) -> str:
    return "-" * negative + f"\\frac{{{above}}}{{{below}}}"


def _power_of_ten(text: str) -> str:
    found = re.fullmatch(r"(-?[\d.]+)e([+-]\d+)", text)
    return text if found is None else f"{found[1]}\\cdot 10^{{{int(found[2])}}}"


def _name(name: str) -> str:
    """A name as mathematics sets it: ``x1`` and ``w_11`` with an index, Greek letters as such."""
    found = re.fullmatch(r"([^\W\d_]+)_?(\w*)(.*)", name)
    if found is None:
        return "\\mathrm{" + name.replace("_", "\\_") + "}"
    letter, index, rest = found.groups()
    if letter in GREEK:
        letter = f"\\{letter}" + ("" if index or rest else "{}")
    elif len(letter) > 1:
        letter = f"\\mathrm{{{letter}}}"
    index = index.replace("_", "\\_")
    return letter + (f"_{{{index}}}" if index else "") + rest
