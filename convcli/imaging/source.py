"""Where pixels come from: sources of frames, whose pixels are read by regions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.imaging.header import Header, Metadata

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges, Span

__all__ = ["Frame", "Pixels", "Plane", "Source", "StoredPlane"]

Pixels: TypeAlias = NDArray[Any]


class Plane(ABC):
    """The pixels of one frame or page, of shape (H, W, C), with alpha last if there is any."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    duration: float = 0.0
    """Milliseconds on screen."""
    disposal: int = 0
    """How the frame is cleared, in the words of its own format."""
    meta: Metadata | None = None
    """Of a page that has metadata of its own, after the first."""

    @abstractmethod
    def read(self, want: Ranges) -> Pixels:
        """The cutout ``(rows, columns, C)``, which may be a view that nobody may write to."""

    @property
    def pixels(self) -> Pixels:
        """All of them."""
        return self.read((((0, self.shape[0]),), ((0, self.shape[1]),)))


class Frame(Plane):
    """A frame in memory."""

    def __init__(
        self,
        pixels: Pixels,
        duration: float = 0.0,
        disposal: int = 0,
        meta: Metadata | None = None,
    ) -> None:
        height, width, channels = pixels.shape
        self.shape, self.dtype = (height, width, channels), pixels.dtype
        self._pixels = pixels
        self.duration, self.disposal, self.meta = duration, disposal, meta

    @property
    def pixels(self) -> Pixels:
        """All of them, as they lie in memory."""
        return self._pixels

    def read(self, want: Ranges) -> Pixels:
        """A view where rows and columns are one run each."""
        parts = [[self.pixels[slice(*rows), slice(*cols)] for cols in want[1]] for rows in want[0]]
        if len(parts) == 1 and len(parts[0]) == 1:
            return parts[0][0]
        return np.concatenate([np.concatenate(row, axis=1) for row in parts])


class StoredPlane(Plane):
    """A page whose samples are read from where they are stored, as they are asked for."""

    name: str
    flows = False
    """Whether bands of it are best made in order, from the first on: what lies before may have to be
    made anew."""
    hold: int | None = None
    """How many rows, up to the last one that was asked for, may be asked for again, if it flows; by
    default those that were asked for last."""
    in_turn = False
    """Whether regions are asked for from top to bottom, each once: of one that flows, the rows that
    the next one reads again then stay where they were put."""

    @property
    def origin(self) -> StoredPlane:
        """The plane as the file has it, of one that gives some of its bands."""
        return self

    @property
    def bands(self) -> tuple[int, ...]:
        """Which channels of its origin these are, counted from 0."""
        return tuple(range(self.shape[2]))

    @abstractmethod
    def block(self, rows: Span, cols: Span, out: Pixels) -> None:
        """Read a rectangle into ``out`` ``(rows, columns, C)``."""

    def read(self, want: Ranges) -> Pixels:
        """A cutout.

        Raises
        ------
        InputError
            If the file cannot be read there.
        """
        from convcli.engine.regions import cells

        out = np.empty((*cells(want), self.shape[2]), self.dtype)
        top = 0
        for rows in want[0]:
            left = 0
            for cols in want[1]:
                part = out[top : top + rows[1] - rows[0], left : left + cols[1] - cols[0]]
                self.block(rows, cols, part)
                left += cols[1] - cols[0]
            top += rows[1] - rows[0]
        return out

    def close(self) -> None:
        """Let the file go; more than once is as good as once."""


class Source(Header):
    """A picture that can be read. ``frames`` may decode as they are walked, once or more often.

    What comes after them is said of it as in :class:`convcli.imaging.header.Header`.
    """

    __slots__ = ("by_choice", "folder", "frames")

    def __init__(
        self,
        format: str,
        space: str,
        alpha: bool,
        dtype: np.dtype[Any],
        size: tuple[int, int],
        frames: Iterable[Plane] = (),
        **said: Any,
    ) -> None:
        super().__init__(format, space, alpha, dtype, size, **said)
        self.frames = frames
        self.by_choice = False  # whether it is stored, and could be decoded whole as well
        self.folder = ""  # on this machine, in which samples are stored in many files

    @classmethod
    def of(cls, header: Header, frames: Iterable[Plane], **changes: Any) -> Source:
        """A source of ``frames`` that ``header`` tells of, but for the ``changes``."""
        return cls(**header.said() | changes, frames=frames)

    @property
    def first(self) -> Plane:
        """The first frame, or the only one."""
        return next(iter(self.frames))

    @property
    def is_stored(self) -> bool:
        """Whether regions are read where they are stored, of a picture that was not decoded."""
        return isinstance(self.frames, list) and isinstance(self.frames[0], StoredPlane)

    @property
    def flows(self) -> bool:
        """Whether its rows come in order, so that whoever goes from top to bottom has them once."""
        first = self.frames[0] if isinstance(self.frames, list) else None
        return isinstance(first, StoredPlane) and first.origin.flows

    @property
    def bytes_held(self) -> int:
        """Memory that the decoded frames of a list take."""
        frames = self.frames if isinstance(self.frames, list) else []
        return sum(frame.pixels.nbytes for frame in frames if isinstance(frame, Frame))

    def close(self) -> None:
        """Let the file go; more than once is as good as once."""
        if isinstance(self.frames, list):
            for plane in self.frames:
                if isinstance(plane, StoredPlane):
                    plane.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
