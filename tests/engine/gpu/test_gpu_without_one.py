"""The GPU backend as far as a machine without a GPU can tell."""

from __future__ import annotations

import builtins
import sys

import pytest

from convcli.engine.backends import NUMPY, Backend, pick_backend
from convcli.errors import BackendError

CUPY = Backend("cupy")


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"fail": "cudaErrorNoDevice: no CUDA-capable device is detected"}, "no CUDA device"),
        ({"count": 0}, "CUDA_VISIBLE_DEVICES"),
        ({"fail": "cudaErrorInsufficientDriver: too old"}, "driver is too old"),
        ({"fail": "cudaErrorInsufficientDriver", "driver": False}, "no NVIDIA driver"),
        ({"nvrtc": "libnvrtc.so.13: cannot open"}, "NVRTC"),
    ],
    ids=["no_device", "none_visible", "old_driver", "no_driver", "no_nvrtc"],
)
def test_each_way_to_be_missing_is_named(pretend_cupy, trouble, words):
    pretend_cupy(**trouble)
    with pytest.raises(BackendError, match=words):
        pick_backend(CUPY)


def failing_import(monkeypatch, error):
    real = builtins.__import__

    def importing(name, *args, **kwargs):
        if name == "cupy":
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(builtins, "__import__", importing)


def test_not_installed_says_what_to_install(monkeypatch):
    failing_import(monkeypatch, ModuleNotFoundError("No module named 'cupy'", name="cupy"))
    with pytest.raises(BackendError, match=r"not installed; pip install 'convcli\[cuda13\]'"):
        pick_backend(CUPY)


def test_broken_install_is_not_called_missing(monkeypatch):
    failing_import(monkeypatch, ImportError("libcublas.so.13: cannot open", name="cupy._core"))
    with pytest.raises(BackendError, match=r"does not import .*libcublas"):
        pick_backend(CUPY)


def test_a_cache_folder_that_cannot_be_made_is_named(monkeypatch):
    failing_import(monkeypatch, PermissionError(13, "Permission denied", "/root/.cupy"))
    with pytest.raises(BackendError, match=r"/root/\.cupy.*CUPY_CACHE_DIR"):
        pick_backend(CUPY)


@pytest.mark.parametrize("limit", ["1G", "", "-5", "150%", "%", "nan%"])
def test_a_limit_of_memory_that_cupy_does_not_take_is_named(pretend_cupy, monkeypatch, limit):
    pretend_cupy()
    monkeypatch.setenv("CUPY_GPU_MEMORY_LIMIT", limit)
    with pytest.raises(BackendError, match=f"CUPY_GPU_MEMORY_LIMIT is '{limit}'; CuPy allows"):
        pick_backend(CUPY)


@pytest.mark.parametrize("limit", ["0", "1073741824", "50%", "2.5%"])
def test_a_limit_of_memory_that_cupy_takes_is_no_trouble(pretend_cupy, monkeypatch, limit):
    pretend_cupy()
    monkeypatch.setenv("CUPY_GPU_MEMORY_LIMIT", limit)
    assert pick_backend(CUPY)[0] == CUPY


def test_present_is_described(pretend_cupy):
    pretend_cupy()
    assert pick_backend(CUPY) == (CUPY, "asked for; device 0, Pretended Device")


def test_auto_does_not_import_cupy(monkeypatch):
    failing_import(monkeypatch, AssertionError("auto must not import CuPy"))
    assert pick_backend(None)[0] == NUMPY


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("opencl", "'opencl' is not known; allowed: auto, numpy, cupy, cupy:N"),
        ("numpy:1", "'numpy:1' is not known"),
        ("cupy:one", "must be a number, as in cupy:1"),
    ],
    ids=["unknown", "numbered_cpu", "device_in_words"],
)
def test_a_wrong_name_says_what_is_allowed(name, words):
    with pytest.raises(BackendError, match=words):
        Backend.parse(name)


def test_a_device_that_is_not_there_is_named(pretend_cupy):
    pretend_cupy()
    with pytest.raises(BackendError, match="there is no device 3, only device 0"):
        pick_backend(Backend("cupy", 3))
