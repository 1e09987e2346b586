"""Every kind of specialisation compiles to machine code for each generation of GPU in use.

With NVRTC, the compiler that CuPy uses, which works without a GPU; else with nvcc.
"""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from convcli.engine.gpu.kernel_source import OPTIONS
from convcli.engine.gpu.passes import passes_of
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel
from convcli.ops.depthwise_gpu import launch_of
from convcli.ops.sliding_window import SlidingWindow

# One generation for everybody, the others for CI: each takes as long.
EACH_ARCH = pytest.mark.parametrize(
    "arch",
    [
        pytest.param("sm_75", marks=pytest.mark.slow),
        "sm_80",
        pytest.param("sm_90", marks=pytest.mark.slow),
    ],
)
ELF = b"\x7fELF"
RNG = np.random.default_rng(3)
WHOLE3 = Kernel(RNG.integers(-2, 3, (3, 3)).astype(float), scale=1 / 3)
REAL5 = Kernel(RNG.normal(size=(5, 5)) / 9, bias=2)
REAL7 = Kernel(RNG.normal(size=(7, 7)) / 9)
BLUR7 = Kernel(np.outer(RNG.random(7), RNG.random(7)) / 16)
PAIR = Kernel(RNG.integers(-1, 2, (2, 3, 3)).astype(float), combine="magnitude", absolute=True)
REAL15 = Kernel(RNG.normal(size=(15, 15)) / 20)
HUGE = Kernel(RNG.normal(size=(130, 131)) / 200)
TALL = Kernel(np.outer(RNG.random(61), RNG.random(59)) / 900)
BANK = Kernel(RNG.normal(size=(3, 3, 3, 3)) / 9)

CASES = {
    "u8_gray_3x3": (WHOLE3, "uint8", 1, {}),
    "u8_rgb_3x3_to_u16": (WHOLE3, "uint8", 3, {"out_dtype": "uint16"}),
    "u8_rgb_whole_pair": (PAIR, "uint8", 3, {}),
    "u8_rgb_5x5": (REAL5, "uint8", 3, {}),
    "u16_gray_7x7": (REAL7, "uint16", 1, {"algorithm": "direct"}),
    "u8_gray_separable_7x7": (BLUR7, "uint8", 1, {"algorithm": "separable"}),
    "f32_rgb_magnitude": (PAIR, "float32", 3, {"range": "float"}),
    "u8_gray_15x15": (REAL15, "uint8", 1, {"algorithm": "direct"}),
    "f32_rgb_15x15": (REAL15, "float32", 3, {"algorithm": "direct"}),
    "u8_weights_in_memory": (HUGE, "uint8", 1, {"algorithm": "direct"}),
    "u8_rgb_two_passes": (TALL, "uint8", 3, {"algorithm": "separable"}),
    "f64_gray_5x5": (REAL5, "float64", 1, {"algorithm": "direct"}),
    "u16_int32_sums": (Kernel(REAL7.weights.round(2) * 1e5), "uint16", 1, {"algorithm": "direct"}),
    "u8_rgb_strided_dilated": (REAL5, "uint8", 3, {"stride": (2, 2), "dilation": (1, 3)}),
    "u8_bank": (BANK, "uint8", 3, {}),
}


class Nvrtc:
    """The calls of libnvrtc that make machine code out of text."""

    def __init__(self, path):
        self.lib = ctypes.CDLL(str(path))

    def compile(self, source, arch):
        lib, program = self.lib, ctypes.c_void_p()
        text = source.text.encode()
        assert lib.nvrtcCreateProgram(ctypes.byref(program), text, b"k.cu", 0, None, None) == 0
        options = [option.encode() for option in (*OPTIONS, f"--gpu-architecture={arch}")]
        failed = lib.nvrtcCompileProgram(
            program, len(options), (ctypes.c_char_p * len(options))(*options)
        )
        size = ctypes.c_size_t()
        lib.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        lib.nvrtcGetProgramLog(program, log)
        assert not failed, log.value.decode()[:3000]
        lib.nvrtcGetCUBINSize(program, ctypes.byref(size))
        code = ctypes.create_string_buffer(size.value)
        assert lib.nvrtcGetCUBIN(program, code) == 0
        lib.nvrtcDestroyProgram(ctypes.byref(program))
        return code.raw


class Nvcc:
    """The same through the command of the CUDA toolkit."""

    def __init__(self, folder):
        self.folder = folder

    def compile(self, source, arch):
        text, code = self.folder / "k.cu", self.folder / "k.cubin"
        text.write_text(source.text)
        done = subprocess.run(
            ["nvcc", "-cubin", f"-arch={arch}", *OPTIONS, "-o", str(code), str(text)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[:3000]
        return code.read_bytes()


@pytest.fixture(scope="module")
def compiler(tmp_path_factory):
    try:
        package = importlib.util.find_spec("nvidia.cu13")
    except ModuleNotFoundError:
        package = None
    for folder in package.submodule_search_locations if package else ():
        for path in sorted(Path(folder).glob("lib/libnvrtc.so.*")):
            return Nvrtc(path)
    if shutil.which("nvcc"):
        return Nvcc(tmp_path_factory.mktemp("nvcc"))
    pytest.skip("neither NVRTC (pip install nvidia-cuda-nvrtc) nor nvcc is here")


SOME = ("u8_gray_3x3", "u8_rgb_whole_pair", "f32_rgb_15x15", "u8_rgb_two_passes", "u8_bank")


@EACH_ARCH
@pytest.mark.parametrize(
    "case",
    [case if case in SOME else pytest.param(case, marks=pytest.mark.slow) for case in CASES],
)
def test_compiles(compiler, case, arch):
    kernel, dtype, channels, options = CASES[case]
    plan = plan_filter((50, 60, channels), dtype, [kernel], backend="numpy", **options)
    passes = passes_of(plan.steps[0], dtype)
    assert len(passes) == (2 if "two_passes" in case else 1)
    for each in passes:
        code = compiler.compile(each.source, arch)
        assert code.startswith(ELF)
        assert each.source.function.encode() in code


def test_the_cases_meet_every_kernel_and_type_of_sum():
    met = set()
    for kernel, dtype, channels, options in CASES.values():
        plan = plan_filter((50, 60, channels), dtype, [kernel], backend="numpy", **options)
        met |= {(p.source.function, p.acc) for p in passes_of(plan.steps[0], dtype)}
    assert {function for function, _ in met} == {"rolling", "bytes", "wide", "bank"}
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
