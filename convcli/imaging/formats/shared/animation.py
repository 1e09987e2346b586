"""Animations whose frames cover a part of the canvas: how they are laid on it and cleared again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from convcli.imaging.header import COLOURS, Metadata
from convcli.imaging.limits import check_frames
from convcli.imaging.metadata.upright import turn_upright
from convcli.imaging.source import Frame, Source

__all__ = [
    "BACKGROUND",
    "NOTHING",
    "PREVIOUS",
    "Animation",
    "Place",
    "Shot",
    "compose",
    "shows_ground",
]

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


@dataclass(slots=True)
class Shot:
    """A frame as it is stored; formats add what its pixels are made of."""

    place: Place
    duration: float
    dispose: int
    """What becomes of its place."""
    disposal: int
    """The same in the format's own words."""


Stored = TypeVar("Stored", bound=Shot)


class Animation(ABC, Generic[Stored]):
    """Frames as they are seen, made at each walk.

    Parameters
    ----------
    shots, whole
        The frames as they are stored, and the canvas that they are laid on.
    space, alpha, dtype
        Of the canvas.
    ground
        Samples of a pixel that nothing was laid on.
    turn
        The orientation.
    """

    def __init__(
        self,
        shots: Sequence[Stored],
        whole: Place,
        space: str,
        alpha: bool,
        dtype: Any,
        ground: Any,
        turn: int,
    ) -> None:
        self.shots, self.whole, self.space, self.alpha = shots, whole, space, alpha
        self.dtype, self.ground, self.turn = np.dtype(dtype), ground, turn
        self.channels = COLOURS[space] + alpha
        self.n_frames = len(shots)

    @abstractmethod
    def lay(self, shot: Stored, under: NDArray[Any]) -> NDArray[Any]:
        """The pixels of the frame's place once it is laid over what is there."""

    def __iter__(self) -> Iterator[Frame]:
        canvas = np.empty((self.whole.height, self.whole.width, self.channels), self.dtype)
        laid = ((s.place, s.dispose, partial(self.lay, s)) for s in self.shots)
        for shot, seen in zip(self.shots, compose(canvas, self.ground, laid), strict=True):
            yield Frame(turn_upright(seen, self.turn), shot.duration, shot.disposal)

    def picture(
        self, kind: str, name: str, max_pixels: int, meta: Metadata, notes: list[str]
    ) -> Source:
        """What holds the frames, if they are not too many."""
        samples = self.whole.width * self.whole.height * self.channels
        check_frames(name, self.n_frames, samples * self.dtype.itemsize * self.n_frames, max_pixels)
        first = next(iter(self))
        return Source(
            format=kind,
            space=self.space,
            alpha=self.alpha,
            dtype=self.dtype,
            size=first.shape[:2],
            frames=self if self.n_frames > 1 else [first],
            n_frames=self.n_frames,
            animated=self.n_frames > 1,
            meta=meta,
            notes=notes,
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
    bare: Place | None = whole
    for number, (place, dispose, solid) in enumerate(frames):
        if bare is not None and not (solid and place.covers(bare)):
            return True
        if dispose == BACKGROUND or (dispose == PREVIOUS and not number):
            bare = place
        elif dispose == NOTHING:
            bare = None
        # A previous canvas that comes back is as bare as it was.
    return False
