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
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.numerics import whole_weights
from convcli.engine.plan import Plan, Step
from convcli.engine.regions import Ranges, join, needed
from convcli.errors import UsageError
from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.alpha import picker
from convcli.imaging.stages.carry_out import is_whole, step_on, whole_of
from convcli.imaging.stages.float_layers import Layers, LayerStage
from convcli.imaging.stages.missing import exact_limit, way_of
from convcli.imaging.stages.plans import Plans
from convcli.kernels.kernel import Kernel

__all__ = ["Known", "Normalized"]


class Known:
    """Samples with 0 where they are missing, and where they are there."""

    def __init__(self, plane: Plane, plans: Plans, name: str) -> None:
        self.plane, self.plans, self.name = plane, plans, name

    def read(self, want: Ranges) -> Layers:
        """Layers of a region, of the picture's own type."""
        x, alpha = self.plans.split(self.plane.read(want))
        there = self.plans.missing.there(x, alpha, self.name)
        if there is not None:
            x = np.where(there, x, x.dtype.type(0))
        if x.dtype.kind in "iu" and x.dtype.itemsize == 8:
            self._require_exact(x)
        return Layers(x, alpha, there=there)

    def _require_exact(self, x: Pixels) -> None:
        if np.dtype(self.plans.out_dtype).kind == "f":
            return
        kernel = self.plans.chain[0]
        limit = exact_limit(kernel)
        low, high = int(x.min()), int(x.max())
        if low < -limit or high > limit:
            raise UsageError(
                f"{self.name}: a sample of {high if high > limit else low:,} is too large for exact "
                f"sums with {kernel.name}, which takes up to {limit:,}; "
                "--depth float64 rounds them"
            )


class Normalized:
    """One kernel of a chain on samples of which some may be missing.

    Parameters
    ----------
    step
        The kernel's step in the plan of the whole chain, for its geometry.
    dtype
        Type of the samples that come in.

    Attributes
    ----------
    dtype
        Of the samples that come out: float64 where they are exact.

    Raises
    ------
    UsageError
        If the kernel cannot do what was asked for.
    """

    def __init__(
        self, before: LayerStage, kernel: Kernel, step: Step, plans: Plans, dtype: np.dtype[Any]
    ) -> None:
        self.before, self.plans, self.missing = before, plans, plans.missing
        self.size_in, self.size_out = step.shape_in[:2], step.shape_out[:2]
        self.way = way_of(kernel, plans.options.missing)
        self.absolute, self.bias = plans.shows_absolute(kernel), kernel.bias * plans.unit
        self.kernel, self.scale, self.exact = _in_whole_numbers(kernel, dtype)
        self.dtype = np.dtype("float64") if self.exact else plans.between
        self.n_taps = _taps(kernel)
        _check(self.kernel, self.way, step, fill=self.missing.fill)
        self._make_plans(step.shape_in, dtype)

    def _make_plans(self, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
        plans, kernel = self.plans, self.kernel
        outside = 0.0 if self.missing.outside else 1.0

        def counting(weights: Kernel, out: Any = "float32", **how: Any) -> Plan:
            """Sums of weights where samples are there: 1 in a mask of bytes, 0 elsewhere."""
            how = {"outside": outside, "any_algorithm": True, "bounds": (0, 1), **how}
            return plans.sums(shape, "uint8", weights, out, **how)

        centre = picker(kernel.shape)
        if plans.options.flip:
            centre = centre.flipped()  # the plan turns it back: it is a cell of the window
        self.sums = plans.sums(shape, dtype, kernel, self.dtype)
        self.votes, self.centre = counting(_footprint(kernel)), counting(centre)
        self.alpha = plans.picking(shape[:2], plans.dtype, [centre]) if plans.alpha else None
        self.voted: Plan | None = None
        self.weights: Plan | None = None
        self.under: Plan | None = None
        self.members: list[tuple[Plan, Plan, float]] = []
        if self.way == "renormalize":
            voted = plans.sums(shape, dtype, kernel, self.dtype, relative=True)
            self.voted = None if _same_method(voted, self.sums) else voted
            if not is_flat(kernel.weights):
                self.weights = counting(_positive(kernel), self.dtype, relative=True)
        elif self.way == "centre":
            self.under = plans.sums(shape, dtype, centre, "float64", any_algorithm=True)
            for member in _members(kernel):
                # Whole numbers are summed exactly already.
                sums = self.sums
                if not self.exact:
                    sums = plans.sums(shape, dtype, member, "float64", precise=True)
                present = counting(member, "float64", precise=True)
                self.members.append((sums, present, member.sum))

    def read(self, want: Ranges) -> Layers:
        """Layers of a region of the filtered picture, with 0 where samples are missing."""
        have = self._needed(want)
        x, alpha, _, there = self.before.read(have)
        if self.alpha is not None and alpha is not None:
            alpha = np.asarray(step_on(self.alpha, alpha, have, want), alpha.dtype)
        sums = step_on(self.sums, x, have, want)
        if there is None and not self.missing.outside:
            return Layers(self._shown(self._scaled(sums)), alpha)
        mask = np.ones(x.shape, np.uint8) if there is None else np.ascontiguousarray(there)
        mask = mask.view(np.uint8)
        votes = step_on(self.votes, mask, have, want)
        whole = votes == self.n_taps
        if self.way == "propagate":
            found = whole
        else:
            found = votes >= max(math.ceil(self.missing.least * self.n_taps - 1e-9), 1)
        if not (self.missing.fill or self.kernel.is_bank):
            found = found & (step_on(self.centre, mask, have, want) != 0)
        lacking = found & ~whole
        values = self._scaled(sums)
        if lacking.any() and self.way in ("renormalize", "centre"):
            mend = self._renormalized if self.way == "renormalize" else self._centred
            np.copyto(values, mend(sums, votes, x, mask, have, want), where=lacking)
        values = self._shown(values)
        if found.all():
            return Layers(values, alpha)
        values[~found] = 0
        return Layers(values, alpha, there=found)

    def _needed(self, want: Ranges) -> Ranges:
        if is_whole(want, self.size_out):
            return whole_of(self.size_in)
        plans = [
            self.sums,
            self.votes,
            self.centre,
            self.alpha,
            self.voted,
            self.weights,
            self.under,
        ]
        plans += [plan for sums, present, _ in self.members for plan in (sums, present)]
        return join(*(needed(plan.steps[0], want) for plan in plans if plan is not None))

    def _renormalized(
        self, sums: Pixels, votes: Pixels, x: Pixels, mask: Pixels, have: Ranges, want: Ranges
    ) -> Pixels:
        """``sum(w) sum(w a x) / sum(w a)``, in one rounding of whole numbers: halves stay halves."""
        weights = self.kernel.weights
        gain = self.scale * float(weights.sum())
        if self.voted is not None:
            sums = step_on(self.voted, x, have, want)
        if self.weights is not None:
            present = step_on(self.weights, mask, have, want)
        else:
            present = votes.astype(self.dtype)
            largest = float(weights.max())
            if largest != 1.0:
                present *= largest
        if gain != 1.0:
            sums = sums * sums.dtype.type(gain)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.divide(sums, present, out=present)

    def _centred(
        self, sums: Pixels, votes: Pixels, x: Pixels, mask: Pixels, have: Ranges, want: Ranges
    ) -> Pixels:
        """``sum(w a x) + x_c (sum(w) - sum(w a))``, combined over the members of a stack."""
        assert self.under is not None
        under = step_on(self.under, x, have, want)
        responses = []
        for plan, present, total in self.members:
            values = step_on(present, mask, have, want)
            np.subtract(total, values, out=values)
            values *= under
            values += sums if self.exact else step_on(plan, x, have, want)
            responses.append(values)
        return self._scaled(_combined(responses, self.kernel.combine)).astype(
            self.dtype, copy=False
        )

    def _scaled(self, sums: Pixels) -> Pixels:
        return sums * sums.dtype.type(self.scale) if self.scale != 1.0 else sums

    def _shown(self, values: Pixels) -> Pixels:
        """Values as the next kernel sees them."""
        if self.bias:
            values = values + values.dtype.type(self.bias)
        return np.abs(values) if self.absolute else values


def _check(kernel: Kernel, way: str, step: Step, *, fill: bool) -> None:
    """Refuse what has no meaning.

    Raises
    ------
    UsageError
        If missing samples cannot stand for a centre, or cannot be filled.
    """
    if fill and way in ("centre", "propagate"):
        raise UsageError(
            f"kernel {kernel.name!r}: --fill closes holes with a mean of what is there, and "
            f"--missing {way} takes none; leave --fill out"
        )
    outside = any(
        axis.before > (axis.kernel_size - 1) // 2 * axis.dilation
        or (axis.output - 1) * axis.stride + (axis.kernel_size - 1) // 2 * axis.dilation
        >= axis.before + axis.size
        for axis in (step.rows, step.cols)
    )
    if way == "centre" and outside:
        raise UsageError(
            f"kernel {kernel.name!r}: with this padding its centre comes to lie outside the "
            "picture, so missing samples cannot stand for it; take --padding same or valid, or "
            "--missing propagate"
        )


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


def _combined(responses: list[Pixels], combine: str) -> Pixels:
    """What a stack makes of the responses of its members."""
    if combine == "magnitude":
        return np.sqrt(sum(np.square(values) for values in responses))
    return np.maximum.reduce(responses) if combine == "maximum" else responses[0]


def is_flat(weights: NDArray[np.float64]) -> bool:
    """Whether all weights that count are alike, so that counting cells weighs them."""
    there = weights[weights != 0]
    return bool(there.size and (there == there[0]).all())


def _same_method(one: Plan, other: Plan) -> bool:
    """Whether two plans of the same sums compute them alike."""
    a, b = one.steps[0].method, other.steps[0].method
    terms = [[len(member) for member in m.factors] for m in (a, b)]
    return type(a) is type(b) and a.transform == b.transform and terms[0] == terms[1]
