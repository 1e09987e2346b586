"""The GPU as a device for :mod:`convcli.engine.gpu.slabs`, through CuPy.

Each thread has a device of its own, with its own stream and its own two pinned buffers: while one
buffer is on its way over the bus, the processor fills or empties the other, and what one thread
transfers overlaps with what another computes.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.gpu.compiling import compiled
from convcli.engine.gpu.kernel_source import KernelSource

__all__ = ["CupyDevice", "cuda_failures", "device_of_thread"]

STAGE_BYTES = 8 << 20
"""Of each pinned buffer: long enough for full speed, short enough that the first is soon there."""

KEPT = 128
"""Small arrays, such as index maps and weights, that stay on the device."""

SHARE = 0.7
"""Of the free memory that pictures may take: what is left is for allocations in between."""

_modules: dict[tuple[int, str], Any] = {}
_lock = threading.Lock()
_local = threading.local()


def device_of_thread(number: int) -> CupyDevice:
    """This thread's device of that number."""
    devices: dict[int, CupyDevice] = vars(_local).setdefault("devices", {})
    if number not in devices:
        devices[number] = CupyDevice(number)
    return devices[number]


def cuda_failures() -> tuple[type[BaseException], ...]:
    """What CuPy raises when something is wrong with a device."""
    from cupy import cuda

    transforms = _transforms()
    return (
        *((transforms.CuFFTError,) if transforms else ()),
        cuda.runtime.CUDARuntimeError,
        cuda.driver.CUDADriverError,
        cuda.compiler.CompileException,
    )


def _transforms() -> Any:
    """CuPy's module of Fourier transforms, if one was made; loading it needs a library more."""
    return sys.modules.get("cupy.cuda.cufft")


class CupyDevice:
    """See the protocol :class:`convcli.engine.gpu.slabs.Device`; use it in a ``with``."""

    def __init__(self, number: int) -> None:
        import cupy  # not at the top: this module must import on machines without it

        self.xp = cupy
        self.number = number
        self.out_of_memory: type[BaseException] = cupy.cuda.memory.OutOfMemoryError
        self._device = cupy.cuda.Device(number)
        with self._device:
            self.stream = cupy.cuda.Stream(non_blocking=True)
            self._stages = [_Stage(cupy), _Stage(cupy)]
        self._kept: OrderedDict[tuple[str, bytes], Any] = OrderedDict()

    def __enter__(self) -> CupyDevice:
        self._device.__enter__()
        self.stream.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.stream.__exit__(*exception)
        self._device.__exit__(*exception)

    def launch(
        self,
        source: KernelSource,
        grid: tuple[int, int],
        block: tuple[int, int],
        args: tuple[Any, ...],
    ) -> None:
        self.function(source)(grid, block, args)

    def function(self, source: KernelSource) -> Any:
        """The compiled kernel: from memory, else from our cache on disk, else from NVRTC.

        Raises
        ------
        BackendError
            If it cannot be compiled or loaded.
        """
        key = (self.number, source.key)
        with _lock:
            if key not in _modules:
                _modules[key] = compiled(self.xp, source, self.number)
            return _modules[key]

    def upload(self, pieces: list[NDArray[Any]], slab: Any) -> None:
        done = 0
        per_row = slab.strides[0]
        for piece in pieces:
            for top in range(0, len(piece), max(STAGE_BYTES // per_row, 1)):
                rows = piece[top : top + max(STAGE_BYTES // per_row, 1)]
                stage = self._next_stage(len(rows) * per_row)
                staged = stage.array[: len(rows) * per_row].view(slab.dtype).reshape(len(rows), -1)
                staged[:, : rows.shape[1]] = rows
                target = slab[done : done + len(rows)].data
                target.copy_from_host_async(stage.pointer, len(rows) * per_row, self.stream)
                stage.event.record(self.stream)
                done += len(rows)

    def download(self, samples: Any, out: NDArray[Any]) -> None:
        per_row = samples.strides[0]
        step = max(STAGE_BYTES // per_row, 1)
        pending: list[tuple[_Stage, int, int]] = []
        for top in range(0, len(out), step):
            count = min(step, len(out) - top)
            stage = self._next_stage(count * per_row)
            source = samples[top : top + count].data
            source.copy_to_host_async(stage.pointer, count * per_row, self.stream)
            stage.event.record(self.stream)
            pending.append((stage, top, count))
            if len(pending) == len(self._stages):
                self._emptied(pending.pop(0), out, per_row)
        for item in pending:
            self._emptied(item, out, per_row)

    @staticmethod
    def _emptied(item: tuple[_Stage, int, int], out: NDArray[Any], per_row: int) -> None:
        stage, top, count = item
        stage.event.synchronize()
        rows = stage.array[: count * per_row].view(out.dtype).reshape(count, -1)
        out[top : top + count] = rows[:, : out.shape[1]]

    def _next_stage(self, size: int) -> _Stage:
        stage = self._stages.pop(0)
        self._stages.append(stage)
        stage.event.synchronize()
        stage.grow(size)
        return stage

    def kept(self, array: NDArray[Any]) -> Any:
        key = (array.dtype.str, array.tobytes())
        if key not in self._kept:
            self._kept[key] = self.xp.asarray(array)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def host(self, array: Any) -> NDArray[Any]:
        result: NDArray[Any] = self.xp.asnumpy(array, stream=self.stream)
        return result

    def address(self, array: Any) -> int:
        return int(array.data.ptr)

    def free_bytes(self) -> int:
        pool = self.xp.get_default_memory_pool()
        free = self.xp.cuda.runtime.memGetInfo()[0] + pool.free_bytes()
        limit = pool.get_limit()
        if limit:  # CUPY_GPU_MEMORY_LIMIT
            free = min(free, limit - pool.used_bytes())
        return max(int(free * SHARE), 0)

    def release(self) -> None:
        """Give memory that is kept for later back, before a smaller attempt."""
        self._kept.clear()
        if _transforms():
            self.xp.fft.config.get_plan_cache().clear()  # plans hold memory to work in
        self.xp.get_default_memory_pool().free_all_blocks()


class _Stage:
    """A pinned buffer, and the event that says when the device has done with it."""

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy
        self.event = cupy.cuda.Event(disable_timing=True)
        self.array: NDArray[np.uint8] = np.empty(0, np.uint8)
        self.pointer = ctypes.c_void_p()

    def grow(self, size: int) -> None:
        if self.array.size < size:
            size = max(size, STAGE_BYTES)
            memory = self._cupy.cuda.alloc_pinned_memory(size)
            self.array = np.frombuffer(memory, np.uint8, size)
            self.pointer = ctypes.c_void_p(self.array.ctypes.data)
