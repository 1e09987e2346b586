"""Masks, which say how much of a filtered picture shows: opened and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from convcli.errors import UsageError
from convcli.imaging.files import STDIN
from convcli.imaging.header import Header, is_light
from convcli.imaging.opening import Limits, name_of, open_source
from convcli.imaging.source import Source
from convcli.imaging.stages.missing import slabs
from convcli.imaging.stages.part_shown import Mask
from convcli.system.files import size_and_time

__all__ = ["check_mask", "mask_digest", "opened_mask"]

_decoded: dict[object, Source] = {}
"""The last mask that was decoded: one serves all files of a batch."""


@contextmanager
def opened_mask(where: str, limits: Limits, *, parts: bool) -> Iterator[Mask]:
    """A mask; with ``parts`` it is read where it is stored, if it is stored so.

    Raises
    ------
    UsageError
        If it is not there, or is no mask.
    InputError
        If it cannot be read.
    """
    if where == STDIN:
        raise UsageError("--mask - is not read from standard input: name a file")
    key = where, size_and_time(where), limits
    source = _decoded.get(key)
    if source is not None:
        yield Mask(source.first, source.name)
        return
    limits = limits._replace(raw=None, bands=())
    with open_source(where, limits, parts=parts) as source:
        check_mask(source, where)
        if not source.is_stored:
            _decoded.clear()
            _decoded[key] = source
        yield Mask(source.first, name_of(where))


def check_mask(mask: Header, where: str = "") -> None:
    """Refuse what does not say how much shows; ``where`` it is, of a file.

    Raises
    ------
    UsageError
        If it is no gray picture of one frame, 8 or 16 bits or floats.
    """
    cure = ""
    if mask.n_frames > 1:
        what = f"{mask.n_frames} frames or pages"
    elif mask.alpha:
        what, cure = "alpha", f"magick {where} -alpha off -colorspace Gray mask.png makes one"
    elif mask.colours > 1:
        what = f"{mask.colours} channels"
        how = "-k grayscale" if mask.space == "rgb" else "--bands 1 -k identity"
        cure = f"convcli filter {where} {how} -o mask.png makes one"
    elif not is_light(mask.dtype):
        what = f"samples of {mask.dtype}"
        cure = (
            f"convcli filter {where} -k identity --depth uint8 -o mask.png clips them to 0 to 255"
        )
    else:
        return
    raise UsageError(
        f"{mask.name}: a mask is one gray picture of 8 or 16 bits or floats, and this has {what}"
        + f"; {cure}" * bool(cure and where)
    )


def mask_digest(where: str, limits: Limits) -> bytes:
    """A digest of the samples of a mask, whatever its file is called and however it is packed."""
    sha = hashlib.sha256()
    with opened_mask(where, limits, parts=True) as mask:
        plane = mask.plane
        sha.update(repr((plane.shape, plane.dtype.name)).encode())
        for rows in slabs(plane):
            sha.update(rows.tobytes())
    return sha.digest()
