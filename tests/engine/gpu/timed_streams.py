"""Streams, events and copies that take simulated time: what overlaps, and in which order it is asked for.

Samples move as late as they may: what waits in a stream is carried out when somebody asks for its
result, and reads what its memory holds by then. Times are kept beside that: each engine of the
device (one copies up, one computes, one copies down) does one thing at a time.
"""

from __future__ import annotations

import ctypes
from contextlib import nullcontext
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import numpy as np


class Timeline:
    """The host's clock, the engines', and what was asked of them."""

    def __init__(self, host=0.0, **seconds):
        self.now = 0.0
        self.seconds = {"up": 1.0, "kernels": 1.0, "down": 1.0} | seconds
        self.host = host
        """Seconds of a copy from host memory to host memory."""
        self.free = dict.fromkeys(self.seconds, 0.0)
        self.asked = []
        """Engines, in the order in which the host gave them work; ``taken`` where it waited."""
        self.spans = {engine: [] for engine in self.seconds}
        self.bytes = {"up": 0, "down": 0}
        self.fails = {}
        """Of an engine, how many calls go well before one raises what."""

    def queue(self, stream, engine, action, size=0):
        left, error = self.fails.get(engine, (-1, None))
        self.fails[engine] = left - 1, error
        if left == 0:
            raise error
        begin = max(self.now, stream.end, self.free[engine])
        stream.end = self.free[engine] = begin + self.seconds[engine]
        self.spans[engine].append((begin, stream.end))
        self.asked.append(engine)
        self.bytes[engine] = self.bytes.get(engine, 0) + size
        stream.waiting.append(action)

    def busy(self, *engines):
        """Seconds in which all of these engines were at work."""
        edges = sorted({edge for spans in self.spans.values() for span in spans for edge in span})
        return sum(
            b - a
            for a, b in pairwise(edges)
            if all(any(s <= a and b <= e for s, e in self.spans[engine]) for engine in engines)
        )


class TimedDevice(nullcontext):
    compute_capability = "90"


class TimedStream:
    current = None

    def __init__(self, timeline, **_):
        self.timeline, self.waiting, self.end = timeline, [], 0.0

    def __enter__(self):
        TimedStream.current = self
        return self

    def __exit__(self, *exception):
        pass

    def settle(self, mark=None):
        """Carry out what waits, up to a mark; the clock stands still."""
        while self.waiting and (mark is None or mark in self.waiting):
            self.waiting.pop(0)()

    def wait_event(self, event):
        self.end = max(self.end, event.end)
        self.waiting.append(event.settle)

    def synchronize(self):
        self.settle()
        self.timeline.now = max(self.timeline.now, self.end)


class TimedEvent:
    def __init__(self, timeline, **_):
        self.timeline, self.stream, self.end = timeline, None, 0.0

    def record(self, stream):
        self.stream, self.end, self.mark = stream, stream.end, (lambda: None)
        stream.waiting.append(self.mark)

    def settle(self):
        self.stream.settle(self.mark)

    @property
    def done(self):
        come = self.end <= self.timeline.now
        if come:
            self.settle()
        return come

    def synchronize(self):
        self.timeline.asked.append("taken")
        self.settle()
        self.timeline.now = max(self.timeline.now, self.end)


class TimedMemory:
    def __init__(self, timeline, address):
        self.timeline, self.address = timeline, address

    def copy_from_host_async(self, pointer, size, stream):
        move = partial(ctypes.memmove, self.address, pointer.value, size)
        self.timeline.queue(stream, "up", move, size)

    def copy_to_host_async(self, pointer, size, stream):
        move = partial(ctypes.memmove, pointer.value, self.address, size)
        self.timeline.queue(stream, "down", move, size)


class TimedArray(np.ndarray):
    """Memory of the device: what NumPy does with it comes after what waits in the current stream."""

    timeline: Timeline

    def __setitem__(self, place, value):
        TimedStream.current.settle()
        super().__setitem__(place, value)

    @property
    def data(self):
        return TimedMemory(self.timeline, self.ctypes.data)


class TimedCopies:
    """Copies from host memory to host memory, by one thread that is so fast."""

    def __init__(self, timeline):
        self.timeline = timeline

    def copy(self, target, source):
        target[:] = source
        self.timeline.now += self.timeline.host


class OutOfMemoryError(MemoryError):
    """Stands for CuPy's."""


def complete(module):
    """Give a module in CuPy's place what moves pictures, and no more; its time is not simulated yet."""
    pool = SimpleNamespace(
        free_bytes=lambda: 0, get_limit=lambda: 0, used_bytes=lambda: 0, free_all_blocks=list
    )
    module.pool, module.get_default_memory_pool = pool, lambda: pool
    module.zeros, module.asarray = np.zeros, np.asarray
    module.cuda.Device = lambda number: TimedDevice()
    module.cuda.alloc_pinned_memory = bytearray
    module.cuda.memory = SimpleNamespace(OutOfMemoryError=OutOfMemoryError)
    module.cuda.runtime.memGetInfo = lambda: (1 << 40, 1 << 40)
    return module


def put_in_place(monkeypatch, cupy, shim, device_module, timeline):
    """Let a module in CuPy's place, and kernels that g++ compiled, take the timeline's time."""
    kind = type("Timed", (TimedArray,), {"timeline": timeline})

    def empty(shape, dtype):
        array = np.full(int(np.prod(shape)) * np.dtype(dtype).itemsize + 16, 0xA5, np.uint8)
        start = -array.ctypes.data % 16
        size = len(array) - 16
        return array[start : start + size].view(dtype).reshape(shape).view(kind)

    def asnumpy(array, stream):
        stream.synchronize()
        return np.array(array)

    def launch(self, source, grid, block, args):
        def run():
            shim.launch(source, grid, block, args)

        if source.function == "frame":
            self.stream.waiting.append(run)
        else:
            timeline.queue(self.stream, "kernels", run)

    monkeypatch.setattr(device_module.CupyDevice, "launch", launch)
    monkeypatch.setattr(device_module, "COPIES", TimedCopies(timeline))
    cupy.empty, cupy.asnumpy = empty, asnumpy
    cupy.cuda.Stream = partial(TimedStream, timeline)
    cupy.cuda.Event = partial(TimedEvent, timeline)
