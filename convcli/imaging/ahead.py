"""Reading the input while the program still starts: its imports leave a processor idle.

A thread reads the file that the command line names and decodes it, if its format offers that.
Whatever stands in the way is kept to itself: the ordinary way meets it again and says what it is.
Nothing more is imported than the file asks for.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from convcli.imaging.formats import HEAD_BYTES, recognised
from convcli.records import NamedTuple
from convcli.system.files import open_to_read
from convcli.system.machine import is_tight
from convcli.system.threads import Thread

if TYPE_CHECKING:
    from convcli.imaging.formats import Finish
    from convcli.imaging.source import Source

__all__ = ["Ahead", "begin", "take"]

LEAST_BYTES = 1 << 20
"""Smaller files are read sooner than a thread and its part of the processor are worth."""
SWITCH = 1e-4
"""Seconds after which a thread that computes in Python lets another go on. With the usual 5 ms
the reader waits as long for the imports each time that it comes back from inflating."""


class Ahead(NamedTuple):
    """A file that was read, or is under way; what is left to be done where it is used."""

    finish: Finish
    format: str

    def picture(self, name: str, max_pixels: int) -> Source:
        """What :func:`convcli.imaging.opening.decode_picture` makes of the file, and its errors."""
        from convcli.imaging.limits import decoding

        with decoding(name, self.format):
            return self.finish(name, max_pixels)


class _Reading:
    """One file under way."""

    def __init__(self, path: str, read: Callable[[], Ahead | None]) -> None:
        self.path, self._read = path, read
        self._got: Ahead | None = None
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        # No daemon, which would be frozen wherever it is when the program ends.
        self._thread = Thread(target=self._work, name="convcli-ahead")
        try:
            self._thread.start()
        except (RuntimeError, MemoryError):
            sys.setswitchinterval(self._interval)
            raise

    def result(self) -> Ahead | None:
        self._thread.join()
        sys.setswitchinterval(self._interval)
        return self._got

    def _work(self) -> None:
        # Whatever it is, the ordinary way will meet it.
        with contextlib.suppress(Exception):
            self._got = self._read()


_readings: list[_Reading] = []


def begin(path: str, max_pixels: int) -> None:
    """Begin to read a file, if it is a regular one and of a kind that pays. Raises nothing."""
    if any(reading.path == path for reading in _readings) or is_tight():
        return
    with contextlib.suppress(OSError, ValueError):
        file = io.FileIO(open_to_read(path))
        read = None
        try:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size >= LEAST_BYTES:
                read = _reader(file, status.st_size, max_pixels)
        finally:
            if read is None:
                file.close()
        if read is not None:
            try:
                _readings.append(_Reading(path, read))
            except (RuntimeError, MemoryError):  # no room for a thread
                file.close()


def take(path: str) -> Ahead | None:
    """What was read of a file that was begun, once; None if the ordinary way has to be gone."""
    for reading in _readings:
        if reading.path == path:
            _readings.remove(reading)
            return reading.result()
    return None


def _reader(file: io.FileIO, size: int, max_pixels: int) -> Callable[[], Ahead | None] | None:
    """How to read a file of this kind, on a thread; what that needs is imported before."""
    found = recognised(file.read(HEAD_BYTES))
    file.seek(0)
    work = found.prefetch(file, size, max_pixels, _program_runs) if found else None
    if found is None or work is None:
        return None
    name = found.name

    def read() -> Ahead | None:
        with file:
            finish = work()
        return None if finish is None else Ahead(finish, name)

    return read


def _program_runs() -> bool:
    """Whether anybody will want it: a program that ends waits for its threads."""
    return threading.main_thread().is_alive()
