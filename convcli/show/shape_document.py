"""A report as plain parts, which every format renders in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from convcli.records import NamedTuple

__all__ = [
    "Code",
    "Column",
    "Document",
    "Formula",
    "Notes",
    "Pairs",
    "Part",
    "Table",
    "amount",
    "memory",
    "number",
    "size",
]


class Column(NamedTuple):
    """A column's heading and which side its cells hang on."""

    heading: str
    align: Literal["left", "right"] = "right"


class Table(NamedTuple):
    """Rows of text; the last ``footer`` rows are sums, ``marked`` cells differ from the rest."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    footer: int = 0
    marked: frozenset[tuple[int, int]] = frozenset()


class Formula(NamedTuple):
    """The same sum as lines of text, and as LaTeX."""

    lines: Sequence[str]
    latex: str
    title: str = ""


class Pairs(NamedTuple):
    """Labels and what they say."""

    rows: Sequence[tuple[str, str]]


class Notes(NamedTuple):
    """Sentences worth reading; ``warning`` ones ask for attention."""

    lines: Sequence[str]
    title: str = ""
    warning: bool = False


class Code(NamedTuple):
    """Code to paste, each line with the name of what it is for."""

    rows: Sequence[tuple[str, str]]


Part: TypeAlias = Table | Formula | Pairs | Notes | Code


class Document(NamedTuple):
    """A title, parts in order, and the same facts as data: for JSON, and as records for CSV."""

    title: str
    parts: Sequence[Part]
    data: dict[str, Any]
    records: Sequence[dict[str, Any]] = ()


def number(value: int) -> str:
    """A number with its thousands set apart.

    >>> number(25557032)
    '25,557,032'
    """
    return f"{value:,}"


def amount(value: float) -> str:
    """A number in three figures.

    >>> amount(999), amount(25557032), amount(999999), amount(4089184256)
    ('999', '25.6 M', '1.00 M', '4.09 G')
    """
    if value < 1000:
        return f"{value:g}"
    units = iter("kMGTPEZY")
    unit = next(units)
    value /= 1000
    while value >= 999.5:
        value /= 1000
        unit = next(units, "?")
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{decimals}f} {unit}"


def memory(cells: int) -> str:
    """Bytes of float32 cells, in powers of 1000.

    >>> memory(64 * 112 * 112), memory(10)
    ('3.21 MB', '40 B')
    """
    text = amount(4 * cells)
    return f"{text}B" if " " in text else f"{text} B"


def size(value: float) -> str:
    """A whole number as one, a fraction with three decimals or, if tiny, three figures.

    >>> size(32.0), size(0.5), size(1 / 3), size(1e-5)
    ('32', '0.5', '0.333', '1e-05')
    """
    if 0 < abs(value) < 0.001:
        return f"{value:.3g}"
    return f"{value:.3f}".rstrip("0").rstrip(".")
