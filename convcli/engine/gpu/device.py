"""The GPU: whether one can be used, and if not, why and what to do."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from convcli.engine.gpu.notes import tell_once
from convcli.errors import BackendError
from convcli.system.machine import CUDA_DRIVER

__all__ = ["INSTALL", "one_line", "require_device"]

INSTALL = "pip install 'convcli[cuda13]' (CUDA 13) or 'convcli[cuda12]' (CUDA 12)"


def require_device(number: int = 0) -> str:
    """Import CuPy and describe the device of that number.

    Raises
    ------
    BackendError
        If CuPy is not installed or broken, if there is no such device, if the driver is too
        old, if CUDA's run-time compiler is missing, or if the environment sets a limit of memory
        that CuPy does not take; with what to do.
    """
    _find_room_for_cupy()
    try:
        import cupy
    except ImportError as error:
        if error.name == "cupy":
            raise BackendError(f"backend cupy: CuPy is not installed; {INSTALL}") from None
        raise BackendError(
            f"backend cupy: CuPy is installed but does not import ({one_line(error)}); {INSTALL}"
        ) from error
    except OSError as error:  # CuPy 14 makes its cache folder while it is imported
        raise BackendError(
            f"backend cupy: CuPy cannot make its cache of compiled kernels ({one_line(error)}); set "
            "CUPY_CACHE_DIR to a folder that can be written, or use --backend numpy"
        ) from error
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        raise BackendError(f"backend cupy: {_why_no_device(one_line(error))}") from error
    if count == 0:
        raise BackendError(f"backend cupy: {_why_no_device('cudaErrorNoDevice')}")
    if number >= count:
        there = "only device 0" if count == 1 else f"devices 0 to {count - 1}"
        raise BackendError(f"backend cupy: there is no device {number}, {there}")
    try:
        cupy.cuda.nvrtc.getVersion()
    except Exception as error:  # each version of CuPy raises another type here
        raise BackendError(
            "backend cupy: CUDA's run-time compiler (NVRTC) is missing "
            f"({one_line(error)}); {INSTALL} brings it"
        ) from error
    _require_limit()
    return _describe(cupy, number)


def _require_limit() -> None:
    """Refuse a limit of memory that CuPy would refuse while a filter is under way."""
    text = os.environ.get("CUPY_GPU_MEMORY_LIMIT")
    if text is None:
        return
    try:
        share = text.endswith("%")
        fits = 0 <= float(text[:-1]) <= 100 if share else int(text) >= 0
    except ValueError:
        fits = False
    if not fits:
        raise BackendError(
            f"backend cupy: CUPY_GPU_MEMORY_LIMIT is {text!r}; CuPy allows bytes (1073741824) and "
            "shares of the device (50%)"
        )


def _find_room_for_cupy() -> None:
    """Let CuPy keep kernels of its own in memory where it cannot keep them on disk.

    It makes the folder while it is imported and cannot be used without, but hardly any of our
    filters needs a kernel of its: that is no reason to refuse.
    """
    if "cupy" in sys.modules or find_spec("cupy") is None:
        return
    folder = Path(os.environ.get("CUPY_CACHE_DIR", "~/.cupy/kernel_cache")).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK) else "Permission denied"
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    if reason:
        os.environ.update(CUPY_CACHE_DIR=tempfile.gettempdir(), CUPY_CACHE_IN_MEMORY="1")
        tell_once(
            f"CuPy's own kernels cannot be kept in {folder} ({reason}); set CUPY_CACHE_DIR to a "
            "folder that can be written"
        )


def _why_no_device(message: str) -> str:
    if not _driver_loads():  # CuPy calls this, too, an insufficient driver
        return (
            "there is no NVIDIA driver on this machine (libcuda cannot be loaded); install one "
            "where there is a GPU, or use --backend numpy"
        )
    if "InsufficientDriver" in message:
        return (
            f"the NVIDIA driver is too old for this CuPy ({message}); update the driver or "
            f"{INSTALL}"
        )
    return (
        f"no CUDA device ({message}); check nvidia-smi and CUDA_VISIBLE_DEVICES, or use "
        "--backend numpy"
    )


def _driver_loads() -> bool:
    try:
        ctypes.CDLL(CUDA_DRIVER)
    except OSError:
        return False
    return True


def _describe(cupy: Any, number: int) -> str:
    name = cupy.cuda.runtime.getDeviceProperties(number)["name"]
    return f"device {number}, {name.decode() if isinstance(name, bytes) else name}"


def one_line(error: BaseException) -> str:
    """The message of an error, as far as it fits into one of ours."""
    return " ".join(str(error).split())[:200]
