"""A chain of kernels on the frames of a source: what will be done, and the stages that do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from convcli.engine.backends import NUMPY
from convcli.engine.plan import Plan
from convcli.imaging.header import Header, Metadata, full_scale
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Plane
from convcli.imaging.stages.alpha import leaves_alpha
from convcli.imaging.stages.carry_out import Counts
from convcli.imaging.stages.channels import channels_of, prepare_chain
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.result import Correlated, Requantised, Stretched
from convcli.kernels.kernel import Kernel

if TYPE_CHECKING:
    from convcli.imaging.stages.float_layers import LayerStage

__all__ = ["Filter", "Outline"]

SCAN_BYTES = 2**24
"""Of a picture that are looked at together for transparent pixels."""


@dataclass(slots=True, eq=False, repr=False)
class Outline:
    """What a filter does, in numbers and words that fit through a line between processes."""

    header: Header
    """Of the result."""
    plan: Plan
    how_alpha: str
    """How alpha was treated; empty if there is none."""
    flip: bool
    range: str
    """How values became pixels: ``auto`` is resolved."""
    correlates: bool = True
    """Whether a kernel is that of a sum, so that it matters how it is turned."""
    brightens: str = ""
    """Which kernels make the picture brighter as a whole, or black; empty if none does."""
    samples: int = 0
    clipped: int = 0
    seconds: float = 0.0

    @property
    def clipped_fraction(self) -> float:
        """Share of the samples that fell outside the range; known once the frames are made."""
        return self.clipped / self.samples if self.samples else 0.0


class Filter:
    """A chain of kernels, planned for the frames of a source.

    Parameters
    ----------
    source
        What is known of the picture.
    kernels, options
        The chain, and everything else.

    Raises
    ------
    KernelError
        If the chain is empty, or a kernel cannot be normalised or used in the light asked for.
    ShapeError
        If sizes or channels do not fit.
    """

    def __init__(self, source: Header, kernels: Sequence[Kernel], options: FilterOptions) -> None:
        chain = prepare_chain(kernels, options)
        channels = channels_of(source, chain)
        self.options = options
        self.plans = Plans(source, chain, channels, options)
        self.leaves_alpha = all(leaves_alpha(kernel) for kernel in chain)
        self.counts = Counts()
        plan = self.plans.chained(source.size)
        header = source.but(
            space=channels.space,
            alpha=channels.alpha,
            dtype=np.dtype(self.plans.out_dtype),
            size=plan.shape_out[:2],
        )
        header.flat = source.flat and header.shape[2] == 1
        if not source.meta.silent:
            from convcli.imaging.metadata.revise import effect_of, revised

            effect = effect_of(chain, options.range)
            header.meta, notes = revised(source.meta, plan, source, header, source.n_frames, effect)
            header.notes += notes
        if channels.space != source.space:
            header.meta = replace(header.meta, jpeg={**source.meta.jpeg, "changed": True})
        how_alpha = "alpha is one of the channels that the kernel mixes"
        self.outline = Outline(
            header,
            plan,
            how_alpha if channels.over_alpha else self._how_alpha(),
            options.flip,
            _range(chain, options),
            any(kernel.is_correlation for kernel in chain),
            "" if options.normalize else _brightens(kernels),
        )
        self._of_one_thread: Plans | None = None
        self.source, self._channels = source, channels

    def is_simple(self, plane: Plane) -> bool:
        """Whether one plan makes samples of samples: no light, no colours to weigh by alpha."""
        if self.plans.in_light:
            return False
        return not self.plans.alpha or self.leaves_alpha or is_opaque(plane)

    def stage(self, plane: Plane, *, simple: bool, one_thread: bool = False) -> Plane | Stretched:
        """The filtered plane, made as its regions are read.

        With ``one_thread`` each region is made on the CPU by whoever reads it.
        """
        plans = self._plans_of_one_thread() if one_thread else self.plans
        size = plane.shape[:2]
        if simple:
            made: Correlated | Requantised = Correlated(
                plane, plans, self.counts, opaque=not self.leaves_alpha
            )
        else:
            # Most pictures need none of them.
            from convcli.imaging.stages.light import AsColours, AsFloats
            from convcli.imaging.stages.weighted import Weighted

            layers: LayerStage = AsFloats(plane, plans)
            for kernel, step in zip(plans.chain, plans.chained(size).steps, strict=True):
                layers = Weighted(layers, kernel, step, plans)
            made = Requantised(AsColours(layers, plans), plans, size, self.counts)
        return Stretched(made) if self.options.range == "stretch" else made

    def begin(self) -> None:
        """Count from nothing: the frames are about to be made, perhaps once more."""
        self.counts.clear()
        self.outline.seconds = 0.0

    def count(self, seconds: float) -> None:
        """Put into the outline what has been counted so far, and ``seconds`` more of work."""
        outline, counts = self.outline, self.counts
        outline.samples, outline.clipped = counts.samples, counts.clipped
        outline.seconds += seconds
        self._say(counts.notes)

    def revised(self, plane: Plane, number: int, pages: int) -> Metadata | None:
        """What page ``number``, with which ``pages`` are left, says of itself after the filter."""
        if plane.meta is None:
            return None
        from convcli.imaging.metadata.revise import effect_of, revised

        plan, header = self.plans.chained(plane.shape[:2]), self.outline.header
        effect = effect_of(self.plans.chain, self.options.range)
        meta, notes = revised(plane.meta, plan, self.source, header, pages, effect)
        if number:  # the first page's are the picture's, and told of already
            new = meta.stale[len(plane.meta.stale) :]
            self._say(notes + [f"left out: {name} on page {number + 1}" for name in new])
        return meta

    def _say(self, notes: list[str]) -> None:
        said = self.outline.header.notes
        said += [note for note in notes if note not in said]

    def _plans_of_one_thread(self) -> Plans:
        if self._of_one_thread is None:
            options = self.options._replace(threads=1, backend=NUMPY)
            self._of_one_thread = Plans(self.source, self.plans.chain, self._channels, options)
        return self._of_one_thread

    def _how_alpha(self) -> str:
        if not self.plans.alpha:
            return ""
        if self.leaves_alpha:
            return "alpha is left as it is: the kernels measure differences or single pixels"
        return "colour is weighted by alpha, unless every pixel is opaque"


def is_opaque(plane: Plane) -> bool:
    """Whether every pixel of a plane with alpha is opaque."""
    height, width, channels = plane.shape
    rows = max(SCAN_BYTES // (width * channels * plane.dtype.itemsize), 1)
    white = full_scale(plane.dtype)
    return all(
        (plane.read((((top, min(top + rows, height)),), ((0, width),)))[..., -1] == white).all()
        for top in range(0, height, rows)
    )


def _brightens(kernels: Sequence[Kernel]) -> str:
    """Kernels of several weights whose sum is neither that of a mean nor of a difference."""
    return ", ".join(
        f"the weights of {kernel.name} sum to {kernel.sum:g}"
        for kernel in kernels
        if kernel.is_correlation
        and kernel.shape != (1, 1)
        and not kernel.bias
        and not -0.01 <= kernel.sum <= 1.01
    )


def _range(chain: Sequence[Kernel], options: FilterOptions) -> str:
    if options.range != "auto":
        return options.range
    return "abs" if any(kernel.absolute for kernel in chain) else "clip"
