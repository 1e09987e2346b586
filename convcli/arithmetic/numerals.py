"""Numbers as people write them: decimals and fractions; percentages where they mean something."""

from __future__ import annotations

import math
import re

__all__ = ["parse_number", "parse_share"]

_DECIMAL = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER = rf"(?a)({_DECIMAL})(?:/({_DECIMAL}))?"  # compiled when a number is read
_LONGEST = 400


def parse_number(token: str) -> float:
    """Read ``-1``, ``.5``, ``1e-3`` or ``1/9``.

    The minus sign of typeset text is read as one. Stricter than ``float()``, which takes
    ``1_000``, ``nan`` and the digits of every script.

    Raises
    ------
    ValueError
        Whose message quotes the token and says what is wrong with it.

    >>> parse_number("-1/8"), parse_number("2.5e1")
    (-0.125, 25.0)
    >>> parse_number("nan")
    Traceback (most recent call last):
    ...
    ValueError: 'nan' is not a finite number
    """
    shown = token if len(token) <= 24 else f"{token[:20]}... ({len(token):,} characters)"
    if len(token) > _LONGEST:
        raise ValueError(f"'{shown}' is too long for a number")
    match = re.fullmatch(_NUMBER, token.replace("\N{MINUS SIGN}", "-"))
    if match is None:
        finite = "finite " if token.lower().lstrip("+-") in ("nan", "inf", "infinity") else ""
        raise ValueError(f"{shown!r} is not a {finite}number")
    value = float(match[1])
    if match[2] is not None:
        below = float(match[2])
        if below == 0:
            raise ValueError(f"{shown!r} divides by zero")
        value /= below
    if not math.isfinite(value):
        raise ValueError(f"{shown!r} is too large; it must be below 1.8e308")
    return value


def parse_share(token: str, whole: float) -> float:
    """Read a number, or a percentage of ``whole``.

    >>> parse_share("50%", 255), parse_share("1/16", 255)
    (127.5, 0.0625)

    Raises
    ------
    ValueError
        As :func:`parse_number`.
    """
    number = parse_number(token.strip().removesuffix("%").rstrip())
    return number * whole / 100 if token.rstrip().endswith("%") else number
