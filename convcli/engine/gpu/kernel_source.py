"""The text of a CUDA kernel specialised for one step: constants and weights, then the .cu files.

Everything that would be a branch or a load in the inner loop is a constant here. What differs
from picture to picture (sizes, padding, the border) is not, so that one kernel serves them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from math import gcd
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from convcli.engine.numerics import WHITE
from convcli.engine.requantize import Requantize

__all__ = [
    "COUNTERS",
    "C_TYPES",
    "OPTIONS",
    "UNROLLED",
    "KernelSource",
    "Shape",
    "alignment",
    "formula_constants",
    "literal",
    "make_source",
    "skew",
    "source_file",
]

C_TYPES = {
    "uint8": "unsigned char",
    "uint16": "unsigned short",
    "int32": "int",
    "float32": "float",
    "float64": "double",
}
OPTIONS = ("--std=c++17", "--fmad=false")
"""Of NVRTC and nvcc. Products are added without rounding only where ``fused`` says so: elsewhere
a contraction would round otherwise than the CPU. CuPy adds ``-ftz=true``: subnormal numbers count
as zero, which no picture notices."""

COUNTERS = 64
"""Counters of clipped samples."""

UNROLLED = 4096
"""Multiply-adds in an unrolled loop: 64 KiB of instructions, half of their cache, and less than a
second of compiling."""

_COMBINE = {"none": 0, "magnitude": 1, "maximum": 2}


class Shape(NamedTuple):
    """The geometry that a kernel is compiled for, and how much of it one thread makes."""

    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    samples: int
    """Neighbouring samples that a thread makes (NX)."""
    chunk: int = 0
    """Taps at a time, where a kernel is walked in chunks."""


class KernelSource(NamedTuple):
    """A kernel to compile; equal sources are compiled once."""

    function: str
    text: str

    @property
    def key(self) -> str:
        """A short name for caches."""
        return sha256(f"{self.function}\n{self.text}".encode()).hexdigest()[:24]


def alignment(shape: Shape, itemsize: int) -> int:
    """Bytes of the widest load that is aligned in every thread; 0 if only single samples are.

    >>> alignment(Shape(1, (3, 3), (1, 1), (1, 1), 16), 1)
    16
    >>> alignment(Shape(1, (3, 3), (1, 1), (1, 1), 2), 1)
    0
    """
    widest = gcd(16, shape.samples * shape.stride[1] * itemsize)
    if shape.kernel[1] > shape.chunk > 0:
        widest = gcd(widest, shape.chunk * shape.dilation[1] * shape.channels * itemsize)
    return widest if widest >= max(4, itemsize) else 0


def skew(shape: Shape, itemsize: int, before: int) -> int:
    """Samples from the start of a word to a thread's first one, with so many cells of padding.

    >>> skew(Shape(3, (3, 3), (1, 1), (1, 1), 16), 1, 1)
    13
    """
    load = alignment(shape, itemsize)
    return -before * shape.channels % (load // itemsize) if load else 0


def make_source(
    function: str,
    shape: Shape,
    *,
    types: tuple[str, str, str],
    requantize: Requantize,
    before: int,
    tables: Sequence[str],
    members: int,
    **constants: int,
) -> KernelSource:
    """Write one specialisation.

    Parameters
    ----------
    function
        The name of the .cu file, and of the kernel in it.
    types
        Of the input, the sums and the output.
    before
        Cells of padding before each row; only its remainder by the width of a load matters.
    tables
        Lines with the weights, as that kernel has them: :mod:`convcli.engine.gpu.weight_text`.
    members
        Kernels of a stack.
    constants
        Further ones, by their name in the source.
    """
    dtype_in, acc, dtype_out = types
    work = "double" if requantize.work == "float64" else "float"
    item_in, item_out = np.dtype(dtype_in).itemsize, np.dtype(dtype_out).itemsize
    load = alignment(shape, item_in)
    names: dict[str, Any] = {
        "CHANNELS": shape.channels,
        "KERNEL_H": shape.kernel[0],
        "KERNEL_W": shape.kernel[1],
        "STRIDE_H": shape.stride[0],
        "STRIDE_W": shape.stride[1],
        "DILATION_H": shape.dilation[0],
        "DILATION_W": shape.dilation[1],
        "NX": shape.samples,
        "CHUNK": shape.chunk,
        "MEMBERS": members,
        "IN_BYTES": item_in,
        "IN_WHOLE": int(dtype_in == "int32"),
        "OUT_BYTES": item_out,
        "OUT_WHOLE": int(dtype_out in WHITE),
        "LOAD_BYTES": load,
        "STORE_BYTES": gcd(16, shape.samples * item_out),
        "SKEW": skew(shape, item_in, before),
        **formula_constants(requantize, work),
        "COUNTERS": COUNTERS,
        **constants,
    }
    lines = [
        f"typedef {C_TYPES[dtype_in]} in_t;",
        f"typedef {C_TYPES[acc]} acc_t;",
        f"typedef {work} work_t;",
        f"typedef {C_TYPES[dtype_out]} out_t;",
        *(f"#define {name} {value}" for name, value in names.items()),
        *tables,
        source_file("common"),
        source_file(function),
    ]
    return KernelSource(function, "\n".join(lines))


def formula_constants(requantize: Requantize, work: str) -> dict[str, Any]:
    """The numbers that lead from sums to samples."""
    return {
        "NONE": 0,
        "MAGNITUDE": 1,
        "MAXIMUM": 2,
        "COMBINE": _COMBINE[requantize.combine],
        "SCALE": literal(requantize.scale, work),
        "BIAS": literal(requantize.bias, work),
        "ABSOLUTE": int(requantize.absolute),
        "OFFSET": literal(requantize.offset, work),
        "RATIO": literal(requantize.ratio, work),
        "CLIP": int(requantize.out_dtype in WHITE and requantize.clip),
        "WHITE": int(WHITE.get(requantize.out_dtype, 0)),
    }


def literal(value: float, c_type: str) -> str:
    """A number to the last bit: hexadecimal, as C++17 reads it."""
    if c_type == "int":
        return str(int(value))
    if c_type == "float":
        return f"({float(np.float32(value)).hex()}f)"
    return f"({float(value).hex()})"


@cache
def source_file(name: str) -> str:
    """The text of ``cuda/NAME.cu``."""
    return Path(__file__).parent.joinpath("cuda", f"{name}.cu").read_text("utf-8")
