"""A thread without memory for its first call is an error, not a wait without end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from convcli.system import threads

FULL = """if True:
    import mmap, os, resource, sys
    from convcli.system import threads
    from convcli.system.machine import spare_address_space
    sys.unraisablehook = callable
    threads.is_full = lambda: False  # what fills the memory may come after that look
    taken = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + (40 << 20), resource.RLIM_INFINITY))
    spare_address_space()
    first = threads.Thread(target=int)
    first.start()
    first.join()  # the C library keeps its stack for the next one
    for pages in range(8):
        thread, held = threads.Thread(target=int), []
        room = [bytes(500) for _ in range(1000)]  # of Python's own, for what is small
        for unit in (1 << 20, mmap.PAGESIZE):
            while True:
                try:
                    held.append(mmap.mmap(-1, unit))
                except (OSError, MemoryError):  # the list grows too
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
    last = threads.Thread(target=print, args=("begun",))
    last.start()
    last.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="fills a limited address space, as of Linux")
def test_a_thread_begins_or_fails_however_little_memory_is_left() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL], capture_output=True, text=True, timeout=300, check=True
    )
    words = done.stdout.split()
    assert len(words) == 9
    assert words[8] == "begun"
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
    assert thread not in threading.enumerate()


def test_one_that_ends_on_its_way_lacks_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython says that it has begun, and then has no memory to note it."""

    class Full(dict[int, threading.Thread]):
        def __setitem__(self, key: int, value: threading.Thread) -> None:
            raise MemoryError

    monkeypatch.setattr(threads, "GLANCE", 0.01)
    monkeypatch.setattr(sys, "unraisablehook", callable)
    done: list[int] = []
    thread = threads.Thread(target=done.append, args=(1,))
    with monkeypatch.context() as full:
        full.setattr(threading, "_active", Full(threading._active))  # type: ignore[attr-defined]  # not in typeshed
        with pytest.raises(MemoryError):
            thread.start()
    thread.join()
    assert not done


def test_one_that_is_given_up_does_nothing_when_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever began it was interrupted in waiting for it."""
    plain, go_on = threading.Thread._bootstrap, threading.Event()  # type: ignore[attr-defined]  # not in typeshed

    def late(self: threading.Thread) -> None:
        go_on.wait()
        plain(self)

    def interrupted(self: threads._Begun) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "_bootstrap", late)
    done: list[int] = []
    thread = threads.Thread(target=done.append, args=(1,))
    with monkeypatch.context() as waiting:
        waiting.setattr(threads._Begun, "comes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            thread.start()
    go_on.set()
    thread.join()
    assert not thread.is_alive()
    assert not done


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
