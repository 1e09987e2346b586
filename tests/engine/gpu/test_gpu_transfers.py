"""Copies over the bus, memory that runs out, kernels that do not compile: no GPU needed."""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from convcli.engine.backends import Backend
from convcli.engine.dispatch import execute
from convcli.engine.gpu import cupy_device
from convcli.engine.gpu import cupy_run as gpu_run
from convcli.engine.gpu.cupy_device import CupyDevice
from convcli.engine.gpu.host_strips import OutOfDeviceMemory, run_tiles, tile_rows
from convcli.engine.gpu.kernel_source import KernelSource
from convcli.engine.gpu.pinned import PinnedPool
from convcli.engine.plan import plan_filter
from convcli.errors import BackendError
from convcli.kernels.kernel import Kernel

BLUR = Kernel(np.full((5, 3), 1 / 15))


@pytest.fixture
def small_buffers(monkeypatch, stand_in):
    monkeypatch.setattr(cupy_device, "POOL", PinnedPool(200, 1600))
    return stand_in


@pytest.mark.parametrize("count", [1, 7, 13, 29])
def test_rows_arrive_and_come_back_through_small_buffers(small_buffers, count):
    device = CupyDevice(0)
    rows = np.random.default_rng(2).integers(0, 60000, (count, 21)).astype(np.uint16)
    slab = small_buffers.empty((count, 24), np.uint16)
    device.upload(rows, slab)
    back = np.zeros((count, 21), np.uint16)
    device.download(slab[:, :21], back)
    device.finish()
    np.testing.assert_array_equal(back, rows)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_row_longer_than_a_buffer(small_buffers, dtype):
    device = CupyDevice(0)
    row = np.arange(500, dtype=dtype).reshape(2, 250)
    slab = small_buffers.empty((2, 252), np.float32)
    device.upload(row, slab)
    back = np.empty((2, 250), np.float32)
    device.download(slab[:, :250], back)
    device.finish()
    np.testing.assert_array_equal(back, row)


def test_free_memory_keeps_to_the_limit_that_was_set(stand_in):
    device, pool = CupyDevice(0), stand_in.get_default_memory_pool()
    free = stand_in.cuda.runtime.memGetInfo()[0] + pool.free_bytes()
    assert device.free_bytes() == int(free * cupy_device.SHARE)
    pool.set_limit(size=pool.used_bytes() + 60_000)  # CUPY_GPU_MEMORY_LIMIT
    assert device.free_bytes() == int(60_000 * cupy_device.SHARE)


def test_small_arrays_are_moved_once(stand_in):
    device = CupyDevice(0)
    first = device.kept(np.arange(5, dtype=np.int32))
    assert device.kept(np.arange(5, dtype=np.int32)) is first
    assert device.kept(np.arange(5, dtype=np.float32)) is not first


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("runtime", "device 0 failed .*an illegal memory access.*use --backend numpy"),
        ("transform", "device 0 failed .*CuFFTError: CUFFT_ALLOC_FAILED.*use --backend numpy"),
        ("import", r"a library of CUDA is missing .*libcufft.*convcli\[cuda13\]"),
    ],
)
def test_a_device_that_fails_is_reported(stand_in, monkeypatch, kind, words):
    if kind == "runtime":
        raised = stand_in.cuda.runtime.CUDARuntimeError(700)
    elif kind == "transform":
        raised = importlib.import_module("cupy.cuda.cufft").CuFFTError(2)
    else:
        raised = ImportError("libcufft.so.12: cannot open\nmore")

    def run_tiles(device, plan, x, out):
        raise raised

    monkeypatch.setattr(gpu_run, "run_tiles", run_tiles)
    x = np.zeros((4, 5, 1), np.uint8)
    plan = plan_filter(x.shape, x.dtype, [BLUR], backend="numpy")._replace(backend=Backend("cupy"))
    with pytest.raises(BackendError, match=words):
        gpu_run.run_chain(plan, x)


def refused(cupy):
    said = "k.cu(3): note: x\nk.cu(7): error: identifier is undefined\n"
    return cupy.cuda.compiler.CompileException(said, "text", "k.cu", ())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refused, "CompileException: .*identifier is undefined"),
        (lambda _: RuntimeError("CuPy failed to load libnvrtc.so.13"), "libnvrtc"),
    ],
    ids=["compile_error", "no_nvrtc"],
)
def test_kernels_that_cannot_be_made_are_reported(stand_in, monkeypatch, error, words):
    def fail(*_, **__):
        raise error(stand_in)

    monkeypatch.setattr(stand_in.cuda.compiler, "compile_using_nvrtc", fail)
    with pytest.raises(BackendError, match=words) as caught:
        CupyDevice(0).function(KernelSource("rolling", "text"))
    assert "\n" not in str(caught.value)


class Crowded:
    """A device, for tests, on which only so much fits."""

    def __init__(self, shim, most):
        self.shim, self.most = shim, most
        self.xp = shim.xp

    def __getattr__(self, name):
        return getattr(self.shim, name)

    def upload(self, rows, slab, *, beside=False):
        if slab.nbytes > self.most:
            raise MemoryError(f"{slab.nbytes} bytes\nare too many")
        self.shim.upload(rows, slab)


def test_tiles_shrink_until_they_fit(shim):
    x = np.random.default_rng(4).integers(0, 256, (300, 40, 3)).astype(np.uint8)
    plan = plan_filter(x.shape, x.dtype, [BLUR], backend="numpy")
    whole, _ = run_tiles(shim, plan, x)
    tiled, _ = run_tiles(Crowded(shim, 6000), plan, x)
    assert shim.released > 2
    np.testing.assert_array_equal(tiled, whole)


def test_a_device_too_small_for_a_few_rows_says_so(shim):
    x = np.zeros((300, 40, 3), np.uint8)
    plan = plan_filter(x.shape, x.dtype, [BLUR], backend="numpy")
    with pytest.raises(OutOfDeviceMemory, match="bytes are too many"):
        run_tiles(Crowded(shim, 100), plan, x)


def test_tiles_follow_from_the_free_memory(shim):
    x = np.random.default_rng(4).integers(0, 256, (200, 60, 1)).astype(np.uint8)
    plan = plan_filter(x.shape, x.dtype, [BLUR], backend="numpy")
    rows = tile_rows(plan, 20_000)
    assert 10 < rows < 30
    shim.free = 20_000
    got, _ = run_tiles(shim, plan, x)
    assert len(shim.launched) == -(-200 // rows)
    shim.free = 1 << 40
    np.testing.assert_array_equal(got, run_tiles(shim, plan, x)[0])


@pytest.mark.parametrize("shape", [(40, 33, 3), (200, 17, 1)], ids=["rgb", "gray"])
def test_the_whole_way_of_a_picture(small_buffers, monkeypatch, shape):
    monkeypatch.setattr(small_buffers.cuda.runtime, "memGetInfo", lambda: (20_000, 1 << 30))
    x = np.random.default_rng(8).integers(0, 256, shape).astype(np.uint8)
    kernels = [BLUR, Kernel([[1, 2, 1]]), Kernel(np.full((9, 9), 1 / 81))]
    plan = plan_filter(shape, "uint8", kernels, backend="cupy")
    outcome = execute(plan, x)
    want = execute(plan_filter(shape, "uint8", kernels, backend="numpy"), x)
    assert plan.backend_reason == "asked for; device 0, Stand-in"
    assert np.abs(outcome.pixels.astype(int) - want.pixels).max() <= 1


def test_many_pictures_from_several_threads(small_buffers, monkeypatch):
    monkeypatch.setattr(small_buffers.cuda.runtime, "memGetInfo", lambda: (1 << 20, 1 << 30))
    rng = np.random.default_rng(9)
    pictures = [rng.integers(0, 256, (30, 21, 3)).astype(np.uint8) for _ in range(9)]
    plan = plan_filter((30, 21, 3), "uint8", [BLUR], backend="cupy")
    on_cpu = plan_filter((30, 21, 3), "uint8", [BLUR], backend="numpy")
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda x: gpu_run.run_chain(plan, x), pictures))
    assert len(results) == len(pictures)
    for x, (got, _) in zip(pictures, results, strict=True):
        assert np.abs(got.astype(int) - execute(on_cpu, x).pixels).max() <= 1
