"""The sizes of an ONNX model's inputs, from what the file fixes and what is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convcli.arithmetic.onnx_model.tensors import dims_of, domain_of
from convcli.arithmetic.sizes import cross
from convcli.errors import ShapeError, did_you_mean

__all__ = ["ModelInput", "fill", "inputs_of"]

PICTURE_CHANNELS = (1, 3, 4)
LAY_ANEW = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
CHANNELS_SECOND = (
    "Conv ConvTranspose ConvInteger QLinearConv MaxPool AveragePool LpPool GlobalAveragePool "
    "GlobalMaxPool BatchNormalization InstanceNormalization GroupNormalization PRelu Resize "
    "DepthToSpace SpaceToDepth"
).split()
"""Operators that take a tensor as N, C, sizes."""


@dataclass(frozen=True, slots=True)
class ModelInput:
    """An input: a number, a name or nothing for each axis, and which of them are the channels."""

    name: str
    kind: int
    dims: tuple[int | str | None, ...]
    channels: int | None

    @property
    def spatial(self) -> tuple[int, ...]:
        """The axes of a picture's sizes; a row of features has none."""
        if len(self.dims) < 3:
            return ()
        return tuple(axis for axis in range(1, len(self.dims)) if axis != self.channels)

    @property
    def shown(self) -> str:
        """The axes as they may be typed, names and ``?`` for what is free."""
        return cross(["?" if dim is None else dim for dim in self.dims])

    def with_sizes(self, sizes: Sequence[int]) -> list[int | str | None]:
        """The axes with ``sizes`` put in.

        One number is for all sizes of a picture, as many as it has are its sizes, one more
        begins with the channels, and as many as there are axes are the whole shape.
        """
        dims, rank, count = list(self.dims), len(self.dims), len(sizes)
        order = self._order(sizes)
        if count == rank:
            return list(sizes)
        if self.spatial and count == 1:
            sizes = tuple(sizes) * len(self.spatial)
        elif count not in (rank - 1, len(self.spatial) or -1):
            less = f", or {rank - 1} without the batch" if rank > 1 else ""
            raise ShapeError(
                f"input {self.name!r} is {self.shown}, so {cross(sizes)} does not fit; give its "
                f"{rank} sizes{less}"
            )
        for axis, size in zip(order[-len(sizes) :], sizes, strict=True):
            dims[axis] = size
        return dims

    def _order(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Axes in the order of what is typed: channels, sizes."""
        if self.channels is None:
            return tuple(range(1, len(self.dims)))
        fixed, last = self.dims[self.channels], self.channels == len(self.dims) - 1
        if last and len(sizes) == len(self.dims) - 1 and fixed == sizes[-1] != sizes[0]:
            return tuple(range(1, len(self.dims)))  # as the file has it
        return (self.channels, *self.spatial)


def inputs_of(graph: Any) -> list[ModelInput]:
    """The inputs of a model that no stored tensor fills.

    Raises
    ------
    ShapeError
        If there is none, or one that is no tensor with a known count of axes.
    """
    stored = {tensor.name for tensor in graph.initializer}
    stored |= {sparse.values.name for sparse in graph.sparse_initializer}
    found = []
    for info in graph.input:
        if info.name in stored:
            continue
        dims = dims_of(info.type)
        if dims is None:
            raise ShapeError(f"input {info.name!r} has no shape of the form N, C, sizes")
        dims = tuple(dim if isinstance(dim, str) or (dim or 0) > 0 else None for dim in dims)
        channels = _channels(graph, info.name, dims)
        found.append(ModelInput(info.name, info.type.tensor_type.elem_type, dims, channels))
    if not found:
        raise ShapeError("the model has no inputs")
    return found


def _channels(graph: Any, name: str, dims: Sequence[int | str | None]) -> int | None:
    """The axis of the channels: the second for the first operator that has such a notion."""
    rank = len(dims)
    if rank < 3:
        return 1 if rank == 2 else None
    orders = {name: tuple(range(rank))}
    for node in graph.node:
        order = orders.get(node.input[0]) if node.input else None
        order = order or next((orders[n] for n in node.input if n in orders), None)
        if order is None or domain_of(node) or node.op_type in LAY_ANEW:
            continue
        if node.op_type in CHANNELS_SECOND and node.input[0] in orders:
            return order[1]
        if node.op_type == "Transpose":
            given = [list(entry.ints) for entry in node.attribute if entry.name == "perm"]
            perm = given[0] if given else range(rank)[::-1]
            if sorted(perm) != list(range(rank)):
                continue
            order = tuple(order[axis] for axis in perm)
        orders |= dict.fromkeys(node.output, order)
    last = dims[-1] in PICTURE_CHANNELS and dims[1] not in PICTURE_CHANNELS
    return rank - 1 if last else 1


def fill(
    inputs: Sequence[ModelInput],
    sizes: Sequence[int] | None,
    channels: int | None,
    named: Mapping[str, Sequence[int]],
    batch: int | None,
) -> dict[str, tuple[int, ...]]:
    """The shape of every input, batch and all.

    ``sizes`` are for the inputs that ``named`` does not name: those with free axes, or the first
    where there are none. An axis takes the size of another that has the same name in the file.

    Raises
    ------
    ShapeError
        If a size is missing, is asked for twice, or does not fit.
    """
    for name in named:
        if name not in [given.name for given in inputs]:
            names = [given.name for given in inputs]
            hint = did_you_mean(name, names) or f"; there are {', '.join(names)}"
            raise ShapeError(f"the model has no input {name!r}{hint}")
    free = [g for g in inputs if any(not isinstance(dim, int) for dim in g.dims[1:])]
    wanting = [g.name for g in free if g.name not in named] or [inputs[0].name]
    asked: dict[str, list[int | str | None]] = {}
    for given in inputs:
        wanted = named.get(given.name, sizes if given.name in wanting else None)
        dims = list(given.dims) if wanted is None else given.with_sizes(wanted)
        if channels is not None and given.channels is not None and given.name in wanting:
            dims[given.channels] = channels
        asked[given.name] = dims
    known = _by_name(inputs, asked, batch)
    found = {}
    for given in inputs:
        missing, shape = _filled(given, asked[given.name], known)
        if missing:
            example = "224" if len(inputs) == 1 and len(given.spatial) == 2 else _example(given)
            raise ShapeError(
                f"the network names no input size; give one with --n, as in --n {example} (input "
                f"{given.name!r} is {given.shown})"
            )
        found[given.name] = shape
    for name, shape in found.items():
        if min(shape, default=1) < 1:
            raise ShapeError(f"input {name!r} is {cross(shape)}; its sizes must be 1 or more")
    return found


def _by_name(
    inputs: Sequence[ModelInput], asked: Mapping[str, Sequence[int | str | None]], batch: int | None
) -> dict[str, int]:
    """Sizes of the axes that have names in the file, and of the batch under an empty name."""
    known: dict[str, int] = {}
    for given in inputs:
        for axis, (dim, size) in enumerate(zip(given.dims, asked[given.name], strict=True)):
            names = [dim] if isinstance(dim, str) else []
            if axis == 0 and len(given.dims) > 1:
                names.append("")
                size = size if batch is None else batch
            for name in names if isinstance(size, int) else ():
                assert isinstance(size, int)
                if known.setdefault(name, size) != size and name:
                    raise ShapeError(
                        f"axis {name!r} is {known[name]} elsewhere and {size} in {given.name!r}; "
                        "it is one size"
                    )
    known.setdefault("", 1 if batch is None else batch)
    return known


def _filled(
    given: ModelInput, dims: Sequence[int | str | None], known: Mapping[str, int]
) -> tuple[bool, tuple[int, ...]]:
    """Whether a size is missing, and the shape."""
    sizes: list[int] = []
    for axis, dim in enumerate(dims):
        size = dim if isinstance(dim, int) else known.get(dim or " ")
        if axis == 0 and (size is None or len(dims) > 1):
            size = known[""]
        if size is None and axis == given.channels and given.spatial:
            size = 3
        if size is not None:
            sizes.append(size)
    return len(sizes) < len(dims), tuple(sizes)


def _example(given: ModelInput) -> str:
    sizes = [
        dim if isinstance(dim, int) else 1 if axis == 0 else 3 if axis == given.channels else 224
        for axis, dim in enumerate(given.dims)
    ]
    return f"{given.name}={cross(sizes)}"
