"""A chain of kernels on the frames of a source: what will be done, and the stages that do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.engine.backends import NUMPY
from convcli.engine.step import CPU_ONLY
from convcli.errors import BackendError
from convcli.imaging.header import Header, Metadata
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Plane
from convcli.imaging.stages.alpha import hides_some, is_opaque, leaves_alpha
from convcli.imaging.stages.carry_out import Counts
from convcli.imaging.stages.channels import channels_of, prepare_chain
from convcli.imaging.stages.levels_found import OTSU, LevelsFound, levels_so_far
from convcli.imaging.stages.missing import may_miss, refusal, require_finite, slabs, way_of
from convcli.imaging.stages.outline import (
    Outline,
    brightens,
    how_alpha,
    range_told,
    told_of_cpu,
)
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.rasters import holds_values
from convcli.imaging.stages.result import Correlated, Requantised, Result
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import facts_of, picks_values

if TYPE_CHECKING:
    from convcli.imaging.metadata.revise import Effect
    from convcli.imaging.stages.part_shown import Mask, Selection
    from convcli.imaging.stages.stretching import Stretched
    from convcli.imaging.stages.surveys import Answer, Survey

__all__ = ["Filter"]


class Filter:
    """A chain of kernels, planned for the frames of a source.

    Parameters
    ----------
    source
        What is known of the picture.
    kernels, options
        The chain, and everything else.
    mask
        How much of the result shows, if not all.

    Raises
    ------
    KernelError
        If the chain is empty, or a kernel cannot be normalised or used in the light asked for.
    ShapeError
        If sizes or channels do not fit.
    """

    def __init__(
        self,
        source: Header,
        kernels: Sequence[Kernel],
        options: FilterOptions,
        mask: Mask | None = None,
    ) -> None:
        self.selection: Selection | None = None
        asked = options.backend
        if options.region is not None or mask is not None:
            from convcli.imaging.stages.part_shown import Selection

            self.selection = Selection(options.region, mask)
            what = f"{source.name}: part of a picture is"
            options = options.on_cpu(what, ", or --region and --mask")
        chain = prepare_chain(kernels, options)
        channels = channels_of(source, chain, values=holds_values(source, options))
        self.options = options
        self.plans = Plans(source, chain, channels, options)
        self.leaves_alpha = all(leaves_alpha(kernel) for kernel in chain)
        self.ways = [way_of(kernel, options.missing) for kernel in chain]
        self.counts = Counts()
        self._frames = self._by_cpu = 0
        self._why_cpu = ""
        plan = self.plans.chained(source.size)
        if self.plans.in_light and asked is not None and plan.backend.on_gpu:
            self._left_to_cpu(self.plans, self.counts)  # refused before a sample is read
        header = source.but(
            space=channels.space,
            alpha=channels.alpha,
            dtype=np.dtype(self.plans.out_dtype),
            size=plan.shape_out[:2],
            bands=channels.bands,
            nodata=self._declares(source.nodata),
        )
        header.flat = source.flat and header.shape[2] == 1
        if self.selection is not None:
            self.selection.check(source, header, options)
            if asked is None:
                reason = "part of a picture is filtered on the CPU"
                plan = plan._replace(backend_reason=reason)
        if not source.meta.silent:
            from convcli.imaging.metadata.revise import revised

            pages = source.n_frames
            header.meta, notes = revised(source.meta, plan, source, header, pages, self.effect)
            header.notes += notes
        if channels.space != source.space:
            header.meta = header.meta.but(jpeg={**source.meta.jpeg, "changed": True})
        self.outline = Outline(
            header,
            plan,
            how_alpha(self.plans, mixed=channels.over_alpha),
            options.flip,
            range_told(self.plans),
            tuple(kernel.is_correlation for kernel in chain),
            "" if options.normalize or self.plans.values else brightens(kernels),
            self.plans.values,
            None if self.selection is None else self.selection.shown(source),
            () if self.plans.in_colours or not self.plans.missing.possible else tuple(self.ways),
        )
        self._planned = self.outline.plan
        self.source, self._channels = source, channels

    @property
    def whole(self) -> str:
        """The name of a kernel of which each result depends on all of the picture; empty if of none."""
        return next((k.name for k in self.plans.chain if facts_of(k).whole), "")

    @property
    def effect(self) -> Effect:
        """What becomes of values wherever they are, for what a file says of their unit."""
        from convcli.imaging.metadata.revise import effect_of

        plans = self.plans
        same_unit = plans.values or plans.dtype == plans.out_dtype
        effect = effect_of(plans.chain, self.options.range, same_unit=same_unit)
        return effect if self.selection is None else effect.in_part

    @property
    def sees_once(self) -> bool:
        """Whether samples are looked at once only, from top to bottom, to make the result so."""
        plans, options = self.plans, self.options
        asks = options.range == "stretch" or any(k.operation == OTSU for k in plans.chain)
        looks = plans.missing.possible or (plans.weighs and not self._leaves_all)
        return not (asks or looks or self.whole or options.border.mode == "wrap")

    @property
    def _leaves_all(self) -> bool:
        """Whether alpha stays as it is, and each kernel is one of a sum."""
        return self.leaves_alpha and all(kernel.is_correlation for kernel in self.plans.chain)

    def is_simple(self, plane: Plane) -> bool:
        """Whether one plan makes samples of samples: no light, no alpha to weigh by, none missing."""
        plans, name = self.plans, self.source.name
        if plans.in_light:
            return False
        if plans.weighs:
            if plane.dtype.kind == "f":
                for rows in slabs(plane):
                    require_finite(rows, name)
            if self._leaves_all or (self.leaves_alpha and not hides_some(plane)):
                return True
            return is_opaque(plane)
        exact = plane.dtype.kind in "iu" and plane.dtype.itemsize == 8  # each region is to be asked
        if len(plans.chain) == 1 and picks_values(plans.chain[0]):
            exact = False  # a longer chain may hold values as floats on the way
        look = np.dtype(plans.out_dtype).kind != "f" or self._is_refused(plane)
        return not exact and not may_miss(plane, plans.missing, name, look=look)

    def _is_refused(self, plane: Plane) -> bool:
        """Whether there would be no result if a sample were missing."""
        steps, fill = self.plans.chained(plane.shape[:2]).steps, self.options.fill
        each = zip(self.plans.chain, self.ways, steps, strict=True)
        return any(refusal(kernel, way, step, fill=fill) for kernel, way, step in each)

    def survey(
        self,
        plane: Plane,
        answers: Sequence[Answer] = (),
        *,
        simple: bool,
        whole: bool = False,
        one_thread: bool = False,
    ) -> Survey | None:
        """What has to be asked of all values of a plane next, with the answers that there are.

        None where it can be made. ``whole`` says that it is made in one piece, so that what
        ``stretch`` asks is answered on the way.
        """
        found = self._found(plane, answers, simple=simple, one_thread=one_thread)
        if found.survey is not None or self.options.range != "stretch" or found.rest or whole:
            return found.survey
        return self._stretched(plane, simple, found.plans)

    def answers(
        self,
        plane: Plane,
        look: Callable[[Survey, tuple[Answer, ...]], Iterable[Any]],
        *,
        simple: bool,
        **how: bool,
    ) -> tuple[Answer, ...]:
        """Ask all that :meth:`survey` asks of a plane; the levels found go into the outline.

        ``look`` gives what a survey finds in regions that cover it, from the answers so far.
        """
        answers: tuple[Answer, ...] = ()
        with self.counts.aside():
            while (survey := self.survey(plane, answers, simple=simple, **how)) is not None:
                answers += (survey.join(look(survey, answers)),)
        levels = self._found(plane, answers, simple=simple, one_thread=True).levels
        if levels:
            self.outline.levels.append(levels)
        return answers

    def stage(
        self,
        plane: Plane,
        *,
        simple: bool,
        one_thread: bool = False,
        answers: Sequence[Answer] = (),
    ) -> Plane | Stretched:
        """The filtered plane, made as its regions are read.

        With ``one_thread`` each region is made on the CPU by whoever reads it. What :meth:`survey`
        asks has been answered.
        """
        found = self._found(plane, answers, simple=simple, one_thread=one_thread)
        plans, counts = found.plans, self.counts
        if self.selection is not None:
            from convcli.imaging.stages.part_shown import PartShown

            make = partial(self._result, plane, simple)
            return PartShown(plane, self.selection, make, plans, counts, self.source.name)
        if self.options.range == "stretch":
            return self._stretched(plane, simple, plans, *found.rest[:1])
        return self._result(plane, simple, plans, counts)

    def _stretched(
        self, plane: Plane, simple: bool, plans: Plans, limits: tuple[float, float] | None = None
    ) -> Stretched:
        """The plane that looks for its limits, or has them."""
        from convcli.engine.rounding import rounding
        from convcli.imaging.stages.stretching import Stretched, Watched

        rounds = not simple or rounding(plans.chained(plane.shape[:2]), 1.0) > 0
        seen = Watched(plane, plans) if rounds and limits is None else None
        return Stretched(self._result(seen or plane, simple, plans, self.counts), seen, limits)

    def _found(
        self, plane: Plane, answers: Sequence[Answer], *, simple: bool, one_thread: bool
    ) -> LevelsFound:
        plans = self._of_one_thread if one_thread else self.plans
        return levels_so_far(plans, plane, self.source.name, answers, simple=simple)

    def _result(self, plane: Plane, simple: bool, plans: Plans, counts: Counts) -> Result:
        """The whole filtered plane, before ``stretch`` where that is the range."""
        if simple:
            return Correlated(plane, plans, counts, opaque=not self.leaves_alpha)
        if plans.chained(plane.shape[:2]).backend.on_gpu and not self._left_to_cpu(plans, counts):
            from convcli.imaging.stages.on_device import DeviceResult

            return DeviceResult(plane, plans, self.source.name, counts)
        from convcli.imaging.stages.chain_layers import layers_of
        from convcli.imaging.stages.partly_hidden import PartlyHidden, same_from_samples

        layers = layers_of(plane, plans, self.source.name)
        if same_from_samples(plans):
            return PartlyHidden(plane, plans, layers, counts)
        return Requantised(layers, plans, plane.shape[:2], counts)

    def _left_to_cpu(self, plans: Plans, counts: Counts) -> bool:
        """Whether the CPU takes over from a GPU, where not all samples vote in what is no sum.

        Raises
        ------
        BackendError
            If the GPU was asked for by name.
        """
        names = [kernel.name for kernel in plans.chain if not kernel.is_correlation]
        if not names:
            return False
        where = (
            "in brightness or light"
            if plans.in_light
            else "beside samples that do not vote (missing or transparent)"
        )
        why = f"{', '.join(names)} {CPU_ONLY} {where}"
        if self.options.backend is not None:
            raise BackendError(
                f"backend {self.options.backend}: {why}; leave out --backend cupy and --device"
            )
        counts.by_cpu(why)
        return True

    def begin(self) -> None:
        """Count from nothing: the frames are about to be made, perhaps once more."""
        self.counts.clear()
        if self._by_cpu:
            self.outline.plan = self._planned
        self._frames = self._by_cpu = 0
        self._why_cpu = ""
        self.outline.levels.clear()
        self.outline.seconds = 0.0

    def count(self, seconds: float) -> None:
        """Put into the outline what has been counted of one more frame, and ``seconds`` of work."""
        outline, counts = self.outline, self.counts
        self._frames += 1
        if counts.taken_over:
            self._by_cpu += 1
            self._why_cpu = self._why_cpu or counts.taken_over
            counts.taken_over = ""
        if self._by_cpu:
            how = self._why_cpu, self._by_cpu, self._frames
            outline.plan = told_of_cpu(self._planned, *how)
        outline.tally = counts.total
        outline.seconds += seconds
        self._say(counts.notes)

    def revised(self, plane: Plane, number: int, pages: int) -> Metadata | None:
        """What page ``number``, with which ``pages`` are left, says of itself after the filter."""
        if plane.meta is None:
            return None
        from convcli.imaging.metadata.revise import revised

        plan, header = self.plans.chained(plane.shape[:2]), self.outline.header
        meta, notes = revised(plane.meta, plan, self.source, header, pages, self.effect)
        if number:  # the first page's are the picture's, and told of already
            new = meta.stale[len(plane.meta.stale) :]
            self._say(notes + [f"left out: {name} on page {number + 1}" for name in new])
        return meta

    def _say(self, notes: list[str]) -> None:
        said = self.outline.header.notes
        said += [note for note in notes if note not in said]

    @cached_property
    def _of_one_thread(self) -> Plans:
        options = self.options._replace(threads=1, backend=NUMPY)
        return Plans(self.source, self.plans.chain, self._channels, options)

    def _declares(self, declared: float | int | None) -> float | int | None:
        """The value that the result declares as missing: none that was not named."""
        asked = self.options.nodata, self.options.nodata_out
        if asked[0] == "none" or (asked == (None, None) and declared is None):
            return None
        return self.plans.missing.says
