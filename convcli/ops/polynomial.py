"""Sums of products of names, enough algebra to print ``ay+bz``.

Arrays of these entries go through the same convolution as numbers do (NumPy multiplies object
arrays with the entries' own ``+`` and ``*``), so the symbolic result is the real one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from convcli.arithmetic.numerals import parse_number
from convcli.displays import displayed
from convcli.errors import TensorError
from convcli.kernels.text_table import split_table

__all__ = [
    "NAME",
    "Number",
    "Polynomial",
    "entry_array",
    "exact_number",
    "indexed_symbols",
    "names_in",
    "parse_entry",
    "symbols",
]

Monomial: TypeAlias = tuple[str, ...]
Number: TypeAlias = int | float | Fraction

_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def _natural(name: str) -> tuple[Any, ...]:
    """Sort key in which x2 comes before x10, and x₂ before x₁₀; no two names share one."""
    parts = re.split(r"(\d+)", name.translate(_LOWERED))
    return tuple(int(part) if part.isdecimal() else part for part in parts), name


def _order(monomial: Monomial) -> tuple[Any, ...]:
    return (not monomial, tuple(_natural(name) for name in monomial))


class Polynomial:
    """A sum of products of names with numbers before them, in sorted order.

    >>> a, b, y, z = (Polynomial.of(name) for name in "abyz")
    >>> str(b * z + a * y), str(a - 2 * b), str(a * 0)
    ('ay+bz', 'a-2b', '0')

    Fractions stay exact. Terms with the same number below the line share it, as a mean is
    written; where the numbers differ each term has its own.

    >>> str((a + b) / 2), str(a / 2 - 2 * b / 3), str(a * y * Fraction(-1, 4))
    ('(a+b)/2', 'a/2-2b/3', '-ay/4')
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

    def __truediv__(self, other: Number) -> Polynomial:
        return self * (1 / other if isinstance(other, float) else 1 / Fraction(other))

    def names(self) -> set[str]:
        """The names in it.

        >>> sorted((Polynomial.of("a") * Polynomial.of("x") + 1).names())
        ['a', 'x']
        """
        return {name for names in self.terms for name in names}

    def derivatives(self) -> dict[str, Polynomial]:
        """The derivative for each of its names: the power rule, term by term.

        >>> a, x = Polynomial.of("a"), Polynomial.of("x")
        >>> {name: str(slope) for name, slope in (a * x * x + 3 * a).derivatives().items()}
        {'a': 'xx+3', 'x': '2ax'}
        """
        slopes: dict[str, dict[Monomial, Number]] = {}
        for names, number in self.terms.items():
            for name in dict.fromkeys(names):
                at = names.index(name)
                rest = names[:at] + names[at + 1 :]
                slope = slopes.setdefault(name, {})
                slope[rest] = slope.get(rest, 0) + number * names.count(name)
        return {name: Polynomial(terms) for name, terms in sorted(slopes.items())}

    def replaced(self, values: Mapping[str, Polynomial | Number]) -> Polynomial:
        """With values in place of names; names without one stay.

        >>> str((Polynomial.of("a") * Polynomial.of("x")).replaced({"a": Fraction(1, 2)}))
        'x/2'
        """
        total = Polynomial({})
        for names, number in self.terms.items():
            product = Polynomial.of(number)
            for name in names:
                product = product * values.get(name, Polynomial.of(name))
            total = total + product
        return total

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (int, float, Fraction, Polynomial)):
            return NotImplemented
        return self.terms == Polynomial.of(other).terms

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def __str__(self) -> str:
        below = {n.denominator if isinstance(n, Fraction) else 1 for n in self.terms.values()}
        if len(self.terms) > 1 and len(below) == 1 and below != {1}:
            shared = below.pop()
            return f"({self * shared})/{shared}"
        text = last = ""
        for names in sorted(self.terms, key=_order):
            number = self.terms[names]
            sign = "-" if number < 0 else "+" if text else ""
            term = _term(names, -number if number < 0 else number)
            if term[0].isdecimal() and re.fullmatch(r"[0-9.]+[eE]", last):
                text = f"{text[:-1]}·{text[-1]}"  # 2·e-3, since 2e-3 is a number
            text, last = text + sign + term, term
        return text or "0"

    def __repr__(self) -> str:
        return f"Polynomial({str(self)!r})"

    @property
    def ordered(self) -> list[tuple[Monomial, Number]]:
        """Names and numbers of the terms, in the order in which they are written."""
        return [(names, self.terms[names]) for names in sorted(self.terms, key=_order)]

    def _repr_latex_(self) -> str | None:
        return displayed(self)


def _term(names: Monomial, number: Number) -> str:
    """A product with its number, not negative, before it: ``2ab``, ``w_1·x_1/2``."""
    above, below = number, 1
    if isinstance(number, Fraction):
        above, below = number.numerator, number.denominator
    size = "" if above == 1 and names else f"{above:g}" if isinstance(above, float) else str(above)
    # Names of several characters need something between them, w1·x1, and 2·e1 is not 20.
    product = ("·" if any(len(name) > 1 for name in names) else "").join(names)
    return (
        size
        + ("·" if size and re.match(r"[eE]\d|_", product) else "")
        + product
        + (f"/{below}" if below != 1 else "")
    )


NAME = r"[^\W\d²³¹¼-¾⁰-₉⅐-↉]\w*(?:\[[^\[\]]+\])*['\N{PRIME}\N{DOUBLE PRIME}]*"
"""A letter or underscore, then letters, digits and indices (₁ too), brackets, primes."""
_VULGAR = re.compile(r"(?<![\w./])[¼-¾⅐-⅞](?![\d.])")
"""One sign for a fraction, ½; beside a digit it is refused: 1½ is not 1/2, nor is ½0 1/20."""
_ENTRY = re.compile(
    rf"(?P<sign>[+-]?)(?P<number>[0-9./]*)[*·]?(?!(?<=[0-9.])_)(?P<name>{NAME})(?:/(?P<below>[0-9]+))?"
)
_FRACTION = re.compile(r"[+-]?[0-9.]+/[+-]?[0-9.]+", re.ASCII)
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)


def parse_entry(token: str) -> Polynomial | Number:
    """A number as kernels have them (``1/2``), a name (``x1``, ``x[0]``, ``a'``), or both.

    What is written as a fraction is one, exactly.

    >>> parse_entry("-3"), parse_entry("1/2"), parse_entry("-2x[0]"), parse_entry("-a/2")
    (-3, Fraction(1, 2), Polynomial('-2x[0]'), Polynomial('-a/2'))

    Raises
    ------
    TensorError
        If it is neither, or not finite, or a whole number of more than 64 bits.
    """
    token = token.replace("\N{MINUS SIGN}", "-")
    token = _VULGAR.sub(
        lambda sign: unicodedata.normalize("NFKC", sign[0]).replace("\N{FRACTION SLASH}", "/"),
        token,
    )
    if _WHOLE.fullmatch(token):
        if not -(2**63) <= int(token) < 2**63:
            raise TensorError(f"{token} does not fit into 64 bits")
        return int(token)
    try:
        number = parse_number(token)
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
        if match["below"]:
            if not int(match["below"]):
                raise TensorError(f"{token!r} divides by zero") from None
            factor = exact_number(factor) / int(match["below"])
        return Polynomial.of(re.sub(r"\s", "", match["name"])) * factor
    if not _FRACTION.fullmatch(token):
        return number
    above, _, below = token.partition("/")
    return Fraction(above) / Fraction(below)


def exact_number(value: Any) -> Fraction:
    """A number as the fraction that its decimals say.

    >>> exact_number(0.1), exact_number(3)
    (Fraction(1, 10), Fraction(3, 1))
    """
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


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


def names_in(array: Any) -> set[str]:
    """Names of the symbols in an array; none in one of numbers.

    >>> sorted(names_in(symbols("2b a; 0 -a")))
    ['a', 'b']
    """
    entries = array.flat if array.dtype.kind == "O" else ()
    return {name for entry in entries for name in Polynomial.of(entry).names()}


def indexed_symbols(stem: str, shape: tuple[int, ...]) -> Any:
    """A symbol for each entry, with its index: ``v[0,1]``.

    >>> [str(entry) for entry in indexed_symbols("v", (2,))]
    ['v[0]', 'v[1]']
    """
    array = np.empty(shape, object)
    for index in np.ndindex(*shape):
        array[index] = Polynomial.of(f"{stem}[{','.join(map(str, index))}]" if index else stem)
    return array


def entry_array(
    rows: list[list[Polynomial | Number]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    """Entries as an object array; a single row is one axis."""
    array = np.empty((len(rows), len(rows[0])), dtype=object)
    array[...] = rows
    return array if len(rows) > 1 else array[0]
