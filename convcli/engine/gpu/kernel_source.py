"""The text of a CUDA kernel specialised for one step: constants and weights, then the .cu files.

Everything that would be a branch or a load in the inner loop is a constant here. What differs
from picture to picture (sizes, padding, the border) is not, so that one kernel serves them all.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from math import gcd
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.engine.numerics import WHITE
from convcli.engine.requantize import Requantize

__all__ = [
    "COUNTERS",
    "C_TYPES",
    "OPTIONS",
    "KernelSource",
    "Shape",
    "alignment",
    "formula_constants",
    "make_source",
    "skew",
    "source_file",
    "words_of",
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

CONSTANT_BYTES = 60_000
"""Weights beyond this do not fit into the 64 KiB of constant memory."""

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
    weights: NDArray[np.float64],
    factors: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...] = (),
    members: int = 1,
    **constants: int,
) -> KernelSource:
    """Write one specialisation.

    Parameters
    ----------
    function
        ``rolling``, ``bytes``, ``across_down``, ``wide`` or ``bank``: the name of the .cu file and of the kernel in it.
    types
        Of the input, the sums and the output.
    before
        Cells of padding before each row; only its remainder by the width of a load matters.
    weights
        ``(members, kH, kW)``, or ``(C_out, C_in, kH, kW)`` for a bank.
    factors
        Columns and rows of a separable kernel, the terms of each member after one another.
    constants
        Further ones, by their name in the source.
    """
    dtype_in, acc, dtype_out = types
    work = "double" if requantize.work == "float64" else "float"
    item_in, item_out = np.dtype(dtype_in).itemsize, np.dtype(dtype_out).itemsize
    load = alignment(shape, item_in)
    skip = dtype_in not in WHITE and dtype_in != "int32" and bool((weights == 0).any())
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
        "SKIP_ZEROS": int(skip),
        **constants,
    }
    lines = [
        f"typedef {C_TYPES[dtype_in]} in_t;",
        f"typedef {C_TYPES[acc]} acc_t;",
        f"typedef {work} work_t;",
        f"typedef {C_TYPES[dtype_out]} out_t;",
        *(f"#define {name} {value}" for name, value in names.items()),
    ]
    if function in ("rolling", "across_down"):
        lines += _immediates(weights, factors, members, acc)
    elif function == "running":
        pass
    elif function == "bytes":
        lines += _packed(weights)
    elif weights.size * np.dtype(acc).itemsize <= CONSTANT_BYTES:
        lines.append(f"__constant__ acc_t WEIGHTS[] = {_list(weights, acc)};")
    else:
        lines.append("#define WEIGHTS weights")
    return KernelSource(function, "\n".join([*lines, source_file("common"), source_file(function)]))


def formula_constants(requantize: Requantize, work: str) -> dict[str, Any]:
    """The numbers that lead from sums to samples."""
    return {
        "NONE": 0,
        "MAGNITUDE": 1,
        "MAXIMUM": 2,
        "COMBINE": _COMBINE[requantize.combine],
        "SCALE": _literal(requantize.scale, work),
        "BIAS": _literal(requantize.bias, work),
        "ABSOLUTE": int(requantize.absolute),
        "OFFSET": _literal(requantize.offset, work),
        "RATIO": _literal(requantize.ratio, work),
        "CLIP": int(requantize.out_dtype in WHITE and requantize.clip),
        "WHITE": int(WHITE.get(requantize.out_dtype, 0)),
    }


def _function(name: str, parameters: str, place: str, values: NDArray[Any], dtype: str) -> str:
    """Numbers as a function of loop counters: unrolled loops turn them into literals.

    They stand outside of it, since compilers make a copy of what stands inside for each call.
    """
    kind = C_TYPES[dtype]
    return (
        f"static __device__ constexpr {kind} {name}_values[] = {_list(values, dtype)};\n"
        f"static __device__ __forceinline__ {kind} {name}({parameters}) "
        f"{{ return {name}_values[{place}]; }}"
    )


def words_of(rows: int) -> int:
    """Words that hold a byte of each row.

    >>> words_of(4), words_of(5)
    (1, 2)
    """
    return -(-rows // 4)


def _packed(weights: NDArray[np.float64]) -> list[str]:
    """Columns of whole weights as words of signed bytes, the lowest row in the highest byte."""
    members, rows, columns = weights.shape
    words = words_of(rows)
    padded = np.zeros((members, columns, words * 4), np.int8)
    padded[..., words * 4 - rows :] = weights.transpose(0, 2, 1)
    values = padded.view("<i4")
    place = "(p * KERNEL_W + j) * WORDS + w"
    return [
        f"#define WORDS {words}",
        _function("packed", "int p, int j, int w", place, values, "int32"),
    ]


def _immediates(weights: NDArray[np.float64], factors: Any, members: int, acc: str) -> list[str]:
    if not factors:
        return [
            "#define SEPARABLE 0\n#define LINES 1",
            _function(
                "weight", "int p, int i, int j", "(p * KERNEL_H + i) * KERNEL_W + j", weights, acc
            ),
        ]
    terms = len(factors) // members
    down = np.stack([column for column, _ in factors])
    across = np.stack([row for _, row in factors])
    return [
        f"#define SEPARABLE 1\n#define TERMS {terms}\n#define LINES (MEMBERS * TERMS)",
        _function("column", "int p, int t, int i", "(p * TERMS + t) * KERNEL_H + i", down, acc),
        _function("across_weight", "int line, int j", "line * KERNEL_W + j", across, acc),
    ]


def _list(values: NDArray[Any], dtype: str) -> str:
    return "{" + ",".join(_literal(v, C_TYPES[dtype]) for v in values.ravel().tolist()) + "}"


def _literal(value: float, c_type: str) -> str:
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
