"""Separable correlation: sums of columns times rows, first down or across, then the other way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convcli.engine.algorithms.direct_correlation import passes, tap_lists
from convcli.engine.axis_maps import Tap
from convcli.engine.costs import CostEstimate, gpu_taps, on_cpu
from convcli.engine.cpu.c_loops import c_loops
from convcli.engine.cpu.compiled_loops import CompiledMethod, Lists, can_blur
from convcli.engine.cpu.numpy_method import NumpyMethod, Sums
from convcli.engine.step import Method, Problem
from convcli.engine.weights import Factor, line_factor, rank_factors, whole_factor

if TYPE_CHECKING:
    from convcli.engine.cpu.pairs import Pairs
    from convcli.engine.cpu.tile_loader import TileLoader

__all__ = ["SEPARABLE", "Blur"]

Factors = tuple[tuple[Factor, ...], ...]


class SeparableCorrelation:
    """Kernels that are a sum of few outer products; blurs of bytes go in 16 bits."""

    name = "separable"

    def offer(self, problem: Problem) -> Method | None:
        p = problem
        factors = _factors(p)
        if not factors:
            return None
        lines = [line for terms in factors for term in terms for line in term]
        many = "s" * (len(lines) > 2)
        taps = sum(np.count_nonzero(line) for line in lines)
        note = f"{taps} taps in {len(lines) // 2} column{many} and row{many}"
        pairs = self._pairs(p, factors)
        if pairs:
            note = f"{note}, in 16 bits"
            count = sum(map(len, pairs))
            price = on_cpu(self.name, note, p.loops.name, "blur", p.accumulate, count)
            return Blur(p, price, factors, pairs)
        work = sum(passes(line[None, None], p.loops.compiled) for line in lines)
        if p.on_gpu:
            price = CostEstimate(self.name, gpu_taps(p.accumulate, work), note)
        else:
            price = on_cpu(self.name, note, p.loops.name, self.name, p.accumulate, work)
        way = _Compiled if p.loops.compiled else _Numpy
        return way(p, price, factors=factors)

    @staticmethod
    def _pairs(p: Problem, factors: Factors) -> tuple[Pairs, Pairs] | tuple[()]:
        """The pairs of a blur that compiled loops do in 16 bits."""
        if not can_blur(p) or p.exact or p.accumulate != "float32" or len(factors) != 1:
            return ()
        from convcli.engine.cpu.pairs import blurs

        return blurs(factors[0], p.requantize, c_loops().MOST_PAIRS)


SEPARABLE = SeparableCorrelation()


def _factors(p: Problem) -> Factors:
    """Separable terms of every member, or nothing where that saves no taps."""
    if p.is_bank:
        return ()
    members: list[tuple[Factor, ...]] = []
    for member in p.weights:
        height, width = member.shape
        if height == 1 or width == 1:
            return ()
        if p.exact:
            pair = whole_factor(member)
            if pair is None:
                return ()
            members.append((pair,))
            continue
        worth = int(np.count_nonzero(member)) // (height + width)
        terms: tuple[Factor, ...] | None
        if p.relative:
            pair = line_factor(member)
            terms = (pair,) if pair else None
        else:
            terms = rank_factors(member, p.tolerance, max(worth, 1))
        if terms is None:
            return ()
        members.append(terms)
    return tuple(members)


class _Compiled(CompiledMethod):
    def lists(self) -> Lists:
        p = self.problem
        lines: list[list[Tap]] = []
        planes: list[list[Tap]] = []
        for terms in self.factors:
            plane: list[Tap] = []
            for column, row in terms:
                plane += [
                    (len(lines), i * p.maps[0].dilation, 0, float(w))
                    for i, w in enumerate(column)
                    if w
                ]
                lines.append(p.taps(row[None]))
            planes.append(plane)
        return lines, planes


class Blur(CompiledMethod):
    """Of bytes, in 16 bits: ``pairs`` are those of the column and of the row; see blur.h."""

    sums, itemsize = "q", 2

    def __init__(
        self,
        problem: Problem,
        estimate: CostEstimate,
        factors: Factors,
        pairs: tuple[Pairs, Pairs],
    ) -> None:
        super().__init__(problem, estimate, factors=factors)
        self.pairs = pairs

    def lists(self) -> Lists:
        rows, cols = self.problem.maps
        group = self.problem.group
        down, along = (
            [(tap, float(w)) for *ends, w in line for tap in ends] for line in self.pairs
        )
        line = [(0, 0, tap * cols.dilation * group, w) for tap, w in along]
        return [line], [[(0, tap * rows.dilation, 0, w) for tap, w in down]]


class _Numpy(NumpyMethod):
    def sums(self, load: TileLoader) -> Sums:
        from convcli.engine.cpu.numpy_loops import sums_of_lines
        from convcli.engine.cpu.overflow import without_overflow

        p = self.problem
        return without_overflow(p, sums_of_lines(p, self.factors, load), lambda: tap_lists(p))
