"""What a preset is: a kernel, or a family of kernels, that has a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from convcli.kernels.formulas import Array, Parts
from convcli.kernels.kernel import MAX_SIDE, Combine, Kernel, Role
from convcli.kernels.operation_names import CORRELATE
from convcli.kernels.parameters import Parameter, format_values
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.kernels.footprints import Footprint

__all__ = [
    "AMOUNT",
    "PILLOW",
    "SIGMA",
    "SIZE",
    "TEXTBOOK",
    "Preset",
    "fixed",
    "mix",
    "rows",
    "strengthened",
]

SIGMA = Parameter("sigma", "standard deviation in pixels", 0.05, 1666)
SIZE = Parameter("size", "side; 2 ceil(3 sigma) + 1 by default", 1, MAX_SIDE - 1, odd=True)
AMOUNT = Parameter("amount", "strength", 0, 100, default=1)
PILLOW = "Pillow ImageFilter"
TEXTBOOK = "Gonzalez and Woods, Digital Image Processing, chapter 3"


class Preset(NamedTuple):
    """One entry of the catalogue; ``build`` takes the parameters by name.

    ``also`` holds its other names, those of other tools among them. ``sized`` names the preset
    to take where a number is wanted and this one has none.

    The preset of an operation that is no weighted sum takes, behind its parameters, a footprint: the
    cells of which something is taken, those of ``build`` by default. Its parameters become the
    operation's numbers; ``numbers`` stand for those that its name says already. One with ``cells`` is
    a sum, or a mean, of the cells of a footprint, which may be written in place of its numbers.
    ``weigh`` says what cells of a footprint weigh, by the parameters.
    """

    name: str
    group: str
    purpose: str
    build: Callable[..., Parts]
    source: str
    role: Role
    parameters: tuple[Parameter, ...] = ()
    combine: Combine = "none"
    absolute: bool = False
    required: int = 0
    example: str = ""
    also: str = ""
    sized: str = ""
    operation: str = CORRELATE
    total: bool = False
    numbers: tuple[float, ...] = ()
    cells: bool = False
    weigh: Callable[..., Array] | None = None

    @property
    def has_footprint(self) -> bool:
        """Whether it takes a footprint."""
        return self.operation != CORRELATE

    @property
    def takes(self) -> str:
        """What may follow its name, in words; empty if nothing."""
        words = [p.name for p in self.parameters] + ["size or footprint"] * self.has_footprint
        return ", ".join(words) + " or footprint" * self.cells

    def make(
        self, values: dict[str, float] | None = None, footprint: Footprint | None = None
    ) -> Kernel:
        """The kernel, named after what was asked for.

        >>> size = Parameter("size", "side", 1, 9, default=3)
        >>> shape = Preset("one", "effects", "", lambda size=3: Parts(np.ones((1, 1))), "", "point", (size,))
        >>> shape.make({"size": 5}).name, shape.make({"size": 3}).name
        ('one:5', 'one')
        """
        values = values or {}
        asked = format_values(self.parameters, self._canonical(values))
        numbers = self.numbers
        if self.has_footprint:
            values = {p.name: p.default for p in self.parameters if p.default is not None} | values
            numbers += tuple(values[p.name] for p in self.parameters if p.name in values)
        parts = self.build(**values)
        numbers += parts.numbers
        if footprint is not None:
            cells = footprint.cells
            if self.weigh is not None:
                cells = self.weigh(cells, **values)
                asked = format_values(self.parameters, values)
            if self.cells:
                cells = np.asarray(cells != 0, float)
            parts = Parts(cells, 1 / cells.sum() if self.cells and not self.total else 1)
            numbers += (1.0,) * footprint.heights
            asked += "," * bool(asked) + footprint.name
        return Kernel(
            parts.weights,
            parts.scale,
            parts.bias,
            name=f"{self.name}:{asked}" if asked else self.name,
            role=self.role,
            combine=self.combine,
            absolute=self.absolute,
            source=self.source,
            note=self.purpose,
            operation=parts.operation or self.operation,
            total=self.total,
            numbers=numbers,
        )

    def _canonical(self, values: dict[str, float]) -> dict[str, float]:
        """The same request in one way only: defaults filled in up to the last that differs."""
        differs = [p.name in values and values[p.name] != p.default for p in self.parameters]
        last = max((i for i, d in enumerate(differs) if d), default=-1)
        wanted = {p.name: values.get(p.name, p.default) for p in self.parameters[: last + 1]}
        return {name: value for name, value in wanted.items() if value is not None}


def rows(text: str) -> Array:
    """Weights from rows that end at ``;``."""
    return np.array([[float(token) for token in row.split()] for row in text.split(";")])


def fixed(text: str, scale: float = 1, bias: float = 0) -> Callable[..., Parts]:
    """Weights that do not depend on anything."""
    return lambda: Parts(rows(text), scale, bias)


def strengthened(text: str) -> Callable[..., Parts]:
    """The picture plus ``amount`` times its response to weights that sum to zero."""

    def build(amount: float = 1) -> Parts:
        weights = amount * rows(text)
        weights[weights.shape[0] // 2, weights.shape[1] // 2] += 1
        return Parts(weights)

    return build


def mix(text: str, scale: float = 1) -> Callable[..., Parts]:
    """A 1x1 bank: each row holds what one output channel takes of every input channel."""
    return lambda: Parts(rows(text)[:, :, None, None], scale)
