"""Sums and the like. A result without axes is an array of the device, too."""

import numpy as np

from cupy._array import ndarray
from cupy._late import later, refuse


def _reduced(function, a, **given):
    """The shape and the type are NumPy's, found out by trying zeros."""
    if not isinstance(a, ndarray):
        refuse(a)
    out = given.pop("out", None)
    given = {name: value for name, value in given.items() if value is not None}
    found = np.asarray(function(np.broadcast_to(np.zeros((), a.dtype), a.shape), **given))
    if out is None:
        out = ndarray(found.shape, found.dtype)
    elif out.shape != found.shape:
        raise ValueError("output parameter has wrong shape")
    source, target = a._host, out._host
    later(lambda: np.copyto(target, function(source, **given), casting="unsafe"))
    return out


def sum(a, axis=None, dtype=None, out=None, keepdims=False):
    return _reduced(np.sum, a, axis=axis, dtype=dtype, out=out, keepdims=keepdims)


def max(a, axis=None, out=None, keepdims=False):
    return _reduced(np.max, a, axis=axis, out=out, keepdims=keepdims)


def min(a, axis=None, out=None, keepdims=False):
    return _reduced(np.min, a, axis=axis, out=out, keepdims=keepdims)


def all(a, axis=None, out=None, keepdims=False):
    return _reduced(np.all, a, axis=axis, out=out, keepdims=keepdims)


def any(a, axis=None, out=None, keepdims=False):
    return _reduced(np.any, a, axis=axis, out=out, keepdims=keepdims)


def count_nonzero(a, axis=None):
    return _reduced(np.count_nonzero, a, axis=axis)


def cumsum(a, axis=None, dtype=None, out=None):
    return _reduced(np.cumsum, a, axis=axis, dtype=dtype, out=out)
