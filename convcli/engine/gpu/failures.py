"""What goes wrong with a GPU while it works, as errors of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from convcli.engine.gpu.cupy_device import cuda_failures
from convcli.engine.gpu.device import INSTALL, one_line
from convcli.errors import BackendError

__all__ = ["OutOfDeviceMemory", "failures_told", "memory_lack"]


class OutOfDeviceMemory(Exception):
    """A device cannot hold even a tile of few rows."""


def memory_lack(error: BaseException) -> str:
    """What a device said when its memory ran out."""
    return one_line(error) or "no memory is left"


@contextmanager
def failures_told(number: int, shape: tuple[int, int, int]) -> Iterator[None]:
    """What goes wrong with the device of that number, on a picture of that shape, as one error of ours.

    Raises
    ------
    BackendError
        If a library is missing, if the picture does not fit into the device's memory, whatever it is
        cut into, or if the device fails.
    """
    try:
        yield
    except ImportError as error:
        raise BackendError(
            f"backend cupy: a library of CUDA is missing ({one_line(error)}); {INSTALL} brings it"
        ) from error
    except OutOfDeviceMemory as error:
        height, width, channels = shape
        raise BackendError(
            f"backend cupy: device {number} is out of memory for {width}x{height}x{channels}, even "
            f"in strips of few rows ({error}); use --backend numpy"
        ) from error
    except cuda_failures() as error:
        raise BackendError(
            f"backend cupy: device {number} failed ({type(error).__name__}: {one_line(error)}); "
            "use --backend numpy"
        ) from error
