"""The layers of a chain made on a GPU: a picture crosses the bus once each way.

The stages are those of the CPU; the plane that they begin with gives arrays that lie on the device,
and their plans are for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from convcli.engine.gpu.cupy_device import CupyDevice, device_of_thread
from convcli.engine.gpu.failures import failures_told
from convcli.engine.gpu.notes import to_tell
from convcli.engine.gpu.resident import download, upload
from convcli.errors import BackendError
from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.carry_out import Counts, SampleCounts, is_whole
from convcli.imaging.stages.chain_layers import layers_of
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.result import Requantised, Result

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges

__all__ = ["DeviceResult"]


class _Uploaded(Plane):
    """A plane whose regions are put on a device as they are read."""

    def __init__(self, plane: Plane, device: CupyDevice) -> None:
        self.plane, self.device = plane, device
        self.shape, self.dtype = plane.shape, plane.dtype

    def read(self, want: Ranges) -> Pixels:
        """The cutout, on the device."""
        there: Pixels = upload(self.device, self.plane.read(want))
        return there


class DeviceResult(Result):
    """The samples of a result, made of layers on a GPU; parts of it, which flow, on the CPU.

    Raises
    ------
    BackendError
        If the GPU was asked for, and it cannot.
    """

    def __init__(self, plane: Plane, plans: Plans, name: str, counts: Counts) -> None:
        super().__init__(plans, plane.shape[:2], counts)
        self.plane, self.name = plane, name
        self.plan = plans.chained(plane.shape[:2])

    def read(self, want: Ranges) -> Pixels:
        """A region of the filtered picture, before ``stretch`` where that is the range."""
        if not is_whole(want, self.shape):
            return self._made(self.plane, self.plans, self.counts).read(want)
        own, number = Counts(), self.plan.backend.device
        try:
            with failures_told(number), device_of_thread(number) as device:
                plans = self.plans.on_device(self.plan.backend, device.xp)
                made = self._made(_Uploaded(self.plane, device), plans, own)
                done = self._whole(made, want, device)
        except BackendError as error:
            if not self.plan.fallback:
                raise
            reason = str(error).removeprefix("backend cupy: ").removesuffix("; use --backend numpy")
            note = f"done on the CPU, since the GPU could not: {reason}"
            self.counts.add(SampleCounts(), note)
            return self._made(self.plane, self.plans, self.counts).read(want)
        self.counts.add(own.total, *own.notes, to_tell())
        return done

    def _whole(self, made: Requantised, want: Ranges, device: CupyDevice) -> Pixels:
        try:
            return download(device, made.read(want))
        except device.out_of_memory as error:
            device.release()
            height, width, channels = self.plane.shape
            raise BackendError(
                f"backend cupy: device {device.number} is out of memory for {width}x{height}x"
                f"{channels} ({' '.join(str(error).split())}); use --backend numpy"
            ) from error

    def _made(self, plane: Plane, plans: Plans, counts: Counts) -> Requantised:
        return Requantised(layers_of(plane, plans, self.name), plans, plane.shape[:2], counts)
