"""Rows that come some at a time, so many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from convcli.imaging.source import Pixels

__all__ = ["strips", "taken"]


def strips(rows: Iterable[Pixels], count: int) -> Iterator[Pixels]:
    """Arrays of ``count`` rows, the last of what is left; those that lie in one are not copied.

    >>> [len(strip) for strip in strips([np.zeros((5, 2)), np.zeros((1, 2)), np.zeros((3, 2))], 4)]
    [4, 4, 1]
    """
    held: list[Pixels] = []
    have = 0
    for some in rows:
        held.append(some)
        have += len(some)
        del some  # the next ones take its room
        while have >= count:
            yield taken(held, count)
            have -= count
    if have:
        yield taken(held, have)


def taken(held: list[Pixels], count: int) -> Pixels:
    """The first ``count`` of the rows that are held in pieces, which are held no more."""
    pieces: list[Pixels] = []
    while count:
        some = held.pop(0)
        if len(some) > count:
            held.insert(0, some[count:])
        pieces.append(some[:count])
        count -= len(pieces[-1])
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
