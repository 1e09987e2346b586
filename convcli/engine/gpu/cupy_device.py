"""A GPU as :mod:`convcli.engine.gpu.device_protocol` has it, through CuPy.

Each thread has a device of its own, with its own streams, so that what one thread transfers
overlaps with what another computes; pinned memory is shared (:mod:`convcli.engine.gpu.pinned`).
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from convcli.engine.gpu.compiling import compiled
from convcli.engine.gpu.host_copies import HostCopies
from convcli.engine.gpu.kernel_source import KernelSource
from convcli.engine.gpu.pinned import PinnedPool
from convcli.engine.gpu.pipeline import AT_ONCE
from convcli.engine.gpu.transfers import Transfers

__all__ = ["CupyDevice", "cuda_failures", "device_in_turn", "device_of_thread"]

KEPT = 128
"""Small arrays, such as index maps and weights, that stay on the device."""

SHARE = 0.7
"""Of the free memory that pictures may take: what is left is for allocations in between."""

POOL = PinnedPool()
COPIES = HostCopies()

_turns = threading.BoundedSemaphore(AT_ONCE)
_modules: dict[tuple[int, str], Any] = {}
_lock = threading.Lock()
_local = threading.local()


def device_of_thread(number: int) -> CupyDevice:
    """This thread's device of that number."""
    devices: dict[int, CupyDevice] = vars(_local).setdefault("devices", {})
    if number not in devices:
        devices[number] = CupyDevice(number)
    return devices[number]


@contextmanager
def device_in_turn(number: int) -> Iterator[CupyDevice]:
    """This thread's device, to be worked on for one picture: others wait while there are many."""
    with _turns, device_of_thread(number) as device:
        yield device


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
    """See the protocol :class:`convcli.engine.gpu.device_protocol.Device`; use it in a ``with``."""

    def __init__(self, number: int) -> None:
        import cupy  # not at the top: this module must import on machines without it

        self.xp = cupy
        self.number = number
        self.out_of_memory: type[BaseException] = cupy.cuda.memory.OutOfMemoryError
        self._device = cupy.cuda.Device(number)
        self.multiplies_matrices = int(self._device.compute_capability) >= 80
        with self._device:
            self.stream = cupy.cuda.Stream(non_blocking=True)
            self._transfers = Transfers(cupy, self.stream, POOL, COPIES)
        self._kept: OrderedDict[tuple[str, bytes], Any] = OrderedDict()

    def __enter__(self) -> CupyDevice:
        self._device.__enter__()
        self.stream.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        if exception[0] is not None:
            self._transfers.abandon()
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

    def upload(self, rows: NDArray[Any], slab: Any, *, beside: bool = False) -> None:
        self._transfers.upload(rows, slab, beside=beside)

    def download(self, samples: Any, out: NDArray[Any]) -> None:
        self._transfers.download(samples, out)

    def finish(self) -> None:
        self._transfers.finish()

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
