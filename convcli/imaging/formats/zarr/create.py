"""Zarr arrays and OME-Zarr images, written chunk by chunk, as their sources are stored."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from convcli.imaging.array_axes import Axes, axes_of, role
from convcli.imaging.formats.zarr.attributes import DIMENSIONS, encoded_missing, followed
from convcli.imaging.formats.zarr.store import Said, ZarrPlane, import_zarr
from convcli.imaging.header import Header
from convcli.imaging.metadata.changes import SAME
from convcli.imaging.sink import PlanePart, Sink, by_target
from convcli.imaging.source import Source, StoredPlane
from convcli.imaging.urls import is_url

__all__ = ["ZarrTarget", "chunk_of", "create_zarr"]

CHUNK = 512
"""Rows and columns of a chunk where the source has none."""
SETTLER = "convcli waits for the other tasks"
"""The name of such a task. Two of them would wait for each other for ever if they did not know."""
KINDS = {"y": "space", "x": "space", "c": "channel", "z": "space", "t": "time"}
"""Of the axes of OME-Zarr."""


def chunk_of(source: Source, shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of the chunks that a result is stored in: the source's."""
    height, width = source.chunks or (CHUNK, CHUNK)
    return min(height, shape[0]), min(width, shape[1])


def _chunks(axes: Axes, source: Source, said: Said, channels: int) -> tuple[int, ...]:
    """One plane to a chunk, since no two may write to one at a time; bands as in the source."""
    tall, wide = chunk_of(source, axes.shape)
    deep = channels
    if source.axes is not None and source.axes.find("c") is not None and said.chunks:
        deep = min(deep, said.chunks[source.axes.find("c") or 0])
    own = {"y": tall, "x": wide, "c": deep}
    return tuple(own.get(role(name), 1) for name in axes.names)


def create_zarr(path: str, header: Header, source: Source) -> Sink:
    """A new array like the source's, in its version of the format, with its axes in their order.

    An OME-Zarr image gives an OME-Zarr image with one level.
    """
    zarr = import_zarr()
    like = source.first
    origin = like.origin if isinstance(like, StoredPlane) else None
    said = origin.said if isinstance(origin, ZarrPlane) else Said(named=header.axes is not None)
    axes, version = axes_of(header), said.zarr_format
    attributes = followed(said.attributes, header, header.changes)
    if DIMENSIONS in attributes:
        attributes[DIMENSIONS] = list(axes.names)
    attributes = encoded_missing(header, attributes, version)
    facts: dict[str, Any] = {
        "shape": axes.sizes,
        "chunks": _chunks(axes, source, said, header.shape[2]),
        "dtype": header.dtype,
        "attributes": attributes,
    }
    if version == 3 and (said.named or said.scales):
        facts["dimension_names"] = axes.names
    if header.nodata is not None:
        facts["fill_value"] = header.dtype.type(header.nodata)
    if said.scales is None:
        over = {"overwrite": True} if is_url(path) else {}
        zarr.create_array(path, zarr_format=version, **facts, **over)
        return by_target(ZarrTarget(path, axes))
    group = zarr.create_group(path, zarr_format=version, overwrite=is_url(path))
    bands = like.bands if isinstance(like, StoredPlane) else ()
    group.attrs.update(_image(said, header, axes, bands))
    group.create_array("0", **facts)
    return by_target(ZarrTarget(f"{path}/0", axes))


def _image(said: Said, header: Header, axes: Axes, bands: tuple[int, ...]) -> dict[str, Any]:
    """The attributes of an OME-Zarr group with one level."""
    group, scales = dict(said.group), dict(said.scales or {})
    known = {axis["name"]: axis for axis in scales["axes"]}
    kinds = [{"name": name, "type": KINDS.get(role(name), "space")} for name in axes.names]
    scales["axes"] = [known.get(kind["name"], kind) for kind in kinds]
    level = scales["datasets"][0]
    moved = _transformations(level.get("coordinateTransformations"), header, axes)
    scales["datasets"] = [{"path": "0", "coordinateTransformations": moved}]
    inside = dict(group["ome"]) if "ome" in group else group
    inside["multiscales"] = [scales]
    shown = inside.pop("omero", None)
    channels = shown.get("channels") if isinstance(shown, dict) else None
    if isinstance(channels, list) and len(bands) == header.shape[2] and max(bands) < len(channels):
        inside["omero"] = {**shown, "channels": [channels[band] for band in bands]}
    elif shown is not None:
        header.notes.append("left out: omero (it describes other channels)")
    return {**group, "ome": inside} if "ome" in group else inside


def _transformations(old: Any, header: Header, axes: Axes) -> list[dict[str, Any]]:
    """From pixels to places. Integers are the centres of pixels, as OME-Zarr has them.

    See https://ngff.openmicroscopy.org/rfc/5/index.html#coordinate-convention.
    """
    changes, count = header.changes or SAME, len(axes.names)
    scale, shift = [1.0] * count, [0.0] * count
    said: list[str] = []
    for step in old if isinstance(old, list) else []:
        kind = step.get("type") if isinstance(step, dict) else None
        numbers = step.get(kind) if kind in ("scale", "translation") else None
        if isinstance(numbers, list) and all(isinstance(n, int | float) for n in numbers):
            target = scale if kind == "scale" else shift
            target[: len(numbers)] = numbers[:count]
            said.append(str(kind))
        else:
            header.notes.append(f"left out: coordinateTransformations of type {kind}")
    for key, move in (("y", changes.down), ("x", changes.across)):
        axis = axes.find(key) or 0
        shift[axis] += scale[axis] * move.shift
        scale[axis] *= move.scale
    steps: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    if any(shift) or "translation" in said:
        steps.append({"type": "translation", "translation": shift})
    return steps


def _settle() -> None:
    """Wait for what zarr is still writing.

    Where one of several chunks fails, or an interrupt comes, it goes on with the others on a thread of
    its own: they would be put into a folder that is being removed, which then stays.
    """
    with contextlib.suppress(ImportError):  # where it has them is not promised
        from zarr.core.sync import sync

        async def others() -> None:
            if own := asyncio.current_task():
                own.set_name(SETTLER)
            # Once more for those that were begun meanwhile, but no longer: those of other threads may
            # never cease.
            for _ in range(2):
                rest = [task for task in asyncio.all_tasks() if task.get_name() != SETTLER]
                await asyncio.gather(*rest, return_exceptions=True)

        sync(others())


@dataclass(slots=True)
class ZarrTarget:
    """An array that parts are written to.

    A chunk that two parts meet in is read again and written twice, to the same bytes; parts that
    several processes write at once have to be whole chunks.
    """

    path: str
    axes: Axes
    _array: Any = None

    def __call__(self, place: PlanePart, pixels: NDArray[Any]) -> None:
        if self._array is None:
            self._array = import_zarr().open_array(self.path, mode="r+")
        height, width, channel = self.axes.picture
        where: list[Any] = list(self.axes.plane(place.plane))
        tile = place.tile
        where[height or 0] = slice(tile.top, tile.bottom)
        where[width or 0] = slice(tile.left, tile.right)
        if channel is None:
            pixels = pixels[..., 0]
        else:
            where[channel] = slice(None)
        stored = [axis for axis in (height, width, channel) if axis is not None]
        order = sorted(range(len(stored)), key=stored.__getitem__)
        try:
            self._array[tuple(where)] = pixels.transpose(order)
        except BaseException:
            _settle()
            raise

    def __reduce__(self) -> Any:
        return ZarrTarget, (self.path, self.axes)
