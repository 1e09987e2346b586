"""Products of matrices."""

import numpy as np

from cupy._array import ndarray
from cupy._elementwise import ufunc
from cupy._late import later, refuse


class _GUFunc(ufunc):
    def __call__(self, *args, **kwargs):
        out = kwargs.pop("out", None)
        if kwargs or len(args) != 2:
            raise TypeError(f"the stand-in takes two arrays and out, not {len(args)}, {[*kwargs]}")
        for value in args:
            if not isinstance(value, ndarray):
                refuse(value)
        one, other = (value._host for value in args)
        dtype = self._function.resolve_dtypes((one.dtype, other.dtype, None))[-1]
        if min(one.ndim, other.ndim) < 2:
            raise NotImplementedError("the stand-in multiplies matrices, not vectors")
        if one.shape[-1] != other.shape[-2]:
            raise ValueError(f"matmul: {one.shape} and {other.shape} do not match")
        lead = np.broadcast_shapes(one.shape[:-2], other.shape[:-2])
        shape = (*lead, one.shape[-2], other.shape[-1])
        out = ndarray(shape, dtype) if out is None else out
        if out.shape != shape:
            raise ValueError(f"output array has wrong shape {out.shape}, not {shape}")
        target = out._host
        later(lambda: np.matmul(one, other, out=target, casting="same_kind"))
        return out


matmul = _GUFunc(np.matmul)
