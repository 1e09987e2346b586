"""Stand-in: the device is this machine, once or as often as the tests say.

``STAND_IN_DEVICES`` says how many there are, ``CUDA_VISIBLE_DEVICES`` which may be seen.
"""

import os as _os

from cupy import _streams
from cupy._errors import CUDARuntimeError
from cupy._memory import memGetInfo


def getDeviceCount():
    there = int(_os.environ.get("STAND_IN_DEVICES", "1"))
    seen = _os.environ.get("CUDA_VISIBLE_DEVICES")
    if seen is not None:
        names = [name.strip() for name in seen.split(",")]
        # CUDA takes numbers up to the first that is wrong.
        there = next(
            (i for i, n in enumerate(names) if not n.isdigit() or int(n) >= there), len(names)
        )
    if not there:
        raise CUDARuntimeError(100)
    return there


def _checked(device):
    if not 0 <= device < getDeviceCount():
        raise CUDARuntimeError(101)
    return device


def getDeviceProperties(device):
    return {
        "name": b"Stand-in", "major": 9, "minor": 0, "warpSize": 32, "multiProcessorCount": 132,
        "totalGlobalMem": memGetInfo()[1], "l2CacheSize": 50 << 20, "sharedMemPerBlock": 48 << 10,
        "memoryClockRate": 2619000, "memoryBusWidth": 5120, "clockRate": 1755000,
    } if _checked(device) >= 0 else {}  # fmt: skip


def getDevice():
    getDeviceCount()
    return _streams.current_device()


def setDevice(device):
    _streams.set_device(_checked(device))


def deviceSynchronize():
    _streams.drain_device(getDevice())


def driverGetVersion():
    return 13050


def runtimeGetVersion():
    return 13050
