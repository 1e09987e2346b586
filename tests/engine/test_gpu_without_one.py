"""The GPU backend as far as a machine without a GPU can tell."""

from __future__ import annotations

import builtins
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from convcli.arithmetic.borders import Border
from convcli.engine.backends import pick_backend
from convcli.engine.dispatch import execute
from convcli.engine.gpu.arrays import run_chain_on
from convcli.engine.plan import plan_filter
from convcli.errors import BackendError
from convcli.kernels.kernel import Kernel


class CudaError(RuntimeError):
    """Stands for CUDARuntimeError."""


def pretend_cupy(monkeypatch, *, count=1, fail="", nvrtc=""):
    """A module with just the calls that the check for a device makes."""

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
        getDevice=lambda: 0,
        getDeviceProperties=lambda _: {"name": b"Pretended Device"},
    )
    cuda = SimpleNamespace(runtime=runtime, nvrtc=SimpleNamespace(getVersion=version))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=cuda))


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"fail": "cudaErrorNoDevice: no CUDA-capable device is detected"}, "no CUDA device"),
        ({"count": 0}, "CUDA_VISIBLE_DEVICES"),
        ({"fail": "cudaErrorInsufficientDriver: too old"}, "driver is too old"),
        ({"nvrtc": "libnvrtc.so.13: cannot open"}, "NVRTC"),
    ],
    ids=["no_device", "none_visible", "old_driver", "no_nvrtc"],
)
def test_each_way_to_be_missing_is_named(monkeypatch, trouble, words):
    pretend_cupy(monkeypatch, **trouble)
    with pytest.raises(BackendError, match=words):
        pick_backend("cupy")


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
        pick_backend("cupy")


def test_broken_install_is_not_called_missing(monkeypatch):
    failing_import(monkeypatch, ImportError("libcublas.so.13: cannot open", name="cupy._core"))
    with pytest.raises(BackendError, match=r"does not import .*libcublas"):
        pick_backend("cupy")


def test_present_is_described(monkeypatch):
    pretend_cupy(monkeypatch)
    assert pick_backend("cupy") == ("cupy", "asked for; device 0, Pretended Device")


def test_auto_does_not_import_cupy(monkeypatch):
    failing_import(monkeypatch, AssertionError("auto must not import CuPy"))
    assert pick_backend("auto")[0] == "numpy"


def test_unknown_backend():
    with pytest.raises(BackendError, match="'opencl' is not known; allowed: auto, numpy, cupy"):
        pick_backend("opencl")


KERNELS = {
    "whole": Kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], absolute=True),
    "real": Kernel(np.random.default_rng(1).normal(size=(4, 5)) / 5, bias=3),
    "separable": Kernel(np.outer([0.2, 0.5, 0.31], [0.4, 0.1, 0.3, 0.2])),
    "magnitude": Kernel([[[1, 0], [0, -1]], [[0, 1], [-1, 0]]], combine="magnitude"),
    "bank": Kernel(np.random.default_rng(2).normal(size=(2, 3, 3, 2)) / 4),
}


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("algorithm", [None, "fft"])
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_array_operations_agree_with_the_loops(name, algorithm, mode, dtype):
    rng = np.random.default_rng(5)
    x = rng.random((11, 14, 3)).astype(dtype)
    if dtype != "float32":
        x = rng.integers(0, np.iinfo(dtype).max + 1, x.shape).astype(dtype)
    plan = plan_filter(
        x.shape,
        dtype,
        [KERNELS[name]],
        border=Border(mode, 1.0 * (mode == "constant")),
        stride=(2, 1),
        dilation=(1, 2),
        range="auto",
        algorithm=algorithm,
    )
    want = execute(plan, x)
    got, clipped = run_chain_on(np, plan, x)
    assert got.dtype == want.pixels.dtype
    if dtype == "float32":
        np.testing.assert_allclose(got, want.pixels, atol=2e-6)
    else:
        assert np.abs(got.astype(int) - want.pixels.astype(int)).max() <= (not plan.steps[0].exact)
        assert abs(clipped - want.clipped) <= (0 if plan.steps[0].exact else 2)
