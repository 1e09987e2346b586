"""Zarr arrays and OME-Zarr images, read chunk by chunk."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.regions import Span
from convcli.errors import InputError, UsageError
from convcli.imaging.array_axes import Axes
from convcli.imaging.formats.shared.array_file import MOST_FOLDED, native, space_of, what_axes
from convcli.imaging.formats.zarr.attributes import DIMENSIONS, declared_missing
from convcli.imaging.options import MAX_PIXELS
from convcli.imaging.source import Source, StoredPlane
from convcli.imaging.urls import is_url

__all__ = ["Said", "ZarrPlane", "import_zarr", "open_zarr"]

FEW_CHUNKS = 1 << 16
"""Chunks that may be asked for although they are not there: it takes some seconds."""


def import_zarr() -> Any:
    """The zarr package.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    try:
        import zarr
    except ImportError as error:
        raise UsageError(
            "Zarr needs the zarr package; install it with: pip install 'convcli[scale]'"
        ) from error
    return zarr


@dataclass(slots=True)
class Said:
    """What an array says besides its samples, for a result that is stored as it is."""

    zarr_format: int = 3
    chunks: tuple[int, ...] | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    named: bool = False
    """Whether version 3 names its axes."""
    scales: dict[str, Any] | None = None
    """The multiscale image of an OME-Zarr group, of which it is the largest level."""
    group: dict[str, Any] = field(default_factory=dict)
    """All attributes of that group."""


@dataclass(slots=True)
class ZarrPlane(StoredPlane):
    """A plane of an array, whose axes are, or can be taken as, rows, columns and channels."""

    name: str
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    array: Any
    axes: Axes
    index: tuple[int, ...]
    """Where it begins in the array."""
    said: Said

    def block(self, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        height, width, channel = self.axes.picture
        index: list[Any] = list(self.index)
        index[height or 0], index[width or 0] = slice(*rows), slice(*cols)
        if channel is not None:
            index[channel] = slice(None)
        try:
            part = np.asarray(self.array[tuple(index)])
        except Exception as error:
            raise InputError(f"{self.name}: cannot be read as Zarr: {error}") from error
        kept = [axis for axis in range(self.array.ndim) if isinstance(index[axis], slice)]
        order = [kept.index(axis) for axis in (height, width, channel) if axis is not None]
        out[...] = part.transpose(order).reshape(out.shape)


def open_zarr(
    path: str, name: str, max_pixels: int = MAX_PIXELS, names: tuple[str, ...] = ()
) -> Source:
    """An array, or the largest level of an OME-Zarr image; ``names`` of the axes as the user says.

    Raises
    ------
    InputError
        If it cannot be read, or claims more than it can be believed to hold.
    """
    zarr = import_zarr()
    try:
        node = zarr.open(path, mode="r")
    except Exception as error:
        raise InputError(f"{name}: cannot be read as Zarr: {error}") from error
    said = Said()
    own: tuple[str, ...] = ()
    if not hasattr(node, "ndim"):
        node, said, own = _largest_level(node, name)
    meta = node.metadata
    said.zarr_format, said.chunks = meta.zarr_format, node.chunks
    said.attributes = dict(node.attrs)
    own = own or _own_names(meta, said)
    named = what_axes(node.shape, names or own, name)
    axes = named or Axes(("y", "x", "c")[: node.ndim], node.shape)
    height, width, channels = (*axes.shape, 1)[:3]
    full = height, width, channels
    what = space_of(channels, node.dtype, name, says=bool(own) and not names)
    _check_claims(node, axes, name, max_pixels)
    dtype, (down, across, _) = native(node.dtype), axes.picture
    planes = [ZarrPlane(name, full, dtype, node, axes, index, said) for index in axes.planes()]
    source = Source(
        "ZARR",
        what.space,
        what.alpha,
        dtype,
        full[:2],
        planes,
        bands=what.bands,
        nodata=declared_missing(said.attributes, node.dtype, meta.zarr_format, meta.fill_value),
        flat=axes.find("c") is None,
        chunks=(node.chunks[down or 0], node.chunks[across or 0]),
        n_frames=len(planes),
        axes=named,
        name=name,
    )
    source.folder = "" if is_url(path) else str(Path(path, node.path))
    return source


def _own_names(meta: Any, said: Said) -> tuple[str, ...]:
    """What the array calls its axes, if it names rows and columns among them."""
    names = getattr(meta, "dimension_names", None)
    said.named = bool(names)
    names = names or said.attributes.get(DIMENSIONS)
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return ()
    axes = Axes(tuple(names), tuple(meta.shape))
    if len(names) != len(axes.sizes) or axes.find("y") is None or axes.find("x") is None:
        return ()
    return axes.names


def _check_claims(array: Any, axes: Axes, name: str, max_pixels: int) -> None:
    """Refuse an array that is large by its header alone.

    Chunks that are not there hold the same value everywhere, so a few bytes can claim any size.
    """
    sizes = [1 if i == axes.picture[2] else n for i, n in enumerate(axes.sizes)]
    chunk = [min(n, c) for n, c in zip(sizes, array.chunks, strict=True)]
    (height, width), (tall, wide) = (
        (of[axes.picture[0] or 0], of[axes.picture[1] or 0]) for of in (sizes, chunk)
    )
    planes = f" x {axes.n_planes:,} planes" if axes.n_planes > 1 else ""
    advice = "raise the limit with --max-pixels if you trust the file"
    if math.prod(chunk) > max_pixels:
        raise InputError(
            f"{name}: one chunk is {wide}x{tall}, {math.prod(chunk):,} pixels, and at most "
            f"{max_pixels:,} are allowed; {advice}"
        )
    pixels = math.prod(sizes)
    count = math.prod(-(-n // c) for n, c in zip(sizes, chunk, strict=True))
    if pixels > max_pixels or count > FEW_CHUNKS:
        stored = array.nbytes_stored()
        if max(pixels, count * MOST_FOLDED) > max(max_pixels, stored * MOST_FOLDED):
            raise InputError(
                f"{name}: {width}x{height} pixels{planes} in {count:,} chunks are not believed of "
                f"{stored:,} stored bytes; {advice}"
            )


def _largest_level(group: Any, name: str) -> tuple[Any, Said, tuple[str, ...]]:
    attributes = dict(group.attrs)
    scales: Any = (attributes.get("ome") or attributes).get("multiscales")
    try:
        level = group[scales[0]["datasets"][0]["path"]]
        names = tuple(axis["name"] for axis in scales[0]["axes"])
        return level, Said(scales=scales[0], group=attributes), names
    except (TypeError, KeyError, IndexError) as error:
        raise UsageError(
            f"{name} is a Zarr group without an OME-Zarr image; name an array in it"
        ) from error
