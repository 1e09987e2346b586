"""How a tensor lies over the network's input: along which axes, and what each cell sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias

from convcli.arithmetic.receptive_field import ReceptiveField, merge, whole

__all__ = ["Along", "Flow", "broadcast", "everything", "join", "laid_anew", "moved_axes"]


@dataclass(frozen=True, slots=True)
class Along:
    """A tensor along one axis of the network's input.

    ``field`` is what each of its cells sees there. Its ``count`` positions lie along ``axes``,
    those of the tensor; there are none where every cell sees the same. ``alone`` says that they
    are the cells of one axis, one by one, so that a window can slide over them.
    """

    field: ReceptiveField
    axes: tuple[int, ...]
    count: int
    alone: bool = True

    def blurred(self) -> Along:
        """The same cells in an order over which no window can slide."""
        return replace(self, alone=False)

    def all_seen(self) -> Along:
        """The flow of an output that reads all positions."""
        return Along(whole(self.field, self.count), (), 1, False)


Flow: TypeAlias = Mapping[int, Along]
"""Axis of the network's input -> how a tensor lies along it."""


def everything(flows: Iterable[Flow]) -> Flow:
    """The flow of something that may read all that arrives."""
    return join([{key: along.all_seen() for key, along in flow.items()} for flow in flows])


def join(flows: Sequence[Flow]) -> Flow:
    """Several tensors met cell by cell; their axes are those of the result already."""
    found = {}
    for key in sorted({key for flow in flows for key in flow}):
        parts = [flow[key] for flow in flows if key in flow]
        found[key] = parts[0] if len(parts) == 1 else _met(parts)
    return found


def _met(parts: Sequence[Along]) -> Along:
    moving = [part for part in parts if part.axes] or parts
    axes = tuple(sorted({axis for part in moving for axis in part.axes}))
    if len({part.axes for part in moving}) > 1:  # every place of one meets every place of another
        seen = [part.all_seen() for part in parts]
        return Along(merge([part.field for part in seen]), axes, max(p.count for p in parts), False)
    field = merge([part.field for part in parts])
    alone = all(part.alone and part.axes == axes for part in moving)
    # What stands still has no distance between neighbours.
    field = field._replace(jump=moving[0].field.jump)
    return Along(field, axes, max(part.count for part in moving), alone)


def moved_axes(flow: Flow, to: Mapping[int, int | None]) -> Flow:
    """Axes renumbered; one that is gone (None) held a single position."""
    found = {}
    for key, along in flow.items():
        axes = tuple(sorted(axis for old in along.axes if (axis := to.get(old)) is not None))
        found[key] = replace(along, axes=axes, alone=along.alone and len(axes) == 1)
    return found


def broadcast(flow: Flow, shape: Sequence[int], to: Sequence[int]) -> Flow:
    """A tensor of ``shape`` repeated to the shape ``to``, as arithmetic does."""
    more = len(to) - len(shape)
    stay = [axis for axis, size in enumerate(shape) if size == to[axis + more] or size != 1]
    return moved_axes(flow, {axis: axis + more for axis in stay})


def laid_anew(flow: Flow, shape: Sequence[int], to: Sequence[int]) -> Flow:
    """The same cells in the same order with other axes (Reshape, Squeeze, Flatten)."""
    homes: dict[int, tuple[int, ...]] = {}
    for old, new in _groups(shape, to):
        homes |= dict.fromkeys(old, tuple(new))
    kept = {old[0] for old, new in _groups(shape, to) if len(old) == len(new) == 1}
    found = {}
    for key, along in flow.items():
        axes = tuple(sorted({axis for old in along.axes for axis in homes.get(old, ())}))
        alone = along.alone and len(axes) == 1 and set(along.axes) <= kept
        found[key] = replace(along, axes=axes, alone=alone)
    return found


def _groups(shape: Sequence[int], to: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Runs of axes that hold the same cells before and after; axes of one cell are left out.

    >>> _groups((2, 255, 4, 5), (2, 3, 85, 20))
    [([0], [0]), ([1], [1, 2]), ([2, 3], [3])]
    """
    left = [axis for axis, size in enumerate(shape) if size != 1]
    right = [axis for axis, size in enumerate(to) if size != 1]
    found = []
    while left and right:
        old, new = [left.pop(0)], [right.pop(0)]
        while (cells := prod(shape[a] for a in old)) != (others := prod(to[a] for a in new)):
            side, more = (old, left) if cells < others else (new, right)
            if not more:
                side, more = (new, right) if side is old else (old, left)
            if not more:
                break
            side.append(more.pop(0))
        found.append((old, new))
    return found
