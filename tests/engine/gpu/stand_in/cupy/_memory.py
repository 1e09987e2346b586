"""Memory of a device: pages of the CPU, with one behind each allocation that nobody may touch."""

import ctypes
import gc
import mmap
import os
import threading
import weakref

import numpy as np

from cupy._errors import CUDARuntimeError, OutOfMemoryError
from cupy._streams import (
    WORKING,
    current_device,
    drain_device,
    get_current_stream,
    queue_of,
)

PAGE = mmap.PAGESIZE
DEVICE_BYTES = 1 << 29
"""Of a device, in all: little, since tests share a machine."""

UNIT = 512
"""CuPy counts memory in multiples of this."""

NEVER_WRITTEN = 0xA5
_protect = ctypes.CDLL(None, use_errno=True).mprotect


class Pages:
    """Bytes that end, but for the rest of 16, where the memory of the process ends."""

    def __init__(self, size):
        self.size = size
        whole = -(-size // PAGE) * PAGE
        memory = mmap.mmap(-1, whole + PAGE)
        begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        if _protect(ctypes.c_void_p(begin + whole), ctypes.c_size_t(PAGE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
        start = (whole - size) // 16 * 16
        self.bytes = np.frombuffer(memory, np.uint8, size, start)
        self.ptr = begin + start


class _Pooled:
    """Pages that go back to their pool when nobody holds them: at once, as CuPy does it, though
    work on a stream may still be going to use them."""

    def __init__(self, pages, stream, pool):
        self.pages, self.ptr, self.size = pages, pages.ptr, pages.size
        self.device_id = pool.device
        weakref.finalize(self, pool.free, pages, stream).atexit = False


class _Pool:
    """The memory of one device: free pages are kept, each for the stream that it was made on."""

    def __init__(self, device):
        self.device, self.limit = device, _limit_of_environment()
        self.used = self.total = 0
        self.idle = {}
        self.lock = threading.RLock()  # taken after WORKING: what is done lets memory go

    def malloc(self, size):
        rounded = _rounded(size)
        stream = get_current_stream().ptr
        with WORKING, self.lock:
            pages = next(iter(self.idle.get((stream, size), ())), None)
            if pages is None:
                self._room(rounded)
                pages = Pages(size)
                pages.bytes[:] = NEVER_WRITTEN
                self.total += rounded
            else:
                self.idle[stream, size].remove(pages)
            self.used += rounded
        return _Pooled(pages, stream, self)

    def _room(self, rounded):
        limit = self.limit or 1 << 63
        if rounded > limit:
            raise OutOfMemoryError(rounded, self.total, self.limit)
        if self.total + rounded > min(limit, DEVICE_BYTES):
            gc.collect()
            self.free_all_blocks()
        if self.total + rounded > min(limit, DEVICE_BYTES):
            raise OutOfMemoryError(rounded, self.total, self.limit)

    def free(self, pages, stream):
        with self.lock:
            self.used -= _rounded(pages.size)
            self.idle.setdefault((stream, pages.size), []).insert(0, pages)

    def free_all_blocks(self):
        # To free memory waits for the device, and no thread gives it work in between.
        with WORKING, self.lock:
            drain_device(self.device)
            self.total -= sum(_rounded(p.size) for kept in self.idle.values() for p in kept)
            self.idle.clear()


def _rounded(size):
    return -(-size // UNIT) * UNIT


def _limit_of_environment():
    """What CUPY_GPU_MEMORY_LIMIT says: bytes, or a share of the device as ``40%``."""
    text = os.environ.get("CUPY_GPU_MEMORY_LIMIT", "0")
    if text.endswith("%"):
        return int(float(text[:-1]) / 100 * DEVICE_BYTES)
    return int(text)


class MemoryPool:
    """Pools of all devices; each call is for the current one."""

    def __init__(self, allocator=None):
        self._pools = {}

    def _here(self):
        return self._pools.setdefault(current_device(), _Pool(current_device()))

    def malloc(self, size):
        return MemoryPointer(self._here().malloc(size), 0)

    def free_all_blocks(self, stream=None):
        self._here().free_all_blocks()

    def used_bytes(self):
        return self._here().used

    def total_bytes(self):
        return self._here().total

    def free_bytes(self):
        return self._here().total - self._here().used

    def n_free_blocks(self):
        return sum(map(len, self._here().idle.values()))

    def get_limit(self):
        return self._here().limit

    def set_limit(self, size=None, fraction=None):
        if size is not None and fraction is not None:
            raise ValueError("size and fraction cannot be specified at one time")
        wanted = int(fraction * DEVICE_BYTES) if size is None and fraction else size or 0
        if wanted < 0:
            raise ValueError(f"memory limit size out of range: {size}")
        self._here().limit = wanted


_pool = MemoryPool()


def get_default_memory_pool():
    return _pool


def memGetInfo():
    return DEVICE_BYTES - _pool.total_bytes(), DEVICE_BYTES


class MemoryPointer:
    """An address, and the memory that it lies in."""

    def __init__(self, mem, offset):
        self.mem, self.ptr, self.device_id = mem, mem.ptr + offset, mem.device_id

    def __int__(self):
        return self.ptr

    def __add__(self, y):
        return MemoryPointer(self.mem, self.ptr - self.mem.ptr + y)

    def _bytes(self, size):
        start = self.ptr - self.mem.ptr
        if start < 0 or start + size > self.mem.size:
            raise CUDARuntimeError(1)
        return self.mem.pages.bytes[start : start + size]

    def copy_from_host_async(self, mem, size, stream=None):
        target, source = self._bytes(size), _host_bytes(mem, size)
        if not is_pinned(source):
            source = source.copy()  # CUDA takes what is not pinned before the call ends
        queue_of(stream).put(lambda: np.copyto(target, source))

    def copy_to_host_async(self, mem, size, stream=None):
        source, target = self._bytes(size), _host_bytes(mem, size)
        queue_of(stream).put(lambda: np.copyto(target, source))
        if not is_pinned(target):
            queue_of(stream).drain()

    def copy_from_host(self, mem, size):
        self.copy_from_host_async(mem, size)
        queue_of(None).drain()

    def copy_to_host(self, mem, size):
        self.copy_to_host_async(mem, size)
        queue_of(None).drain()

    def copy_from_device_async(self, src, size, stream=None):
        target, source = self._bytes(size), src._bytes(size)
        queue_of(stream).put(lambda: np.copyto(target, source))

    def memset_async(self, value, size, stream=None):
        target = self._bytes(size)
        queue_of(stream).put(lambda: target.fill(value))


def _host_bytes(mem, size):
    address = mem if isinstance(mem, int) else mem.value
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))


class PinnedMemoryPointer:
    """Memory of the host that a device reads and writes by itself; ``np.frombuffer`` takes it."""

    def __init__(self, mem, offset):
        raise TypeError("alloc_pinned_memory makes them")

    def size(self):
        return len(self)

    @property
    def ptr(self):
        return ctypes.addressof(self)

    def __int__(self):
        return self.ptr

    def __del__(self):
        _pinned._give(self._pages)


class PinnedMemoryPool:
    """Pinned memory; what is given back goes to whoever asks next, as CuPy does it."""

    def __init__(self):
        self._idle, self._held = {}, {}

    def malloc(self, size):
        if not isinstance(size, int) or size < 0:
            raise TypeError("pinned memory is counted in bytes")
        kept = self._idle.get(size)
        pages = kept.pop() if kept else Pages(max(size, 1))
        self._held[pages.ptr] = pages.size
        # The protocol of buffers cannot be written in Python before 3.12: an array of ctypes has it.
        kind = type("PinnedMemoryPointer", (PinnedMemoryPointer, ctypes.c_uint8 * size), {})
        pointer = kind.from_address(pages.ptr)
        pointer._pages = pages
        return pointer

    def _give(self, pages):
        del self._held[pages.ptr]
        self._idle.setdefault(pages.size, []).append(pages)

    def free_all_blocks(self):
        self._idle.clear()

    def n_free_blocks(self):
        return sum(map(len, self._idle.values()))

    def _holds(self, address):
        return any(begin <= address < begin + size for begin, size in list(self._held.items()))


_pinned = PinnedMemoryPool()


def get_default_pinned_memory_pool():
    return _pinned


def alloc_pinned_memory(size):
    return _pinned.malloc(size)


def is_pinned(array):
    return _pinned._holds(array.ctypes.data)
