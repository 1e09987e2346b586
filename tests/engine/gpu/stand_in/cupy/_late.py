"""How arrays come about: room for them now, what is in them when the stream gets there."""

import math

import numpy as np

from cupy._memory import MemoryPointer, get_default_memory_pool
from cupy._streams import queue_of

KINDS = "?bhilqBHILQefdFD"
"""Types of numbers that CuPy has, by their letters."""


def dtype_of(dtype):
    found = np.dtype(dtype)
    if found.char not in KINDS:
        raise ValueError(f"Unsupported dtype {found}")
    return found.newbyteorder("=")


def room(shape, dtype, order="C"):
    """Memory for an array: a pointer to it, and NumPy's view of it."""
    dtype = dtype_of(dtype)
    shape = (int(shape),) if np.isscalar(shape) else tuple(int(n) for n in shape)
    size = math.prod(shape) * dtype.itemsize
    pointer = get_default_memory_pool().malloc(size)
    host = pointer.mem.pages.bytes.view(dtype).reshape(shape, order="F" if order == "F" else "C")
    return pointer, host


def later(work):
    """Do something when the current stream gets there."""
    queue_of(None).put(work)


def now():
    """Wait for the current stream, as CuPy does where a shape depends on numbers."""
    queue_of(None).drain()


def refuse(value):
    raise TypeError(f"Unsupported type {type(value)}")
