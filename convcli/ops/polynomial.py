"""Sums of products of names, enough algebra to print ``ay+bz``.

Arrays of these entries go through the same convolution as numbers do (NumPy multiplies object
arrays with the entries' own ``+`` and ``*``), so the symbolic result is the real one.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import numpy as np

from convcli.errors import TensorError

__all__ = ["Polynomial", "symbols"]

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


_ENTRY = re.compile(r"(?P<sign>[+-]?)(?P<number>[0-9.]*)\*?(?P<name>[^\W\d]\w*)")


def _entry(token: str) -> Polynomial | Number:
    try:
        number = float(token)
    except ValueError:
        match = _ENTRY.fullmatch(token)
        if match and match["number"].count(".") < 2 and match["number"] != ".":
            factor = _entry(match["sign"] + (match["number"] or "1"))
            return Polynomial.of(match["name"]) * factor
        raise TensorError(
            f"{token!r} is neither a number nor a symbol; a symbol is a name like a, x1 or 2b"
        ) from None
    if not -1e308 < number < 1e308:
        raise TensorError(f"{token!r} is not a finite number") from None
    return int(number) if number == int(number) else number


def symbols(text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    """An object array of names and numbers, rows separated by ``;``.

    Parameters
    ----------
    text
        ``"a b c"`` is one-dimensional, ``"a b; c d"`` two-dimensional. An entry is a name, a
        number, or both as in ``-2a``.

    Raises
    ------
    TensorError
        If an entry is neither, or the rows differ in length.

    >>> x = symbols("a b; 0 -d")
    >>> print(x[1, 1], x.shape)
    -d (2, 2)
    """
    rows = [row.replace(",", " ").split() for row in text.strip().strip(";").split(";")]
    if len({len(row) for row in rows}) != 1 or not rows[0]:
        raise TensorError(
            f"{text!r}: rows have {', '.join(str(len(row)) for row in rows)} entries; "
            "they must have the same number, at least one"
        )
    array = np.empty((len(rows), len(rows[0])), dtype=object)
    array[...] = [[_entry(token) for token in row] for row in rows]
    return array if len(rows) > 1 else array[0]
