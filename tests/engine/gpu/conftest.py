"""A device without a GPU: the real kernel sources, compiled by g++, run on arrays of NumPy."""

from __future__ import annotations

import ctypes
import mmap
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from convcli.engine.speeds import Speeds, load_speeds, save_speeds

SHIM = Path(__file__).with_name("shim.h")
FLAGS = [
    *("-x", "c++", "-std=c++17", "-O1", "-fPIC", "-shared", "-w", "-ffp-contract=off", "-fno-math-errno"),
    # Misaligned words, indices past the end and overflows stop the test, as they must.
    *("-fsanitize=alignment,bounds,shift,signed-integer-overflow", "-fsanitize-undefined-trap-on-error"),
]  # fmt: skip
ENTRY = """
extern "C" void entry(const unsigned *sizes, ARGUMENTS)
{
    over_grid(%s, sizes, in, out, rows, cols, weights, clipped, pitch_in, pitch_out, samples_in,
              samples_out, rows_out, rows_per_thread, before, positions, border);
}
"""
PAGE = mmap.PAGESIZE


def guarded(shape, dtype):
    """An array that ends where the memory of the process ends: reading past it is a crash."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    whole = -(-size // PAGE) * PAGE
    memory = mmap.mmap(-1, whole + PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    assert protect(ctypes.c_void_p(address + whole), ctypes.c_size_t(PAGE), 0) == 0
    start = (whole - size) // 16 * 16
    return np.frombuffer(memory, dtype, int(np.prod(shape)), start).reshape(shape)


class GuardedNumpy:
    """NumPy, but for the memory that slabs live in."""

    def __getattr__(self, name):
        return getattr(np, name)

    @staticmethod
    def empty(shape, dtype):
        if len(shape) != 2:
            return np.empty(shape, dtype)
        array = guarded(shape, dtype)
        array.view(np.uint8)[:] = 0xA5  # what was never written must show
        return array


class ShimDevice:
    """The protocol of :class:`convcli.engine.gpu.chain.Device` on the CPU."""

    out_of_memory = MemoryError

    def __init__(self, folder):
        self.xp = GuardedNumpy()
        self.folder = folder
        self.free, self.released = 1 << 40, 0
        self.launched = []
        self.compiled = {}

    def function(self, source):
        if source.key not in self.compiled:
            path = self.folder / f"{source.key}.so"
            if not path.exists():
                text = SHIM.read_text() + source.text + ENTRY % source.function
                done = subprocess.run(
                    ["g++", *FLAGS, "-mfma", "-o", str(path), "-"],
                    input=text, text=True, capture_output=True, check=False,
                )  # fmt: skip
                assert done.returncode == 0, done.stderr[:2000]
            self.compiled[source.key] = ctypes.CDLL(str(path)).entry
        return self.compiled[source.key]

    def launch(self, source, grid, block, args):
        function = self.function(source)
        self.launched.append(source.function)
        kinds = {"l": ctypes.c_longlong, "i": ctypes.c_int, "d": ctypes.c_double}
        values = [
            ctypes.c_void_p(a.ctypes.data) if a.ndim else kinds[a.dtype.char](a.item())
            for a in args
        ]
        function((ctypes.c_uint * 4)(*grid, *block), *values)

    def upload(self, pieces, slab):
        start = 0
        for piece in pieces:
            slab[start : start + len(piece), : piece.shape[1]] = piece
            start += len(piece)

    def download(self, samples, out):
        out[...] = samples

    def kept(self, array):
        return array

    def host(self, array):
        return array

    def free_bytes(self):
        return self.free

    def release(self):
        self.released += 1


@pytest.fixture(scope="session")
def shim_folder(tmp_path_factory):
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed; it compiles the kernels for the CPU")
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture
def shim(shim_folder):
    """A device that runs the CUDA sources on the CPU."""
    return ShimDevice(shim_folder)


class CudaError(RuntimeError):
    """Stands for CUDARuntimeError."""


@pytest.fixture
def pretend_cupy(monkeypatch):
    """Put a module in CuPy's place with just the calls that the check for a device makes."""

    def put(*, count=1, fail="", nvrtc="", driver=True):
        def get_count():
            if fail:
                raise CudaError(fail)
            return count

        def version():
            if nvrtc:
                raise RuntimeError(nvrtc)
            return (13, 0)

        runtime = SimpleNamespace(
            CUDARuntimeError=CudaError,
            getDeviceCount=get_count,
            getDeviceProperties=lambda _: {"name": b"Pretended Device"},
        )
        module = ModuleType("cupy")
        module.__spec__ = ModuleSpec("cupy", None)
        module.cuda = SimpleNamespace(runtime=runtime, nvrtc=SimpleNamespace(getVersion=version))
        monkeypatch.setitem(sys.modules, "cupy", module)
        monkeypatch.setattr("convcli.engine.gpu.device._driver_loads", lambda: driver)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        return module

    return put


@pytest.fixture
def speeds(monkeypatch, tmp_path):
    """Pretend that a machine was measured."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    load_speeds.cache_clear()

    def measured(**numbers):
        save_speeds(replace(Speeds(), device="Pretended Device", **numbers))

    yield measured
    load_speeds.cache_clear()
