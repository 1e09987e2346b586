"""Names of the borders: what a filter reads outside the picture.

NumPy's names are the canonical ones; those of OpenCV, SciPy and others are accepted and always
printed as resolved, because the same word means different things in different tools (SciPy's
``reflect`` is NumPy's ``symmetric``; OpenCV's ``REFLECT_101`` is NumPy's ``reflect``).
"""

from __future__ import annotations

from typing import NamedTuple

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
    "replicate": "edge",
    "nearest": "edge",
    "clamp": "edge",
    "copy": "edge",
    "extend": "edge",
    "mirror": "reflect",
    "reflect-101": "reflect",
    "reflect101": "reflect",
    "circular": "wrap",
    "periodic": "wrap",
    "grid-wrap": "wrap",
    "grid-mirror": "symmetric",
    "grid-constant": "constant",
}


class Border(NamedTuple):
    """A border by its canonical name; ``value`` is what ``constant`` fills with."""

    mode: str = "reflect"
    value: float = 0.0

    def __str__(self) -> str:
        return f"constant:{self.value:g}" if self.mode == "constant" else self.mode


def parse_border(text: str) -> Border:
    """Read ``reflect``, ``constant:128``, or another tool's name for one.

    >>> parse_border("REFLECT_101")
    Border(mode='reflect', value=0.0)
    >>> str(parse_border("constant:7"))
    'constant:7'
    """
    name, colon, value = text.strip().partition(":")
    key = name.lower().replace("_", "-").removeprefix("border-")
    mode = ALIASES.get(key, key)
    if mode not in PICTURES:
        hint = did_you_mean(key, [*PICTURES, *ALIASES])
        raise UsageError(f"border {text!r} is not known{hint}; allowed: {', '.join(PICTURES)}")
    if not colon:
        return Border(mode)
    if mode != "constant":
        raise UsageError(f"border {text!r}: only constant takes a value, as in constant:128")
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not -1e30 < number < 1e30:
        raise UsageError(f"border {text!r}: {value!r} is not a finite number")
    return Border(mode, number)
