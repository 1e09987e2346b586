"""A device without a GPU: the real kernel sources, compiled by g++, run on arrays of NumPy."""

from __future__ import annotations

import ctypes
import importlib
import mmap
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from convcli.engine.gpu import cupy_device
from convcli.engine.gpu.pinned import PinnedPool
from convcli.engine.speeds import Speeds, load_speeds, save_speeds

collect_ignore = ["stand_in"]  # imports as `cupy`, or not at all
sys.path.append(str(Path(__file__).parent))  # of gpu_parity

SHIM = Path(__file__).with_name("shim.h")
FLAGS = [
    *("-x", "c++", "-std=c++17", "-O1", "-fPIC", "-shared", "-w", "-ffp-contract=off", "-fno-math-errno"),
    # Misaligned words, indices past the end and overflows stop the test, as they must.
    *("-fsanitize=alignment,bounds,shift,signed-integer-overflow", "-fsanitize-undefined-trap-on-error"),
]  # fmt: skip
ENTRY = """
extern "C" void entry(const unsigned *sizes, void **arguments)
{
    launch(%s, sizes, arguments);
}
"""
BARRIER = re.compile(r"__shared__|__sync|__shfl")
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


class Compiled:
    """A kernel; raises what a block that would hang on a GPU says here."""

    def __init__(self, library):
        self.entry = library.entry
        self.fault = getattr(library, "fault", None)
        if self.fault:
            self.fault.restype = ctypes.c_char_p

    def __call__(self, sizes, places):
        self.entry(sizes, places)
        fault = self.fault and self.fault()
        assert not fault, fault.decode()


class ShimDevice:
    """The protocol of :class:`convcli.engine.gpu.device_protocol.Device` on the CPU."""

    out_of_memory = MemoryError
    multiplies_matrices = True

    def __init__(self, folder):
        self.xp = GuardedNumpy()
        self.folder = folder
        self.free, self.released = 1 << 40, 0
        self.launched = []
        """Functions that were launched, but for those that fill frames."""
        self.frames = 0
        self.compiled = {}

    def function(self, source):
        if source.key not in self.compiled:
            path = self.folder / f"{source.key}.so"
            if not path.exists():
                start = "#define BARRIERS\n" if BARRIER.search(source.text) else ""
                text = start + SHIM.read_text() + source.text + ENTRY % source.function
                part = Path(f"{path}.{os.getpid()}.{threading.get_ident()}")
                done = subprocess.run(
                    ["g++", *FLAGS, "-march=native", f"-I{SHIM.parent}", "-o", str(part), "-"],
                    input=text, text=True, capture_output=True, check=False,
                )  # fmt: skip
                assert done.returncode == 0, done.stderr[:2000]
                part.replace(path)
            self.compiled[source.key] = Compiled(ctypes.CDLL(str(path)))
        return self.compiled[source.key]

    def launch(self, source, grid, block, args):
        function = self.function(source)
        if source.function == "frame":
            self.frames += 1
        else:
            self.launched.append(source.function)
        kinds = {"l": ctypes.c_longlong, "i": ctypes.c_int, "d": ctypes.c_double}
        values = [
            ctypes.c_void_p(a.ctypes.data) if a.ndim else kinds[a.dtype.char](a.item())
            for a in args
        ]
        places = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
        function((ctypes.c_uint * 5)(*grid, *block, 1), places)

    def upload(self, rows, slab, *, beside=False):
        slab[: len(rows), : rows.shape[1]] = rows

    def download(self, samples, out):
        out[...] = samples

    def finish(self):
        pass

    def kept(self, array):
        return array

    def host(self, array):
        return array

    def address(self, array):
        return array.ctypes.data

    def free_bytes(self):
        return self.free

    def release(self):
        self.released += 1


@pytest.fixture(scope="session")
def shim_folder(tmp_path_factory):
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed; it compiles the kernels for the CPU")
    base = tmp_path_factory.getbasetemp()
    # The workers of one run share what they compile.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kernels"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def shim(shim_folder):
    """A device that runs the CUDA sources on the CPU."""
    return ShimDevice(shim_folder)


STAND_IN = Path(__file__).with_name("stand_in")
_modules_of_stand_in: dict[str, ModuleType] = {}


def is_of_cupy(name):
    return name.partition(".")[0] in ("cupy", "cupyx", "cupy_backends")


@pytest.fixture(scope="session")
def gpu_here():
    """Whether there is a device; asked in another process, so that CuPy is not imported in this."""
    if find_spec("cupy") is None:
        return False
    ask = "import cupy; cupy.cuda.runtime.getDeviceCount(); cupy.cuda.nvrtc.getVersion()"
    return subprocess.run([sys.executable, "-c", ask], capture_output=True).returncode == 0


@pytest.fixture(scope="session")
def pretended_driver(shim_folder):
    """A folder with a library of the driver's name, for what only looks whether it loads."""
    folder = shim_folder / "driver"
    folder.mkdir(exist_ok=True)
    part = folder / f"part.{os.getpid()}"
    subprocess.run(["g++", "-shared", "-x", "c++", os.devnull, "-o", str(part)], check=True)
    part.replace(folder / "libcuda.so.1")
    return folder


@pytest.fixture
def stand_in(monkeypatch, shim_folder, pretended_driver, tmp_path):
    """The stand-in for CuPy, in this process and in those that it starts; see its docstring."""
    for name, value in {
        "STAND_IN_KERNELS": shim_folder / "stand_in",
        "CUPY_CACHE_DIR": tmp_path / "cupy",
        "XDG_CACHE_HOME": tmp_path / "cache",
    }.items():
        monkeypatch.setenv(name, str(value))
    for name, folder in {"PYTHONPATH": STAND_IN, "LD_LIBRARY_PATH": pretended_driver}.items():
        monkeypatch.setenv(name, str(folder), prepend=os.pathsep)
    for name in ("CUDA_VISIBLE_DEVICES", "CUPY_GPU_MEMORY_LIMIT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("convcli.engine.gpu.device._driver_loads", lambda: True)
    monkeypatch.setattr(cupy_device, "_local", threading.local())
    monkeypatch.setattr(cupy_device, "_modules", {})
    # Small buffers, and few: pictures of tests go through all of them, again and again.
    monkeypatch.setattr(cupy_device, "POOL", PinnedPool(1 << 14, 6 << 14))
    others = {name: sys.modules.pop(name) for name in [*sys.modules] if is_of_cupy(name)}
    sys.modules.update(_modules_of_stand_in)
    sys.path.insert(0, str(STAND_IN))
    try:
        module = importlib.import_module("cupy")
        yield module
        module.fft.config.get_plan_cache().clear()
        module.get_default_memory_pool().set_limit(size=0)
        module.get_default_memory_pool().free_all_blocks()
    finally:
        sys.path.remove(str(STAND_IN))
        ours = {name: sys.modules.pop(name) for name in [*sys.modules] if is_of_cupy(name)}
        _modules_of_stand_in.update(ours)
        sys.modules.update(others)


@pytest.fixture
def cupy(request, gpu_here):
    """CuPy where there is a device, else the stand-in: the host code runs either way."""
    return importlib.import_module("cupy") if gpu_here else request.getfixturevalue("stand_in")


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
