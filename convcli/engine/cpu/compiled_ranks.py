"""Ranks with the compiled loops: footprints and numbers handed over to C."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.c_loops import pack_job
from convcli.engine.cpu.numpy_ranks import RankMethod
from convcli.engine.cpu.rank_programs import Program
from convcli.engine.cpu.tiles import Tile, fill
from convcli.engine.requantize import Requantizer
from convcli.engine.step import Maps
from convcli.extensions import extension

__all__ = ["CompiledRanks", "can_compile", "compiled_medians"]

_TILE_BYTES = 192 * 1024
"""Of the rows that a window reads: they stay in the second cache of a core."""


def can_compile() -> bool:
    """Whether there are compiled loops for ranks."""
    return extension("_ranks").module is not None


def compiled_medians() -> tuple[int, ...]:
    """Sides of squares whose medians are compiled as a whole."""
    module = extension("_ranks").module
    return () if module is None else tuple(map(int, module.MEDIANS.split()))


class CompiledRanks(RankMethod):
    """A method that the compiled loops carry out."""

    way = "s"
    """Which of the extension's algorithms."""

    @cached_property
    def program(self) -> Program | None:
        """The network, if it takes one."""
        return None

    @property
    def band(self) -> int:
        """Rows of a tile that are done at a time; 0 for all."""
        return max(32, 3 * self.problem.rows.effective_kernel)

    @cached_property
    def tile(self) -> tuple[int, int]:
        p = self.problem
        span, phases = p.rows.effective_kernel, p.maps[1].stride
        line = span * phases * p.group * np.dtype(p.held).itemsize
        cols = max(_TILE_BYTES // line, 256 // p.group, 2 * p.cols.kernel_size)
        return 8 * self.band, min(cols, max(4096 // p.group, 2 * p.cols.kernel_size))

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        p, tile = self.problem, extension("_ranks").module.tile
        source = np.ascontiguousarray(x, p.held)
        straight = p.plain and out.flags.c_contiguous
        found = out if straight else np.empty(out.shape, p.held)
        taps = [(row, lane, shift) for lane, row, shift, _ in p.taps(p.footprint)]
        fixed = (
            self._pack(source, out, maps, max(tap[0] for tap in taps), max(t[2] for t in taps)),
            source,
            found,
            maps[0].index,
            maps[1].index,
            np.array(taps, np.int64),
            p.order,
            np.array([p.outside], p.held),
            *self._network(p.group * maps[1].dilation),
        )

        def work(at: Tile, place: NDArray[Any], requantizer: Requantizer) -> int:
            tile(*fixed, *at)
            if straight:
                return 0
            return self.finish(requantizer, found[at.top : at.bottom, at.left : at.right], place)

        clipped = fill(out, self.tile, p.requantize, threads, work)
        return clipped if count else 0

    def _network(self, unit: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The program, its columns counted in samples."""
        if self.program is None:
            return np.empty((0, 7), np.int32), np.empty((0, 2), np.int32)
        columns = np.array([1, 1, 1, unit, 1, unit, unit], np.int32)
        return self.program.code * columns, self.program.outputs * columns[[0, 3]]

    def _pack(
        self, x: NDArray[Any], out: NDArray[Any], maps: Maps, last_row: int, last_shift: int
    ) -> bytes:
        """What the loops are told."""
        p = self.problem
        told: dict[str, int | str] = {
            "reach": last_row + 1,
            "most_shift": last_shift,
            "way": self.way,
            "cells": p.cells,
            "rank": p.rank,
            "band": self.band,
        }
        if self.way == "m":
            told |= {"side": p.kernel_size[0], "group": 2, "extent": last_shift}
        if self.program is not None:
            told |= {"instructions": len(self.program.code), "slots": self.program.slots}
            told |= {"group": self.program.group}
            told["extent"] = self.program.extent * p.group * maps[1].dilation
        return pack_job(x, out, maps, "_ranks", **told)
