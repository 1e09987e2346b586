"""What goes on at once on the way to a GPU and back, and in how many strips a picture is cut for it.

The numbers are those of the transfers and of the predictions for ``auto`` alike.
"""

from __future__ import annotations

import math

__all__ = [
    "AHEAD",
    "AT_ONCE",
    "HANDS",
    "PINNED_BYTES",
    "PINNED_EACH",
    "STAGE_BYTES",
    "STRIP_SECONDS",
    "best_strips",
    "bus_seconds",
    "strip_seconds",
]

AT_ONCE = 4
"""Pictures on devices at a time: one comes, one is computed, one goes, and one is about to. More
would not end sooner, and each takes its share of the device's memory."""

STAGE_BYTES = 8 << 20
"""Of each pinned buffer: long enough for full speed, short enough that the first is soon there."""

AHEAD = 3
"""Buffers that one picture has under way in each direction: one is filled or emptied, one is on the
bus, one waits for it."""

PINNED_EACH = 2 * AHEAD * STAGE_BYTES
PINNED_BYTES = AT_ONCE * PINNED_EACH
"""Pinned memory of a picture, and of all of them together."""

HANDS = 4
"""Threads that fill and empty pinned memory for one picture, if there are as many cores: one copies
some 10 GB/s, four together are about as fast as the bus of a large GPU."""

STRIP_SECONDS = 400e-6
"""To begin a strip: its maps and its launches, 0.10 to 0.27 ms measured without those, and its
margins once more."""


def bus_seconds(up: float, down: float, overlap: float) -> float:
    """Seconds of the bus, of whose two ways the shorter hides partly behind the longer."""
    return up + down - overlap * min(up, down)


def strip_seconds(total: float, slowest: float, strips: int) -> float:
    """Seconds of a picture in so many strips.

    All of them go through the slowest part, be it the bus or the kernels, one after another; one
    goes through the others alone, before and after.

    Parameters
    ----------
    total, slowest
        Seconds of all parts together, and of the slowest, for the picture in one piece.
    """
    if strips == 1:
        return total
    return slowest + (total - slowest) / strips + strips * STRIP_SECONDS


def best_strips(total: float, slowest: float) -> int:
    """In how many strips a picture is done soonest: in one, where the beginnings cost more.

    :func:`strip_seconds` is least where ``n * n`` is ``(total - slowest) / STRIP_SECONDS``.

    >>> best_strips(0.004, 0.003), best_strips(0.030, 0.015)
    (1, 6)
    """
    strips = round(math.sqrt(max(total - slowest, 0.0) / STRIP_SECONDS))
    if strips < 2 or strip_seconds(total, slowest, strips) >= total:
        return 1
    return strips
