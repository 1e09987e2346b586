"""Functions that make, move and pick cells."""

import numpy as np

from cupy._array import SCALARS, ndarray
from cupy._late import dtype_of, later, now, refuse


def empty(shape, dtype=float, order="C"):
    return ndarray(shape, dtype, order=order)


def zeros(shape, dtype=float, order="C"):
    return full(shape, 0, dtype, order)


def ones(shape, dtype=float, order="C"):
    return full(shape, 1, dtype, order)


def full(shape, fill_value, dtype=None, order="C"):
    made = ndarray(shape, np.asarray(fill_value).dtype if dtype is None else dtype, order=order)
    made.fill(fill_value)
    return made


def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    return ndarray(
        prototype.shape if shape is None else shape, prototype.dtype if dtype is None else dtype
    )


def zeros_like(a, dtype=None, order="K", subok=None, shape=None):
    made = empty_like(a, dtype, order, subok, shape)
    made.fill(0)
    return made


def arange(start, stop=None, step=1, dtype=None):
    return array(
        np.arange(start, stop, step, dtype) if stop is not None else np.arange(start, dtype=dtype)
    )


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    if isinstance(obj, ndarray):
        return obj.astype(obj.dtype if dtype is None else dtype, order, copy=bool(copy))
    host = np.array(obj, dtype, ndmin=ndmin)  # a copy: the caller's memory may change at once
    kind = dtype_of(host.dtype)
    host = np.asarray(host, kind)
    made = ndarray(host.shape, kind, order="F" if order == "F" else "C")
    target = made._host
    later(lambda: np.copyto(target, host))
    return made


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    if copy is False and not isinstance(a, ndarray):
        raise ValueError("an array of the host cannot be had without a copy")
    made = array(a, dtype, copy=bool(copy), order=order or "K")
    if order == "C" and not made.flags.c_contiguous:
        return made.copy()
    return made


def ascontiguousarray(a, dtype=None):
    made = asarray(a, dtype)
    return made if made.flags.c_contiguous else made.copy()


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    if isinstance(a, ndarray):
        return a.get(stream, order, out, blocking)
    if out is not None:
        out[...] = a
        return out
    return np.asarray(a, order=order)


def copyto(dst, src, casting="same_kind", where=None):
    kind = np.asarray(src).dtype if isinstance(src, SCALARS) else src.dtype
    if not isinstance(src, SCALARS) and not np.can_cast(kind, dst.dtype, casting):
        raise TypeError(f"Cannot cast {kind} to {dst.dtype} with {casting}.")
    if where is None:
        dst[...] = src
        return
    if not isinstance(where, ndarray):
        refuse(where)
    source, there, target = src._host if isinstance(src, ndarray) else src, where._host, dst._host
    later(lambda: np.copyto(target, source, casting, where=there.astype(bool)))


def repeat(a, repeats, axis=None):
    shape = list(a.shape)
    shape[axis] *= repeats  # one number, along one axis
    made = ndarray(shape, a.dtype)
    source, target = a._host, made._host
    later(lambda: np.copyto(target, np.repeat(source, repeats, axis)))
    return made


def take(a, indices, axis=None, out=None):
    if not isinstance(a, ndarray):
        refuse(a)
    places = indices if isinstance(indices, ndarray) else array(indices)
    shape = places.shape if axis is None else (
        *a.shape[: axis % a.ndim], *places.shape, *a.shape[axis % a.ndim + 1 :]
    )  # fmt: skip
    out = ndarray(shape, a.dtype) if out is None else out
    source, where, target = a._host, places._host, out._host
    later(lambda: np.copyto(target, np.take(source, where, axis)))
    return out


def where(condition, x=None, y=None):
    if x is None:
        return condition.nonzero()
    values = [v._host if isinstance(v, ndarray) else v for v in (condition, x, y)]
    for value, given in zip(values, (condition, x, y), strict=True):
        if isinstance(given, np.ndarray) or not isinstance(value, (*SCALARS, np.ndarray)):
            refuse(given)
    shape = np.broadcast_shapes(*(np.shape(value) for value in values))
    made = ndarray(shape, np.result_type(*values[1:]))
    target = made._host
    later(lambda: np.copyto(target, np.where(*values)))
    return made


def concatenate(tup, axis=0, out=None, *, dtype=None, casting="same_kind"):
    for part in tup:
        if not isinstance(part, ndarray):
            raise TypeError("Only cupy arrays can be concatenated")
    parts = [part._host for part in tup]
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    made = ndarray(shape, np.result_type(*parts)) if out is None else out
    target = made._host
    later(lambda: np.copyto(target, np.concatenate(parts, axis)))
    return made


def moveaxis(a, source, destination):
    return a._view(np.moveaxis(a._host, source, destination))


def broadcast_to(array, shape):
    return array._view(np.broadcast_to(array._host, shape))


def argsort(a, axis=-1, kind=None):
    if kind not in (None, "stable"):
        raise ValueError("kind can only be None or 'stable'")
    made = ndarray(a.shape, np.intp)
    source, target = a._host, made._host
    later(lambda: np.copyto(target, np.argsort(source, axis, kind="stable")))
    return made


def bincount(x, weights=None, minlength=None):
    now()  # how many there are depends on the largest
    if weights is not None:
        raise NotImplementedError("the stand-in counts without weights")
    return array(np.bincount(x._host, minlength=minlength or 0))


def flatnonzero(a):
    now()
    return array(np.flatnonzero(a._host))
