"""The borders: what a filter reads outside the picture. A border is one entry of ``BORDERS``.

NumPy's names are the canonical ones; those of OpenCV, SciPy and others are accepted and always
printed as resolved, because the same word means different things in different tools (SciPy's
``reflect`` is NumPy's ``symmetric``; OpenCV's ``REFLECT_101`` is NumPy's ``reflect``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from math import nan
from typing import TYPE_CHECKING

from convcli.arithmetic.numerals import parse_number, parse_share
from convcli.errors import UsageError, did_you_mean
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction

__all__ = [
    "ALIASES",
    "BORDERS",
    "FILLING",
    "FILLING_ALIASES",
    "ZEROS",
    "Border",
    "BorderMode",
    "parse_border",
    "parse_filling",
]


class BorderMode(NamedTuple):
    """What is read outside, and what other tools call it.

    ``cell(position, size)`` is the input cell, counted from 0, that stands at a position below 0
    or from ``size`` on; None where a constant stands there.
    """

    cell: Callable[[int, int], int] | None
    also: tuple[str, ...]
    drawn: str = "v"
    """What is drawn for a cell that is none of the input's."""

    @property
    def drawing(self) -> str:
        """The border drawn round four cells.

        >>> BORDERS["reflect"].drawing
        'd c b | a b c d | c b a'
        """
        before, after = (
            " ".join(self.drawn if self.cell is None else "abcd"[self.cell(at, 4)] for at in places)
            for places in (range(-3, 0), range(4, 7))
        )
        return f"{before} | a b c d | {after}"


def _reflect(position: int, size: int) -> int:
    period = max(2 * (size - 1), 1)
    return min(position % period, -position % period)


def _symmetric(position: int, size: int) -> int:
    return min(position % (2 * size), (-position - 1) % (2 * size))


BORDERS: dict[str, BorderMode] = {
    "constant": BorderMode(None, ("zero", "zeros", "black", "grid-constant")),
    "edge": BorderMode(
        lambda position, size: 0 if position < 0 else size - 1,
        ("replicate", "nearest", "clamp", "copy", "extend", "duplicate"),
    ),
    "reflect": BorderMode(_reflect, ("mirror", "reflect-101", "reflect101")),
    "symmetric": BorderMode(_symmetric, ("grid-mirror",)),
    "missing": BorderMode(None, ("nan", "omit"), "-"),
    "wrap": BorderMode(
        lambda position, size: position % size,
        ("circular", "periodic", "grid-wrap", "tile", "repeat"),
    ),
}

ALIASES = {alias: name for name, mode in BORDERS.items() for alias in mode.also} | {
    "white": "constant:255"
}

FILLING = tuple(name for name in BORDERS if name != "missing")
"""The borders that leave no cell of a padding empty, which a tensor may have."""

FILLING_ALIASES = tuple(alias for alias, name in ALIASES.items() if name != "missing")


class Border(NamedTuple):
    """A border by its canonical name; ``value`` is what ``constant`` fills with."""

    mode: str = "reflect"
    value: float = 0.0
    fraction: Fraction | None = None
    """What was typed where ``value`` is only near it, as 1/3."""

    @property
    def is_constant(self) -> bool:
        """Whether ``value`` stands outside, rather than cells of the input."""
        return BORDERS[self.mode].cell is None

    @property
    def is_missing(self) -> bool:
        """Whether what lies outside is left out."""
        return self.mode == "missing"

    @property
    def outside(self) -> float:
        """What stands outside where no cells of the input do; NaN where they are missing."""
        return nan if self.is_missing else self.value

    @property
    def is_zeros(self) -> bool:
        """Whether zeros stand outside, which a sum of products need not read."""
        return self == ZEROS

    @property
    def is_affine(self) -> bool:
        """Whether a sum over the border is affine in the input, and not linear.

        Twice the input is then not twice the sum, so there is neither matrix nor adjoint.
        """
        return self.mode == "constant" and self.value != 0

    def sources(self, size: int, before: int, after: int) -> tuple[int | None, ...]:
        """For each cell of a padded axis the input cell that it holds; None for a constant.

        Mirrors and cycles go on for ever, so a padding may be larger than the input (where
        PyTorch refuses ``reflect`` and ``circular``, and NumPy's ``reflect`` does the same).

        >>> Border("reflect").sources(3, 2, 1), Border("constant").sources(2, 1, 1)
        ((2, 1, 0, 1, 2, 1), (None, 0, 1, None))
        """
        cell = BORDERS[self.mode].cell
        return tuple(
            at if 0 <= at < size else None if cell is None else cell(at, size)
            for at in range(-before, size + after)
        )

    def __str__(self) -> str:
        shown = f"{self.value:g}" if self.fraction is None else str(self.fraction)
        return f"{self.mode}:{shown}" if self.mode == "constant" else self.mode


ZEROS = Border("constant")


def parse_filling(text: str | Border) -> Border:
    """Read the border of a tensor: what the cells of its padding hold.

    The names are those of :func:`parse_border`, PyTorch's ``zeros``, ``reflect``, ``replicate``
    and ``circular`` among them. ``constant:V`` is the number V itself, not a share of white.

    >>> parse_filling("circular").mode, parse_filling("constant:-1/2").value
    ('wrap', -0.5)
    >>> str(parse_filling("constant:1/3"))
    'constant:1/3'
    """
    if isinstance(text, Border) and not text.is_missing:
        return text
    if not isinstance(text, str):
        raise UsageError(f"border is {text!r}; it must be a name: {', '.join(FILLING)}")
    name, colon, value = text.partition(":")
    if colon and parse_border(name, among=FILLING) == ZEROS:
        return _filled(text, value)
    border = parse_border(text, among=FILLING)
    if border.is_missing:
        raise UsageError(
            f"border {text!r}: no cell of a padded tensor is empty; allowed: {', '.join(FILLING)}"
        )
    return border


def _filled(text: str, value: str) -> Border:
    """The border ``constant:V``, whose V is exact if it is whole or a fraction."""
    from fractions import Fraction

    try:
        number = parse_number(value.strip())
    except ValueError as error:
        raise UsageError(f"border {text!r}: {error}; V is one, as in constant:-1/2") from None
    if re.fullmatch(r"[+-]?\d+", value.strip()) and int(value) != number:
        raise UsageError(f"border {text!r}: a whole V has at most 15 digits")
    above, slash, below = value.replace("\N{MINUS SIGN}", "-").partition("/")
    exact = Fraction(above.strip()) / Fraction(below.strip()) if slash else Fraction(number)
    return Border("constant", number, None if exact == number else exact)


def parse_border(
    text: str,
    colour: Callable[[str], float | None] | None = None,
    among: Collection[str] = BORDERS,
) -> Border:
    """Read ``reflect``, ``constant:128``, ``constant:50%``, or another tool's name for one.

    ``colour`` knows the levels of gray colours by name; None for other colours and no colour.
    A message about a name that is not known offers those of ``among``.

    >>> parse_border("REFLECT_101").mode
    'reflect'
    >>> str(parse_border("constant:7"))
    'constant:7'
    """
    name, colon, value = text.strip().partition(":")
    key = name.lower().replace("_", "-").removeprefix("cv2.").removeprefix("border-")
    mode, known, level = ALIASES.get(key, key).partition(":")
    if mode not in BORDERS:
        also = [alias for alias, name in ALIASES.items() if name.partition(":")[0] in among]
        hint = did_you_mean(key, [*among, *also])
        if re.fullmatch(r"\d+\.?\d*%?|\.\d+%?", key):
            hint = f"; did you mean 'constant:{key}'?"
        raise UsageError(f"border {text!r} is not known{hint}; allowed: {', '.join(among)}")
    if not colon:
        return Border(mode, float(level or 0))
    if mode != "constant" or known:
        raise UsageError(f"border {text!r}: only constant takes a value, as in constant:128")
    return Border(mode, _level(text, value, colour))


def _level(text: str, value: str, colour: Callable[[str], float | None] | None) -> float:
    try:
        number: float | None = parse_share(value, 255)
    except ValueError:
        number = colour(value) if colour is not None else None
    if number is None or not -1e30 < number < 1e30:
        raise UsageError(
            f"border {text!r}: {value!r} is no level; allowed: 0 (black) to 255 (white), a "
            "percentage, or a gray colour such as white, silver or #808080"
        )
    return number
