"""A strict reader of NumPy's ``.npy`` files, safe with files from strangers.

Nothing is unpickled, and nothing is allocated before the header has been compared with the
size of the file. Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import ast
import io
import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ConvcliError, KernelError
from convcli.kernels.regular_file import open_regular

__all__ = ["MAGIC", "read_npy", "read_npy_header"]

MAGIC = b"\x93NUMPY"
_MAX_HEADER = 10_000
_ALLOWED = "int8 to int64, uint8 to uint64, float16, float32 or float64"


def read_npy(
    source: bytes | str | Path,
    name: str = "",
    *,
    error: type[ConvcliError] = KernelError,
    check_shape: Callable[[tuple[int, ...]], None] | None = None,
) -> NDArray[Any]:
    """Read one array of whole or floating-point numbers, in native byte order, C-contiguous.

    Parameters
    ----------
    source
        The bytes of the file, or its path.
    name
        What messages call it; the path by default.
    error
        The class of what is raised.
    check_shape
        Called with the shape before anything is allocated; may raise.

    Raises
    ------
    ConvcliError
        ``error``, if the file is not a ``.npy`` file, holds objects, text, records, booleans or
        complex numbers, or has more or fewer bytes than its header says.

    >>> buffer = io.BytesIO()
    >>> np.save(buffer, np.arange(3, dtype=">i2"))
    >>> read_npy(buffer.getvalue())
    array([0, 1, 2], dtype=int16)
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), len(source), name or "the .npy data", error, check_shape)
    with open_regular(source, error=error) as file:
        size = os.fstat(file.fileno()).st_size
        return _read(file, size, name or str(source), error, check_shape)


def read_npy_header(
    file: BinaryIO, name: str, error: type[ConvcliError]
) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """Shape, type as stored, and whether in Fortran order; the file is then at its first value.

    >>> buffer = io.BytesIO()
    >>> np.save(buffer, np.zeros((2, 3), "f4"))
    >>> _ = buffer.seek(0)
    >>> read_npy_header(buffer, "x.npy", KernelError)
    ((2, 3), dtype('float32'), False)
    """
    header = _read_header(file, name, error)
    return _shape_of(header, name, error), _dtype_of(header, name, error), header["fortran_order"]


def _read(
    file: BinaryIO,
    size: int,
    name: str,
    error: type[ConvcliError],
    check_shape: Callable[[tuple[int, ...]], None] | None,
) -> NDArray[Any]:
    header = _read_header(file, name, error)
    shape, dtype = _shape_of(header, name, error), _dtype_of(header, name, error)
    need, have = math.prod(shape) * dtype.itemsize, size - file.tell()
    claim = f"{name}: the header says {'x'.join(map(str, shape)) or 'one'} {dtype.name}"
    if need != have:
        what = "the file is truncated" if have < need else "there is something else behind it"
        raise error(f"{claim}, {need:,} bytes, but {have:,} follow; {what}")
    if check_shape is not None:
        check_shape(shape)
    array: NDArray[Any] = np.empty(math.prod(shape), dtype)
    if file.readinto(array.data.cast("B") if need else bytearray()) != need:  # type: ignore[attr-defined]
        raise error(f"{claim}, but the file became shorter while it was read")
    order = "F" if header["fortran_order"] else "C"
    array = array.reshape(shape, order=order)  # type: ignore[call-overload]
    return np.ascontiguousarray(array, dtype=dtype.newbyteorder("=")).reshape(shape)


def _read_header(file: BinaryIO, name: str, error: type[ConvcliError]) -> dict[str, Any]:
    start = file.read(8)
    if start[:6] != MAGIC:
        raise error(f"{name} is not a .npy file: it does not begin as one")
    version = tuple(start[6:])
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise error(
            f"{name}: .npy version {'.'.join(map(str, version))} is not known; 1.0 to 3.0 are"
        )
    length = int.from_bytes(file.read(2 if version[0] == 1 else 4), "little")
    if length > _MAX_HEADER:
        raise error(f"{name}: the header claims {length:,} bytes; at most {_MAX_HEADER:,} are read")
    text = file.read(length).decode("latin1" if version[0] < 3 else "utf-8", "replace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as problem:
        raise error(f"{name}: the header of the .npy file cannot be read") from problem
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise error(
            f"{name}: the .npy header must hold descr, fortran_order and shape, nothing else"
        )
    if type(header["fortran_order"]) is not bool:
        raise error(f"{name}: fortran_order in the .npy header must be True or False")
    return header


def _shape_of(header: dict[str, Any], name: str, error: type[ConvcliError]) -> tuple[int, ...]:
    shape = header["shape"]
    if (
        not isinstance(shape, tuple)
        or len(shape) > 32
        or any(type(n) is not int or n < 0 for n in shape)
    ):
        raise error(f"{name}: the shape in the .npy header must be a tuple of whole numbers")
    return shape


def _dtype_of(header: dict[str, Any], name: str, error: type[ConvcliError]) -> np.dtype[Any]:
    descr = header["descr"]
    refused = f"{name} holds %s; it must hold numbers of type {_ALLOWED}"
    if not isinstance(descr, str):
        raise error(refused % "records (a structured type)")
    try:
        dtype = np.dtype(descr)
    except (TypeError, ValueError, SyntaxError) as problem:
        raise error(refused % f"the unknown type {descr[:40]!r}") from problem
    if dtype.hasobject:
        raise error(refused % "Python objects (a pickle), which are never loaded")
    if dtype.subdtype is not None or dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise error(refused % f"{dtype.name} values")
    return dtype
