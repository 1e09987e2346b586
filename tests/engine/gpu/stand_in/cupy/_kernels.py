"""Modules of kernels, and what is checked before one runs."""

import contextlib
import ctypes
import signal
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from cupy import _compiling
from cupy._array import ndarray
from cupy._errors import CUDADriverError, CUDARuntimeError
from cupy._memory import MemoryPointer
from cupy._streams import queue_of

MOST_THREADS = 1024
GRID_LIMITS = (2**31 - 1, 65535, 65535)
SLAB = 16
"""Rows of a picture begin at multiples of it. An array of two axes is such a picture."""

_libraries = {}


class Module:
    def __init__(self):
        self._library = None

    def load(self, cubin):
        key = sha256(cubin).digest()
        if key not in _libraries:
            if not cubin.startswith(b"\x7fELF"):
                raise CUDADriverError(200)
            with tempfile.NamedTemporaryFile(suffix=".so") as file:
                file.write(cubin)
                file.flush()
                _libraries[key] = ctypes.CDLL(file.name)
        self._library = _libraries[key]

    def load_file(self, filename):
        self.load(Path(filename).read_bytes())

    def get_function(self, name):
        return Function(self, name)


class Function:
    def __init__(self, module, funcname):
        try:
            self._launch = getattr(module._library, f"{funcname}__launch")
            parameters = getattr(module._library, f"{funcname}__parameters")
        except AttributeError:
            raise CUDADriverError(500) from None
        sizes = (ctypes.c_int * 256)()
        self._name, self._sizes = funcname, sizes[: parameters(sizes)]
        self._library = module._library

    def __call__(
        self, grid, block, args, shared_mem=0, stream=None, enable_cooperative_groups=False
    ):
        grid, block = ((*grid, 1, 1)[:3] for grid in (grid, block))
        if np.prod(block) > MOST_THREADS or any(
            not 0 < n <= most for n, most in zip(grid, GRID_LIMITS, strict=True)
        ):
            raise CUDADriverError(1)
        if block[2] != 1 or shared_mem:
            raise NotImplementedError("the stand-in has blocks of two axes, no dynamic memory")
        if len(args) != len(self._sizes):
            raise TypeError(f"{self._name} takes {len(self._sizes)} arguments, not {len(args)}")
        values = [
            self._value(i, *pair) for i, pair in enumerate(zip(args, self._sizes, strict=True))
        ]
        sizes = (ctypes.c_uint * 5)(*grid[:2], *block[:2], grid[2])
        launch = self._launch

        def work():
            places = (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for v in values))
            failed = _guard().guarded(launch, sizes, places)
            self._look_for_barriers(failed)
            if failed:
                raise CUDARuntimeError(716 if failed in (signal.SIGILL, signal.SIGTRAP) else 700)

        queue_of(stream).put(work)

    def _look_for_barriers(self, failed):
        """A block that would wait for ever is an error here: no device says a word."""
        with contextlib.suppress(AttributeError):  # kernels without barriers
            if failed:
                self._library.given_up()
            self._library.fault.restype = ctypes.c_char_p
            fault = self._library.fault()
            if fault:
                raise RuntimeError(f"{self._name}: {fault.decode()}")

    def _value(self, place, given, size):
        """Bytes of an argument; CUDA would take whatever lies there."""
        what = f"argument {place} of {self._name}"
        if isinstance(given, (ndarray, MemoryPointer)):
            if size >= 0:
                raise TypeError(f"{what} is a number, and an array was given")
            pointer = given.data if isinstance(given, ndarray) else given
            if isinstance(given, ndarray):
                self._check(what, given, pointer.ptr, -size)
            return ctypes.c_void_p(pointer.ptr)
        if isinstance(given, np.ndarray) and given.size != 1:
            raise TypeError(f"{what} is an array of the host of shape {given.shape}")
        bytes_ = np.asarray(given).tobytes()
        if len(bytes_) != abs(size if size > 0 else ctypes.sizeof(ctypes.c_void_p)):
            raise TypeError(f"{what} has {size} bytes, and {len(bytes_)} were given ({given!r})")
        if size < 0 and any(bytes_):
            raise TypeError(f"{what} is an address, and a number was given ({given!r})")
        return ctypes.create_string_buffer(bytes_, len(bytes_))

    @staticmethod
    def _check(what, array, address, item):
        if item not in (1, array.itemsize) and item <= 8:  # bytes and vectors are read from any
            raise TypeError(f"{what} points to {item} bytes, the array has {array.dtype}")
        if address % array.itemsize:
            raise CUDARuntimeError(716)
        if array.ndim == 2 and (address % SLAB or (array.shape[0] > 1 and array.strides[0] % SLAB)):
            raise CUDARuntimeError(716)


@cache
def _guard():
    text = (_compiling.HERE / "_guard.c").read_text()
    library = ctypes.CDLL(
        str(_compiling.kept(text, ["-x", "c", "-std=gnu11", "-O1", "-fPIC", "-shared"]))
    )
    library.guard()
    return library


class RawKernel:
    def __init__(self, code, name, options=(), backend="nvrtc", translate_cucomplex=False, *,
                 enable_cooperative_groups=False, jitify=None):  # fmt: skip
        self.name, self.code, self.options = name, code, options
        self._module = RawModule(code=code, options=options, backend=backend)

    @property
    def kernel(self):
        return self._module._loaded().get_function(self.name)

    def compile(self, log_stream=None):
        self._module.compile()

    def __call__(self, grid, block, args, **kwargs):
        self.kernel(grid, block, args, **kwargs)


class RawModule:
    def __init__(self, code=None, *, path=None, options=(), backend="nvrtc",
                 translate_cucomplex=False, enable_cooperative_groups=False,
                 name_expressions=None, jitify=None):  # fmt: skip
        if code is None or path is not None or backend != "nvrtc" or name_expressions:
            raise NotImplementedError("the stand-in compiles text, as NVRTC does")
        if not isinstance(options, tuple):
            raise TypeError("options must be a tuple")
        self.code, self.options, self._compiled = code, options, None

    def _loaded(self):
        if self._compiled is None:
            cubin, _ = _compiling.compile_using_nvrtc(self.code, self.options)
            self._compiled = Module()
            self._compiled.load(cubin)
        return self._compiled

    def compile(self, log_stream=None):
        self._loaded()

    def get_function(self, name):
        self._loaded().get_function(name)
        kernel = RawKernel(self.code, name, self.options)
        kernel._module = self
        return kernel
