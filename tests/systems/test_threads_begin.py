"""A thread without memory for its first call is an error, not a wait without end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from convcli.system import threads

FULL = """if True:
    import mmap, resource, sys
    from convcli.system import threads
    from convcli.system.machine import spare_address_space
    sys.unraisablehook = callable
    threads.is_full = lambda: False  # what fills the memory may come after that look
    taken = int(open("/proc/self/statm").read().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (taken + (40 << 20), resource.RLIM_INFINITY))
    spare_address_space()
    first = threads.Thread(target=int)
    first.start()
    first.join()  # the C library keeps its stack for the next one
    for pages in range(8):
        thread, held = threads.Thread(target=int), []
        room = [bytes(500) for _ in range(1000)]  # of Python's own, for what is small
        for unit in (1 << 20, 1 << 12):
            while True:
                try:
                    held.append(mmap.mmap(-1, unit))
                except OSError:
                    break
        for _ in range(pages):
            held.pop().close()
        del room
        try:
            thread.start()
            word = "began"
        except (RuntimeError, MemoryError) as error:
            word = type(error).__name__
        held.clear()
        thread.join()
        print(word)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="fills a limited address space, as of Linux")
def test_a_thread_begins_or_fails_however_little_memory_is_left() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL], capture_output=True, text=True, timeout=60, check=True
    )
    words = done.stdout.split()
    assert len(words) == 8
    # In the thread, Python has no memory; with another library or Python, the system has none.
    assert words[0] in ("MemoryError", "RuntimeError")


def test_one_that_ends_before_it_begins_lacks_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "GLANCE", 0.01)
    begin = "_start_joinable_thread" if sys.version_info >= (3, 13) else "_start_new_thread"
    # The system's thread takes the call and is gone.
    monkeypatch.setattr(threading, begin, lambda call, *_, **__: None)
    thread = threads.Thread(target=int)
    with pytest.raises(MemoryError):
        thread.start()
    thread.join()  # at once


def test_one_that_begins_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "GLANCE", 0.01)
    plain = threading.Thread._bootstrap

    def late(self: threading.Thread) -> None:
        time.sleep(0.1)
        plain(self)

    monkeypatch.setattr(threading.Thread, "_bootstrap", late)
    done: list[int] = []
    thread = threads.Thread(target=done.append, args=(1,))
    thread.start()
    thread.join()
    assert done == [1]


def test_in_a_full_address_space_no_thread_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "is_full", lambda: True)
    began: list[int] = []
    thread = threads.Thread(target=began.append, args=(1,))
    with pytest.raises(MemoryError):
        thread.start()
    thread.join()
    with pytest.raises(MemoryError):
        threads.require_threads(1)
    assert not began


def test_waiting_for_one_waits_until_it_ends() -> None:
    done: list[int] = []
    go_on = threading.Event()
    thread = threads.Thread(target=lambda: (go_on.wait(), done.append(1)), name="convcli-test")
    thread.start()
    assert (thread.name, thread.is_alive(), done) == ("convcli-test", True, [])
    thread.join(0.01)
    assert thread.is_alive()
    go_on.set()
    thread.join()
    assert done == [1]
