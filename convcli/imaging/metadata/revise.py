"""What a new picture makes false is said anew, or left out.

Everything else that a file says besides its pixels stays as it was, byte by byte.

- Previews (in EXIF, XMP, Photoshop's resources) show the old picture, and may show what somebody
  meant to hide. They say nothing that the picture does not: left out without a note.
- Sizes in pixels (EXIF, XMP, the descriptions of tifffile, ImageJ and OME) are those of the result.
- The resolution of ImageJ's pictures is that of the microscope.
- Georeferences follow the pixels: :mod:`convcli.imaging.metadata.georeference`.
- What is said of bands follows their values: :mod:`convcli.imaging.metadata.bands`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from convcli.engine.plan import Plan
from convcli.imaging.header import Header, Metadata
from convcli.imaging.metadata.bands import bands_after, choose_bands
from convcli.imaging.metadata.exif import revised_exif, revised_fields, revised_xmp
from convcli.imaging.metadata.georeference import follow, moved
from convcli.imaging.metadata.photoshop import without_previews
from convcli.imaging.metadata.stack_description import Stack, described_anew, kind_of_stack
from convcli.imaging.metadata.tiff import (
    DESCRIPTION,
    PHOTOSHOP,
    X_RESOLUTION,
    Y_RESOLUTION,
    text_field,
)
from convcli.imaging.metadata.tiff_fields import RATIONAL, Fields
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import facts_of, picks_values, squares_values
from convcli.records import NamedTuple

__all__ = ["Effect", "effect_of", "of_bands", "revised"]

IMAGEJ = frozenset((50838, 50839))
"""How long the parts of ImageJ's own metadata are, and these."""


class Effect(NamedTuple):
    """What a chain does to values, wherever they are."""

    gain: float | None = 1.0
    """What it makes of a flat 1; None if results are in another unit."""
    within: bool = False
    """Whether no result is below the least or above the largest sample."""
    mixes: bool = False
    """Whether channels are mixed."""
    stays: bool = False
    """Whether some pixels stay as they are, so that what is said of places is true of them."""

    @property
    def in_part(self) -> Effect:
        """Of a chain on part of a picture: a unit is that of all values, or of none.

        >>> Effect(2.0, within=True).in_part
        Effect(gain=None, within=True, mixes=False, stays=True)
        """
        return self._replace(gain=1.0 if self.gain == 1 else None, stays=True)


UNCHANGED = Effect(1.0, True)


def effect_of(chain: Sequence[Kernel], range: str = "clip", *, same_unit: bool = True) -> Effect:
    """Of kernels as they are applied: normalised, and with ``--scale`` and ``--bias``.

    The unit is another where white is another number after a change of depth.

    >>> effect_of([Kernel([[1, 3]]), Kernel([[1, 1]], scale=0.5)])
    Effect(gain=4.0, within=False, mixes=False, stays=False)
    """
    if any(kernel.is_bank for kernel in chain):
        return Effect(None, mixes=True)
    stacked = any(kernel.combine != "none" for kernel in chain)
    if stacked or range in ("offset", "stretch") or not same_unit:
        return Effect(None)
    sums = [kernel for kernel in chain if kernel.is_correlation]
    others = [kernel for kernel in chain if not kernel.is_correlation]
    gains = [kernel.sum for kernel in sums]
    for kernel in others:
        flat = facts_of(kernel).flat
        if flat is None or squares_values(kernel):
            return Effect(None)
        gains.append(flat)
    gain = math.prod(gains)
    means = all((kernel.weights * kernel.scale >= 0).all() and not kernel.bias for kernel in sums)
    within = means and all(map(picks_values, others))
    return Effect(gain, within and math.isclose(gain, 1, rel_tol=1e-9))


def revised(
    meta: Metadata, plan: Plan, old: Header, new: Header, pages: int, effect: Effect = UNCHANGED
) -> tuple[Metadata, list[str]]:
    """What a picture says after a filter, and what the user should hear about that.

    Parameters
    ----------
    meta, plan
        Of the picture, or of a page of it.
    old, new
        What it was and what it becomes.
    pages
        How many there are, from this one on.
    effect
        Of the chain.
    """
    size = plan.shape_out[:2]
    meta = meta.but(fields=revised_fields(meta.fields, size))
    if meta.exif is not None:
        meta.exif = revised_exif(meta.exif, size)
    if meta.xmp is not None:
        meta.xmp = revised_xmp(meta.xmp, size)
    if meta.photoshop is not None:
        meta.photoshop = without_previews(meta.photoshop)
    if PHOTOSHOP in meta.fields:
        resources = meta.fields[PHOTOSHOP]
        meta.fields[PHOTOSHOP] = resources._replace(data=without_previews(resources.data))
    steps = () if effect.stays else plan.steps
    rows, cols = [step.rows for step in steps], [step.cols for step in steps]
    meta.fields = bands_after(follow(meta.fields, rows, cols), effect.gain, effect.mixes)
    notes: list[str] = []
    if new.space != old.space and meta.icc is not None:
        meta.icc = None
        notes.append(f"its ICC profile describes {old.space} and was left out")
    if DESCRIPTION in meta.fields:
        stack = Stack(
            pages,
            (*plan.shape_in[:2], old.colours + old.alpha),
            (*size, new.colours + new.alpha),
            new.dtype.name,
            (moved(rows, point=False), moved(cols, point=False)),
            effect.gain,
            effect.within and new.dtype == old.dtype,
        )
        meta.stale = meta.stale + _redescribe(meta.fields, stack)
    return meta, notes


def of_bands(
    meta: Metadata, bands: Sequence[int], shape: tuple[int, int, int], pages: int
) -> Metadata:
    """What a page of ``shape`` says of some of its bands, counted from 0.

    Of descriptions, tifffile's says how many bands there are so that it can be said anew.
    """
    meta = choose_bands(meta, bands)
    text = meta.fields[DESCRIPTION].data.rstrip(b"\0") if DESCRIPTION in meta.fields else b""
    if kind_of_stack(text) == "tifffile":
        told = described_anew(text, "tifffile", Stack(pages, shape, (*shape[:2], len(bands))))
        if told is not None:
            meta = meta.but(fields={**meta.fields, DESCRIPTION: text_field(told)})
    return meta


def _redescribe(fields: Fields, stack: Stack) -> list[str]:
    """Tell of the new stack of pages, if the old one was described; its name if it cannot be."""
    text = fields[DESCRIPTION].data.rstrip(b"\0")
    kind = kind_of_stack(text)
    told = described_anew(text, kind, stack) if kind else text
    if told is None:
        del fields[DESCRIPTION]
        return [f"description of its pages by {kind}"]
    if told != text:
        fields[DESCRIPTION] = text_field(told)
    if kind == "OME":
        return ["OME's regions"] if b"ROI " in text and b"ROI " not in told else []
    return _recalibrate(fields, stack) if kind == "ImageJ" else []


def _recalibrate(fields: Fields, stack: Stack) -> list[str]:
    """To ImageJ the resolution is the size of a pixel under the microscope, not on paper.

    Its own tags hold regions in pixels, beside labels of pages.
    """
    for tag, move in zip((Y_RESOLUTION, X_RESOLUTION), stack.moves, strict=True):
        field = fields.get(tag)
        if field is not None and field.kind == RATIONAL and len(field.data) == 8:
            top, bottom = struct.unpack("<II", field.data)
            most = math.gcd(top, move.scale)
            top, bottom = top // most, bottom * (move.scale // most)
            if bottom < 2**32:
                fields[tag] = field._replace(data=struct.pack("<II", top, bottom))
    if stack.old[:2] == stack.new[:2] or not IMAGEJ & fields.keys():
        return []
    for tag in IMAGEJ & fields.keys():
        del fields[tag]
    return ["ImageJ's regions and labels"]
