"""Some bands of a picture, in the order that is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.regions import Span
from convcli.errors import UsageError
from convcli.imaging.header import Metadata
from convcli.imaging.source import Frame, Plane, Source, StoredPlane

__all__ = ["chosen"]


def chosen(source: Source, bands: Sequence[int]) -> Source:
    """The source with these bands alone, counted from 1; its alpha is kept.

    One band is gray, three are RGB where they are all that colours can be; others are bands.

    Raises
    ------
    UsageError
        If there is no such band.
    """
    if not bands:
        return source
    if max(bands) > source.colours:
        raise UsageError(
            f"{source.name}: there is no band {max(bands)}; it has {source.colours}, and --bands "
            f"{','.join(map(str, bands))} names more"
        )
    index = [band - 1 for band in bands]
    if source.alpha:
        index.append(source.colours)
    space, count = ("bands", len(bands)) if len(bands) > 1 else ("gray", 0)
    if len(bands) == 3 and not source.is_raster and source.space == "rgb":
        space, count = "rgb", 0
    frames: Iterable[Plane] = _Chosen(source.frames, index, source.n_frames)
    if isinstance(source.frames, list):
        frames = list(frames)
    changes: dict[str, Any] = {"space": space, "bands": count, "flat": len(index) == 1}
    changes["meta"] = _said(source.meta, index, source.shape, source.n_frames)
    return Source.of(source, frames, **changes)


def _said(
    meta: Metadata | None, index: Sequence[int], shape: tuple[int, int, int], pages: int
) -> Metadata | None:
    """What a page of ``shape``, with which so many begin, says of these bands."""
    if meta is None or meta.silent:
        return meta
    from convcli.imaging.metadata.revise import of_bands

    return of_bands(meta, index, shape, pages)


class _Chosen:
    """The frames of a source with some of their bands, walked as often as they can be."""

    def __init__(self, frames: Iterable[Plane], index: Sequence[int], pages: int) -> None:
        self._of = frames, index, pages

    def __iter__(self) -> Iterator[Plane]:
        frames, index, pages = self._of
        for number, plane in enumerate(frames):
            if isinstance(plane, StoredPlane):
                yield _StoredBands(plane, index)
            else:
                pixels = np.ascontiguousarray(plane.pixels[..., index])
                meta = _said(plane.meta, index, plane.shape, pages - number)
                yield Frame(pixels, plane.duration, plane.disposal, meta)


class _StoredBands(StoredPlane):
    """Some bands of a plane that is read where it is stored."""

    def __init__(self, plane: StoredPlane, index: Sequence[int]) -> None:
        self._of = plane, list(index)
        self.name, self.dtype = plane.name, plane.dtype
        self.shape = (*plane.shape[:2], len(index))
        self.duration, self.disposal, self.meta = plane.duration, plane.disposal, plane.meta

    @property
    def origin(self) -> StoredPlane:
        return self._of[0].origin

    @property
    def bands(self) -> tuple[int, ...]:
        return tuple(self._of[1])

    def block(self, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        plane, index = self._of
        every = np.empty((*out.shape[:2], plane.shape[2]), self.dtype)
        plane.block(rows, cols, every)
        out[...] = every[..., index]

    def close(self) -> None:
        self._of[0].close()
