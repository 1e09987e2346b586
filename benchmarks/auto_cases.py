"""What the choice of ``auto`` is judged on: filters and sizes."""

from __future__ import annotations

from typing import Any, NamedTuple

from gpu_cases import Case, dense

from convcli.engine.plan import Plan, plan_filter
from convcli.kernels.load import load_kernel


class Filter(NamedTuple):
    """A kernel on pictures of a type."""

    name: str
    kernel: Any
    dtype: str
    channels: int

    def plan(self, height: int, width: int, threads: int) -> Plan:
        """On the CPU."""
        shape = (height, width, self.channels)
        return plan_filter(shape, self.dtype, [self.kernel], backend="numpy", threads=threads)

    @property
    def case(self) -> Case:
        """The same for ``gpu_static.py``."""
        return Case(self.name, self.kernel, {}, (self.dtype,), (self.channels,))


FILTERS = [
    Filter("3x3", dense(3), "uint8", 3),
    Filter("separable 13x13", load_kernel("gaussian:2"), "uint8", 3),
    Filter("31x31", dense(31), "uint8", 3),
    Filter("31x31 float64", dense(31), "float64", 1),
]

CALIBRATION = [
    Filter("calibration float32", dense(15), "float32", 1),
    Filter("calibration float64", dense(15), "float64", 1),
    Filter("calibration compiler", dense(7), "uint8", 1),
]
"""What ``convcli bench --calibrate`` runs on a GPU, direct as there."""

SIZES = [
    *((64, 64), (90, 90), (128, 128), (180, 180), (256, 256), (384, 384), (512, 512)),
    *((720, 720), (1024, 768), (1280, 1024), (1600, 1200), (2048, 1536), (3000, 2000)),
    *((3500, 2500), (4000, 3000), (5000, 3600), (6000, 4000), (7500, 5000), (9000, 6600)),
    (11500, 8700),
]
"""Width and height, from 64x64 to 100 megapixels."""

LARGEST_FLOAT64 = 25_000_000
"""Pixels; from there on times are taken as proportional."""
