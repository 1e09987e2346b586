"""Which axis of an array is which: rows, columns, bands, and those along which planes are stacked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from convcli.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from convcli.imaging.header import Header

__all__ = ["MOST_PLANES", "Axes", "axes_of", "named_axes", "parse_axes", "role"]

NAMES = {
    "y": ("y", "lat", "latitude", "row", "rows", "height", "northing"),
    "x": ("x", "lon", "longitude", "column", "columns", "col", "width", "easting"),
    "c": ("c", "band", "bands", "channel", "channels", "rgb", "wavelength"),
}
"""What rows, columns and bands are called in files; an axis of any other name is one of a stack."""

MOST_PLANES = 1_000_000
"""Most planes of an array: more of them are a mistake about its axes."""


def role(name: str) -> str:
    """``y``, ``x`` or ``c``, or the name itself.

    >>> role("Latitude"), role("time")
    ('y', 'time')
    """
    return next((key for key, names in NAMES.items() if name.lower() in names), name)


class Axes(NamedTuple):
    """The axes of an array, as they are stored: their names, and how many cells each has."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    def find(self, wanted: str) -> int | None:
        """Which axis is ``y``, ``x`` or ``c``.

        >>> Axes(("time", "lat", "lon"), (9, 4, 5)).find("y")
        1
        """
        return next((i for i, name in enumerate(self.names) if role(name) == wanted), None)

    @property
    def picture(self) -> tuple[int | None, int | None, int | None]:
        """Which axes are rows, columns and bands; there may be none of bands."""
        return self.find("y"), self.find("x"), self.find("c")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one plane: ``(H, W)`` or ``(H, W, C)``.

        >>> Axes(("t", "c", "y", "x"), (9, 2, 4, 5)).shape
        (4, 5, 2)
        """
        return tuple(self.sizes[axis] for axis in self.picture if axis is not None)

    @property
    def stack(self) -> tuple[tuple[str, int], ...]:
        """Names and sizes of the axes along which there is one plane after the other."""
        own = self.picture
        return tuple(
            (name, size)
            for axis, (name, size) in enumerate(zip(self.names, self.sizes, strict=True))
            if axis not in own
        )

    @property
    def n_planes(self) -> int:
        """How many planes there are."""
        return math.prod(size for _, size in self.stack)

    def planes(self) -> Iterator[tuple[int, ...]]:
        """Where each plane begins: an index of the array, 0 along the plane's own axes."""
        own = self.picture
        return product(*(range(1 if i in own else n) for i, n in enumerate(self.sizes)))

    def plane(self, number: int) -> tuple[int, ...]:
        """Where one of them begins.

        >>> axes = Axes(("t", "y", "x", "z"), (3, 4, 5, 2))
        >>> axes.plane(3), list(axes.planes())[3]
        ((1, 0, 0, 1), (1, 0, 0, 1))
        """
        own, index = self.picture, [0] * len(self.sizes)
        for axis in reversed(range(len(self.sizes))):
            if axis not in own:
                number, index[axis] = divmod(number, self.sizes[axis])
        return tuple(index)

    def strides(self, itemsize: int) -> tuple[int, ...]:
        """Bytes from one cell to the next along each axis, in C order."""
        return tuple(
            itemsize * math.prod(self.sizes[axis + 1 :]) for axis in range(len(self.sizes))
        )

    def picture_strides(self, itemsize: int) -> tuple[int, int, int]:
        """Those of rows, columns and bands."""
        strides = self.strides(itemsize)
        down, across, deep = (itemsize if i is None else strides[i] for i in self.picture)
        return down, across, deep


def axes_of(header: Header) -> Axes:
    """The axes of an array that holds a picture or a stack: the source's, with the sizes of now.

    Bands that the source had not are the last axis.
    """
    if header.axes is None:
        plain = Axes(("y", "x", "c"), header.shape)
        return Axes(plain.names[:2], plain.sizes[:2]) if header.flat else plain
    own = {"y": header.size[0], "x": header.size[1], "c": header.shape[2]}
    names, old = header.axes
    sizes = tuple(own.get(role(name), size) for name, size in zip(names, old, strict=True))
    if header.axes.find("c") is None and header.shape[2] > 1:
        return Axes((*names, "c"), (*sizes, header.shape[2]))
    return Axes(names, sizes)


def named_axes(shape: Sequence[int], names: Sequence[str], name: str) -> Axes:
    """The axes of an array of ``shape`` whose axes have ``names``.

    Raises
    ------
    UsageError
        If they are not as many, y or x is missing, or two are the same.
    """
    sizes, called = tuple(shape), ", ".join(names)
    if len(names) != len(sizes):
        raise UsageError(
            f"{name}: an array of shape {sizes} has {len(sizes)} axes, and {len(names)} are named: "
            f"{called}"
        )
    _check_names(names, f"{name}: its axes are {called}")
    axes = Axes(tuple(names), sizes)
    if axes.n_planes > MOST_PLANES:
        raise UsageError(
            f"{name}: along its axes {called} there are {axes.n_planes:,} planes; "
            f"at most {MOST_PLANES:,} are filtered"
        )
    return axes


def _check_names(names: Sequence[str], what: str) -> None:
    roles = [role(name) for name in names]
    lost = [name for key in "yx" if key not in roles for name in NAMES[key]]
    if lost:
        others = [name for name in names if role(name) == name and len(name) > 1]
        hint = next(filter(None, (did_you_mean(name, lost) for name in others)), "")
        raise UsageError(f"{what}; y and x are needed{hint}")
    if len({*roles}) != len(roles):
        raise UsageError(f"{what}; two of them are the same")


def parse_axes(text: str) -> tuple[str, ...]:
    """The names of axes from letters, or from words between commas.

    >>> parse_axes("TZYX"), parse_axes("time, lat, lon")
    (('t', 'z', 'y', 'x'), ('time', 'lat', 'lon'))
    """
    words = text.split(",") if "," in text else [*text.strip()]
    names = tuple(word.strip().lower() for word in words)
    if not all(names) or not names or not all(name.replace("_", "").isalnum() for name in names):
        raise UsageError(
            f"--axes {text[:40]!r} is not understood; allowed: letters as in tzcyx, or names as in "
            "time,lat,lon"
        )
    _check_names(names, f"--axes {text[:40]!r} names {', '.join(names)}")
    return names
