"""Zarr arrays and OME-Zarr images, read and written chunk by chunk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.tiles import Tile
from convcli.engine.regions import Span
from convcli.errors import InputError, UsageError
from convcli.imaging.formats.shared.array_file import MOST_FOLDED, native, spaces_of
from convcli.imaging.header import Header
from convcli.imaging.options import MAX_PIXELS
from convcli.imaging.sink import Sink, by_target
from convcli.imaging.source import Source, StoredPlane
from convcli.imaging.urls import is_url

__all__ = ["ZarrPlane", "ZarrTarget", "chunk_of", "create_zarr", "import_zarr", "open_zarr"]

CHUNK = 512
"""Rows and columns of a chunk where the source has none."""
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


@dataclass
class ZarrPlane(StoredPlane):
    """An array whose axes are, or can be taken as, rows, columns and channels."""

    name: str
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    array: Any
    axes: tuple[int | None, int | None, int | None]
    """Which axis of the array is H, W and C; others have one cell."""
    zarr_format: int
    names: tuple[str, ...] | None = None
    """Of all axes, where OME-Zarr names them."""

    def block(self, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        height, width, channel = self.axes
        index: list[Any] = [0] * self.array.ndim
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


def open_zarr(path: str, name: str, max_pixels: int = MAX_PIXELS) -> Source:
    """An array, or the largest level of an OME-Zarr image.

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
    names: tuple[str, ...] | None = None
    if not hasattr(node, "ndim"):
        node, names = _largest_level(node, name)
    axes = _axes(node.shape, names, name)
    shape = tuple(node.shape[axis] for axis in axes if axis is not None)
    full, space, alpha = spaces_of(shape, node.dtype, name)
    chunks = node.chunks[axes[0] or 0], node.chunks[axes[1] or 0]
    _check_claims(node, full, chunks, name, max_pixels)
    dtype, version = native(node.dtype), node.metadata.zarr_format
    return Source(
        "ZARR",
        space,
        alpha,
        dtype,
        full[:2],
        [ZarrPlane(name, full, dtype, node, axes, version, names)],
        flat=axes[2] is None,
        chunks=chunks,
        name=name,
    )


def _check_claims(
    array: Any,
    shape: tuple[int, int, int],
    chunks: tuple[int, int],
    name: str,
    max_pixels: int,
) -> None:
    """Refuse an array that is large by its header alone.

    Chunks that are not there hold the same value everywhere, so a few bytes can claim any size.
    """
    height, width = (min(n, c) for n, c in zip(shape, chunks, strict=False))
    advice = "raise the limit with --max-pixels if you trust the file"
    if height * width > max_pixels:
        raise InputError(
            f"{name}: one chunk is {width}x{height}, {width * height:,} pixels, and at most "
            f"{max_pixels:,} are allowed; {advice}"
        )
    pixels = shape[0] * shape[1]
    count = math.prod(-(-n // c) for n, c in zip(shape, chunks, strict=False))
    if pixels > max_pixels or count > FEW_CHUNKS:
        stored = array.nbytes_stored()
        if max(pixels, count * MOST_FOLDED) > max(max_pixels, stored * MOST_FOLDED):
            raise InputError(
                f"{name}: {shape[1]}x{shape[0]} pixels in {count:,} chunks are not believed of "
                f"{stored:,} stored bytes; {advice}"
            )


def _largest_level(group: Any, name: str) -> tuple[Any, tuple[str, ...]]:
    attributes = dict(group.attrs)
    scales: Any = (attributes.get("ome") or attributes).get("multiscales")
    try:
        level = scales[0]["datasets"][0]["path"]
        names = tuple(axis["name"] for axis in scales[0]["axes"])
        return group[level], names
    except (TypeError, KeyError, IndexError) as error:
        raise UsageError(
            f"{name} is a Zarr group without an OME-Zarr image; name an array in it"
        ) from error


def _axes(
    shape: Sequence[int], names: tuple[str, ...] | None, name: str
) -> tuple[int | None, int | None, int | None]:
    if names is None:
        if len(shape) not in (2, 3):
            raise UsageError(
                f"{name}: an array of shape {tuple(shape)} is no picture; allowed: (H, W), "
                "(H, W, C), and OME-Zarr, which names its axes"
            )
        return 0, 1, 2 if len(shape) == 3 else None
    if "y" not in names or "x" not in names:
        raise UsageError(f"{name}: its axes are {', '.join(names)}; y and x are needed")
    channel = names.index("c") if "c" in names else None
    for axis, size in zip(names, shape, strict=True):
        if axis not in ("y", "x", "c") and size != 1:
            raise UsageError(f"{name}: its axis {axis} has {size} cells; only 1 is filtered")
    return names.index("y"), names.index("x"), channel


def chunk_of(source: Source, shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of the chunks that a result is stored in: the source's."""
    height, width = source.chunks or (CHUNK, CHUNK)
    return min(height, shape[0]), min(width, shape[1])


def create_zarr(path: str, header: Header, source: Source) -> Sink:
    """A new array like the source's, in its version of the format, as ``(H, W[, C])``.

    An OME-Zarr image gives an OME-Zarr image with one level, axes y, x and c.
    """
    zarr = import_zarr()
    flat, shape = header.flat, header.shape
    full = header.size if flat else shape
    chunks = (*chunk_of(source, shape), shape[2])[: len(full)]
    like = source.first
    version = like.zarr_format if isinstance(like, ZarrPlane) else 3
    common = {"shape": full, "chunks": chunks, "dtype": header.dtype, "zarr_format": version}
    if is_url(path):
        common["overwrite"] = True
    if not (isinstance(like, ZarrPlane) and like.names):
        zarr.create_array(path, **common)
        return by_target(ZarrTarget(path, flat))
    group = zarr.create_group(path, zarr_format=version)
    axes: list[dict[str, str]] = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    if not flat:
        axes.append({"name": "c", "type": "channel"})
    scale = {"type": "scale", "scale": [1.0] * len(axes)}
    levels = [{"path": "0", "coordinateTransformations": [scale]}]
    scales: dict[str, Any] = {"axes": axes, "datasets": levels}
    if version == 3:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [scales]}
    else:
        group.attrs["multiscales"] = [{"version": "0.4", **scales}]
    group.create_array("0", **{k: v for k, v in common.items() if k != "zarr_format"})
    return by_target(ZarrTarget(f"{path}/0", flat))


@dataclass(slots=True)
class ZarrTarget:
    """An array that parts are written to.

    A chunk that two parts meet in is read again and written twice, to the same bytes; parts that
    several processes write at once have to be whole chunks.
    """

    path: str
    flat: bool
    _array: Any = None

    def __call__(self, place: Tile, pixels: NDArray[Any]) -> None:
        if self._array is None:
            self._array = import_zarr().open_array(self.path, mode="r+")
        where = slice(place.top, place.bottom), slice(place.left, place.right)
        self._array[where] = pixels[..., 0] if self.flat else pixels

    def __reduce__(self) -> Any:
        return ZarrTarget, (self.path, self.flat)
