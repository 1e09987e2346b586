"""The layers of a chain made on a GPU: a picture crosses the bus once each way.

The stages are those of the CPU; the plane that they begin with gives arrays that lie on the device,
and their plans are for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convcli.engine.backends import taken_over
from convcli.engine.gpu.chain_steps import FFT_BYTES
from convcli.engine.gpu.cupy_device import CupyDevice, device_in_turn
from convcli.engine.gpu.failures import failures_told, memory_lack
from convcli.engine.gpu.host_strips import in_tiles, strip_rows
from convcli.engine.gpu.notes import to_tell
from convcli.engine.gpu.resident import download, upload
from convcli.errors import BackendError
from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.carry_out import Counts, is_whole
from convcli.imaging.stages.chain_layers import layers_of
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.result import Requantised, Result

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges

__all__ = ["DeviceResult"]

LAYERS = 16
"""Arrays of floats as large as the picture that are on the device at once while a kernel is put on
its layers: its own, the sums, what stands between them, and what was given back but not yet used."""


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
            with failures_told(number, self.plane.shape), device_in_turn(number) as device:
                done = self._in_strips(device, own)
        except BackendError as error:
            if not self.plan.fallback:
                raise
            self.counts.by_cpu(taken_over(error))
            return self._made(self.plane, self.plans, self.counts).read(want)
        self.counts.add(own.total, *own.notes, to_tell())
        return done

    def _in_strips(self, device: CupyDevice, counts: Counts) -> Pixels:
        """All of it: in strips where it is large, and of as many rows as the device's memory holds.

        While one is computed, the one before it comes down.
        """
        plans, strip = self.plans.on_device(self.plan.backend, device.xp), Counts()
        made = self._made(_Uploaded(self.plane, device), plans, strip)
        height, width, _ = self.shape
        done: Pixels | None = None

        def make(top: int, bottom: int) -> tuple[int, str]:
            nonlocal done
            strip.clear()
            try:
                samples = made.read((((top, bottom),), ((0, width),)))
                if done is None:
                    done = np.empty((height, *samples.shape[1:]), samples.dtype)
                download(device, samples, done[top:bottom])
            except device.out_of_memory as error:
                device.finish()
                return top, memory_lack(error)
            counts.add(strip.total, *strip.notes)
            return bottom, ""

        in_tiles(device, height, min(self._rows(device.free_bytes()), strip_rows(self.plan)), make)
        device.finish()
        assert done is not None
        return done

    def _rows(self, free: int) -> int:
        """Rows of the result whose layers fit into so many bytes, with what they are made of."""
        between = self.plans.float_dtype if self.plans.in_colours else self.plans.between
        each = LAYERS * between.itemsize + FFT_BYTES * any(
            s.method.transform for s in self.plan.steps
        )
        samples = max(max(np.prod(s.shape_in), np.prod(s.shape_out)) for s in self.plan.steps)
        return max(int(free * self.shape[0] / (each * samples)), 1)

    def _made(self, plane: Plane, plans: Plans, counts: Counts) -> Requantised:
        return Requantised(layers_of(plane, plans, self.name), plans, plane.shape[:2], counts)
