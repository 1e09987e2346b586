"""Receptive fields: which cells of the input an output can see.

Formulas: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks",
Distill 2019, extended to transposed convolutions, whose stride divides the jump.
"""

from __future__ import annotations

from collections.abc import Sequence

from convcli.arithmetic.transposed import TransposedWindow
from convcli.arithmetic.window import Window
from convcli.records import NamedTuple

__all__ = ["ReceptiveField", "merge", "whole"]


class ReceptiveField(NamedTuple):
    """What one output sees along one axis, in cells of the network's input.

    ``size`` cells are seen, the centres of neighbouring outputs are ``jump`` cells apart, and
    the first is at ``start`` (0.5 is the middle of the first cell). ``aligned`` is False below
    a point where branches with different centres or jumps were joined. ``extent`` is the size of
    the input where that is known; ``complete`` says that all of it is seen, and nothing that
    follows can see more.

    >>> first = ReceptiveField().after(Window(224, 7, 2, 1, 3, 3))
    >>> first.size, first.jump, first.start
    (7, 2, 0.5)
    """

    size: float = 1
    jump: float = 1
    start: float = 0.5
    aligned: bool = True
    extent: int | None = None
    complete: bool = False

    def __eq__(self, other: object) -> bool:
        """Where the same cells are seen; what is known of the input does not count."""
        return isinstance(other, ReceptiveField) and self[:4] == other[:4]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:4])

    def __repr__(self) -> str:
        told = zip(self._fields[:4], self[:4], strict=True)
        return f"ReceptiveField({', '.join(f'{name}={value!r}' for name, value in told)})"

    @property
    def edges(self) -> tuple[float, float]:
        """Where the first output begins and ends to see."""
        return self.start - self.size / 2, self.start + self.size / 2

    def reading(self, cells: int, jump: float, first: float) -> ReceptiveField:
        """The field of outputs ``jump`` apart, each of which reads ``cells`` neighbours of these.

        The middle of what the first reads lies ``first`` positions behind the first of these.
        """
        jump = _plain(jump)
        if self.complete:
            return self._replace(jump=jump)
        size = _plain(self.size + (cells - 1) * self.jump)
        return self._replace(size=size, jump=jump, start=self.start + first * self.jump)

    def after(self, window: Window | TransposedWindow) -> ReceptiveField:
        """The field after one more layer: ``r += (ke - 1) j``, ``j *= s``.

        A transposed window reads at most ``floor((ke - 1) / s) + 1`` of its inputs and divides
        the jump by the stride.
        """
        reach = window.effective_kernel - 1
        shift = reach / 2 - window.before
        if isinstance(window, TransposedWindow):
            stride = window.stride
            return self.reading(reach // stride + 1, self.jump / stride, -shift / stride)
        return self.reading(reach + 1, self.jump * window.stride, shift)

    def moved(self, cells: float) -> ReceptiveField:
        """The field after ``cells`` outputs were cropped off the beginning."""
        return self.reading(1, self.jump, cells)

    def scaled(self, factor: int) -> ReceptiveField:
        """The field after each output was repeated ``factor`` times (nearest neighbour)."""
        return self.reading(1, self.jump / factor, (1 / factor - 1) / 2)


def _plain(value: float) -> float:
    """A whole number as an int, so that it prints as one."""
    return int(value) if value == int(value) else value


def whole(field: ReceptiveField, outputs: int) -> ReceptiveField:
    """The field of something that reads all ``outputs`` positions: global pooling, flatten.

    Padding is nothing to be seen: where the size of the input is known, the field ends there.

    >>> whole(ReceptiveField(3, 1, 0.5, extent=10), 10)
    ReceptiveField(size=10, jump=1, start=5.0, aligned=True)
    """
    found = field.reading(outputs, field.jump, (outputs - 1) / 2)
    if field.extent is None or field.complete:
        return found
    low, high = (min(max(edge, 0), field.extent) for edge in found.edges)
    complete = high - low == field.extent
    return found._replace(
        size=_plain(high - low),
        start=(low + high) / 2,
        aligned=field.aligned or complete,
        complete=complete,
    )


def merge(fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """The field where branches meet: what any of them sees, not aligned if centres or jumps differ.

    Where jumps differ, what is seen changes from place to place; the largest field is given.

    >>> merge([ReceptiveField(3, 2, 0.5), ReceptiveField(7, 2, 0.5)])
    ReceptiveField(size=7, jump=2, start=0.5, aligned=True)
    >>> merge([ReceptiveField(1, 2, 0.5), ReceptiveField(1, 2, 1.5)])
    ReceptiveField(size=2, jump=2, start=1.0, aligned=False)
    """
    largest = max(fields, key=lambda field: (field.complete, field.size))
    together = all(abs(field.jump - largest.jump) < 1e-9 for field in fields)
    centred = all(abs(field.start - largest.start) < 1e-9 for field in fields)
    if together and not centred and not largest.complete:
        low = min(field.edges[0] for field in fields)
        high = max(field.edges[1] for field in fields)
        largest = largest._replace(size=_plain(high - low), start=(low + high) / 2)
    alike = together and centred and all(field.aligned for field in fields)
    return largest._replace(aligned=largest.complete or alike)
