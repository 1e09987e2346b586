"""The choice of algorithm for one step, by predicted cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.window import Window
from convcli.engine.borders import axis_map
from convcli.engine.numerics import EPS32
from convcli.engine.weights import Factor, is_box, rank_factors, whole_factor
from convcli.errors import UsageError

__all__ = ["ALGORITHMS", "Candidate", "Choice", "choose"]

ALGORITHMS = ("direct", "separable", "box", "fft")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An algorithm that could do the step; ``cost`` in predicted ns per output sample."""

    name: str
    cost: float
    note: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The algorithm taken, why, what it needs, and all that were weighed."""

    algorithm: str
    reason: str
    candidates: tuple[Candidate, ...]
    factors: tuple[tuple[Factor, ...], ...] = ()
    transform: str = "float64"


def choose(
    weights: NDArray[np.float64],
    rows: Window,
    cols: Window,
    shape_out: tuple[int, int, int],
    *,
    accumulate: str,
    exact: bool,
    backend: str,
    forced: str | None,
    limit: float,
    values: float | None,
) -> Choice:
    """Weigh the algorithms for one step.

    ``limit`` is the sum of absolute weights that an approximation may differ by; ``values`` the
    largest input, or ``None`` if any can occur.

    Raises
    ------
    UsageError
        If the algorithm asked for is unknown or cannot do this step.
    """
    if forced is not None and forced not in ALGORITHMS:
        raise UsageError(f"algorithm {forced!r} is not known; allowed: {', '.join(ALGORITHMS)}")
    bank = weights.ndim == 4
    taps = int(np.count_nonzero(weights)) / (weights.shape[0] if bank else 1)
    per = {"int16": 0.1, "uint16": 0.1, "float32": 0.35, "float64": 0.8}[accumulate]
    found = [Candidate("direct", taps * per, f"{taps:g} taps")]
    factors: tuple[tuple[Factor, ...], ...] = ()
    if not bank:
        factors = _separate(weights, exact, limit)
        if factors:
            terms = [term for member in factors for term in member]
            lines = sum(int(np.count_nonzero(c)) + int(np.count_nonzero(r)) for c, r in terms)
            cost = lines * per * (1 if exact else 1.1) + per
            found.append(Candidate("separable", cost, f"{lines} taps in {len(terms)} terms"))
        if weights.shape[0] == 1 and is_box(weights[0]) and backend != "cupy":
            adds = 2 * sum(max(k.bit_length(), 1) for k in weights.shape[1:])
            found.append(Candidate("box", adds * per, f"{adds} additions"))
    down, across = axis_map(rows, "edge"), axis_map(cols, "edge")
    wasted = down.stride * across.stride
    transform = _transform(weights, accumulate, exact, values)
    if transform is not None:
        cost = 16.0 * wasted * (1 if transform == "float32" else 2)
        found.append(Candidate("fft", cost, f"{transform} transforms"))
    if forced is not None:
        match = [c for c in found if c.name == forced]
        if not match:
            raise UsageError(
                f"algorithm {forced!r} cannot do this kernel exactly; "
                f"possible: {', '.join(c.name for c in found)}"
            )
        chosen, reason = match[0], "asked for"
    else:
        chosen = min(found, key=lambda c: c.cost)
        reason = f"{chosen.note}: the least predicted cost"
    used = factors if chosen.name == "separable" else ()
    return Choice(chosen.name, reason, tuple(found), used, transform or "float64")


def _transform(
    weights: NDArray[np.float64], accumulate: str, exact: bool, values: float | None
) -> str | None:
    """Type of the transforms that keeps the promise, if one does.

    A float32 transform rounds relative to the whole tile, so only bounded pictures go through
    one. Exact sums are whole numbers, found again by rounding while the error is below 1/4.
    """
    if values is None:
        return "float64"
    error = 0.0
    for member in weights:
        spread = float(np.sqrt((member**2).sum())) * 2 + float(np.abs(member).sum())
        error = max(error, 8 * EPS32 * values * spread)
    if exact:
        return "float32" if error < 0.25 else "float64" if error < 2.0**25 else None
    return "float32" if accumulate == "float32" else "float64"


def _separate(
    weights: NDArray[np.float64], exact: bool, limit: float
) -> tuple[tuple[Factor, ...], ...]:
    """Separable terms of every member, or nothing where that saves no taps."""
    members: list[tuple[Factor, ...]] = []
    for member in weights:
        height, width = member.shape
        if height == 1 or width == 1:
            return ()
        if exact:
            pair = whole_factor(member)
            if pair is None:
                return ()
            members.append((pair,))
            continue
        worth = int(np.count_nonzero(member)) // (height + width)
        terms = rank_factors(member, limit)
        if len(terms) > max(worth, 1):
            return ()
        members.append(tuple(terms))
    return tuple(members)
