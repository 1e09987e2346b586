"""The text of a kernel that compares values, or takes them from one another: constants, then files."""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np

from convcli.engine.gpu.kernel_source import (
    C_TYPES,
    COUNTERS,
    KernelSource,
    formula_constants,
    source_file,
)
from convcli.engine.numerics import WHITE
from convcli.engine.requantize import Requantize

__all__ = ["type_of_sums", "value_source"]

PLACE = "    INSTRUCTIONS\n"
"""In a .cu file, where those go that are written for a kernel."""


def type_of_sums(dtype: str, requantize: Requantize) -> str:
    """What values of a type are added in, and go through a formula: ``acc_t`` of the source."""
    return "float64" if "float64" in (dtype, requantize.work) else "float32"


def value_source(
    function: str,
    dtype: str,
    requantize: Requantize,
    constants: dict[str, int],
    tables: str = "",
    instructions: str = "",
) -> KernelSource:
    """Write one specialisation.

    Parameters
    ----------
    function
        The name of the .cu file, and of the kernel in it.
    dtype
        Of the samples that are read; values are of it, and sums of two of them.
    constants
        By their name in the source, the geometry among them.
    tables
        Numbers that the kernel looks up.
    instructions
        What a thread does, in macros of the file.
    """
    out = requantize.out_dtype
    work = "double" if requantize.work == "float64" else "float"
    item, samples = np.dtype(out).itemsize, constants["NX"]
    names: dict[str, Any] = {
        "MEMBERS": 1,
        "IN_BYTES": np.dtype(dtype).itemsize,
        "IN_WHOLE": 0,
        "OUT_BYTES": item,
        "OUT_WHOLE": int(out in WHITE),
        "STORE_BYTES": gcd(16, samples * item),
        "PLAIN": int(requantize.plain and out == dtype),
        "COUNTERS": COUNTERS,
        **formula_constants(requantize, work),
        **constants,
    }
    lines = [
        f"typedef {C_TYPES[dtype]} in_t;",
        f"typedef {C_TYPES[type_of_sums(dtype, requantize)]} acc_t;",
        f"typedef {work} work_t;",
        f"typedef {C_TYPES[out]} out_t;",
        *(f"#define {name} {value}" for name, value in names.items()),
        tables,
        source_file("common"),
        source_file("compare"),
        source_file(function).replace(PLACE, instructions + "\n"),
    ]
    return KernelSource(function, "\n".join(lines))
