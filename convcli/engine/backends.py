"""Which backend computes, and why.

A GPU is slower than the processor for one photo: importing CuPy, the driver's context and the
bus take longer than the filter. ``auto`` predicts both and imports CuPy only for a picture, or a
batch, that it would end sooner.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

from convcli.errors import BackendError
from convcli.records import NamedTuple

__all__ = ["BACKENDS", "NUMPY", "Backend", "Workload", "gpu_seconds", "pick_backend", "weigh"]

BACKENDS = ("auto", "numpy", "cupy")


class Backend(NamedTuple):
    """What computes: NumPy on the CPU, or CuPy on the GPU of a number."""

    name: str
    device: int = 0

    @classmethod
    def parse(cls, text: str | Backend | None) -> Backend | None:
        """A backend from its name; ``auto`` is none, and leaves the choice to the plan.

        Raises
        ------
        BackendError
            If the name is unknown.

        >>> Backend.parse("cupy:1"), Backend.parse("auto")
        (Backend(name='cupy', device=1), None)
        """
        if text is None or isinstance(text, Backend):
            return text
        name, colon, device = text.partition(":")
        if name not in BACKENDS or (colon and name != "cupy"):
            raise BackendError(
                f"backend {text!r} is not known; allowed: {', '.join(BACKENDS)}, cupy:N"
            )
        if colon and not (device.isascii() and device.isdecimal()):
            raise BackendError(f"backend {text!r}: the device must be a number, as in cupy:1")
        return None if name == "auto" else cls(name, int(device) if colon else 0)

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU computes."""
        return self.name == "cupy"

    def __str__(self) -> str:
        return self.name


NUMPY = Backend("numpy")


def pick_backend(asked: Backend | None) -> tuple[Backend, str]:
    """The backend that was asked for, if it can run here, with the reason for the choice.

    Where none was, it is the CPU: whether a GPU would end sooner depends on the work, see
    :func:`weigh`.

    Raises
    ------
    BackendError
        If the backend cannot run on this machine.

    >>> pick_backend(NUMPY)
    (Backend(name='numpy', device=0), 'asked for')
    """
    if asked is None:
        reason = _no_gpu() or "one picture is done sooner on the CPU than a GPU takes to start"
        return NUMPY, reason
    if not asked.on_gpu:
        return asked, "asked for"
    from convcli.engine.gpu.device import require_device

    return asked, f"asked for; {require_device(asked.device)}"


class Workload(NamedTuple):
    """What one picture costs.

    Parameters
    ----------
    cpu_seconds
        Predicted for all threads, by the engine's cost table.
    taps
        Multiply-adds.
    traffic
        Bytes through the device's memory.
    bytes_in, bytes_out
        Over the bus.
    kernels
        Kernels to compile, or to load from the cache.
    """

    cpu_seconds: float
    taps: float
    traffic: float
    bytes_in: float
    bytes_out: float
    kernels: int


def weigh(work: Workload, count: int = 1) -> tuple[Backend, str]:
    """Choose for ``auto``: the backend on which ``count`` such pictures end sooner, and why.

    CuPy is imported only if that is the GPU; if the GPU then turns out not to be there, the
    reason says so.
    """
    missing = _no_gpu()
    if missing:
        return NUMPY, missing
    from convcli.engine.speeds import load_speeds

    speeds = load_speeds()
    cpu = speeds.cpu * work.cpu_seconds * count
    gpu = gpu_seconds(work, count)
    pictures = "the picture is" if count == 1 else f"the {count:,} pictures are"
    costs = f"{pictures} predicted to take {_seconds(cpu)} on the CPU, {_seconds(gpu)} on a GPU, start included"
    if cpu <= gpu:
        return NUMPY, costs
    from convcli.engine.gpu.device import require_device

    try:
        return Backend("cupy"), f"{require_device()}; {costs}"
    except BackendError as error:
        return NUMPY, str(error).removeprefix("backend cupy: ")


def gpu_seconds(work: Workload, count: int = 1) -> float:
    """Predicted for ``count`` pictures on the GPU, from a cold start."""
    from convcli.engine.speeds import load_speeds

    s = load_speeds()
    each = work.bytes_in / s.upload + work.bytes_out / s.download
    each += max(work.traffic / s.memory, work.taps / s.multiply_adds)
    return s.start + s.compile * work.kernels + each * count


def _no_gpu() -> str:
    """Why there can be no GPU, as far as can be told without importing anything; or nothing."""
    if find_spec("cupy") is None:
        return "CuPy is not installed"
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides every GPU"
    return ""


def _seconds(value: float) -> str:
    """A time as it is told.

    >>> [_seconds(value) for value in (0.0004, 0.001, 0.949, 0.95, 12.34)]
    ['under 1 ms', '1 ms', '949 ms', '0.9 s', '12.3 s']
    """
    if value < 0.001:
        return "under 1 ms"
    return f"{value:.1f} s" if value >= 0.95 else f"{value * 1000:.0f} ms"
