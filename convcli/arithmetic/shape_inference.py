"""What each kind of layer makes of what it is given: shape, cost, receptive field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

from convcli.arithmetic.layer import AnyWindow, Cost, check_channels
from convcli.arithmetic.network_graph import Node
from convcli.arithmetic.reading import Reading
from convcli.arithmetic.receptive_field import ReceptiveField, merge, whole
from convcli.arithmetic.sizes import cross
from convcli.arithmetic.vocabulary import ELEMENTWISE
from convcli.arithmetic.window import per_axis, resolve_padding
from convcli.errors import ShapeError

__all__ = ["Feature", "Inferred", "infer"]


FREE = Cost()
MOST_PLACES = 4096


@dataclass(frozen=True, slots=True)
class Feature:
    """What flows between layers: channels, spatial sizes (none once flat), receptive fields."""

    channels: int
    spatial: tuple[int, ...]
    fields: tuple[ReceptiveField, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, then the spatial sizes."""
        return (self.channels, *self.spatial)

    @property
    def places(self) -> tuple[int, ...]:
        """The spatial sizes; once flat, there is one place along each axis."""
        return self.spatial or (1,) * len(self.fields)

    @classmethod
    def of_input(cls, shape: Sequence[int]) -> Feature:
        """The network's input, each cell of which sees itself."""
        fields = tuple(ReceptiveField(extent=size) for size in shape[1:])
        return cls(shape[0], tuple(shape[1:]), fields)


@dataclass(frozen=True, slots=True)
class Inferred:
    """What a node gives: its feature, its cost, and its windows if it slides.

    ``reads`` has what it reads of each input, per axis, where it is not cell by cell.
    """

    feature: Feature
    cost: Cost = FREE
    windows: tuple[AnyWindow, ...] = ()
    note: str = ""
    reads: tuple[tuple[Reading, ...], ...] = ()

    def readings(self, inputs: Sequence[Feature]) -> tuple[tuple[Reading, ...], ...]:
        """What is read of each input, per axis."""
        if self.windows:
            return (tuple(Reading.of_window(window) for window in self.windows),)
        same = (tuple(Reading(n, n) for n in feature.places) for feature in inputs)
        return self.reads or tuple(same)


def infer(node: Node, inputs: Sequence[Feature], batch: int = 1) -> Inferred:
    """Work one node out.

    Raises
    ------
    ShapeError
        If the node cannot take its inputs.

    >>> node = Node("fc", "linear", ("x",), "linear 10", options={"out_channels": 10})
    >>> found = infer(node, [Feature(512, (), ())])
    >>> found.feature.shape, found.cost
    ((10,), Cost(params=5130, macs=5120))
    """
    given = inputs[0]
    wanted = node.options.get("in_channels")
    if wanted is not None and wanted != given.channels:
        raise ShapeError(f"{wanted} input channels are declared, but {given.channels} arrive")
    if node.layer is not None:
        return _slide(node, given, batch)
    if node.kind in ELEMENTWISE:
        return Inferred(given)
    if node.kind not in _KINDS:
        raise ShapeError(f"{node.kind} is not known")
    return _KINDS[node.kind](node, inputs, batch)


def _slide(node: Node, given: Feature, batch: int) -> Inferred:
    layer = node.layer
    assert layer is not None
    _need_space(node, given)
    if node.kind == "dwconv":
        out = layer.out_channels or given.channels
        layer = layer._replace(out_channels=out, groups=given.channels)
    if layer.out_channels is not None:
        check_channels(given.channels, layer.out_channels, layer.groups)
    windows = layer.windows(given.spatial)
    channels = given.channels if layer.is_pool else layer.out_channels
    assert channels is not None
    fields = tuple(field.after(w) for field, w in zip(given.fields, windows, strict=True))
    feature = Feature(channels, tuple(window.output for window in windows), fields)
    return Inferred(feature, layer.cost(given.channels, windows, batch), windows)


def _need_space(node: Node, given: Feature) -> None:
    if not given.spatial:
        raise ShapeError(f"{node.kind} needs an image, but {given.channels} flat features arrive")


def _batchnorm(node: Node, inputs: Sequence[Feature], batch: int) -> Inferred:
    # A weight and a bias per channel; the running statistics are not trained.
    return Inferred(inputs[0], Cost(2 * inputs[0].channels))


def _flatten(node: Node, inputs: Sequence[Feature], batch: int) -> Inferred:
    given = inputs[0]
    fields = tuple(whole(f, n) for f, n in zip(given.fields, given.spatial, strict=False))
    if not given.spatial:
        fields = given.fields
    return Inferred(Feature(prod(given.shape), (), fields), reads=_all_of(given))


def _all_of(given: Feature) -> tuple[tuple[Reading, ...]]:
    return (tuple(Reading.everything(n) for n in given.places),)


def _linear(node: Node, inputs: Sequence[Feature], batch: int) -> Inferred:
    given, out = inputs[0], node.options.get("out_channels")
    if out is None or out < 1:
        raise ShapeError(f"linear has {out} output features; it needs 1 or more, as in linear 10")
    if given.spatial:
        raise ShapeError(f"linear needs flat features, but {cross(given.shape)} arrive")
    weights = given.channels * out
    params = weights + out * bool(node.options.get("bias", True))
    return Inferred(Feature(out, (), given.fields), Cost(params, batch * weights))


def _global_pool(node: Node, inputs: Sequence[Feature], batch: int) -> Inferred:
    given = inputs[0]
    _need_space(node, given)
    fields = tuple(whole(f, n) for f, n in zip(given.fields, given.spatial, strict=True))
    feature = Feature(given.channels, (1,) * len(given.spatial), fields)
    return Inferred(feature, reads=_all_of(given))


def _adaptive_pool(node: Node, inputs: Sequence[Feature], batch: int) -> Inferred:
    """Window ``i`` reads ``floor(i n / o)`` to ``ceil((i + 1) n / o)``, as in PyTorch."""
    given = inputs[0]
    _need_space(node, given)
    if "size" not in node.options:
        raise ShapeError(f"{node.kind} has no size; write it as in {node.kind} 7")
    outputs = per_axis(node.options["size"] * _ones(node, given), len(given.spatial), "size")
    fields = []
    for field, size, output in zip(given.fields, given.spatial, outputs, strict=True):
        if output < 1:
            raise ShapeError(f"size is {output}; it must be 1 or more")
        fields.append(_adaptive_field(field, size, output))
    reads = tuple(Reading.adaptive(n, m) for n, m in zip(given.spatial, outputs, strict=True))
    return Inferred(Feature(given.channels, tuple(outputs), tuple(fields)), reads=(reads,))


def _adaptive_field(field: ReceptiveField, size: int, output: int) -> ReceptiveField:
    if output == 1:
        return whole(field, size)
    if size % output == 0:
        step = size // output
        return field.reading(step, field.jump * step, (step - 1) / 2)
    # Windows repeat with the period of the fraction; a few thousand show the widest.
    places = range(min(output, MOST_PLACES))
    widest = max(-(-(i + 1) * size // output) - i * size // output for i in places)
    first = -(-size // output)  # cells of the first window, and of the last
    jump = field.jump * (size - first) / (output - 1)
    return field.reading(widest, jump, (first - 1) / 2)._replace(aligned=False)


def _ones(node: Node, given: Feature) -> int:
    return len(given.spatial) if len(node.options["size"]) == 1 else 1


def _upsample(node: Node, inputs: Sequence[Feature], batch: int) -> Inferred:
    given = inputs[0]
    _need_space(node, given)
    factors = node.options.get("factor", (2,))
    factors = per_axis(factors[0] if len(factors) == 1 else factors, len(given.spatial), "factor")
    if min(factors) < 1:
        raise ShapeError(f"factor is {min(factors)}; it must be 1 or more")
    fields = tuple(f.scaled(factor) for f, factor in zip(given.fields, factors, strict=True))
    reads = tuple(Reading.enlarged(n, f) for n, f in zip(given.spatial, factors, strict=True))
    spatial = tuple(reading.outputs for reading in reads)
    return Inferred(Feature(given.channels, spatial, fields), reads=(reads,))


def _pad(node: Node, inputs: Sequence[Feature], batch: int) -> Inferred:
    given = inputs[0]
    _need_space(node, given)
    pads = node.options.get("padding", (0,))
    pads = pads * len(given.spatial) if len(pads) == 1 else pads
    if len(pads) != len(given.spatial):
        raise ShapeError(f"padding has {len(pads)} entries for {len(given.spatial)} axes")
    if any(isinstance(pad, str) for pad in pads):
        raise ShapeError("pad takes numbers, as in pad 1 or pad 0,1")
    sides = [resolve_padding(pad, n, 1) for pad, n in zip(pads, given.spatial, strict=True)]
    spatial = tuple(n + sum(side) for n, side in zip(given.spatial, sides, strict=True))
    fields = tuple(f.moved(-side[0]) for f, side in zip(given.fields, sides, strict=True))
    reads = tuple(
        Reading.shifted(n, m, -side[0])
        for n, m, side in zip(given.spatial, spatial, sides, strict=True)
    )
    return Inferred(Feature(given.channels, spatial, fields), reads=(reads,))


def _add(node: Node, inputs: Sequence[Feature], batch: int) -> Inferred:
    shapes = [feature.shape for feature in inputs]
    if len(set(shapes)) > 1:
        raise ShapeError(f"add needs equal shapes, but {' and '.join(map(cross, shapes))} arrive")
    return _joined(inputs, inputs[0].channels)


def _concat(node: Node, inputs: Sequence[Feature], batch: int) -> Inferred:
    reads: tuple[tuple[Reading, ...], ...] = ()
    if node.options.get("crop"):
        to = inputs[0].spatial
        reads = tuple(_cropped(feature, to) for feature in inputs)
        inputs = [_crop(*pair) for pair in zip(inputs, reads, strict=True)]
    if len({feature.spatial for feature in inputs}) > 1:
        shapes = " and ".join(cross(feature.shape) for feature in inputs)
        raise ShapeError(f"concat needs equal sizes beside the channels, but {shapes} arrive")
    return replace(_joined(inputs, sum(feature.channels for feature in inputs)), reads=reads)


def _cropped(feature: Feature, spatial: tuple[int, ...]) -> tuple[Reading, ...]:
    """The centre of a feature, as U-Net crops what it skips."""
    if len(spatial) != len(feature.spatial) or any(
        have < want for have, want in zip(feature.spatial, spatial, strict=True)
    ):
        raise ShapeError(f"{cross(feature.spatial)} cannot be cropped to {cross(spatial)}")
    return tuple(
        Reading.shifted(have, want, (have - want) // 2)
        for have, want in zip(feature.spatial, spatial, strict=True)
    )


def _crop(feature: Feature, reads: Sequence[Reading]) -> Feature:
    fields = tuple(f.moved(read.offset) for f, read in zip(feature.fields, reads, strict=True))
    return Feature(feature.channels, tuple(read.outputs for read in reads), fields)


def _joined(inputs: Sequence[Feature], channels: int) -> Inferred:
    fields = tuple(merge(along) for along in zip(*(f.fields for f in inputs), strict=False))
    met = all(feature.aligned for feature in fields)
    before = all(field.aligned for feature in inputs for field in feature.fields)
    note = "the branches are not aligned" if before and not met else ""
    return Inferred(Feature(channels, inputs[0].spatial, fields), note=note)


_KINDS: dict[str, Callable[[Node, Sequence[Feature], int], Inferred]] = {
    "batchnorm": _batchnorm,
    "flatten": _flatten,
    "linear": _linear,
    "globalavgpool": _global_pool,
    "globalmaxpool": _global_pool,
    "adaptiveavgpool": _adaptive_pool,
    "adaptivemaxpool": _adaptive_pool,
    "upsample": _upsample,
    "pad": _pad,
    "add": _add,
    "concat": _concat,
}
