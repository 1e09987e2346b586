"""Stand-in: transforms by NumPy. As in CuPy, the first loads the module of cuFFT and keeps a plan."""

import numpy as _numpy

from cupy._array import ndarray as _ndarray
from cupy._late import later as _later
from cupy._late import refuse as _refuse
from cupy.fft import _config as config


def _transformed(function, a, shape, dtype, s, axes, norm):
    if not isinstance(a, _ndarray):
        _refuse(a)
    config._plan_for(a, s)
    made = _ndarray(shape, dtype)
    source, target = a._host, made._host
    _later(lambda: _numpy.copyto(target, function(source, s, axes, norm)))
    return made


def _sizes(a, s, axes):
    return tuple(a.shape[axis] for axis in axes) if s is None else tuple(s)


def _shape(a, axes, sizes):
    shape = list(a.shape)
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = size
    return shape


def rfft2(a, s=None, axes=(-2, -1), norm=None):
    sizes = _sizes(a, s, axes)
    single = a.dtype.char in "ef"  # half precision is widened, whole numbers become float64
    shape = _shape(a, axes, (*sizes[:-1], sizes[-1] // 2 + 1))
    dtype = _numpy.complex64 if single else _numpy.complex128
    return _transformed(_numpy.fft.rfft2, a, shape, dtype, sizes, axes, norm)


def irfft2(a, s=None, axes=(-2, -1), norm=None):
    sizes = _sizes(a, s, axes)
    if s is None:
        sizes = (*sizes[:-1], 2 * (sizes[-1] - 1))
    dtype = _numpy.float32 if a.dtype.char in "eFf" else _numpy.float64
    return _transformed(_numpy.fft.irfft2, a, _shape(a, axes, sizes), dtype, sizes, axes, norm)
