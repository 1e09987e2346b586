"""Every kind of specialisation compiles to machine code for each generation of GPU in use.

With NVRTC, the compiler that CuPy uses, and CuPy's flags, which works without a GPU; else with
nvcc. What the code must look like says ``test_gpu_static.py``.
"""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from gpu_cases import TESTED
from gpu_nvrtc import compile_kernel, nvrtc

from convcli.engine.gpu.kernel_source import OPTIONS
from convcli.engine.gpu.passes import passes_of
from convcli.engine.plan import plan_filter
from convcli.ops.depthwise_gpu import launch_of
from convcli.ops.sliding_window import SlidingWindow

# One generation for everybody, the others for CI: each takes as long.
EACH_ARCH = pytest.mark.parametrize(
    "arch",
    [
        pytest.param("sm_75", marks=pytest.mark.slow),
        "sm_80",
        pytest.param("sm_90", marks=pytest.mark.slow),
        pytest.param("sm_100", marks=pytest.mark.slow),
    ],
)
ELF = b"\x7fELF"


class Nvrtc:
    """What CuPy compiles with."""

    def compile(self, source, arch):
        return compile_kernel(source.text, source.function, arch).cubin


class Nvcc:
    """The same through the command of the CUDA toolkit."""

    def __init__(self, folder):
        self.folder = folder

    def compile(self, source, arch):
        text, code = self.folder / "k.cu", self.folder / "k.cubin"
        text.write_text(source.text)
        done = subprocess.run(
            ["nvcc", "-cubin", f"-arch={arch}", *OPTIONS, "-ftz=true", "-o", str(code), str(text)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[:3000]
        return code.read_bytes()


@pytest.fixture(scope="module")
def compiler(tmp_path_factory):
    if nvrtc() is not None:
        return Nvrtc()
    if shutil.which("nvcc"):
        return Nvcc(tmp_path_factory.mktemp("nvcc"))
    pytest.skip("neither NVRTC (pip install nvidia-cuda-nvrtc) nor nvcc is here")


SOME = (
    "u8_gray_3x3",
    "u8_rgb_whole_pair",
    "f32_rgb_15x15",
    "u8_rgb_separable",
    "u8_rgb_box",
    "u8_bank",
)


@EACH_ARCH
@pytest.mark.parametrize(
    "case",
    [case if case in SOME else pytest.param(case, marks=pytest.mark.slow) for case in TESTED],
)
def test_compiles(compiler, case, arch):
    kernel, dtype, channels, options = TESTED[case]
    plan = plan_filter((50, 60, channels), dtype, [kernel], backend="numpy", **options)
    passes = passes_of(plan.steps[0], dtype)
    assert len(passes) == (2 if "two_passes" in case else 1)
    for each in passes:
        code = compiler.compile(each.source, arch)
        assert code.startswith(ELF)
        assert each.source.function.encode() in code


def test_the_cases_meet_every_kernel_and_type_of_sum():
    met = set()
    for kernel, dtype, channels, options in TESTED.values():
        plan = plan_filter((50, 60, channels), dtype, [kernel], backend="numpy", **options)
        met |= {(p.source.function, p.acc) for p in passes_of(plan.steps[0], dtype)}
    assert {function for function, _ in met} == {
        "rolling",
        "bytes",
        "across_down",
        "running",
        "toeplitz",
        "wide",
        "bank",
    }
    assert {acc for _, acc in met} == {"float32", "float64", "int32"}


class Text:
    """A source of another folder, as the compilers here take it."""

    function = "depthwise"

    def __init__(self, text):
        self.text = text


@EACH_ARCH
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_depthwise_compiles(compiler, dtype, stride, arch):
    x, out = np.zeros((2, 3, 9, 9), dtype), np.zeros((2, 3, 7 // stride + 1, 7), dtype)
    sliding = SlidingWindow(
        np, x, 3, (3, 3), out.shape[2:], (stride, 1), (1, 2), (-1, -1), np.dtype(dtype)
    )
    text, _, _ = launch_of(sliding, np.zeros((3, 1, 3, 3), dtype), None, out)
    code = compiler.compile(Text(text), arch)
    assert code.startswith(ELF)
    assert b"depthwise" in code
