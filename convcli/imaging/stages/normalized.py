"""Filtering beside missing samples: normalised convolution, one kernel of a chain at a time.

With certainty ``a`` (1 where a sample is there, 0 where it is missing), weights ``w`` and samples
``x``, a window gives, for each channel on its own::

    renormalize   sum(w) sum(w a x) / sum(w a)                for weights that are not negative
    centre        sum(w a x) + x_c (sum(w) - sum(w a))        missing ones stand for the centre
    total         sum(w a x)
    propagate     sum(w x), missing if one of its samples is

where ``x_c`` is the sample under the kernel's centre. The result is missing where that one is,
unless holes are filled, and where too few samples are there, counted in whole numbers.

Windows that lack nothing give the sum itself, to the same bits whether anything is missing in
their neighbourhood or not: so a picture has the same samples in one piece and in parts.

Source: H. Knutsson and C.-F. Westin, Normalized and differential convolution (1993).
"""

from __future__ import annotations

import math
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.voting import Vote, voted
from convcli.engine.numerics import whole_weights
from convcli.engine.plan import Plan, Step
from convcli.engine.regions import Ranges
from convcli.errors import UsageError
from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.alpha import picker
from convcli.imaging.stages.carry_out import step_on
from convcli.imaging.stages.float_layers import Layers, LayerStage
from convcli.imaging.stages.missing import exact_limit, refusal, way_of
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.window_stage import WindowStage
from convcli.kernels.kernel import Kernel

__all__ = ["Known", "Normalized"]


class Known:
    """Samples with 0 where they are missing, and where they are there."""

    def __init__(self, plane: Plane, plans: Plans, name: str) -> None:
        self.plane, self.plans, self.name = plane, plans, name

    def read(self, want: Ranges) -> Layers:
        """Layers of a region, of the picture's own type."""
        x, alpha = self.plans.split(self.plane.read(want))
        xp = self.plans.xp
        x, there = self.plans.missing.known(xp.ascontiguousarray(x), alpha, self.name, xp)
        if x.dtype.kind in "iu" and x.dtype.itemsize == 8:
            self._require_exact(x)
        return Layers(x, alpha, there=there)

    def _require_exact(self, x: Pixels) -> None:
        if np.dtype(self.plans.out_dtype).kind == "f":
            return
        limit = exact_limit(self.plans.chain)
        low, high = int(x.min()), int(x.max())
        if low < -limit or high > limit:
            names = " | ".join(kernel.name for kernel in self.plans.chain)
            sums = any(kernel.is_correlation for kernel in self.plans.chain)
            raise UsageError(
                f"{self.name}: a sample of {high if high > limit else low:,} is too large for exact "
                f"{'sums' if sums else 'results'} with {names}, which takes up to {limit:,}; "
                "--depth float64 rounds them"
            )


class Normalized(WindowStage):
    """One kernel of a chain on samples of type ``dtype``, of which some may be missing.

    What comes out is of float64 where it is exact.

    Raises
    ------
    UsageError
        If the kernel cannot do what was asked for.
    """

    def __init__(
        self, before: LayerStage, kernel: Kernel, step: Step, plans: Plans, dtype: np.dtype[Any]
    ) -> None:
        self.way = way_of(kernel, plans.options.missing)
        self.kernel, scale, self.exact = _in_whole_numbers(kernel, dtype)
        super().__init__(before, step, plans, np.dtype("float64") if self.exact else plans.between)
        refused = refusal(kernel, self.way, step, fill=self.missing.fill)
        if refused and self.missing.possible:
            raise UsageError(refused)
        self.vote = self._vote(scale, kernel.bias * plans.unit, plans.shows_absolute(kernel))
        self._make_plans(step.shape_in, dtype)

    def _vote(self, scale: float, bias: float, absolute: bool) -> Vote:
        """What makes results of sums, in numbers."""
        kernel, missing = self.kernel, self.missing
        taps = int(np.max(_taps(kernel)))
        # Where all others are missing, the centre stands for them.
        least = max(math.ceil(missing.least * taps - 1e-9), self.way != "centre")
        fill = missing.fill or kernel.is_bank
        way, total, gain = "plain", 0.0, 1.0
        if self.way == "propagate":
            least = taps
        elif self.way == "renormalize":
            weights = kernel.weights
            way = "counted" if is_flat(weights) else "weighted"
            total, gain = float(weights.max()), scale * float(weights.sum())
        elif self.way == "centre":
            # A stack is put together before, one member at a time.
            way = "centred" if kernel.combine == "none" else "plain"
            total = _members(kernel)[0].sum
        return Vote(way, taps, least, fill, scale, gain, total, bias, absolute)

    def _make_plans(self, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
        plans, kernel, use = self.plans, self.kernel, self.use
        centre = picker(kernel.shape)
        self.sums = use(plans.sums(shape, dtype, kernel, self.dtype))
        self.centre = self.counting(centre, "uint8", range="clip", flip=False)
        most = 2**16 - 1 if kernel.is_bank else self.vote.taps
        few = next((d for d in ("uint8", "uint16") if most <= np.iinfo(d).max), "float32")
        how = "float" if few == "float32" else "clip"
        self.votes = self.counting(_footprint(kernel), few, range=how)
        self.alpha = None
        if plans.alpha:
            self.alpha = use(plans.picking(shape[:2], plans.dtype, [centre]))
        self.voted: Plan | None = None
        self.weights: Plan | None = None
        self.under: Plan | None = None
        self.members: list[tuple[Plan, Plan, float]] = []
        if self.way == "renormalize":
            voted = plans.sums(shape, dtype, kernel, self.dtype, relative=True)
            self.voted = None if _same_method(voted, self.sums) else use(voted)
            if not is_flat(kernel.weights):
                self.weights = self.counting(_positive(kernel), self.dtype, relative=True)
        elif self.way == "centre":
            self.under = use(
                plans.sums(shape, dtype, centre, self.dtype, any_algorithm=True, flip=False)
            )
            for member in _members(kernel):
                # Whole numbers are summed exactly already.
                sums = self.sums
                if not self.exact:
                    sums = use(plans.sums(shape, dtype, member, "float64", precise=True))
                precise = whole_weights(member.weights) is None
                present = self.counting(member, "float64", precise=precise)
                self.members.append((sums, present, member.sum))

    def read(self, want: Ranges) -> Layers:
        """Layers of a region of the filtered picture, with the hole's value where samples are missing."""
        xp, have = self.plans.xp, self.needed(want)
        x, alpha, _, there = self.before.read(have)
        alpha = self.alpha_under(self.alpha, alpha, have, want)
        sums = step_on(self.sums, x, have, want)
        if there is None and not self.missing.outside:
            return Layers(self._shown(sums), alpha)
        if there is None:
            there = self.all_there(x)
        votes = step_on(self.votes, there, have, want)
        if self.kernel.is_bank:  # as many for each output
            votes += xp.asarray(self.vote.taps - _taps(self.kernel), votes.dtype)
            centre = self.all_there(votes)
        else:
            centre = self.under_centres(self.centre, there, have, want)
        found, lost = voted(
            self.vote._replace(hole=self.hole),
            *(sums, votes, xp.ascontiguousarray(centre, np.uint8)),
            **self._beside(sums, votes, x, there, have, want),
            xp=xp,
        )
        return Layers(sums, alpha, there=found if lost else None)

    def _beside(
        self, sums: Pixels, votes: Pixels, x: Pixels, mask: Pixels, have: Ranges, want: Ranges
    ) -> dict[str, Pixels]:
        """What the kernel's way takes beside the sums and how many are there."""
        if self.voted is not None:
            exact = step_on(self.voted, x, have, want)
            self.plans.xp.copyto(sums, exact, where=votes != self.vote.taps)
        if self.weights is not None:
            return {"weights": step_on(self.weights, mask, have, want)}
        if self.under is None:
            return {}
        xp, under = self.plans.xp, self.under_centres(self.under, x, have, want)
        responses = []
        for plan, weights, all_of_it in self.members:
            precise = sums.copy() if self.exact else step_on(plan, x, have, want)
            present = step_on(weights, mask, have, want)
            if len(self.members) == 1:
                under = xp.ascontiguousarray(under, self.dtype)
                return {"under": under, "precise": precise, "present": present}
            xp.subtract(all_of_it, present, out=present)
            responses.append(precise + present * under)
        total = _combined(responses, self.kernel.combine, xp)
        with np.errstate(over="ignore"):  # infinite, as where nothing is missing
            xp.copyto(sums, total.astype(self.dtype), where=votes != self.vote.taps)
        return {}

    def _shown(self, sums: Pixels) -> Pixels:
        """What windows give that lack nothing."""
        vote, kind = self.vote, sums.dtype.type
        if vote.scale != 1.0:
            sums *= kind(vote.scale)
        if vote.bias:
            sums += kind(vote.bias)
        return self.plans.xp.abs(sums, out=sums) if vote.absolute else sums


def _in_whole_numbers(kernel: Kernel, dtype: np.dtype[Any]) -> tuple[Kernel, float, bool]:
    """A kernel whose sums of whole samples are whole, and its scale; as it is where there is none."""
    if dtype.kind not in "iu" or kernel.combine != "none" or not kernel.is_correlation:
        return kernel.replace(bias=0.0, absolute=False), 1.0, False
    whole = whole_weights(kernel.weights)
    if whole is None:
        return kernel.replace(bias=0.0, absolute=False), 1.0, False
    numbers, factor, _ = whole
    plain = kernel.replace(weights=numbers, scale=1.0, bias=0.0, absolute=False)
    return plain, kernel.scale * factor, True


def _taps(kernel: Kernel) -> Any:
    """How many cells count; for each output of a bank."""
    if kernel.is_bank:
        return np.count_nonzero(kernel.weights, axis=(1, 2, 3))
    return int(np.count_nonzero(_cells(kernel)))


def _cells(kernel: Kernel) -> NDArray[np.bool_]:
    """Which cells of the window count."""
    there: NDArray[np.bool_] = kernel.weights != 0
    return np.asarray(there.any(axis=0)) if kernel.weights.ndim == 3 else there


@lru_cache(maxsize=64)
def _footprint(kernel: Kernel) -> Kernel:
    """One where a cell counts."""
    return Kernel(_cells(kernel).astype(float), name="votes")


@lru_cache(maxsize=64)
def _positive(kernel: Kernel) -> Kernel:
    """The weights by which what is there is divided."""
    return Kernel(np.maximum(kernel.weights, 0.0), name="presence")


@lru_cache(maxsize=64)
def _members(kernel: Kernel) -> tuple[Kernel, ...]:
    """The kernels of a stack, each on its own."""
    if kernel.weights.ndim == 2:
        return (kernel,)
    return tuple(Kernel(weights, kernel.scale, name=kernel.name) for weights in kernel.weights)


def _combined(responses: list[Pixels], combine: str, xp: Any) -> Pixels:
    """What a stack makes of the responses of its members, arrays of a module."""
    if combine == "magnitude":
        size: Pixels = xp.sqrt(sum(xp.square(values) for values in responses))
        return size
    return reduce(xp.maximum, responses) if combine == "maximum" else responses[0]


def is_flat(weights: NDArray[np.float64]) -> bool:
    """Whether all weights that count are alike, so that counting cells weighs them."""
    there = weights[weights != 0]
    return bool(there.size and (there == there[0]).all())


def _same_method(one: Plan, other: Plan) -> bool:
    """Whether two plans of the same sums compute them alike."""
    a, b = one.steps[0].method, other.steps[0].method
    terms = [[len(member) for member in m.factors] for m in (a, b)]
    return type(a) is type(b) and a.transform == b.transform and terms[0] == terms[1]
