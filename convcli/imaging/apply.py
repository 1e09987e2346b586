"""A chain of kernels applied to a picture: planned at once, its frames filtered as they are walked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from convcli.engine.plan import Plan
from convcli.imaging.chain import lay_out, prepare_chain
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Source
from convcli.imaging.work import Work
from convcli.kernels.kernel import Kernel

__all__ = ["Filtered", "filter_picture", "prepare"]


@dataclass(slots=True)
class Filtered:
    """A filtered picture, its frames made as they are walked, and what was done to it."""

    picture: Source
    plan: Plan
    how_alpha: str
    """How alpha was treated, in words; empty if there is none."""
    flip: bool
    range: str
    """How values became pixels: ``auto`` is resolved."""
    brightens: str = ""
    """Which kernels make the picture brighter as a whole, or black; empty if none does."""
    samples: int = 0
    clipped: int = 0
    seconds: float = 0.0

    @property
    def clipped_fraction(self) -> float:
        """Share of the samples that fell outside the range; known once the frames are made."""
        return self.clipped / self.samples if self.samples else 0.0


def filter_picture(
    picture: Source, kernels: Sequence[Kernel], options: FilterOptions, name: str = "picture"
) -> Filtered:
    """Plan a chain of kernels for a picture; its frames are filtered as the result is walked.

    Raises
    ------
    KernelError
        If the chain is empty or a kernel cannot be normalised.
    ShapeError
        If sizes or channels do not fit.
    """
    work, filtered = prepare(picture, kernels, options, name)
    filtered.picture.frames = _Frames(picture, work, filtered)
    return filtered


def prepare(
    picture: Source, kernels: Sequence[Kernel], options: FilterOptions, name: str
) -> tuple[Work, Filtered]:
    """The chain made ready for a picture, and what its result will be, without frames."""
    chain = prepare_chain(kernels, options)
    layout = lay_out(picture, chain, name)
    work = Work(kernels, chain, options, layout, picture)
    result = replace(
        picture,
        space=layout.space,
        alpha=layout.alpha,
        dtype=np.dtype(work.out_dtype),
        size=work.plan(picture.size).shape_out[:2],
        frames=(),
    )
    if not picture.meta.silent:
        from convcli.imaging.metadata.revise import revised

        plan = work.plan(picture.size)
        result.meta, notes = revised(picture.meta, plan, picture, result, picture.n_frames)
        result.notes += notes
    if layout.space != picture.space:
        result.meta = replace(result.meta, jpeg={**picture.meta.jpeg, "changed": True})
    filtered = Filtered(
        result,
        work.plan(picture.size),
        work.how_alpha(),
        options.flip,
        _range(chain, options),
        "" if options.normalize else _brightens(kernels),
    )
    return work, filtered


def _brightens(kernels: Sequence[Kernel]) -> str:
    """Kernels of several weights whose sum is neither that of a mean nor of a difference."""
    return ", ".join(
        f"the weights of {kernel.name} sum to {kernel.sum:g}"
        for kernel in kernels
        if kernel.shape != (1, 1) and not kernel.bias and not -0.01 <= kernel.sum <= 1.01
    )


def _range(chain: Sequence[Kernel], options: FilterOptions) -> str:
    if options.range != "auto":
        return options.range
    return "abs" if any(kernel.absolute for kernel in chain) else "clip"


class _Frames:
    """The filtered frames, made at each walk."""

    def __init__(self, picture: Source, work: Work, tally: Filtered) -> None:
        self._of = picture, work, tally

    def __iter__(self) -> Iterator[Frame]:
        picture, work, tally = self._of
        tally.samples, tally.clipped, tally.seconds = 0, 0, 0.0
        for number, frame in enumerate(picture.frames):
            start = perf_counter()
            done = work.frame(frame, tally)
            tally.seconds += perf_counter() - start
            if frame.meta is not None:
                from convcli.imaging.metadata.revise import revised

                plan, pages = work.plan(frame.pixels.shape[:2]), picture.n_frames - number
                done.meta, notes = revised(frame.meta, plan, picture, tally.picture, pages)
                if number:  # the first page's are the picture's, and told of already
                    new = done.meta.stale[len(frame.meta.stale) :]
                    notes += [f"left out: {name} on page {number + 1}" for name in new]
                    tally.picture.notes += [n for n in notes if n not in tally.picture.notes]
            yield done
