"""Frames filtered in memory, on the threads of this process."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.engine.cpu.tiles import Tile
from convcli.imaging.schedule import frame_schedule, survey_schedule
from convcli.imaging.source import Frame, Plane, Source
from convcli.imaging.stages.filter import Filter
from convcli.system.threads import in_order

if TYPE_CHECKING:
    from convcli.imaging.stages.surveys import Answer, Survey

__all__ = ["FilteredFrames", "filtered"]


class FilteredFrames:
    """The filtered frames of a source, made anew at each walk; the outline has their counts."""

    def __init__(self, chain: Filter, source: Source) -> None:
        self._chain, self._source = chain, source

    def __iter__(self) -> Iterator[Frame]:
        chain, source = self._chain, self._source
        chain.begin()
        for number, plane in enumerate(source.frames):
            start = perf_counter()
            frame = filtered(chain, plane)
            chain.count(perf_counter() - start)
            frame.meta = chain.revised(plane, number, source.n_frames - number)
            yield frame


def filtered(chain: Filter, plane: Plane) -> Frame:
    """One frame, whole: in one piece, or in strips on several threads."""
    simple = chain.is_simple(plane)
    places, threads = frame_schedule(chain, plane, simple=simple)
    whole = len(places) == 1

    def look(survey: Survey, answers: tuple[Answer, ...]) -> Iterator[Any]:
        strips, threads = survey_schedule(chain, survey.shape)
        return in_order(survey.look, [strip.ranges for strip in strips], threads)

    answers = chain.answers(plane, look, simple=simple, whole=whole, one_thread=True)
    stage = chain.stage(plane, simple=simple, one_thread=not whole, answers=answers)
    if whole:
        pixels = stage.pixels
    else:
        pixels = np.empty(stage.shape, stage.dtype)

        def make(place: Tile) -> None:
            top, bottom, left, right = place
            pixels[top:bottom, left:right] = stage.read(place.ranges)

        for _ in in_order(make, places, threads):
            pass
    return Frame(pixels, plane.duration, plane.disposal)
