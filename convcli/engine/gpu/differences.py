"""The kernel that takes one result of a step from another."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from convcli.engine.algorithms.in_turn import InTurn
from convcli.engine.gpu.kernel_source import KernelSource
from convcli.engine.gpu.value_source import value_source

__all__ = ["difference_source", "samples_of"]

WORD = 16
"""Bytes that are loaded at once."""


def samples_of(problem: InTurn, dtype: str) -> int:
    """Of a type, that a thread takes from others: whole words of both pictures."""
    item, out = np.dtype(dtype).itemsize, np.dtype(problem.requantize.out_dtype).itemsize
    return max(WORD // item, 4 // out)


@lru_cache(maxsize=64)
def difference_source(problem: InTurn, dtype: str) -> KernelSource:
    """Of samples of a type."""
    constants = {
        "NX": samples_of(problem, dtype),
        "CHANNELS": 1,
        "STRIDE_W": 1,
        "DILATION_W": 1,
        "LOAD_BYTES": WORD,
        "SKEW": 0,
        "WIDE_SUMS": int(problem.accumulate == "float64"),
        "ABSENT_FIRST": 0,
    }
    return value_source("difference", dtype, problem.requantize, constants)
