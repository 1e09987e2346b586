"""The depthwise CUDA source, compiled by g++ and run on the CPU, against the other ways."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import threading
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from convcli import conv, conv_grad, conv_transpose
from convcli.ops import depthwise_gpu, forward_backward

SHIM = Path(__file__).parents[1] / "engine" / "gpu" / "shim.h"
STRIDES = [
    f"long long {a}_{b}" for a in ("x", "out") for b in ("image", "channel", "row", "column")
]
SIZES = [f"int {n}" for n in "height width rows columns top left channels planes".split()]
PARAMETERS = [
    *(f"const real_t *{n}" for n in ("x", "weight", "bias")), "real_t *out", *STRIDES, *SIZES,
]  # fmt: skip
ENTRY = (
    f'\nextern "C" void entry(const unsigned *sizes, {", ".join(PARAMETERS)})'
    "{ over_grid<"
    + ", ".join(p.rsplit(" ", 1)[0] + (" *" if "*" in p else "") for p in PARAMETERS)
    + ">(depthwise, sizes, "
    + ", ".join(p.split()[-1].lstrip("*") for p in PARAMETERS)
    + "); }\n"
)


@pytest.fixture(scope="module")
def function(tmp_path_factory):
    """The function of a kernel's text, which several threads may ask for at once."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed; it compiles the kernel for the CPU")
    folder = tmp_path_factory.mktemp("depthwise")
    compiled, lock = {}, threading.Lock()

    def function(text):
        with lock:
            if text not in compiled:
                path = folder / f"{len(compiled)}.so"
                done = subprocess.run(
                    [
                        *("g++", "-x", "c++", "-std=c++17", "-O1", "-march=native", "-fPIC", "-shared", "-w"),
                        *("-fsanitize=bounds,signed-integer-overflow", "-fsanitize-undefined-trap-on-error"),
                        *("-o", str(path), "-"),
                    ],
                    input=SHIM.read_text() + text + ENTRY, text=True, capture_output=True, check=False,
                )  # fmt: skip
                assert done.returncode == 0, done.stderr[:2000]
                compiled[text] = ctypes.CDLL(str(path)).entry
        return compiled[text]

    return function


@pytest.fixture
def on_shim(function, monkeypatch):
    """Send depthwise work of NumPy's arrays through the kernel; gives the launches."""
    launches = []

    def correlate(sliding, weight, bias, out):
        text, grid, args = depthwise_gpu.launch_of(sliding, weight, bias, out)
        kinds = {"l": ctypes.c_longlong, "i": ctypes.c_int, "L": ctypes.c_void_p}
        values = [
            ctypes.c_void_p(a.ctypes.data) if a.ndim else kinds[a.dtype.char](a.item())
            for a in args
        ]
        launches.append(grid)
        function(text)((ctypes.c_uint * 5)(*grid[:2], *depthwise_gpu.BLOCK[:2], grid[2]), *values)

    real = depthwise_gpu.serves

    def serves(sliding, weight, out):
        stand_in = ModuleType("cupy")
        moved = sliding.__class__(*(getattr(sliding, n) for n in sliding.__slots__))
        object.__setattr__(moved, "xp", stand_in)
        return real(moved, weight, out)

    for shares in ("shares", "phase_shares"):
        monkeypatch.setattr(forward_backward.compiled_conv, shares, lambda *_: None)
    monkeypatch.setattr(forward_backward.depthwise_gpu, "serves", serves)
    monkeypatch.setattr(forward_backward.depthwise_gpu, "correlate", correlate)
    return launches


CASES = {
    "same": ((2, 5, 17, 35), 1, (3, 3), {"padding": 1}),
    "strided_odd": ((2, 3, 18, 70), 1, (5, 4), {"padding": ((2, 1), (3, 0)), "stride": (2, 3)}),
    "dilated": ((1, 4, 21, 19), 1, (3, 5), {"dilation": (2, 3), "padding": "full"}),
    "multiplier": ((2, 3, 9, 40), 2, (3, 3), {"padding": (0, 2)}),
    "one_axis": ((3, 4, 50), 1, (7,), {"padding": 3, "stride": 2}),
    "kernel_larger_than_picture": ((1, 2, 3, 2), 1, (7, 5), {"padding": 4}),
}


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", CASES)
def test_forward_transposed_and_gradient(on_shim, monkeypatch, case, dtype):
    shape, multiplier, kernel, options = CASES[case]
    groups = shape[1]
    rng = np.random.default_rng(3)
    x = rng.normal(size=shape).astype(dtype)
    weight = rng.normal(size=(groups * multiplier, 1, *kernel)).astype(dtype)
    bias = rng.normal(size=groups * multiplier).astype(dtype)

    def everything():
        y = conv(x, weight, bias, groups=groups, **options)
        back = conv_transpose(y, weight, groups=groups, **options) if multiplier == 1 else y
        return y, back, conv_grad(y, x, weight, groups=groups, **options).x

    by_kernel = everything()
    assert len(on_shim) >= (3 if multiplier == 1 else 1)
    monkeypatch.setattr(forward_backward.depthwise_gpu, "serves", lambda *_: False)
    for got, want in zip(by_kernel, everything(), strict=True):
        np.testing.assert_allclose(got, want, atol=2e-4 if dtype == "float32" else 1e-12)


def test_what_is_not_depthwise_goes_the_other_way(on_shim):
    x = np.ones((1, 4, 8, 8), np.float32)
    conv(x, np.ones((6, 2, 3, 3), np.float32), groups=2)
    conv(x, np.ones((4, 1, 13, 13), np.float32), groups=4, padding=6)
    conv(x.astype(np.int64), np.ones((4, 1, 3, 3), np.int64), groups=4)
    assert on_shim == []
