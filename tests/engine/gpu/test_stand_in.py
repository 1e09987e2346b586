"""What stands for CuPy is like CuPy: its names, its refusals, its streams and its memory."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cupy_names
import numpy as np
import pytest

DATA = Path(cupy_names.__file__).parent
LIST = DATA / "cupy_names.json"
INSTALLED = os.environ.get("CONVCLI_TEST_CUPY")
"""A folder in which the real CuPy is installed, beside or in place of that of the environment."""

NEEDS_A_LIBRARY = ("cuda.cufft",)
"""What cannot be imported where CUDA's libraries are not."""


def names_here(stand_in):
    importlib.import_module("cupy.cuda.cufft")
    return sorted(set(cupy_names.names_of(stand_in)))


def test_each_name_and_signature_is_one_of_cupy(stand_in):
    real = json.loads(LIST.read_text())
    assert real["version"] == stand_in.__version__
    names = names_here(stand_in)
    assert len(names) > 300
    wrong = {
        name: (ours, real["names"].get(name))
        for name in names
        if not cupy_names.serves(
            ours := cupy_names.described(cupy_names.looked_up(stand_in, name)),
            real["names"].get(name) or "",
        )
        and not (name.rpartition(".")[2].startswith("__") and real["names"].get(name))
    }
    assert wrong == {}
    assert set(real["names"]) == set(names)


def installed_names(names):
    """What the CuPy that is installed says of these names; None without one."""
    environment = {**os.environ, "PYTHONPATH": INSTALLED or ""}
    script = [sys.executable, "-W", "ignore", cupy_names.__file__]
    done = subprocess.run(
        script, input=json.dumps(names), text=True, capture_output=True, env=environment
    )
    if done.returncode and not INSTALLED:
        assert "No module named 'cupy'" in done.stderr
        return None
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.ci
def test_the_list_is_what_cupy_has(stand_in, request):
    names = names_here(stand_in)
    for name in ("PYTHONPATH", "LD_LIBRARY_PATH"):
        assert os.environ[name]  # those of the stand-in, which the real one must not see
    found = installed_names(names)
    if found is None:
        pytest.skip("CuPy is not installed (CONVCLI_TEST_CUPY may name its folder)")
    kept = json.loads(LIST.read_text()) if LIST.exists() else {"names": {}}
    for name in names:
        if name.startswith(NEEDS_A_LIBRARY) and found["names"][name] is None:
            found["names"][name] = kept["names"].get(name)
    if request.config.getoption("--update-goldens"):
        LIST.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert json.loads(LIST.read_text()) == found


@pytest.mark.parametrize(
    "name", ["ascontiguousarrays", "linalg", "ndarray.__index__", "RawModules"]
)
def test_what_is_not_there_is_no_attribute(stand_in, name):
    with pytest.raises((AttributeError, ImportError)):
        cupy_names.looked_up(stand_in, name)


HOST = np.arange(6.0).reshape(2, 3)
MIXED = {
    "added": lambda cupy, a: a + HOST,
    "added_to": lambda cupy, a: HOST + a,
    "compared": lambda cupy, a: a < HOST,
    "in_place": lambda cupy, a: a.__iadd__(HOST),
    "function": lambda cupy, a: cupy.maximum(a, HOST),
    "no_axes": lambda cupy, a: cupy.add(a, np.array(3.0)),
    "out": lambda cupy, a: cupy.add(a, a, out=HOST),
    "multiplied": lambda cupy, a: cupy.matmul(a, HOST.T),
    "where": lambda cupy, a: cupy.where(a > 1, HOST, 0.0),
    "list": lambda cupy, a: cupy.add(a, [1.0, 2.0, 3.0]),
    "assigned": lambda cupy, a: a.__setitem__(0, HOST[0]),
    "assigned_to": lambda cupy, a: HOST.__setitem__(0, a[0]),
    "turned": lambda cupy, a: np.asarray(a),
    "joined": lambda cupy, a: cupy.concatenate([a, HOST]),
    "numpy_function": lambda cupy, a: np.where(a > 1, a, HOST),
    "transform": lambda cupy, a: cupy.fft.rfft2(HOST),
}


@pytest.mark.parametrize("how", MIXED)
def test_arrays_of_the_host_are_refused(stand_in, how):
    with pytest.raises(TypeError):
        MIXED[how](stand_in, stand_in.asarray(HOST))


def test_numbers_and_functions_of_numpy_are_taken(stand_in):
    a = stand_in.asarray(HOST.astype(np.float32))
    for made in (a + 1, 1 + a, a * np.float32(2), np.float32(2) * a, np.add(a, a), np.sum(a)):
        assert type(made) is stand_in.ndarray
        assert made.dtype == np.float32
    assert (a * np.float64(2)).dtype == np.float64
    assert (a > 1).dtype == bool
    with pytest.raises(TypeError, match="same_kind"):
        stand_in.add(a, a, out=stand_in.zeros((2, 3), int))


def test_what_has_no_axes_stays_on_the_device(stand_in):
    a = stand_in.asarray(HOST)
    for made in (a.sum(), a[1, 2], stand_in.count_nonzero(a), a.max()):
        assert type(made) is stand_in.ndarray
        assert made.shape == ()
    assert int(a.sum()) == 15
    assert float(a[1, 2]) == 5.0


def test_transforms_keep_their_precision(stand_in):
    for given, wanted in {"f4": "c8", "f8": "c16", "u1": "c16", "f2": "c8"}.items():
        assert stand_in.fft.rfft2(stand_in.ones((4, 4), given)).dtype == wanted


def test_work_comes_when_somebody_waits(stand_in):
    stream = stand_in.cuda.Stream(non_blocking=True)
    pinned = np.frombuffer(stand_in.cuda.alloc_pinned_memory(64), np.uint8, 64)
    pointer = ctypes.c_void_p(pinned.ctypes.data)
    with stream:
        pinned[:] = 1
        there = stand_in.empty(64, np.uint8)
        there.data.copy_from_host_async(pointer, 64, stream)
        sent = stand_in.cuda.Event(disable_timing=True)
        sent.record(stream)
        pinned[:32] = 2  # too early: it is not sent yet
        doubled = there * 2
        sent.synchronize()
        pinned[:] = 3  # in time
        back = np.frombuffer(stand_in.cuda.alloc_pinned_memory(64), np.uint8, 64)
        back[:] = 9
        doubled.data.copy_to_host_async(back.ctypes.data, 64, stream)
        assert back.tolist() == [9] * 64
        stream.synchronize()
    assert back.tolist() == [4] * 32 + [2] * 32


def test_streams_wait_for_each_other_only_if_they_are_told_to(stand_in):
    one, other = (stand_in.cuda.Stream(non_blocking=True) for _ in range(2))
    with one:
        made = stand_in.full(8, 7, np.uint8)
        ready = one.record()
    with other:
        assert made.get().tolist() == [0xA5] * 8  # what was never written
        other.wait_event(ready)
        assert made.get().tolist() == [7] * 8


def test_the_null_stream_waits_for_streams_that_block(stand_in):
    for non_blocking in (False, True):
        stream = stand_in.cuda.Stream(non_blocking=non_blocking)
        with stream:
            made = stand_in.full(8, 7, np.uint8)
        assert (made.get().tolist() == [7] * 8) is not non_blocking


def test_memory_is_counted_limited_and_used_again(stand_in):
    pool = stand_in.get_default_memory_pool()
    pool.free_all_blocks()
    before = pool.used_bytes()
    with stand_in.cuda.Stream(non_blocking=True):
        first = stand_in.empty(1000, np.uint8)
        assert pool.used_bytes() - before == 1024
        where = first.data.ptr
        del first
        assert stand_in.empty(1000, np.uint8).data.ptr == where
    pool.set_limit(size=pool.used_bytes() + 4096)
    with pytest.raises(stand_in.cuda.memory.OutOfMemoryError, match=r"8,192 bytes .*limit set to"):
        stand_in.empty(8192, np.uint8)
    assert len(stand_in.empty(4096, np.uint8)) == 4096
    pool.set_limit(size=0)
    with pytest.raises(MemoryError):
        stand_in.empty(1 << 40, np.uint8)


def test_pinned_memory_that_is_given_back_is_somebody_else_s(stand_in):
    first = stand_in.cuda.alloc_pinned_memory(777)
    where = first.ptr
    del first
    assert stand_in.cuda.alloc_pinned_memory(777).ptr == where


def test_there_are_as_many_devices_as_may_be_seen(stand_in, monkeypatch):
    runtime = stand_in.cuda.runtime
    monkeypatch.setenv("STAND_IN_DEVICES", "2")
    assert runtime.getDeviceCount() == 2
    with stand_in.cuda.Device(1):
        assert runtime.getDevice() == 1
    with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorInvalidDevice"):
        stand_in.cuda.Device(2).use()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorNoDevice"):
        runtime.getDeviceCount()


KERNELS = """
extern "C" __global__ void copy(const unsigned *in, unsigned *out, int count)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        out[i] = in[i];
}
extern "C" __global__ void wide(const unsigned char *in, uint4 *out) { *out = *(const uint4 *)in; }
"""


@pytest.fixture
def kernels(stand_in):
    module = stand_in.RawModule(code=KERNELS, options=("--std=c++17",), backend="nvrtc")
    return module.get_function


def test_kernels_run_when_their_stream_is_waited_for(stand_in, kernels):
    with stand_in.cuda.Stream(non_blocking=True):
        one, other = stand_in.arange(70, dtype=np.uint32), stand_in.zeros(70, np.uint32)
        kernels("copy")((3,), (32,), (one, other, np.int32(70)))
        assert other._host[0] == 0xA5A5A5A5
        assert other.get().tolist() == list(range(70))


@pytest.mark.parametrize(
    ("count", "offset", "words"),
    [(5000, 0, "cudaErrorIllegalAddress"), (70, 2, "cudaErrorMisalignedAddress")],
    ids=["outside", "misaligned"],
)
def test_what_kills_a_context_is_an_error(stand_in, kernels, count, offset, words):
    bytes_ = stand_in.zeros(70 * 4 + offset, np.uint8)
    out = stand_in.zeros(8192, np.uint32)
    with pytest.raises(stand_in.cuda.runtime.CUDARuntimeError, match=words):
        kernels("copy")((200,), (32,), (bytes_[offset:].view(np.uint32), out, np.int32(count)))
        stand_in.cuda.runtime.deviceSynchronize()
    kernels("copy")((1,), (32,), (out, out, np.int32(9)))
    stand_in.cuda.runtime.deviceSynchronize()


def test_a_wide_word_at_an_odd_address_is_an_error(stand_in, kernels):
    bytes_, out = stand_in.zeros(64, np.uint8), stand_in.zeros(16, np.uint8)
    kernels("wide")((1,), (1,), (bytes_[16:], out))
    stand_in.cuda.runtime.deviceSynchronize()
    kernels("wide")((1,), (1,), (bytes_[4:], out))
    with pytest.raises(stand_in.cuda.runtime.CUDARuntimeError, match="Misaligned"):
        stand_in.cuda.runtime.deviceSynchronize()


ARGUMENTS = {
    "too_few": lambda a: (a, a),
    "too_many": lambda a: (a, a, np.int32(1), np.int32(1)),
    "another_width": lambda a: (a, a, np.int64(1)),
    "another_type": lambda a: (a.astype(np.float64), a, np.int32(1)),
    "number_for_address": lambda a: (np.uint64(4096), a, np.int32(1)),
    "address_for_number": lambda a: (a, a, a),
    "of_the_host": lambda a: (np.zeros(70, np.uint32), a, np.int32(1)),
}


@pytest.mark.parametrize("how", ARGUMENTS)
def test_arguments_are_those_of_the_kernel(stand_in, kernels, how):
    a = stand_in.zeros(70, np.uint32)
    with pytest.raises(TypeError):
        kernels("copy")((1,), (32,), ARGUMENTS[how](a))


def test_pictures_begin_at_multiples_of_16_bytes(stand_in, kernels):
    slab = stand_in.zeros((4, 36), np.uint32)  # rows of 144 bytes
    for wrong in (slab[:, 1:], stand_in.zeros((4, 35), np.uint32)):
        with pytest.raises(stand_in.cuda.runtime.CUDARuntimeError, match="Misaligned"):
            kernels("copy")((1,), (32,), (wrong, slab, np.int32(1)))
    kernels("copy")((1,), (32,), (slab[1:, 4:], slab, np.int32(1)))


def test_text_that_does_not_compile_says_where(stand_in):
    with pytest.raises(stand_in.cuda.compiler.CompileException) as caught:
        stand_in.RawModule(code="int f() { return nothing; }").compile()
    assert "error: 'nothing' was not declared" in caught.value.get_message().replace(
        "‘", "'"
    ).replace("’", "'")
