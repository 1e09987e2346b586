"""Depthwise correlation on a GPU, by a kernel of our own.

A product of matrices has one row per group here, which leaves a GPU idle; and its columns are as
many times the picture as the kernel has taps, where one pass over memory does.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from convcli.errors import BackendError
from convcli.ops.operands import Array
from convcli.ops.sliding_window import SlidingWindow

__all__ = ["OPTIONS", "correlate", "launch_of", "serves"]

OPTIONS = ("--std=c++17",)
ROWS = 4
BLOCK = (32, 4, 1)
MOST_TAPS = 121
"""Larger kernels would make too long a program; columns and a product do those."""

_C_TYPES = {"float32": "float", "float64": "double"}


def serves(sliding: SlidingWindow, weight: Array, out: Array) -> bool:
    """Whether the kernel can do it: one channel per group, one or two axes, one type."""
    return (
        sliding.xp is not np
        and len(sliding.kernel) <= 2
        and sliding.x.shape[1] == sliding.groups
        and sliding.work.name in _C_TYPES
        and sliding.x.dtype == out.dtype == sliding.work
        and math.prod(weight.shape[2:]) <= MOST_TAPS
        and out.size > 0
    )


def correlate(sliding: SlidingWindow, weight: Array, bias: Array | None, out: Array) -> None:
    """Correlate every channel of ``sliding.x`` with its kernels into ``out``."""
    text, grid, args = launch_of(sliding, weight, bias, out)
    _function(sliding.xp, text)(grid, BLOCK, args)


def launch_of(
    sliding: SlidingWindow, weight: Array, bias: Array | None, out: Array
) -> tuple[str, tuple[int, int, int], tuple[Any, ...]]:
    """Source text, blocks and arguments of the launch."""
    xp, work = sliding.xp, sliding.work
    pad = (1,) * (2 - len(sliding.kernel))
    kernel, stride, dilation = (
        (*pad, *values) for values in (sliding.kernel, sliding.stride, sliding.dilation)
    )
    start = (*(0 for _ in pad), *sliding.start)
    x, y = _planes(sliding.x), _planes(out)
    channels, rows, columns = y.shape[1:]
    planes = y.shape[0] * channels
    names = {
        "KERNEL_H": kernel[0],
        "KERNEL_W": kernel[1],
        "STRIDE_H": stride[0],
        "STRIDE_W": stride[1],
        "DILATION_H": dilation[0],
        "DILATION_W": dilation[1],
        "MULTIPLIER": channels // sliding.groups,
        "ROWS": ROWS,
    }
    fma = "__fmaf_rn" if work == np.float32 else "__fma_rn"
    text = "\n".join(
        [
            f"typedef {_C_TYPES[work.name]} real_t;",
            "static __device__ __forceinline__ real_t fused(real_t a, real_t b, real_t c)",
            f"{{ return {fma}(a, b, c); }}",
            *(f"#define {name} {value}" for name, value in names.items()),
            _source(),
        ]
    )
    grid = (
        -(-columns // BLOCK[0]),
        -(-rows // (BLOCK[1] * ROWS)),
        min(planes, 65535),
    )
    item = work.itemsize
    args = (
        x,
        xp.ascontiguousarray(weight, work),
        np.uint64(0) if bias is None else xp.ascontiguousarray(bias, work),
        y,
        *(np.int64(s // item) for s in (*x.strides, *y.strides)),
        *(np.int32(n) for n in (*x.shape[2:], rows, columns, *start, channels, planes)),
    )
    return text, grid, args


def _planes(array: Array) -> Array:
    """(N, C, L) as (N, C, 1, L); (N, C, H, W) as it is. No copy: it may be written to."""
    return array if array.ndim == 4 else array[:, :, None]


@cache
def _source() -> str:
    return Path(__file__).with_name("depthwise.cu").read_text("utf-8")


@cache
def _function(xp: Any, text: str) -> Any:
    try:
        module = xp.RawModule(code=text, options=OPTIONS, backend="nvrtc")
        module.compile()
        return module.get_function("depthwise")
    except Exception as error:  # of NVRTC, of the driver, or of the cache on disk
        reason = " ".join(str(error).split())[:200]
        raise BackendError(
            f"the kernel 'depthwise' does not compile here ({type(error).__name__}: {reason}); "
            "move the tensors to the CPU with cupy.asnumpy"
        ) from error
