"""What each algorithm costs: measured, one thread, ns per output sample.

``(loops, algorithm, type of the sums): (fixed, per unit of work)``. A unit of work is one tap;
in the NumPy loops one pass over a tile (an addition, or a multiplication per distinct weight);
``box`` by doubling, while ``running`` sums cost the same for every box; for ``fft``, whose type is that of the transforms, one sample transformed, there or back. Printed
by ``benchmarks/engine_costs.py`` on a 2-core Xeon with AVX-512; only the ratios matter.
"""

from __future__ import annotations

__all__ = ["COSTS", "cost"]

COSTS: dict[tuple[str, str, str], tuple[float, float]] = {
    ("compiled", "direct", "int16"): (0.23, 0.0143),
    ("compiled", "direct", "float32"): (0.41, 0.0162),
    ("compiled", "direct", "float64"): (2.56, 0.0281),
    ("compiled", "separable", "int16"): (0.22, 0.0156),
    ("compiled", "separable", "float32"): (0.30, 0.0278),
    ("compiled", "separable", "float64"): (1.85, 0.0511),
    ("compiled", "running", "float32"): (0.76, 0.0),
    ("numpy", "direct", "int16"): (1.00, 0.0633),
    ("numpy", "direct", "float32"): (1.70, 0.1503),
    ("numpy", "direct", "float64"): (2.69, 0.2962),
    ("numpy", "separable", "int16"): (0.90, 0.0715),
    ("numpy", "separable", "float32"): (2.09, 0.1489),
    ("numpy", "separable", "float64"): (3.38, 0.3102),
    ("numpy", "running", "float32"): (3.0, 0.0),
    ("numpy", "box", "float32"): (0.05, 0.4051),
    ("numpy", "box", "float64"): (0.05, 1.0109),
    ("numpy", "fft", "float32"): (1.88, 3.4895),
    ("numpy", "fft", "float64"): (0.05, 7.2280),
}

_MEASURED_AS = {"uint16": "int16"}


def cost(loops: str, algorithm: str, accumulate: str, work: float) -> float:
    """Predicted ns per output sample.

    >>> cost("compiled", "direct", "float32", 100)
    2.03
    """
    kind = _MEASURED_AS.get(accumulate, accumulate)
    if algorithm == "running" or (algorithm == "box" and kind == "int16"):
        kind = "float32"
    fixed, each = COSTS[loops, algorithm, kind]
    return round(fixed + each * work, 3)
