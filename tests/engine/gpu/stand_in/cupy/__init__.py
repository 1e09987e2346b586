"""CuPy's names over memory of the CPU: host code that is written for a GPU runs without one.

What is here has the name and the signature that CuPy gives it (``test_stand_in.py`` compares them),
and what convcli does not use is not here: a name that CuPy lacks, or that this lacks, is an
``AttributeError``. What a device does otherwise than NumPy is done otherwise:

- Arrays are no arrays of NumPy, and neither turn into them nor mix with them.
- Work waits in its stream until somebody waits for it, and is then done in order: what is read
  before that holds the bytes that were there, and pinned memory that is filled again too early is
  what arrives. Freed memory goes to the next array of the same stream.
- Every allocation ends at a page that nobody may touch; what was never written is 0xA5.
- Kernels are compiled by g++ through ``shim.h``. A misaligned word, an index past the end of a
  table and an address outside are the errors that CUDA has for them.
- Memory is counted as CuPy's pool counts it, against its limit and the device's.

What it cannot show: how fast anything is, threads of a block that race each other (they run one
after another), rounding of functions that CUDA computes with other last bits, and everything about
kernels that only NVRTC and a device know.
"""

import numpy as _numpy

from cupy import _cache_folder, cuda, fft, lib
from cupy._array import ndarray
from cupy._elementwise import (
    abs,
    absolute,
    add,
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    conj,
    conjugate,
    copysign,
    divide,
    equal,
    floor_divide,
    fmax,
    fmin,
    greater,
    greater_equal,
    invert,
    isfinite,
    isinf,
    isnan,
    left_shift,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    remainder,
    right_shift,
    rint,
    sqrt,
    square,
    subtract,
    true_divide,
)
from cupy._kernels import RawKernel, RawModule
from cupy._memory import get_default_memory_pool, get_default_pinned_memory_pool
from cupy._products import matmul
from cupy._reductions import all, any, count_nonzero, cumsum, max, min, sum
from cupy._routines import (
    arange,
    argsort,
    array,
    asarray,
    ascontiguousarray,
    asnumpy,
    bincount,
    broadcast_to,
    concatenate,
    copyto,
    empty,
    empty_like,
    flatnonzero,
    full,
    moveaxis,
    ones,
    repeat,
    take,
    where,
    zeros,
    zeros_like,
)

__version__ = "14.2.0"

dtype = _numpy.dtype
bool_ = _numpy.bool_
int8, int16, int32, int64 = _numpy.int8, _numpy.int16, _numpy.int32, _numpy.int64
uint8, uint16, uint32, uint64 = _numpy.uint8, _numpy.uint16, _numpy.uint32, _numpy.uint64
float16, float32, float64 = _numpy.float16, _numpy.float32, _numpy.float64
complex64, complex128 = _numpy.complex64, _numpy.complex128
