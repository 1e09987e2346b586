"""Receptive fields: which cells of the input an output can see.

Formulas: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks",
Distill 2019, extended to transposed convolutions, whose stride divides the jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convcli.arithmetic.pooling import PoolWindow
from convcli.arithmetic.transposed import TransposedWindow
from convcli.arithmetic.window import Window

__all__ = ["ReceptiveField", "merge", "whole"]


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What one output sees along one axis, in cells of the network's input.

    ``size`` cells are seen, the centres of neighbouring outputs are ``jump`` cells apart, and
    the first is at ``start`` (0.5 is the middle of the first cell). ``aligned`` is False below
    a point where branches with different centres or jumps were joined; ``size`` is then that
    of the larger.

    >>> first = ReceptiveField().after(Window(224, 7, 2, 1, 3, 3))
    >>> first.size, first.jump, first.start
    (7, 2, 0.5)
    """

    size: float = 1
    jump: float = 1
    start: float = 0.5
    aligned: bool = True

    def after(self, window: Window | PoolWindow | TransposedWindow) -> ReceptiveField:
        """The field after one more layer: ``r += (ke - 1) j``, ``j *= s``.

        A transposed window reads at most ``floor((ke - 1) / s) + 1`` of its inputs and divides
        the jump by the stride.
        """
        reach = window.effective_kernel - 1
        shift = reach / 2 - window.before
        if isinstance(window, TransposedWindow):
            return ReceptiveField(
                _plain(self.size + reach // window.stride * self.jump),
                _plain(self.jump / window.stride),
                self.start - shift * self.jump / window.stride,
                self.aligned,
            )
        return ReceptiveField(
            _plain(self.size + reach * self.jump),
            _plain(self.jump * window.stride),
            self.start + shift * self.jump,
            self.aligned,
        )

    def moved(self, cells: float) -> ReceptiveField:
        """The field after ``cells`` outputs were cropped off the beginning."""
        return ReceptiveField(self.size, self.jump, self.start + cells * self.jump, self.aligned)

    def scaled(self, factor: int) -> ReceptiveField:
        """The field after each output was repeated ``factor`` times (nearest neighbour)."""
        jump = _plain(self.jump / factor)
        start = self.start - (factor - 1) / 2 * jump
        return ReceptiveField(self.size, jump, start, self.aligned)


def _plain(value: float) -> float:
    """A whole number as an int, so that it prints as one."""
    return int(value) if value == int(value) else value


def whole(field: ReceptiveField, outputs: int) -> ReceptiveField:
    """The field of something that reads all ``outputs`` positions: global pooling, flatten.

    >>> whole(ReceptiveField(3, 1, 0.5), 10).size
    12
    """
    return ReceptiveField(
        _plain(field.size + (outputs - 1) * field.jump),
        field.jump,
        field.start + (outputs - 1) / 2 * field.jump,
        field.aligned,
    )


def merge(fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """The field where branches meet: the largest, not aligned if centres or jumps differ.

    >>> merge([ReceptiveField(3, 2, 0.5), ReceptiveField(7, 2, 0.5)])
    ReceptiveField(size=7, jump=2, start=0.5, aligned=True)
    """
    largest = max(fields, key=lambda field: field.size)
    aligned = all(
        field.aligned
        and abs(field.jump - largest.jump) < 1e-9
        and abs(field.start - largest.start) < 1e-9
        for field in fields
    )
    return ReceptiveField(largest.size, largest.jump, largest.start, aligned)
