"""What a network makes of an input: a row for each layer, totals, and where it breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from convcli.arithmetic.reading import Reading
from convcli.arithmetic.receptive_field import ReceptiveField
from convcli.displays import displayed

__all__ = ["FeatureMap", "LayerFailure", "LayerReport", "NetworkReport", "Totals"]

BYTES = 4
"""Activations and parameters are counted as float32."""


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer worked out.

    ``output`` is channels and spatial sizes without the batch, ``shape`` all axes. ``flat`` says
    that no window can slide over it, so that jump and start mean nothing; ``keeps_shape`` that
    it works cell by cell, as activations do.
    """

    name: str
    kind: str
    label: str
    inputs: tuple[str, ...]
    output: tuple[int, ...]
    params: int
    macs: int
    activations: int
    fields: tuple[ReceptiveField, ...]
    depth: int = 0
    note: str = ""
    shape: tuple[int, ...] = ()
    flat: bool = False
    keeps_shape: bool = False


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """The places of one tensor, along the axes of the network's input, and what they read.

    ``layer`` is the row of the layer that makes it, ``sizes`` the places along each axis (1
    where all is seen at once), ``reads`` the maps it reads, with a reading per axis; there are
    none for an input.
    """

    name: str
    layer: str
    sizes: tuple[int, ...]
    reads: tuple[tuple[str, tuple[Reading, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class LayerFailure:
    """The layer at which a network breaks, why, and what would repair it."""

    name: str
    label: str
    reason: str
    repair: str

    def __str__(self) -> str:
        repair = f"; {self.repair}" if self.repair else ""
        return f"layer {self.name} ({self.label}): {self.reason}{repair}"


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the layers; bytes are for float32."""

    params: int
    macs: int
    activations: int

    @classmethod
    def of(cls, rows: Sequence[LayerReport]) -> Totals:
        """The sums over these rows."""
        return cls(
            sum(row.params for row in rows),
            sum(row.macs for row in rows),
            sum(row.activations for row in rows),
        )

    @property
    def flops(self) -> int:
        """Two per multiply-accumulate."""
        return 2 * self.macs

    @property
    def params_bytes(self) -> int:
        """Memory of the parameters."""
        return BYTES * self.params

    @property
    def activations_bytes(self) -> int:
        """Memory of every layer's output at once, as training keeps them."""
        return BYTES * self.activations


@dataclass(frozen=True, slots=True)
class NetworkReport:
    """A network worked out for one input: a row per layer, up to the failure if there is one.

    ``totals`` are the sums over the rows: with a ``failure`` those of a part. ``inputs`` and
    ``outputs`` are the shapes by name, batch and all, where the network's file names them.
    ``maps`` are what :func:`convcli.arithmetic.trace.trace` follows, if they were asked for.
    """

    title: str
    input: tuple[int, ...]
    batch: int
    rows: tuple[LayerReport, ...]
    totals: Totals
    failure: LayerFailure | None = None
    source: str = ""
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    outputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    maps: tuple[FeatureMap, ...] = ()

    @property
    def output(self) -> tuple[int, ...]:
        """Channels and spatial sizes of the last layer."""
        return self.rows[-1].output if self.rows else self.input

    def _repr_html_(self) -> str | None:
        return displayed(self)
