"""Arrays of a device."""

import math

import numpy as np

from cupy._late import dtype_of, later, now, refuse, room
from cupy._memory import MemoryPointer, is_pinned
from cupy._streams import queue_of

SCALARS = (bool, int, float, complex, np.generic)


class Flags:
    def __init__(self, flags, owndata):
        self.c_contiguous, self.f_contiguous, self.owndata = (
            flags.c_contiguous,
            flags.f_contiguous,
            owndata,
        )


class ndarray:
    """An array on a device. It has memory of NumPy's, but is none of its arrays."""

    __array_priority__ = 100

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C"):
        if memptr is not None or strides is not None:
            raise NotImplementedError("the stand-in makes no arrays of given memory")
        pointer, host = room(shape, dtype, order)
        self._set(pointer.mem, host, None)

    def _set(self, mem, host, base):
        self._mem, self._host, self.base = mem, host, base

    def _view(self, host):
        """Another array over the same memory."""
        made = ndarray.__new__(ndarray)
        made._set(self._mem, host, self if self.base is None else self.base)
        return made

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    T = property(lambda self: self._view(self._host.T))
    real = property(lambda self: self._view(self._host.real))

    @property
    def flags(self):
        return Flags(self._host.flags, self.base is None)

    @property
    def data(self):
        address = self._host.__array_interface__["data"][0]
        return MemoryPointer(self._mem, address - self._mem.ptr if self.size else 0)

    # --- to the host, and nothing else -----------------------------------------------------------

    def get(self, stream=None, order="C", out=None, blocking=True):
        queue = queue_of(stream)
        copy = np.empty(self.shape, self.dtype, order) if out is None else out
        if copy.shape != self.shape or copy.dtype != self.dtype:
            raise ValueError("Shape or dtype mismatch")
        source = self._host
        queue.put(lambda: np.copyto(copy, source))
        if blocking or not is_pinned(copy):
            queue.drain()
        return copy

    def set(self, arr, stream=None):
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.shape != self.shape or arr.dtype != self.dtype:
            raise ValueError("Shape or dtype mismatch")
        target, source = self._host, arr if is_pinned(arr) else arr.copy()
        queue_of(stream).put(lambda: np.copyto(target, source))

    def item(self):
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def __array__(self, dtype=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __int__(self):
        return int(self.get())

    def __float__(self):
        return float(self.get())

    def __complex__(self):
        return complex(self.get())

    def __bool__(self):
        return bool(self.get())

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __repr__(self):
        return repr(self.get())

    def __str__(self):
        return str(self.get())

    # --- functions of NumPy that are given one -----------------------------------------------------

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        import cupy

        found = getattr(cupy, ufunc.__name__, None)
        if found is None or method != "__call__":
            return NotImplemented
        if "out" in kwargs:
            (kwargs["out"],) = kwargs["out"]
        for value in inputs:
            if not isinstance(value, (*SCALARS, ndarray, np.ndarray)):
                return NotImplemented
        return found(*inputs, **kwargs)

    def __array_function__(self, func, types, args, kwargs):
        import cupy

        module = cupy
        for part in func.__module__.split(".")[1:]:
            module = getattr(module, part, None)
        found = getattr(module, func.__name__, None)
        if found is None or any(not issubclass(kind, (ndarray, np.ndarray)) for kind in types):
            return NotImplemented
        return found(*args, **kwargs)

    # --- cells -------------------------------------------------------------------------------------

    def __getitem__(self, slices):
        index, advanced = _index(slices)
        if not advanced:
            found = self._host[index]
            # NumPy gives a number where CuPy gives an array without axes.
            return self._view(self._host[(*_tuple(index), ...)] if np.isscalar(found) else found)
        now()
        index = _resolved(index)
        found = self._host[index]
        made = ndarray(found.shape, found.dtype)
        source, target = self._host, made._host
        later(lambda: np.copyto(target, source[index]))
        return made

    def __setitem__(self, slices, value):
        index, advanced = _index(slices)
        if advanced:
            now()
            index = _resolved(index)
        target = self._host
        if isinstance(value, ndarray):
            source = value._host
            np.broadcast_shapes(source.shape, target[index].shape)
        elif isinstance(value, SCALARS):
            source = value
        else:
            refuse(value)
        later(lambda: _put(target, index, source))

    def fill(self, value):
        self[...] = value

    def take(self, indices, axis=None, out=None):
        import cupy

        return cupy.take(self, indices, axis, out)

    # --- shapes ------------------------------------------------------------------------------------

    def reshape(self, *shape, order="C"):
        shape = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        found = self._host.reshape(shape, order=order)
        if not self.size or np.may_share_memory(found, self._host):
            return self._view(found)
        return self.copy().reshape(*found.shape, order=order)

    def ravel(self, order="C"):
        return self.reshape(-1, order=order)

    def flatten(self, order="C"):
        return self.copy(order).reshape(-1, order=order)

    def transpose(self, *axes):
        return self._view(self._host.transpose(*axes))

    def swapaxes(self, axis1, axis2):
        return self._view(self._host.swapaxes(axis1, axis2))

    def squeeze(self, axis=None):
        return self._view(self._host.squeeze(axis))

    def view(self, dtype=None, type=None):
        return self._view(self._host.view() if dtype is None else self._host.view(dtype))

    def copy(self, order="C"):
        return self.astype(self.dtype, order)

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        wanted = dtype_of(dtype)
        if not copy and wanted == self.dtype:
            return self
        if casting is not None and not np.can_cast(self.dtype, wanted, casting):
            raise TypeError(f"Cannot cast array data from {self.dtype} to {wanted} by {casting!r}")
        fortran = order == "F" or (
            order in "KA" and self.flags.f_contiguous and not self.flags.c_contiguous
        )
        made = ndarray(self.shape, wanted, order="F" if fortran else "C")
        source, target = self._host, made._host
        later(lambda: np.copyto(target, source, casting="unsafe"))
        return made

    # --- numbers -----------------------------------------------------------------------------------

    def sum(self, axis=None, dtype=None, out=None, keepdims=False):
        import cupy

        return cupy.sum(self, axis, dtype, out, keepdims)

    def max(self, axis=None, out=None, keepdims=False):
        import cupy

        return cupy.max(self, axis, out, keepdims)

    def min(self, axis=None, out=None, keepdims=False):
        import cupy

        return cupy.min(self, axis, out, keepdims)

    def all(self, axis=None, out=None, keepdims=False):
        import cupy

        return cupy.all(self, axis, out, keepdims)

    def any(self, axis=None, out=None, keepdims=False):
        import cupy

        return cupy.any(self, axis, out, keepdims)

    def clip(self, min=None, max=None, out=None):
        import cupy

        return cupy.minimum(cupy.maximum(self, min), max, out=out)

    def argsort(self, axis=-1, kind=None):
        import cupy

        return cupy.argsort(self, axis, kind)

    def cumsum(self, axis=None, dtype=None, out=None):
        import cupy

        return cupy.cumsum(self, axis, dtype, out)

    def conj(self):
        import cupy

        return cupy.conj(self)

    def nonzero(self):
        now()
        import cupy

        return tuple(cupy.asarray(places) for places in self._host.nonzero())


def _binary(name, ufunc):
    def forward(self, other):
        return ufunc(self, other)

    def backward(self, other):
        return ufunc(other, self)

    def in_place(self, other):
        import cupy

        return getattr(cupy, ufunc.__name__)(self, other, self)

    for prefix, method in (("", forward), ("r", backward), ("i", in_place)):
        setattr(ndarray, f"__{prefix}{name}__", method)


# As CuPy: through NumPy's function, which asks __array_ufunc__, where the other is no array of its.
for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide,
    "floordiv": np.floor_divide, "mod": np.remainder, "pow": np.power, "and": np.bitwise_and,
    "or": np.bitwise_or, "xor": np.bitwise_xor, "lshift": np.left_shift, "rshift": np.right_shift,
}.items():  # fmt: skip
    _binary(_name, _ufunc)
ndarray.__matmul__ = lambda self, other: np.matmul(self, other)
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "eq": np.equal, "ne": np.not_equal, "gt": np.greater,
    "ge": np.greater_equal,
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", lambda self, other, ufunc=_ufunc: ufunc(self, other))
for _name, _ufunc in {"neg": np.negative, "abs": np.absolute, "invert": np.invert}.items():
    setattr(ndarray, f"__{_name}__", lambda self, ufunc=_ufunc: ufunc(self))
ndarray.__hash__ = None
ndarray.__module__ = "cupy"  # convcli knows arrays by it


def _tuple(index):
    return index if isinstance(index, tuple) else (index,)


def _index(slices):
    """What stands between brackets, and whether cells are picked one by one."""
    parts = _tuple(slices)
    picked = any(isinstance(part, (ndarray, np.ndarray, list, bool, np.bool_)) for part in parts)
    return slices, picked


def _resolved(index):
    """With indices as arrays of NumPy, after what they hold is there."""
    parts = tuple(p._host.copy() if isinstance(p, ndarray) else p for p in _tuple(index))
    return parts if isinstance(index, tuple) else parts[0]


def _put(target, index, source):
    target[index] = source.astype(target.dtype) if isinstance(source, np.generic) else source
