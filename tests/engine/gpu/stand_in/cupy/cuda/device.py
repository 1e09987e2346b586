"""Stand-in."""

from cupy import _streams
from cupy._memory import memGetInfo as _memGetInfo
from cupy.cuda import runtime as _runtime


class Device:
    """A device; in a ``with`` it is the current one."""

    def __init__(self, device=None):
        self.id = _runtime.getDevice() if device is None else int(device)
        self._before = []

    def __int__(self):
        return self.id

    def __enter__(self):
        self._before.append(_runtime.getDevice())
        _runtime.setDevice(self.id)
        return self

    def __exit__(self, *args):
        _streams.set_device(self._before.pop())

    def __eq__(self, other):
        return isinstance(other, Device) and self.id == other.id

    __hash__ = None

    def use(self):
        _runtime.setDevice(self.id)

    def synchronize(self):
        _streams.drain_device(self.id)

    @property
    def compute_capability(self):
        return "90"

    @property
    def attributes(self):
        return {
            "MultiProcessorCount": 132,
            "MaxThreadsPerBlock": 1024,
            "MaxSharedMemoryPerBlock": 48 << 10,
        }

    @property
    def mem_info(self):
        return _memGetInfo()
