"""Names of the borders: what a filter reads outside the picture.

NumPy's names are the canonical ones; those of OpenCV, SciPy and others are accepted and always
printed as resolved, because the same word means different things in different tools (SciPy's
``reflect`` is NumPy's ``symmetric``; OpenCV's ``REFLECT_101`` is NumPy's ``reflect``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from convcli.arithmetic.numerals import parse_share
from convcli.errors import UsageError, did_you_mean

__all__ = ["ALIASES", "PICTURES", "Border", "parse_border"]

PICTURES: dict[str, str] = {
    "constant": "v v v | a b c d | v v v",
    "edge": "a a a | a b c d | d d d",
    "reflect": "d c b | a b c d | c b a",
    "symmetric": "c b a | a b c d | d c b",
    "wrap": "b c d | a b c d | a b c",
}

ALIASES: dict[str, str] = {
    "zero": "constant",
    "zeros": "constant",
    "black": "constant",
    "white": "constant:255",
    "replicate": "edge",
    "nearest": "edge",
    "clamp": "edge",
    "copy": "edge",
    "extend": "edge",
    "duplicate": "edge",
    "mirror": "reflect",
    "reflect-101": "reflect",
    "reflect101": "reflect",
    "circular": "wrap",
    "periodic": "wrap",
    "grid-wrap": "wrap",
    "tile": "wrap",
    "repeat": "wrap",
    "grid-mirror": "symmetric",
    "grid-constant": "constant",
}


class Border(NamedTuple):
    """A border by its canonical name; ``value`` is what ``constant`` fills with."""

    mode: str = "reflect"
    value: float = 0.0

    def __str__(self) -> str:
        return f"constant:{self.value:g}" if self.mode == "constant" else self.mode


def parse_border(text: str, colour: Callable[[str], float | None] | None = None) -> Border:
    """Read ``reflect``, ``constant:128``, ``constant:50%``, or another tool's name for one.

    ``colour`` knows the levels of gray colours by name; None for other colours and no colour.

    >>> parse_border("REFLECT_101")
    Border(mode='reflect', value=0.0)
    >>> str(parse_border("constant:7"))
    'constant:7'
    """
    name, colon, value = text.strip().partition(":")
    key = name.lower().replace("_", "-").removeprefix("cv2.").removeprefix("border-")
    mode, known, level = ALIASES.get(key, key).partition(":")
    if mode not in PICTURES:
        hint = did_you_mean(key, [*PICTURES, *ALIASES])
        if re.fullmatch(r"[\d.]+%?", key):
            hint = f"; did you mean 'constant:{key}'?"
        raise UsageError(f"border {text!r} is not known{hint}; allowed: {', '.join(PICTURES)}")
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
