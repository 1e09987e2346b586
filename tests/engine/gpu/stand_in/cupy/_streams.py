"""Streams: queues of work that is done when somebody waits, as late as a device may do it."""

import threading
import time
import weakref
from collections import deque

import numpy as np

from cupy._errors import CUDARuntimeError

WORKING = threading.RLock()
"""Who holds it carries work out: one thread at a time, whatever streams wait for each other."""

_here = threading.local()


def current_device():
    return getattr(_here, "device", 0)


def set_device(number):
    _here.device = number


_queues = {}
"""All queues of each device."""


class Queue:
    """Work in order. ``blocking`` streams and the null stream wait for each other, as in CUDA."""

    def __init__(self, device, blocking, ptr):
        self.items = deque()
        self.recorded = None  # what a graph is being made of
        self.device, self.blocking, self.ptr = device, blocking, ptr
        with WORKING:
            _queues.setdefault(device, weakref.WeakSet()).add(self)

    def put(self, work):
        """Queue a function without arguments; returns what stands for it."""
        with WORKING:
            if self.recorded is not None:
                self.recorded.append(work)
                return _Item(work)
            for other in self._others():
                if other.items:
                    self.items.append(_Until(other, other.items[-1]))
            item = _Item(work)
            self.items.append(item)
            return item

    def _others(self):
        if self.ptr == 0:
            return [q for q in list(_queues[self.device]) if q.blocking and q is not self]
        return [null_queue(self.device)] if self.blocking else []

    def step(self):
        """Do what comes first."""
        with WORKING:
            if self.items:
                item = self.items.popleft()
                with np.errstate(all="ignore"):  # a device says nothing of NaN
                    item.work()

    def until(self, item):
        """Do everything up to an item, if it is still to be done."""
        with WORKING:
            while item in self.items:
                self.step()

    def drain(self):
        with WORKING:
            while self.items:
                self.step()


class _Item:
    def __init__(self, work):
        self.work = work


class _Until(_Item):
    """Wait for work on another stream."""

    def __init__(self, queue, item):
        super().__init__(lambda: queue.until(item))


_null_queues = {}
_pointers = iter(range(0x5000, 1 << 40, 16))


def null_queue(device):
    with WORKING:
        if device not in _null_queues:
            _null_queues[device] = Queue(device, blocking=True, ptr=0)
        return _null_queues[device]


def drain_device(device):
    """Do everything that waits on any stream of a device."""
    with WORKING:
        for queue in list(_queues.get(device, ())):
            queue.drain()


class Stream:
    """A stream; ``Stream.null`` is the one that there always is."""

    null = None

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        if ptds:
            raise NotImplementedError("the stand-in has no stream for each thread")
        self.ptr = 0 if null else next(_pointers)
        self.device_id = -1 if null else current_device()
        self._own = None if null else Queue(self.device_id, not non_blocking, self.ptr)

    @property
    def _queue(self):
        return null_queue(current_device()) if self._own is None else self._own

    def __enter__(self):
        # As CuPy: a stream of another device cannot be the current one.
        if self.device_id not in (-1, current_device()):
            raise ValueError("The current device is not the one of the stream")
        _stack().append(self)
        return self

    def __exit__(self, *args):
        _stack().pop()

    def __del__(self):
        if self._own is not None:
            self._own.drain()  # a stream that is gone still does what it was told

    def __eq__(self, other):
        return isinstance(other, Stream) and self.ptr == other.ptr

    def __hash__(self):
        return self.ptr

    @property
    def done(self):
        self._queue.step()  # time goes by between two questions
        return not self._queue.items

    def synchronize(self):
        if self._queue.recorded is not None:
            raise CUDARuntimeError(900)  # nothing is done while a graph is made
        self._queue.drain()

    def begin_capture(self, mode=None):
        if self._own is None:
            raise CUDARuntimeError(900)
        self._own.recorded = []

    def end_capture(self):
        work, self._own.recorded = self._own.recorded, None
        return Graph(work)

    def record(self, event=None):
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event):
        recorded = event._recorded
        if recorded is not None:
            self._queue.put(lambda: recorded[0].until(recorded[1]))

    def launch_host_func(self, callback, arg):
        self._queue.put(lambda: callback(arg))


Stream.null = Stream(null=True)


class Graph:
    """Work that was queued between two calls, to be done as often as it is launched."""

    def __init__(self, work):
        self._work = work

    def launch(self, stream=None):
        queue = queue_of(stream)
        for work in self._work:
            queue.put(work)


def _stack():
    return vars(_here).setdefault("streams", [Stream.null])


def get_current_stream(device_id=-1):
    return _stack()[-1]


def queue_of(stream):
    """The queue of a stream, or of the current one."""
    return (get_current_stream() if stream is None else stream)._queue


class Event:
    """A mark in a stream."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self._recorded, self._timed, self._at = None, not disable_timing, None

    def record(self, stream=None):
        queue = queue_of(stream)
        self._recorded = (queue, queue.put(self._mark))

    def _mark(self):
        self._at = time.perf_counter()

    @property
    def done(self):
        if self._recorded is None:
            return True
        queue, item = self._recorded
        queue.step()
        return item not in queue.items

    def synchronize(self):
        if self._recorded is not None:
            self._recorded[0].until(self._recorded[1])


def get_elapsed_time(start_event, end_event):
    if not (start_event._timed and end_event._timed and end_event.done):
        raise CUDARuntimeError(400)
    return (end_event._at - start_event._at) * 1e3
