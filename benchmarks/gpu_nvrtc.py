"""Kernels compiled as CuPy compiles them, without a GPU: NVRTC's cubin and what ptxas says of it."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from convcli.engine.gpu.kernel_source import OPTIONS

CUPY_OPTIONS = ("-ftz=true", "--device-as-default-execution-space")
"""What CuPy 14 adds to a module's own options (cupy/cuda/compiler.py: ``_compile_with_cache_cuda``
and ``_compile_using_nvrtc_no_warning``), besides ``-arch=sm_NN``, for which it asks the device."""

VERBOSE = ("--ptxas-options=-v", "--disable-warnings")
"""Make ptxas report registers and spills in NVRTC's log; the code stays the same."""

ARCHS = ("sm_80", "sm_90", "sm_100")


class Compiled(NamedTuple):
    """A kernel as machine code, with what the assembler reports of its entry function."""

    cubin: bytes
    seconds: float
    """Of a processor, to compile it."""
    registers: int
    spilled: int
    """Bytes stored to and loaded from memory because registers ran out."""
    stack: int
    shared: int


def packages(*names: str) -> Iterator[Path]:
    """Folders of NVIDIA's packages of those names, such as ``cu13``, that are installed."""
    for name in names:
        try:
            found = importlib.util.find_spec(f"nvidia.{name}")
        except ModuleNotFoundError:
            return
        for folder in found.submodule_search_locations or () if found else ():
            yield Path(folder)


@cache
def nvrtc() -> Any:
    """The library, from the newest package that has it, or None."""
    for folder in packages("cu13", "cuda_nvrtc"):
        for path in sorted(folder.glob("lib/libnvrtc.so.*")):
            return ctypes.CDLL(str(path))
    return None


def nvrtc_version() -> tuple[int, int]:
    """Of the library."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def compile_kernel(text: str, function: str, arch: str) -> Compiled:
    """Machine code for an architecture, with CuPy's flags.

    Raises
    ------
    ValueError
        If it does not compile, with NVRTC's message.
    """
    lib, program, size = nvrtc(), ctypes.c_void_p(), ctypes.c_size_t()
    lib.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernel.cu", 0, None, None)
    options = [o.encode() for o in (*OPTIONS, *CUPY_OPTIONS, *VERBOSE, f"-arch={arch}")]
    begin = time.thread_time()  # of the processor: others may be at work
    failed = lib.nvrtcCompileProgram(
        program, len(options), (ctypes.c_char_p * len(options))(*options)
    )
    seconds = time.thread_time() - begin
    lib.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    lib.nvrtcGetProgramLog(program, log)
    if failed:
        raise ValueError(log.value.decode()[:3000])
    lib.nvrtcGetCUBINSize(program, ctypes.byref(size))
    cubin = ctypes.create_string_buffer(size.value)
    lib.nvrtcGetCUBIN(program, cubin)
    lib.nvrtcDestroyProgram(ctypes.byref(program))
    return Compiled(cubin.raw, seconds, *reported(log.value.decode(), function))


def reported(log: str, function: str) -> tuple[int, int, int, int]:
    """Registers, bytes spilled by all functions, stack and shared memory of the kernel.

    >>> reported('''ptxas info    : Compiling entry function 'rolling' for 'sm_90'
    ... ptxas info    : Function properties for rolling
    ... ptxas         .     72 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads
    ... ptxas info    : Used 95 registers, used 1 barriers, 72 bytes cumulative stack size, 64 bytes smem
    ... ''', "rolling")
    (95, 12, 72, 64)
    """
    lines = log.split(f"Function properties for {function}\n", 1)[1].splitlines()
    spills = re.findall(r"(\d+) bytes spill (?:stores|loads)", log)
    stack, registers, shared = (
        re.search(pattern, "\n".join(lines[:3]))
        for pattern in (r"(\d+) bytes stack", r"Used (\d+) registers", r"(\d+) bytes smem")
    )
    assert registers
    return (
        int(registers[1]),
        sum(map(int, spills)),
        int(stack[1]) if stack else 0,
        int(shared[1]) if shared else 0,
    )
