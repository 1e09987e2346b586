"""What the machine code of a kernel cannot say of itself: how often loops turn, what is read.

One entry for each ``__global__`` function; the numbers are the constants that its source begins
with. A kernel without an entry is counted too, as long as its steady state has no inner loop.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

Constants = dict[str, int]


class Kind(NamedTuple):
    """Of loops inside the steady state, from the innermost outwards."""

    turns: Callable[[Constants], list[float]] = lambda _: []
    share: Callable[[Constants], float] = lambda _: 1.0
    """Of the turns of a loop in which a thread does its sums; in the others it has none to do."""
    adds: Callable[[Constants], float] | None = None
    """Multiply-adds of a thread, from which the turns of the innermost loop follow: for loops that
    the compiler unrolls as it likes."""
    warm: Callable[[Constants], float] = lambda _: 0.0
    """Rows that a thread reads before its first output."""
    lead: Callable[[Constants], float] = lambda _: 0.0
    """Turns of the innermost loop before its first output."""
    ahead: Callable[[Constants], float] = lambda _: 0.0
    """Bytes that a thread loads before its first output, in a loop of their own."""
    width: Callable[[Constants], float] = lambda c: c["NX"]
    """Samples that a thread makes for each row that it walks."""
    stages: Callable[[Constants], tuple[float, float]] | None = None
    """Of a kernel that is one loop after another: turns of those that store nothing, and of those
    that store; ``turns`` are of the loops inside the former."""
    jobs: Callable[[Constants], dict[str, float]] | None = None
    """Of a kernel whose blocks walk down, one loop after another in each step: turns of innermost
    loops by what they do, ``load``, ``multiply`` matrices or ``store``, and of those ``around``."""


def _wide_turns(c: Constants) -> list[float]:
    chunks = c["KERNEL_W"] // c["CHUNK"]
    return [t for t in (chunks, _rows_seen(c), c["MEMBERS"]) if t > 1]


def _rows_seen(c: Constants) -> int:
    return c["KERNEL_H"] + (c["TILE_H"] - 1) * c["STRIDE_H"]


def _carried(c: Constants) -> int:
    """Rows of sums that a block carries from step to step."""
    earlier = (c["KERNEL_H"] - 1) * c["DILATION_H"]
    return -(-(earlier + c["TILE_H"]) // c["STAGED"]) * c["STAGED"] - c["TILE_H"]


def _extrema_turns(c: Constants) -> list[float]:
    """Eight rows that all windows of a group share at a time, and groups."""
    return [t for t in ((c["KERNEL_H"] - c["GROUP"]) // 8, c["TILE_H"] / c["GROUP"]) if t > 1]


def _extrema_stages(c: Constants) -> tuple[float, float]:
    lanes, word = 2 if c["IN_BYTES"] <= 2 else 1, max(4, c["IN_BYTES"])
    columns = -(-(c["SKEW"] + c["SPAN"]) * c["IN_BYTES"] // word)
    return columns / 128, c["TILE_H"] // lanes * (c["TILE_W"] // c["NX"]) / 128


def _toeplitz_jobs(c: Constants) -> dict[str, float]:
    rows = c["TALL"] + c["SECTIONS"] * c["PERIODS"] * c["PERIOD"] - 1
    turns = c["SECTIONS"] * c["STEPS"]
    chunks = (c["LEAD"] - c["LEAD"] % 4 + c["WIDE"] - 8 + c["EXTENT"] + 15) // 16
    return {
        "load": rows * chunks / c["THREADS"],
        "multiply": turns if turns > 1 else c["CHANNELS"],  # of one turn nothing is left
        "store": c["TALL"] * c["WIDE"] * c["CHANNELS"] / c["NX"] / c["THREADS"],
        "around": c["CHANNELS"],
    }


KINDS = {
    "toeplitz": Kind(jobs=_toeplitz_jobs),
    "extrema": Kind(turns=_extrema_turns, stages=_extrema_stages),
    "rolling": Kind(warm=lambda c: c["KERNEL_H"] - 1 if c["ROLLING"] else 0),
    "bytes": Kind(warm=lambda c: c["KERNEL_H"] - 1),
    "wide": Kind(
        turns=_wide_turns,
        share=lambda c: c["KERNEL_H"] / _rows_seen(c) if c["TILE_H"] > 1 else 1.0,
    ),
    "across_down": Kind(
        turns=lambda c: [c["TILE_H"] / c["STAGED"]],
        lead=lambda c: _carried(c) / c["STAGED"],
        width=lambda c: c["COLS"] / c["THREADS"],
    ),
    "running": Kind(
        turns=lambda c: [((c["SKEW"] + c["KERNEL_W"] * c["CHANNELS"]) // c["NX"] - 1) / 4],
        ahead=lambda c: (c["KERNEL_H"] - 1) * c["NX"] * c["IN_BYTES"],
    ),
    "bank": Kind(
        turns=lambda c: [c["KERNEL_W"], c["KERNEL_H"]],
        adds=lambda c: c["C_OUT"] * c["CHANNELS"] * c["KERNEL_H"] * c["KERNEL_W"],
    ),
}


def constants_of(text: str) -> Constants:
    """The whole numbers that a source defines, and its type of sums as ``WHOLE_SUMS``.

    >>> constants_of("typedef int acc_t;\\n#define NX 16\\n#define SCALE (0x1p+0f)")
    {'NX': 16, 'WHOLE_SUMS': 1}
    """
    found = {name: int(v) for name, v in re.findall(r"^#define (\w+) (-?\d+)$", text, re.M)}
    return found | {"WHOLE_SUMS": int("typedef int acc_t;" in text)}
