"""What each algorithm costs: measured, one thread, ns per output sample.

``(loops, way, type of the sums): (fixed, per unit of work)``. A unit of work is one tap;
for ``flat``, which is direct means of a box, one row or column of it; for ``blur``, which is
separable in 16 bits, a pair of taps; in the NumPy loops one pass over a tile (an addition, or a
multiplication per distinct weight); ``box`` by doubling, while ``running`` sums cost the same for
every box; for ``fft``, whose type is that of the transforms, one sample transformed, there or
back. Of extrema it is a step of ``runs``, or a cell of ``gray``; of variances an addition; of the
``counts`` of modes a row of the footprint, in NumPy a block or a cell, while a box's ``columns`` cost
the same for every box; of ``bilateral`` means a cell. Of ranks it is a comparison
of a ``network`` or ``median``, a bit of a cell for ``bits``, a column for ``histograms``, a cell at
the edges for ``slide`` and ``levels``, a cell for ``partition``. Those of correlations are
printed by ``benchmarks/engine_costs.py`` on 2 cores with AVX-512, the compiled rows and NumPy's
direct and separable ones on an EPYC, the others on a Xeon; only the ratios matter.

A GPU's are nominal figures of an H200, not measured: multiply-adds at half of the 33 T/s of its
data sheet, one pass over memory at its copy speed of 4.3 TB/s for two bytes a sample; a transform
moves some 100 bytes per sample there and back. The smaller of two values takes twice the time of a
multiply-add, of 8 and 16 bits two at once; of float64 it takes five instructions.
"""

from __future__ import annotations

from convcli.records import NamedTuple

__all__ = [
    "COSTS",
    "GPU_BOX_TAPS",
    "NETWORK_COMPARISONS",
    "NETWORK_MADE",
    "OWN_COSTS",
    "CostEstimate",
    "gpu_comparisons",
    "gpu_operations",
    "gpu_taps",
    "gpu_traffic",
    "gpu_transforms",
    "on_cpu",
    "row_name",
    "split",
]


class CostEstimate(NamedTuple):
    """An algorithm that could do a step; ``cost`` in predicted ns per output sample.

    On the CPU that is ``work`` units by a row of the table.
    """

    name: str
    cost: float
    note: str
    row: tuple[str, str, str] = ("", "", "")
    work: float = 0.0


COSTS: dict[tuple[str, str, str], tuple[float, float]] = {
    ("compiled", "direct", "int16"): (0.13, 0.0112),
    ("compiled", "direct", "float32"): (0.34, 0.0139),
    ("compiled", "direct", "float64"): (1.36, 0.0303),
    ("compiled", "separable", "int16"): (0.16, 0.0168),
    ("compiled", "separable", "float32"): (0.32, 0.0256),
    ("compiled", "separable", "float64"): (1.44, 0.0478),
    ("compiled", "flat", "int16"): (0.07, 0.0135),
    ("compiled", "blur", "float32"): (0.12, 0.0340),
    ("compiled", "running", "float32"): (0.46, 0.0),
    ("compiled", "fft", "float32"): (1.00, 3.2500),
    ("compiled", "fft", "float64"): (1.50, 5.7000),
    ("compiled", "bits", "int8"): (0.30, 0.0160),
    ("compiled", "bits", "int16"): (0.30, 0.0260),
    ("compiled", "bits", "int32"): (0.40, 0.0550),
    ("compiled", "bits", "int64"): (0.60, 0.1300),
    ("compiled", "network", "int8"): (0.20, 0.0340),
    ("compiled", "network", "int16"): (0.30, 0.0630),
    ("compiled", "network", "int32"): (0.50, 0.1250),
    ("compiled", "network", "int64"): (0.80, 0.3500),
    ("compiled", "median", "int8"): (0.05, 0.0081),
    ("compiled", "median", "int16"): (0.05, 0.0150),
    ("compiled", "median", "int32"): (0.05, 0.0310),
    ("compiled", "median", "int64"): (0.10, 0.1200),
    ("compiled", "histograms", "int8"): (10.5, 0.0200),
    ("compiled", "levels", "int8"): (3.00, 2.2000),
    ("compiled", "slide", "int8"): (30.0, 2.1000),
    ("compiled", "slide", "int16"): (38.0, 0.9800),
    ("compiled", "slide", "int32"): (40.0, 0.9800),
    ("compiled", "slide", "int64"): (50.0, 0.9800),
    ("numpy", "network", "int8"): (1.0, 0.1000),
    ("numpy", "network", "int16"): (1.0, 0.2000),
    ("numpy", "network", "int32"): (1.0, 0.4000),
    ("numpy", "network", "int64"): (1.0, 1.2000),
    ("numpy", "partition", "int8"): (20.0, 9.0000),
    ("numpy", "partition", "int16"): (20.0, 9.0000),
    ("numpy", "partition", "int32"): (20.0, 9.0000),
    ("numpy", "partition", "int64"): (20.0, 9.0000),
    ("numpy", "direct", "int16"): (0.40, 0.0680),
    ("numpy", "direct", "float32"): (0.95, 0.1300),
    ("numpy", "direct", "float64"): (1.40, 0.2550),
    ("numpy", "separable", "int16"): (0.35, 0.0630),
    ("numpy", "separable", "float32"): (0.20, 0.1400),
    ("numpy", "separable", "float64"): (0.20, 0.2650),
    ("numpy", "running", "float32"): (3.30, 0.0),
    ("numpy", "box", "float32"): (0.05, 0.4000),
    ("numpy", "box", "float64"): (0.05, 0.8500),
    ("numpy", "fft", "float32"): (2.60, 2.7500),
    ("numpy", "fft", "float64"): (2.10, 4.8000),
    ("compiled", "runs", "uint8"): (0.05, 0.0600),
    ("compiled", "runs", "int16"): (0.15, 0.1100),
    ("compiled", "runs", "float32"): (0.40, 0.1900),
    ("compiled", "runs", "float64"): (0.80, 0.4000),
    ("compiled", "bilateral", "float32"): (1.50, 0.6000),
    ("compiled", "bilateral", "float64"): (2.00, 2.5000),
    ("compiled", "squares", "int32"): (3.50, 0.0),
    ("compiled", "counts", "uint8"): (23.0, 2.0000),
    ("compiled", "columns", "uint8"): (14.5, 0.0),
    ("compiled", "columns", "int16"): (34.0, 0.0),
    ("numpy", "runs", "uint8"): (0.30, 0.0600),
    ("numpy", "runs", "int16"): (0.45, 0.1200),
    ("numpy", "runs", "float32"): (2.00, 0.3000),
    ("numpy", "runs", "float64"): (4.00, 0.7000),
    ("numpy", "squares", "int32"): (12.0, 2.0000),
    ("numpy", "squares", "float64"): (12.0, 2.5000),
    ("numpy", "counts", "uint8"): (60.0, 30.000),
    ("numpy", "counts", "float32"): (60.0, 20.000),
    ("numpy", "bilateral", "float32"): (5.00, 9.0000),
    ("numpy", "bilateral", "float64"): (9.00, 25.000),
    ("numpy", "gray", "int32"): (0.80, 0.7000),
    ("numpy", "gray", "float32"): (1.00, 2.5000),
    ("numpy", "gray", "float64"): (2.00, 5.0000),
}

_MEASURED_AS = {
    "int8": "uint8",
    "uint16": "int16",
    "int32": "float32",
    "uint32": "float32",
    "int64": "float64",
    "uint64": "float64",
}

OWN_COSTS = {"compare": 0.3, "blur-and-compare": 2.5, "in-turn": 1.0, "hysteresis": 15.0}
"""Of what an algorithm does besides the steps that it is made of, by its name: ``in-turn`` where it
takes a difference, ``hysteresis`` for each channel that it reads."""

NETWORK_COMPARISONS = 3.4
"""Of a network, for each cell of a rectangle, about."""
NETWORK_MADE = 3e5
"""ns per cell of a rectangle, once, to make the network."""

GPU_BOX_TAPS = 8.0
"""Multiply-adds that a sample of any box costs as much as on a GPU, about."""

GPU_MEMORY = 4.3e12
GPU_PASS = 0.0005
GPU_TAP = 0.00006
GPU_TRANSFORM = 0.035
GPU_COMPARISON = {"uint8": 0.00004, "uint16": 0.00004, "float32": 0.00007, "float64": 0.0004}
_GPU_SLOWER = {"float64": 2.0}


def on_cpu(name: str, note: str, loops: str, way: str, kind: str, work: float) -> CostEstimate:
    """An algorithm by its row of the table; ``kind`` is the type of the sums.

    >>> on_cpu("direct", "100 taps", "compiled", "direct", "float32", 100).cost
    1.73
    """
    row = loops, way, kind if (loops, way, kind) in COSTS else _MEASURED_AS.get(kind, kind)
    fixed, each = COSTS[row]
    return CostEstimate(name, round(fixed + each * work, 3), note, row, work)


def row_name(estimate: CostEstimate, dtype: str) -> str:
    """What a machine's own times are kept under: the row, and the type of the samples.

    >>> row_name(on_cpu("direct", "9 taps", "compiled", "direct", "int16", 9), "uint8")
    'compiled direct int16, uint8'
    """
    return f"{' '.join(estimate.row)}, {dtype}"


def split(estimate: CostEstimate) -> tuple[float, float]:
    """What is fixed of a cost on the CPU, and what its units of work cost together.

    >>> split(on_cpu("direct", "100 taps", "compiled", "direct", "float32", 100))
    (0.34, 1.39)
    """
    fixed, _ = COSTS.get(estimate.row, (0.0, 0.0))
    return fixed, round(estimate.cost - fixed, 3)


def gpu_taps(kind: str, taps: float) -> float:
    """Predicted ns per output sample of multiply-adds on a GPU.

    >>> gpu_taps("float32", 961) < gpu_transforms("float32", 2.2)
    True
    """
    return round(max(GPU_PASS, taps * GPU_TAP * _GPU_SLOWER.get(kind, 1.0)), 6)


def gpu_comparisons(kind: str, count: float) -> float:
    """Predicted ns per output sample of so many comparisons of values on a GPU.

    >>> gpu_comparisons("uint8", 3), gpu_comparisons("float32", 170)
    (0.0005, 0.0119)
    """
    return round(max(GPU_PASS, count * GPU_COMPARISON[kind]), 6)


def gpu_transforms(kind: str, samples: float) -> float:
    """Predicted ns per output sample of transforms on a GPU, of so many samples each."""
    return round(samples * GPU_TRANSFORM * _GPU_SLOWER.get(kind, 1.0), 6)


def gpu_operations(kind: str, cost: float) -> float:
    """Multiply-adds, of either type, that a cost by :func:`gpu_taps` stands for.

    >>> gpu_operations("float64", gpu_taps("float64", 49))
    49.0
    """
    return round(cost / (GPU_TAP * _GPU_SLOWER.get(kind, 1.0)), 1)


def gpu_traffic(cost: float) -> float:
    """Bytes that a GPU moves in the time that a cost stands for, per output sample."""
    return cost * 1e-9 * GPU_MEMORY
