"""The largest sample under the window."""

import numpy as np

from convcli.engine.costs import CostEstimate
from convcli.engine.cpu.numpy_method import NumpyMethod
from convcli.engine.cpu.taps import tap_run
from convcli.engine.numerics import LIMITS, exact_type
from convcli.engine.step import CPU_ONLY, Problem, Signal


class _Shifted(NumpyMethod):
    def sums(self, load):
        taps = self.problem.taps(self.problem.weights[0])

        def largest(lanes, rows, samples):
            first, *others = (tap_run(lanes, tap, rows, samples, load.rows.stride) for tap in taps)
            found = first.copy()
            for run in others:
                np.fmax(found, run, out=found)  # NaN does not vote
            yield found

        return largest


class ShiftedMaximum:
    name = "shifted"

    def offer(self, problem):
        taps = np.prod(problem.kernel_size)
        return _Shifted(problem, CostEstimate(self.name, 0.1 * taps, f"{taps} neighbours"))


class Maximum:
    algorithms = (ShiftedMaximum(),)

    def cpu_only(self, problem):
        return CPU_ONLY

    def problem(self, kernel, slot):
        exact = exact_type(slot.bounds) if slot.signal.dtype in LIMITS else None
        kind = exact or slot.precision
        requantize = slot.requantize(
            slot.bounds and [slot.bounds], accumulate=kind, exact=bool(exact)
        )
        problem = Problem(slot, kernel, requantize, accumulate=kind, exact=bool(exact))
        return problem, Signal(slot.precision, slot.bounds, slot.signal.error)


OPERATION = Maximum()
