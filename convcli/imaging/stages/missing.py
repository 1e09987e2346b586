"""Which samples are missing, and what a kernel makes of that: resolved once for a picture.

Source: H. Knutsson and C.-F. Westin, Normalized and differential convolution (1993).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.voting import known
from convcli.engine.numerics import whole_weights
from convcli.engine.plan import Step
from convcli.errors import InputError, UsageError
from convcli.imaging.header import Header, as_sample
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Pixels, Plane
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import facts_of, picks_values
from convcli.records import NamedTuple

__all__ = [
    "Missing",
    "exact_limit",
    "may_miss",
    "missing_of",
    "refusal",
    "require_finite",
    "slabs",
    "way_of",
]

SLAB_BYTES = 2**24
"""Of a picture that are looked at together for what is transparent or missing."""
TINY = 1e-12
"""Of the sum of absolute weights: a weight that is less below 0 is not negative."""


class Missing(NamedTuple):
    """How samples say that they are missing, and what becomes of them."""

    value: float | int | None = None
    """Stands for one, beside NaN."""
    nan: bool = False
    """NaN is one."""
    by_alpha: bool = False
    """Alpha of 0 says that a pixel is missing: there is no transparency."""
    outside: bool = False
    """What lies outside the picture is missing."""
    fill: bool = False
    least: float = 0.0
    """Share of the cells under a kernel that must be there."""
    says: float | int | None = None
    """Stands for a missing sample of the result; None if no value of its type does."""

    @property
    def possible(self) -> bool:
        """Whether any may be missing at all."""
        return self.expected or self.nan

    @property
    def expected(self) -> bool:
        """Whether any may be missing that need not be looked for."""
        return self.value is not None or self.by_alpha or self.outside

    def known(
        self, x: Pixels, alpha: Pixels | None, name: str, xp: Any = np
    ) -> tuple[Pixels, NDArray[np.uint8] | None]:
        """Samples with 0 where they are missing, and a mask with 1 where they are there.

        The samples as they are, and no mask, if all are there. ``xp`` is the module of the arrays.

        Raises
        ------
        InputError
            If one is infinite: every sum that it is part of would be.
        """
        kept, mask, missing, strange = known(x, self.value, nan=self.nan, xp=xp)
        if strange:
            raise InputError(_not_finite(name, float(kept[~xp.isfinite(kept)][0])))
        if self.by_alpha and alpha is not None:
            present = xp.broadcast_to(alpha != 0, x.shape)
            kept, mask = xp.where(present, kept, kept.dtype.type(0)), mask & present
            missing = int(mask.size - xp.count_nonzero(mask))
        return (kept, mask) if missing else (x, None)


def _not_finite(name: str, strange: float) -> str:
    what, cure = "infinite", f"--nodata {strange:g} says that they are missing"
    if np.isnan(strange):
        what, cure = "not a number", "leave out --nodata none, and they are missing"
    return (
        f"{name}: some samples are not finite numbers ({what}); a filter would smear them; {cure}"
    )


def require_finite(pixels: Pixels, name: str, xp: Any = np) -> Pixels:
    """The pixels, of arrays of a module, where missing ones cannot be told from transparent ones.

    Raises
    ------
    InputError
        If some are not finite numbers.
    """
    if pixels.dtype.kind == "f" and not xp.isfinite(pixels).all():
        raise InputError(
            f"{name}: some samples are not finite numbers; with alpha, --luma or --linear a filter "
            "would smear them"
        )
    return pixels


def missing_of(
    header: Header, options: FilterOptions, out_dtype: str, *, by_alpha: bool
) -> Missing:
    """What is missing in a picture that ``header`` tells of, and what says so of the result.

    ``by_alpha``: whether it has alpha that is no transparency.

    Raises
    ------
    UsageError
        If a value does not fit the type of the picture, or of the result.
    """
    asked = options.nodata
    declared = header.nodata if asked is None else None if isinstance(asked, str) else asked
    if isinstance(declared, float) and np.isnan(declared):
        declared = None
    advice = "--nodata takes one that its samples can have, and IN:OUT another for the result"
    value = None if declared is None else _fitting(declared, header.dtype, header.name, advice)
    nan = asked != "none" and header.dtype.kind == "f"
    out = np.dtype(out_dtype)
    says: float | int | None = np.nan if out.kind == "f" and asked != "none" else None
    named = declared if options.nodata_out is None else options.nodata_out
    if named is not None:
        advice = "name another with --nodata :V, or another type with --depth"
        says = _fitting(named, out, "the result", advice)
    return Missing(
        value,
        nan,
        by_alpha,
        options.border.is_missing,
        options.fill,
        options.min_valid,
        says,
    )


def _fitting(value: float | int, dtype: np.dtype[Any], what: str, advice: str) -> float | int:
    """The value as a sample of the type."""
    held = as_sample(value, dtype)
    if held is None:
        from convcli.imaging.metadata.nodata import no_data_text

        raise UsageError(
            f"{what} is of type {dtype.name}, which has no {no_data_text(value)[:40]} to stand for "
            f"what is missing; {advice}"
        )
    return held


def way_of(kernel: Kernel, asked: str | None) -> str:
    """What a kernel makes of missing samples: one of ``WAYS``, ``total``, or ``vote`` of what is no sum.

    Raises
    ------
    UsageError
        If the kernel cannot do what was asked for.
    """
    if not kernel.is_correlation:
        if asked == "centre":
            raise UsageError(
                f"kernel {kernel.name!r} is no sum: missing samples are left out of it; --missing "
                "centre is for others; allowed: renormalize (leaves them out), propagate"
            )
        return "propagate" if asked == "propagate" else "vote"
    if kernel.is_bank:
        if asked not in (None, "propagate"):
            raise UsageError(
                f"kernel {kernel.name!r} mixes bands: --missing {asked} means nothing to it; "
                "allowed: propagate"
            )
        return "propagate"
    if kernel.combine != "none" and asked == "renormalize":
        raise UsageError(
            f"kernel {kernel.name!r} combines several kernels, which have no mean: --missing "
            "renormalize is for others; allowed: centre, propagate"
        )
    weights = kernel.weights
    negative = bool((weights < -TINY * np.abs(weights).sum()).any())
    if asked is None:
        return (
            "total"
            if kernel.total
            else "centre"
            if negative or kernel.combine != "none"
            else "renormalize"
        )
    if asked == "renormalize" and negative:
        raise UsageError(
            f"kernel {kernel.name!r} has negative weights, whose quotient could be anything: "
            "--missing renormalize is for others; allowed: centre, propagate"
        )
    return asked


def refusal(kernel: Kernel, way: str, step: Step, *, fill: bool) -> str:
    """Why a kernel has no results beside missing samples; empty if it has."""
    if fill and way in ("centre", "propagate"):
        return (
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
        return (
            f"kernel {kernel.name!r}: with this padding its centre comes to lie outside the "
            "picture, so missing samples cannot stand for it; take --padding same or valid, or "
            "--missing propagate"
        )
    return ""


def exact_limit(chain: Sequence[Kernel]) -> int:
    """Largest 64-bit sample of which a chain's results are exact in float64, or less than 1/2 off.

    >>> exact_limit([Kernel([[1, 2, 1]])]) == 2**50
    True
    """
    most, gain = 1.0, 1.0
    # Differences and deviations reach further than their samples, and are rounded; thresholds compare.
    exact = [k.is_correlation or picks_values(k) or facts_of(k).compares for k in chain]
    others = exact.count(False)
    chain = [kernel for kernel in chain if kernel.is_correlation]
    if not chain:
        return 2 ** (49 - others) if others else 2**53
    for kernel in chain:
        weights = np.abs(kernel.weights)
        sums = weights.sum(axis=tuple(range(weights.ndim))[-3 if kernel.is_bank else -2 :])
        most = max(most, gain * float(sums.max()), gain * float(sums.max()) * abs(kernel.scale))
        gain *= float(sums.max()) * abs(kernel.scale)
    only = chain[0]
    plain = len(chain) == 1 and only.combine == "none" and whole_weights(only.weights) is not None
    bits = 45 if not plain else 52 if abs(only.scale) <= 1 and not only.bias % 1 else 49
    return int(2 ** (min(bits, 45) - 2 * others if others else bits) / most)


def may_miss(plane: Plane, missing: Missing, name: str, *, look: bool) -> bool:
    """Whether samples of a plane may be missing.

    Floats are looked at to know, but for those of a file, unless ``look`` says so: regions of them
    tell by themselves, at the price of a conversion.
    """
    if missing.expected:
        return True
    if plane.dtype.kind != "f":
        return False
    if not (look or isinstance(plane, Frame)):
        return True
    return any(missing.known(rows, None, name)[1] is not None for rows in slabs(plane))


def slabs(plane: Plane) -> Iterator[Pixels]:
    """A plane from top to bottom, some rows at a time."""
    height, width, channels = plane.shape
    rows = max(SLAB_BYTES // (width * channels * plane.dtype.itemsize), 1)
    for top in range(0, height, rows):
        yield plane.read((((top, min(top + rows, height)),), ((0, width),)))
