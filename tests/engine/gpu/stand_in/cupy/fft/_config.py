"""Stand-in: plans of transforms. They hold memory of the device until they are dropped, and each
thread has its own."""

import threading as _threading
from collections import OrderedDict as _OrderedDict

from cupy._late import room as _room
from cupy._streams import current_device as _current_device


class _PlanCache:
    """The plans of a thread on a device, the last that were used."""

    def __init__(self, size=16):
        self._plans, self._size = _OrderedDict(), size

    def clear(self):
        self._plans.clear()

    def get_curr_size(self):
        return len(self._plans)


_local = _threading.local()


def get_plan_cache():
    return vars(_local).setdefault(_current_device(), _PlanCache())


def _plan_for(a, sizes):
    """Make a plan with as much memory to work in as the transform has bytes, from CuPy's pool."""
    import cupy.cuda.cufft  # loads a library of CUDA: as late as CuPy does

    cache, key = get_plan_cache(), (a.shape, a.dtype.char, sizes)
    if key not in cache._plans:
        cache._plans[key] = _room(a.nbytes, "uint8")
        if len(cache._plans) > cache._size:
            cache._plans.popitem(last=False)
    cache._plans.move_to_end(key)
