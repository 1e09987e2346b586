"""What goes wrong with a GPU while it works, as errors of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from convcli.engine.gpu.cupy_device import cuda_failures
from convcli.engine.gpu.device import INSTALL, one_line
from convcli.errors import BackendError

__all__ = ["failures_told", "no_memory"]


@contextmanager
def failures_told(number: int) -> Iterator[None]:
    """What goes wrong with the device of that number, as one error of ours.

    Raises
    ------
    BackendError
        If a library is missing, or the device fails.
    """
    try:
        yield
    except ImportError as error:
        raise BackendError(
            f"backend cupy: a library of CUDA is missing ({one_line(error)}); {INSTALL} brings it"
        ) from error
    except cuda_failures() as error:
        raise BackendError(
            f"backend cupy: device {number} failed ({type(error).__name__}: {one_line(error)}); "
            "use --backend numpy"
        ) from error


def no_memory(number: int, shape: tuple[int, int, int], said: str) -> str:
    """That a picture does not fit into a device, whatever it is cut into, with what the device said."""
    height, width, channels = shape
    return (
        f"backend cupy: device {number} is out of memory for {width}x{height}x{channels}, even in "
        f"strips of few rows ({said}); use --backend numpy"
    )
