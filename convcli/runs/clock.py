"""Seconds by stage, for reports."""

from __future__ import annotations

from time import perf_counter

__all__ = ["Clock"]


class Clock:
    """A stopwatch whose laps are the stages of a job."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        """Begin a lap."""
        self._began = perf_counter()

    def since(self) -> float:
        """Seconds of this lap so far."""
        return perf_counter() - self._began

    def lap(self, stage: str) -> None:
        """End the lap, which was a ``stage``, and begin the next."""
        self.seconds[stage] = self.since()
        self.start()
