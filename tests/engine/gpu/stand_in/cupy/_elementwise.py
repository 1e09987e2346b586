"""Functions of cells: the shape and the type are known at once, the cells come later."""

import numpy as np

from cupy._array import SCALARS, ndarray
from cupy._late import dtype_of, later, refuse


class ufunc:
    def __init__(self, function, name=None):
        self._function = function
        self.name = self.__name__ = name or function.__name__
        self.nin, self.nout = function.nin, function.nout
        self.nargs = self.nin + self.nout

    def __repr__(self):
        return f"<ufunc {self.name!r}>"

    def __call__(self, *args, **kwargs):
        out, dtype = kwargs.pop("out", None), kwargs.pop("dtype", None)
        casting = kwargs.pop("casting", "same_kind")
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(f"Wrong number of arguments for {self.name!r}")
        if len(args) > self.nin:
            if out is not None:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            out = args[self.nin]
        values = [_operand(value) for value in args[: self.nin]]
        if out is not None and not isinstance(out, ndarray):
            refuse(out)
        how = {"casting": casting}
        if dtype is not None:
            how["signature"] = (*(None,) * self.nin, dtype_of(dtype))
        types = self._function.resolve_dtypes((*map(_type, values), None), **how)
        shape = np.broadcast_shapes(*(np.shape(value) for value in values))
        if out is None:
            out = ndarray(shape, types[-1])
        else:
            if np.broadcast_shapes(shape, out.shape) != out.shape:
                raise ValueError("non-broadcastable output operand")
            if not np.can_cast(types[-1], out.dtype, casting):
                raise TypeError(f"output (typecode '{types[-1].char}') could not be coerced to "
                                f"provided output parameter (typecode '{out.dtype.char}') according "
                                f"to the casting rule \"{casting}\"")  # fmt: skip
        function, target = self._function, out._host
        later(lambda: function(*values, out=target, **how))
        return out


def _operand(value):
    if isinstance(value, ndarray):
        return value._host
    # An array of NumPy is refused even if it has no axes, as are lists.
    return value if isinstance(value, SCALARS) else refuse(value)


def _type(value):
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype
    return np.dtype(bool) if isinstance(value, bool) else type(value)


absolute = abs = ufunc(np.absolute)
add = ufunc(np.add)
bitwise_and = ufunc(np.bitwise_and)
bitwise_or = ufunc(np.bitwise_or)
bitwise_xor = ufunc(np.bitwise_xor)
conjugate = conj = ufunc(np.conjugate)
copysign = ufunc(np.copysign)
divide = true_divide = ufunc(np.true_divide)
equal = ufunc(np.equal)
floor_divide = ufunc(np.floor_divide)
fmax = ufunc(np.fmax)
fmin = ufunc(np.fmin)
greater = ufunc(np.greater)
greater_equal = ufunc(np.greater_equal)
invert = ufunc(np.invert)
isfinite = ufunc(np.isfinite)
isinf = ufunc(np.isinf)
isnan = ufunc(np.isnan)
left_shift = ufunc(np.left_shift)
less = ufunc(np.less)
less_equal = ufunc(np.less_equal)
logical_and = ufunc(np.logical_and)
logical_not = ufunc(np.logical_not)
logical_or = ufunc(np.logical_or)
maximum = ufunc(np.maximum)
minimum = ufunc(np.minimum)
multiply = ufunc(np.multiply)
negative = ufunc(np.negative)
not_equal = ufunc(np.not_equal)
power = ufunc(np.power)
remainder = ufunc(np.remainder)
right_shift = ufunc(np.right_shift)
rint = ufunc(np.rint)
sqrt = ufunc(np.sqrt)
square = ufunc(np.square)
subtract = ufunc(np.subtract)
