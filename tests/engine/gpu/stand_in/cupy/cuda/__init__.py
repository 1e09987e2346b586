"""Stand-in."""

from cupy._memory import (
    MemoryPointer,
    MemoryPool,
    PinnedMemoryPointer,
    PinnedMemoryPool,
    alloc_pinned_memory,
)
from cupy._streams import Event, Stream, get_current_stream, get_elapsed_time
from cupy.cuda import compiler, device, driver, function, graph, memory, nvrtc, runtime, stream
from cupy.cuda.device import Device
from cupy.cuda.function import Function, Module


def is_available():
    try:
        return runtime.getDeviceCount() > 0
    except runtime.CUDARuntimeError:
        return False
