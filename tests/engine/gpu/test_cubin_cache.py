"""Compiled kernels on disk: kept, found, bounded; what goes wrong costs a note and no result."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from convcli.engine.dispatch import execute
from convcli.engine.gpu import compiling, cubin_cache, cupy_device, notes
from convcli.engine.gpu.cubin_cache import CubinCache
from convcli.engine.gpu.kernel_source import OPTIONS, KernelSource
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

ONE, OTHER = KernelSource("rolling", "text"), KernelSource("rolling", "other text")
AMPERE, HOPPER = "sm86-nvrtc13.5-cupy14.2.0", "sm90-nvrtc13.5-cupy14.2.0"


@pytest.fixture(autouse=True)
def untold(monkeypatch):
    monkeypatch.setattr(notes, "_told", {})


@pytest.fixture
def cache(tmp_path):
    return CubinCache(tmp_path / "kernels")


def test_what_was_kept_is_found_and_nothing_else(cache):
    assert not cache.holds(ONE)
    cache.save(ONE, AMPERE, b"\x7fELF one")
    assert cache.load(ONE, AMPERE) == b"\x7fELF one"
    assert cache.load(ONE, HOPPER) is None
    assert cache.load(ONE._replace(function="wide"), AMPERE) is None
    assert cache.load(OTHER, AMPERE) is None
    assert (cache.holds(ONE), cache.holds(OTHER)) == (True, False)
    assert notes.to_tell() == ""


def test_other_options_are_another_kernel(cache, monkeypatch):
    cache.save(ONE, AMPERE, b"fused")
    monkeypatch.setattr(cubin_cache, "OPTIONS", ("--std=c++17", "--fmad=true"))
    assert cache.load(ONE, AMPERE) is None


@pytest.mark.parametrize("place", [0, 20, -1], ids=["head", "digest", "kernel"])
def test_one_flipped_bit_is_seen(cache, place):
    cache.save(ONE, AMPERE, b"\x7fELF one")
    (path,) = cache.folder.iterdir()
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert cache.load(ONE, AMPERE) is None
    assert "was damaged, and was compiled again" in notes.to_tell()
    path.write_bytes(data[:5])
    assert cache.load(ONE, AMPERE) is None


def test_the_least_used_go_first(tmp_path):
    cache = CubinCache(tmp_path, most=1000)
    for number in range(8):
        cache.save(KernelSource("rolling", str(number)), AMPERE, bytes(200))
        (new,) = [p for p in tmp_path.iterdir() if p.stat().st_mtime > 1e9]
        os.utime(new, (number, number))
        if number == 3:
            cache.load(KernelSource("rolling", "0"), AMPERE)  # used again: now the latest
            used = next(p for p in tmp_path.iterdir() if p.stat().st_mtime > 1e9)
            os.utime(used, (100, 100))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1000
    assert cache.holds(KernelSource("rolling", "0"))
    assert cache.holds(KernelSource("rolling", "7"))
    assert not cache.holds(KernelSource("rolling", "1"))


def test_files_that_were_never_finished_go_after_a_while(cache):
    cache.folder.mkdir()
    old, new = cache.folder / "a.part", cache.folder / "b.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.save(ONE, AMPERE, b"one")
    assert (old.exists(), new.exists()) == (False, True)


def test_a_disk_that_is_full_leaves_nothing_behind(cache, monkeypatch):
    class Full:
        def __init__(self, fd, mode):
            os.close(fd)

        def __enter__(self):
            raise OSError(28, "No space left on device")

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(os, "fdopen", Full)
    cache.save(ONE, AMPERE, b"one")
    assert list(cache.folder.iterdir()) == []
    assert "No space left on device" in notes.to_tell()


def test_many_at_once_never_see_half_a_kernel(cache):
    cubin, seen = bytes(range(256)) * 400, set()

    def work():
        for _ in range(20):
            cache.save(ONE, AMPERE, cubin)
            seen.add(cache.load(ONE, AMPERE))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {cubin}
    assert len(list(cache.folder.iterdir())) == 1


@pytest.fixture
def compiled(stand_in, monkeypatch):
    """What was given to NVRTC, for whose place g++ stands."""
    given, real = [], stand_in.cuda.compiler.compile_using_nvrtc

    def compile_using_nvrtc(source, options=(), arch=None, *, cache_in_memory=False):
        assert options == (*OPTIONS, "-ftz=true")
        assert arch is None  # that of the device
        assert cache_in_memory
        given.append(source)
        return real(source, options, arch, cache_in_memory=cache_in_memory)

    monkeypatch.setattr(stand_in.cuda.compiler, "compile_using_nvrtc", compile_using_nvrtc)
    return given


def filtered(monkeypatch, text="1 2 1"):
    """What a new process would do: nothing is left in memory."""
    monkeypatch.setattr(cupy_device, "_modules", {})
    monkeypatch.setattr(cupy_device, "_local", threading.local())
    x = np.random.default_rng(1).integers(0, 256, (20, 34, 1)).astype(np.uint8)
    kernel = Kernel([[int(word) for word in text.split()]])
    # No border, so that no frame is filled: that would be a second kernel.
    plans = [
        plan_filter(x.shape, x.dtype, [kernel], padding="valid", backend=name)
        for name in ("cupy", "numpy")
    ]
    outcome = execute(plans[0], x)
    np.testing.assert_array_equal(outcome.pixels, execute(plans[1], x).pixels)
    return outcome.note


def test_a_second_process_compiles_nothing(compiled, monkeypatch):
    assert filtered(monkeypatch) == ""
    assert len(compiled) == 1
    assert filtered(monkeypatch) == ""
    assert len(compiled) == 1
    filtered(monkeypatch, "1 3 1")
    assert len(compiled) == 2


@pytest.mark.parametrize("what", ["device", "compiler", "cupy"])
def test_another_device_or_compiler_compiles_anew(stand_in, compiled, monkeypatch, what):
    filtered(monkeypatch)
    if what == "device":
        monkeypatch.setattr(stand_in.cuda.Device, "compute_capability", "86")
    elif what == "compiler":
        monkeypatch.setattr(stand_in.cuda.nvrtc, "getVersion", lambda: (13, 6))
    else:
        monkeypatch.setattr(stand_in, "__version__", "14.3.0")
    filtered(monkeypatch)
    assert len(compiled) == 2


def test_a_damaged_kernel_is_compiled_again_and_mended(compiled, monkeypatch, tmp_path):
    filtered(monkeypatch)
    (path,) = (tmp_path / "cache" / "convcli" / "kernels").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert "was damaged, and was compiled again" in filtered(monkeypatch)
    assert filtered(monkeypatch) == ""
    assert len(compiled) == 2


def test_a_kernel_that_the_driver_refuses_is_compiled_again(compiled, monkeypatch):
    filtered(monkeypatch)
    real, refused = compiling._loaded, []

    def refuse_once(cupy, source, cubin):
        if not refused:
            refused.append(cubin)
            raise RuntimeError("CUDA_ERROR_NO_BINARY_FOR_GPU")
        return real(cupy, source, cubin)

    monkeypatch.setattr(compiling, "_loaded", refuse_once)
    assert filtered(monkeypatch) == ""
    assert len(compiled) == 2


def test_a_cache_that_cannot_be_written_is_told_once(compiled, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    said = filtered(monkeypatch)
    assert said.startswith("compiled kernels cannot be kept in ")
    assert "Not a directory" in said
    assert said.endswith("set XDG_CACHE_HOME to a folder that can be written")
    assert filtered(monkeypatch) == ""
    assert len(compiled) == 2


CUPY = """
import os
folder = os.environ.get("CUPY_CACHE_DIR", os.path.expanduser("~/.cupy/kernel_cache"))
if not os.path.isdir(folder):
    os.makedirs(folder)  # CuPy 14 does so while it is imported
"""
ASK = """
import os
from convcli.engine.gpu import device, notes
device._find_room_for_cupy()
import cupy
print(os.environ.get("CUPY_CACHE_IN_MEMORY"), notes.to_tell())
"""


@pytest.mark.parametrize("usable", [True, False])
def test_a_folder_that_cupy_cannot_make_is_no_reason_to_refuse(tmp_path, usable):
    (tmp_path / "cupy.py").write_text(CUPY)
    folder = tmp_path / "cache" if usable else tmp_path / "cupy.py" / "cache"
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "CUPY_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    memory, _, said = done.stdout.strip().partition(" ")
    assert memory == ("None" if usable else "1")
    assert said.startswith("" if usable else f"CuPy's own kernels cannot be kept in {folder}")
    assert bool(said) == (not usable)
