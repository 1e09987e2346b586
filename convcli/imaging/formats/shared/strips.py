"""Rows that come some at a time, so many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from convcli.imaging.source import Pixels

__all__ = ["strips"]


def strips(rows: Iterable[Pixels], count: int) -> Iterator[Pixels]:
    """Arrays of ``count`` rows, the last of what is left; those that lie in one are not copied.

    >>> [len(strip) for strip in strips([np.zeros((5, 2)), np.zeros((1, 2)), np.zeros((3, 2))], 4)]
    [4, 4, 1]
    """
    held: list[Pixels] = []
    for some in rows:
        held.append(some)
        while (more := sum(map(len, held)) - count) >= 0:
            whole = _joined(held)
            yield whole[:count]
            held = [whole[count:]] if more else []
    if held:
        yield _joined(held)


def _joined(held: list[Pixels]) -> Pixels:
    return held[0] if len(held) == 1 else np.concatenate(held)
