"""A network as a list of instructions on rows of values: which slot of memory holds what."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.rank_networks import needed, network

__all__ = ["Program", "group_of", "program"]


class Program(NamedTuple):
    """Instructions, in columns of the picture."""

    group: int
    """Output rows that it makes."""
    code: NDArray[np.int32]
    """Rows of ``(largest, to, from, shift, from, shift, extent)``: the smaller or the larger of two
    values, for so many columns more than there are outputs. A source below 0 is row ``-1 - source``
    of the input, another one a slot."""
    outputs: NDArray[np.int32]
    """For each output row ``(source, shift)``."""
    slots: int
    extent: int
    """Most columns that a value needs besides the outputs."""


def group_of(height: int) -> int:
    """Output rows that cost least together: measured from 3 to 31."""
    return height if height < 3 else 2 if height < 7 else 4 if height < 15 else 8


@cache
def program(height: int, width: int, rank: int, group: int) -> Program:
    """The program of a rectangle."""
    net, outputs = network(height, width, rank, group)
    order = needed(net, outputs)
    extent, last_use = dict.fromkeys(order, 0), dict.fromkeys(order, -1)
    for number, shift in outputs:
        extent[number] = max(extent[number], shift)
        last_use[number] = len(order)
    for place in reversed(range(len(order))):
        number = order[place]
        node = net.nodes[number]
        if node.kind == "row":
            continue
        for source, shift in ((node.a, node.a_shift), (node.b, node.b_shift)):
            extent[source] = max(extent[source], extent[number] + shift)
            last_use[source] = max(last_use[source], place)
    where: dict[int, int] = {}
    free: list[int] = []
    slots = 0
    code = []
    for place, number in enumerate(order):
        node = net.nodes[number]
        if node.kind == "row":
            where[number] = -1 - node.a
            continue
        a, b = where[node.a], where[node.b]
        if free:
            to = free.pop()
        else:
            to, slots = slots, slots + 1
        where[number] = to
        code.append((node.kind == "max", to, a, node.a_shift, b, node.b_shift, extent[number]))
        for source in {node.a, node.b}:
            if last_use[source] == place and where[source] >= 0:
                free.append(where[source])
    ends = [(where[number], shift) for number, shift in outputs]
    widest = max(extent.values())
    return Program(
        group, np.array(code, np.int32).reshape(-1, 7), np.array(ends, np.int32), slots, widest
    )
