"""NVRTC's work done by g++; a compiled kernel is a library of the CPU."""

import os
import re
import shutil
import subprocess
import threading
from hashlib import sha256
from pathlib import Path

from cupy._errors import CompileException, NVRTCError

HERE = Path(__file__).parent
SHIM = HERE.parents[1] / "shim.h"
FLAGS = [
    *("-x", "c++", "-std=c++17", "-O1", "-fPIC", "-shared", "-w", "-march=native"),
    *("-fno-math-errno", f"-I{SHIM.parent}"),
    # Misaligned words, indices past the end and overflows stop the kernel.
    *("-fsanitize=alignment,bounds,shift,signed-integer-overflow", "-fsanitize-undefined-trap-on-error"),
]  # fmt: skip
KNOWN = re.compile(
    r"--std=c\+\+17|-?-fmad=(true|false)|-ftz=true|-D\w+(=\w+)?|--device-as-default.*"
)
BARRIER = re.compile(r"__shared__|__sync|__shfl")
NAME = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(")


def kept(text, flags):
    """A library made of a text, from the folder where all processes of a test keep them."""
    folder = Path(
        os.environ.get(
            "STAND_IN_KERNELS", Path(os.environ.get("TMPDIR", "/tmp")) / "stand-in-kernels"
        )
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (sha256("\0".join([*flags, text]).encode()).hexdigest()[:32] + ".so")
    if not path.exists():
        if shutil.which("g++") is None:
            raise NVRTCError(7)
        part = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
        done = subprocess.run(
            ["g++", *flags, "-o", str(part), "-"], input=text, text=True, capture_output=True
        )
        if done.returncode:
            raise SyntaxError(done.stderr[:4000])
        part.replace(path)
    return path


def compile_using_nvrtc(
    source, options=(), arch=None, filename="kern.cu", name_expressions=None, log_stream=None,
    cache_in_memory=False, jitify=None, method=None,
):  # fmt: skip
    for option in options:
        if not KNOWN.fullmatch(option):
            raise CompileException(f"error: unknown option {option}", source, filename, options)
    # Without the option products and sums may be contracted, by NVRTC as by g++.
    fused = "off" if any("fmad=false" in option for option in options) else "fast"
    defines = [option for option in options if option.startswith("-D")]
    parts = ["#define BARRIERS"] if BARRIER.search(source) else []
    parts += [SHIM.read_text(), source, (HERE / "_launching.h").read_text()]
    parts += [f"KERNEL({name})" for name in NAME.findall(source)]
    try:
        path = kept("\n".join(parts), [*FLAGS, f"-ffp-contract={fused}", *defines])
    except SyntaxError as error:
        raise CompileException(str(error), source, filename, options) from None
    return path.read_bytes(), None
