"""Which backend computes, and why.

A GPU is slower than the processor for one photo: importing CuPy, the driver's context and the
bus take longer than the filter. ``auto`` predicts both and imports CuPy only for a picture, or a
batch, that it would end sooner.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from convcli.errors import BackendError
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.engine.gpu.workload import Workload

__all__ = [
    "BACKENDS",
    "NUMPY",
    "Backend",
    "Choice",
    "no_gpu",
    "pick_backend",
    "taken_over",
    "weigh",
]

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


class Choice(NamedTuple):
    """A backend that was chosen, and why. From a GPU that ``auto`` chose the CPU may take over."""

    backend: Backend
    reason: str


NUMPY = Backend("numpy")


def pick_backend(asked: Backend | None) -> Choice:
    """The backend that was asked for, if it can run here, with the reason for the choice.

    Where none was, it is the CPU: whether a GPU would end sooner depends on the work, see
    :func:`weigh`.

    Raises
    ------
    BackendError
        If the backend cannot run on this machine.

    >>> pick_backend(NUMPY)
    Choice(backend=Backend(name='numpy', device=0), reason='asked for')
    """
    if asked is None:
        reason = no_gpu() or "one picture is done sooner on the CPU than a GPU takes to start"
        return Choice(NUMPY, reason)
    if not asked.on_gpu:
        return Choice(asked, "asked for")
    from convcli.engine.gpu.device import require_device

    return Choice(asked, f"asked for; {require_device(asked.device)}")


def weigh(work: Workload, count: int = 1, workers: int = 1) -> Choice:
    """Choose for ``auto``: where ``count`` such pictures end sooner, ``workers`` at a time.

    CuPy is imported only if that is a GPU; if it then turns out not to be there, the reason says
    so. One choice is for all workers of a batch: they share the cores, the bus and the device.
    """
    missing = no_gpu()
    if missing:
        return Choice(NUMPY, missing)
    from convcli.engine.gpu.predicted import cpu_seconds, gpu_seconds
    from convcli.engine.speeds import load_speeds
    from convcli.system.machine import default_threads

    situation = load_speeds(), count, workers, default_threads()
    cpu, gpu = cpu_seconds(work, *situation), gpu_seconds(work, *situation)
    pictures = "the picture is" if count == 1 else f"the {count:,} pictures are"
    at_once = f", {workers} at a time" if workers > 1 else ""
    costs = (
        f"{pictures} predicted to take {_seconds(cpu)} on the CPU{at_once}, {_seconds(gpu)} on a "
        "GPU, start included"
    )
    if cpu <= gpu:
        return Choice(NUMPY, costs)
    from convcli.engine.gpu.device import require_device

    try:
        return Choice(Backend("cupy"), f"{require_device()}; {costs}")
    except BackendError as error:
        return Choice(NUMPY, str(error).removeprefix("backend cupy: "))


def taken_over(error: BackendError) -> str:
    """What is said where the CPU does what a GPU could not.

    >>> taken_over(BackendError("backend cupy: device 0 failed; use --backend numpy"))
    'done on the CPU, since the GPU could not: device 0 failed'
    """
    reason = str(error).removeprefix("backend cupy: ").removesuffix("; use --backend numpy")
    return f"done on the CPU, since the GPU could not: {reason}"


def no_gpu() -> str:
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
