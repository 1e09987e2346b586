"""What each algorithm costs: measured, one thread, ns per output sample.

``(loops, algorithm, type of the sums): (fixed, per unit of work)``. A unit of work is one tap;
for ``flat``, which is direct means of a box, one row or column of it; for ``blur``, which is
separable in 16 bits, a pair of taps; in the NumPy loops one pass over a tile (an addition, or a
multiplication per distinct weight); ``box`` by doubling, while ``running`` sums cost the same for
every box; for ``fft``, whose type is that of the transforms, one sample transformed, there or
back. Printed by ``benchmarks/engine_costs.py`` on 2 cores with AVX-512, the compiled rows and
NumPy's direct and separable ones on an EPYC, the others on a Xeon; only the ratios matter.
"""

from __future__ import annotations

__all__ = ["COSTS", "cost"]

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
}

_MEASURED_AS = {"uint16": "int16"}


def cost(loops: str, algorithm: str, accumulate: str, work: float) -> float:
    """Predicted ns per output sample.

    >>> cost("compiled", "direct", "float32", 100)
    1.73
    """
    kind = _MEASURED_AS.get(accumulate, accumulate)
    if algorithm == "running" or (algorithm == "box" and kind == "int16"):
        kind = "float32"
    fixed, each = COSTS[loops, algorithm, kind]
    return round(fixed + each * work, 3)
