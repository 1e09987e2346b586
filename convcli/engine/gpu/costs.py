"""What each algorithm costs on a GPU, relative to the others.

Nominal figures of an H200, not measured: multiply-adds at half of the 33 T/s of its data sheet,
and one pass over memory at its copy speed of 4.3 TB/s for two bytes a sample. A transform moves
some 100 bytes per sample there and back. Only the ratios matter.
"""

from __future__ import annotations

__all__ = ["gpu_cost"]

PASS = 0.0005
TAP = 0.00006
TRANSFORM = 0.035
_SLOWER = {"float64": 2.0}


def gpu_cost(algorithm: str, accumulate: str, work: float) -> float:
    """Predicted ns per output sample; ``work`` counts taps, or samples transformed.

    >>> gpu_cost("direct", "float32", 961) < gpu_cost("fft", "float32", 2.2)
    True
    """
    factor = _SLOWER.get(accumulate, 1.0)
    if algorithm == "fft":
        return round(work * TRANSFORM * factor, 6)
    return round(max(PASS, work * TAP * factor), 6)
