"""Animations whose frames cover a part of the canvas: how they are laid on it and cleared again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray

__all__ = ["BACKGROUND", "NOTHING", "PREVIOUS", "Place", "compose", "shows_ground"]

NOTHING, BACKGROUND, PREVIOUS = range(3)
"""What becomes of a frame's place once its time is up. A first frame has no previous one: its
place is cleared."""


class Place(NamedTuple):
    """Where a frame lies."""

    x: int
    y: int
    width: int
    height: int

    @property
    def cells(self) -> tuple[slice, slice]:
        """Of the canvas."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def covers(self, other: Place) -> bool:
        """Whether the other lies within this one."""
        return all(
            mine.start <= theirs.start and theirs.stop <= mine.stop
            for mine, theirs in zip(self.cells, other.cells, strict=True)
        )


Lay: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
"""From what is on the canvas to what is there with the frame laid over it."""


def compose(
    canvas: NDArray[Any], ground: Any, frames: Iterable[tuple[Place, int, Lay]]
) -> Iterator[NDArray[Any]]:
    """The whole canvas (H, W, C) with each frame; ``ground`` is a pixel, which clears.

    >>> import numpy as np
    >>> canvas = np.zeros((1, 3, 1), int)
    >>> frames = [(Place(k, 0, 1, 1), k, lambda _: np.full((1, 1, 1), 7)) for k in range(3)]
    >>> [seen.ravel().tolist() for seen in compose(canvas, [0], frames)]
    [[7, 0, 0], [7, 7, 0], [7, 0, 7]]
    """
    canvas[...] = ground
    for number, (place, dispose, lay) in enumerate(frames):
        under = canvas[place.cells]
        kept = under.copy() if dispose == PREVIOUS and number else ground
        under[...] = lay(under)
        yield canvas.copy()
        if dispose != NOTHING:
            under[...] = kept


def shows_ground(frames: Sequence[tuple[Place, int, bool]], whole: Place) -> bool:
    """Whether the ground may be seen; of each frame its place, what becomes of it, if it is solid."""
    place, _, solid = first = frames[0]
    if not (solid and place.covers(whole)):
        return True
    return any(
        (dispose == BACKGROUND or (dispose == PREVIOUS and now is first))
        and not (following[2] and following[0].covers(place))
        for now, following in pairwise(frames)
        for place, dispose, _ in [now]
    )
