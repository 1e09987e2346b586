"""Sums of products of names, enough algebra to print ``ay+bz``.

Arrays of these entries go through the same convolution as numbers do (NumPy multiplies object
arrays with the entries' own ``+`` and ``*``), so the symbolic result is the real one.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import numpy as np

from convcli.arithmetic.numerals import parse_number
from convcli.errors import TensorError
from convcli.kernels.text_table import split_table

__all__ = ["Polynomial", "entry_array", "parse_entry", "symbols"]

Monomial: TypeAlias = tuple[str, ...]
Number: TypeAlias = int | float


def _natural(name: str) -> tuple[Any, ...]:
    """Sort key in which x2 comes before x10."""
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name))


def _order(monomial: Monomial) -> tuple[Any, ...]:
    return (not monomial, tuple(_natural(name) for name in monomial))


class Polynomial:
    """A sum of products of names with numbers before them, in sorted order.

    >>> a, b, y, z = (Polynomial.of(name) for name in "abyz")
    >>> str(b * z + a * y), str(a - 2 * b), str(a * 0)
    ('ay+bz', 'a-2b', '0')
    """

    __slots__ = ("terms",)

    def __init__(self, terms: dict[Monomial, Number]) -> None:
        self.terms = {names: number for names, number in terms.items() if number != 0}

    @classmethod
    def of(cls, value: str | Number | Polynomial) -> Polynomial:
        """A name, a number or a polynomial as a polynomial."""
        if isinstance(value, Polynomial):
            return value
        return cls({(value,): 1} if isinstance(value, str) else {(): value})

    def __add__(self, other: Number | Polynomial) -> Polynomial:
        terms = dict(self.terms)
        for names, number in Polynomial.of(other).terms.items():
            terms[names] = terms.get(names, 0) + number
        return Polynomial(terms)

    def __mul__(self, other: Number | Polynomial) -> Polynomial:
        terms: dict[Monomial, Number] = {}
        for left, a in self.terms.items():
            for right, b in Polynomial.of(other).terms.items():
                names = tuple(sorted(left + right, key=_natural))
                terms[names] = terms.get(names, 0) + a * b
        return Polynomial(terms)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Polynomial:
        return self * -1

    def __sub__(self, other: Number | Polynomial) -> Polynomial:
        return self + -Polynomial.of(other)

    def __rsub__(self, other: Number) -> Polynomial:
        return -self + other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (int, float, Polynomial)):
            return NotImplemented
        return self.terms == Polynomial.of(other).terms

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def __str__(self) -> str:
        text = ""
        for names in sorted(self.terms, key=_order):
            number = self.terms[names]
            sign = "-" if number < 0 else "+" if text else ""
            size = f"{abs(number):g}" if abs(number) != 1 or not names else ""
            # Names of several letters need something between them: w1·x1.
            text += sign + size + ("·" if any(len(n) > 1 for n in names) else "").join(names)
        return text or "0"

    def __repr__(self) -> str:
        return f"Polynomial({str(self)!r})"


_ENTRY = re.compile(
    r"(?P<sign>[+-]?)(?P<number>[0-9./]*)\*?(?P<name>(?:(?<![0-9.])_|[^\W\d_])\w*(?:\[[^\[\]]+\])*['\N{PRIME}]*)"
)
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)


def parse_entry(token: str) -> Polynomial | Number:
    """A number as kernels have them (``1/2``), a name (``x1``, ``x[0]``, ``a'``), or both.

    >>> parse_entry("-3"), parse_entry("1/2"), parse_entry("-2x[0]")
    (-3, 0.5, Polynomial('-2x[0]'))

    Raises
    ------
    TensorError
        If it is neither, or not finite, or a whole number of more than 64 bits.
    """
    token = token.replace("\N{MINUS SIGN}", "-")
    if _WHOLE.fullmatch(token):
        if not -(2**63) <= int(token) < 2**63:
            raise TensorError(f"{token} does not fit into 64 bits")
        return int(token)
    try:
        return parse_number(token)
    except ValueError as error:
        wrong = re.sub(r" is not a number$", "", str(error))
        if wrong == str(error):  # such as nan: it must not become a name
            raise TensorError(wrong) from None
        match = _ENTRY.fullmatch(token)
        if match is None:
            raise TensorError(
                f"{wrong} is neither a number nor a symbol; a symbol is a name like a, x1, x[0] "
                "or 2b"
            ) from None
        factor = parse_entry(match["sign"] + (match["number"] or "1"))
        return Polynomial.of(re.sub(r"\s", "", match["name"])) * factor


def symbols(text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    """An object array of names and numbers, rows separated by ``;``.

    Parameters
    ----------
    text
        ``"a b c"`` is one-dimensional, ``"a b; c d"`` two-dimensional. An entry is a name, a
        number, or both as in ``-2a``; a name may have an index or primes, ``x[0]``, ``a'``.

    Raises
    ------
    TensorError
        If an entry is neither, or the rows differ in length.

    >>> x = symbols("a b; 0 -d")
    >>> print(x[1, 1], x.shape)
    -d (2, 2)
    """
    rows = [row.cells for row in split_table(text, "symbols", numbered=False, error=TensorError)]
    if len({len(row) for row in rows}) != 1:
        raise TensorError(
            f"{text!r}: rows have {', '.join(str(len(row)) for row in rows) or 'no'} entries; "
            "they must have the same number, at least one"
        )
    return entry_array([[parse_entry(token) for token in row] for row in rows])


def entry_array(
    rows: list[list[Polynomial | Number]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    """Entries as an object array; a single row is one axis."""
    array = np.empty((len(rows), len(rows[0])), dtype=object)
    array[...] = rows
    return array if len(rows) > 1 else array[0]
