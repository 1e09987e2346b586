"""What the parts that run on a device ask of it: a GPU, or in tests the CPU."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from convcli.engine.gpu.kernel_source import KernelSource

__all__ = ["Device"]


class Device(Protocol):
    """What carries kernels out."""

    xp: Any
    out_of_memory: type[BaseException]
    """What it raises when it cannot allocate."""
    multiplies_matrices: bool
    """Whether it has multiply-adds of matrices of bytes, as GPUs since compute capability 8.0 do."""

    def launch(
        self,
        source: KernelSource,
        grid: tuple[int, int],
        block: tuple[int, int],
        args: tuple[Any, ...],
    ) -> None:
        """Start a kernel; arrays of ``xp`` pass their address, NumPy scalars their value."""

    def upload(self, rows: NDArray[Any], slab: Any, *, beside: bool = False) -> None:
        """Copy rows from host memory into a slab, before kernels that are launched later; they may
        be changed afterwards. With ``beside``, no kernel that is under way uses that memory, and
        none is waited for."""

    def download(self, samples: Any, out: NDArray[Any]) -> None:
        """Copy samples to host memory, once the kernels launched so far are done."""

    def finish(self) -> None:
        """Wait until all that was downloaded is there."""

    def kept(self, array: NDArray[Any]) -> Any:
        """A small array on the device; equal ones are moved once."""

    def host(self, array: Any) -> NDArray[Any]:
        """A small array, in host memory."""

    def address(self, array: Any) -> int:
        """Where an array begins."""

    def free_bytes(self) -> int:
        """Memory that a picture may take."""

    def release(self) -> None:
        """Free what is only kept for later."""
