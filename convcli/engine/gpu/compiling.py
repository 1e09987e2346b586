"""Kernels compiled by NVRTC, as CuPy does, or taken from our cache on disk."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from convcli.engine.gpu.cubin_cache import CubinCache
from convcli.engine.gpu.kernel_source import OPTIONS, KernelSource
from convcli.errors import BackendError

__all__ = ["compiled"]

FLUSH = "-ftz=true"
"""CuPy compiles every kernel of its own so: subnormal numbers count as zero. It adds the device's
architecture and ``--device-as-default-execution-space`` by itself."""


def compiled(cupy: Any, source: KernelSource, number: int) -> Any:
    """The kernel, ready to be launched on device ``number``, which is the current one.

    Raises
    ------
    BackendError
        If it cannot be compiled or loaded.
    """
    cache, target = CubinCache(), _target(cupy, number)
    kept = cache.load(source, target)
    if kept is not None:
        with suppress(Exception):  # of a driver that does not take it, but may take a new one
            return _loaded(cupy, source, kept)
    try:
        cubin, _ = cupy.cuda.compiler.compile_using_nvrtc(
            source.text, (*OPTIONS, FLUSH), cache_in_memory=True
        )
        function = _loaded(cupy, source, cubin)
    except Exception as error:  # of NVRTC, of the driver, or of loading either
        raise BackendError(
            f"backend cupy: the kernel {source.function!r} does not compile here "
            f"({type(error).__name__}: {_first_line(error)}); use --backend numpy and report it"
        ) from error
    cache.save(source, target, cubin)
    return function


def _target(cupy: Any, number: int) -> str:
    """What a kernel is compiled by and for. CuPy adds options, so that its version counts too."""
    major, minor = cupy.cuda.nvrtc.getVersion()
    capability = cupy.cuda.Device(number).compute_capability
    return f"sm{capability}-nvrtc{major}.{minor}-cupy{cupy.__version__}"


def _loaded(cupy: Any, source: KernelSource, cubin: bytes) -> Any:
    module = cupy.cuda.function.Module()
    module.load(cubin)
    return module.get_function(source.function)


def _first_line(error: BaseException) -> str:
    message = error.get_message() if hasattr(error, "get_message") else str(error)
    lines = [line.strip() for line in str(message).splitlines() if line.strip()]
    wanted = [line for line in lines if "error" in line.lower()] or lines or ["no message"]
    return wanted[0][:200]
