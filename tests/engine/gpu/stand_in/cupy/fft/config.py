"""Stand-in: plans of transforms, which hold memory of the device until they are dropped."""

from collections import OrderedDict as _OrderedDict

from cupy._late import room as _room


class _PlanCache:
    def __init__(self, size=16):
        self._plans, self._size = _OrderedDict(), size

    def clear(self):
        self._plans.clear()

    def get_curr_size(self):
        return len(self._plans)


_cache = _PlanCache()


def get_plan_cache():
    return _cache


def _plan_for(a, s):
    """A plan, with as much memory to work in as the transform has bytes."""
    from cupy.cuda import cufft  # loads a library of CUDA, as late as CuPy does

    key = (a.shape, a.dtype.char, s)
    if key not in _cache._plans:
        try:
            _cache._plans[key] = _room(a.nbytes, "uint8")
        except MemoryError:
            raise cufft.CuFFTError(2) from None
        if len(_cache._plans) > _cache._size:
            _cache._plans.popitem(last=False)
    _cache._plans.move_to_end(key)
