"""Signals, standard streams and child processes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

__all__ = [
    "SIGPIPE",
    "Terminated",
    "after_fork",
    "die_by",
    "ignore_stops",
    "number_of",
    "raise_stop",
    "resend_dropped_stops",
    "settle_streams",
    "start_method",
    "stops_held_back",
    "stops_obeyed",
    "stops_put_off",
]

WINDOWS = os.name == "nt"
SIGPIPE = 13
"""The number wherever there is the signal."""
_CLEARED = 0.01
"""Seconds within which what is being cleared is mostly gone."""
_came: list[int] = []
"""The signals to end that came where they are obeyed."""


class Terminated(BaseException):
    """SIGTERM or SIGHUP, raised so that temporary files are removed on the way out."""

    def __init__(self, signum: int) -> None:
        self.signum = signum


def after_fork(call: Callable[[], object]) -> None:
    """Have something called in every forked child, where there are such."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)


def start_method() -> str:
    """How worker processes are started.

    Forking costs 10 ms a worker and importing everything anew 200; elsewhere than on Linux it is
    not safe, or not there.
    """
    return "fork" if sys.platform == "linux" else "spawn"


@contextlib.contextmanager
def stops_obeyed() -> Iterator[None]:
    """Within the block ctrl-C raises ``KeyboardInterrupt``, and other such signals :class:`Terminated`.

    What whoever began us has set aside stays so: `nohup` does that, and a shell for what runs in its
    background.
    """
    import signal

    before: dict[int, Any] = {}
    try:
        for number in _stops():
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, _stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        _came.clear()


def _stop(number: int, _frame: Any) -> NoReturn:
    _came.append(number)
    raise _error_of(number)


def _error_of(number: int) -> BaseException:
    import signal

    return KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)


def raise_stop() -> None:
    """Raise anew what a signal to end has raised, if one came.

    Python and libraries may make another error of it. Where NumPy is being imported it becomes an
    ImportError, or a RuntimeError (a class that gives its attributes their names, up to Python 3.11).
    Other threads than the main one are never interrupted: what goes wrong there went wrong.
    """
    if not _came:
        return
    import threading

    if threading.current_thread() is threading.main_thread():
        raise _error_of(_came[0])


def number_of(stop: BaseException) -> int:
    """The signal that raised an error."""
    import signal

    return stop.signum if isinstance(stop, Terminated) else signal.SIGINT


def ignore_stops() -> None:
    """Leave all such signals, ctrl-C as well, to another process."""
    import signal

    for number in _stops():
        signal.signal(number, signal.SIG_IGN)
    _came.clear()  # what came to the process that forked us is its own


def resend_dropped_stops() -> None:
    """Let such a signal come once more where Python can only print what it raised, and goes on.

    That is while an object or a weak reference is cleared, as at each import. Another thread sends it
    a moment later, and again where the clearing is not over by then.
    """
    import _thread
    import signal
    import time

    print_it = sys.unraisablehook

    def send(number: int) -> None:
        time.sleep(_CLEARED)
        if WINDOWS:
            _thread.interrupt_main(signal.Signals(number))
        else:  # also wakes a main thread that waits
            os.kill(os.getpid(), number)

    def hook(dropped: Any) -> None:
        if _came and issubclass(dropped.exc_type, (KeyboardInterrupt, Terminated)):
            _thread.start_new_thread(send, (_came[-1],))
        else:
            print_it(dropped)

    sys.unraisablehook = hook


@contextlib.contextmanager
def stops_held_back() -> Iterator[None]:
    """Let such signals wait while a process is started, which comes to ignore them a little later."""
    import signal

    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _stops())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def stops_put_off() -> Iterator[None]:
    """Let such signals come at the end of the block, in which a program is started.

    Nothing of that is the program's, which would inherit what :func:`stops_held_back` does.
    """
    import signal
    import threading

    came: list[int] = []
    before: dict[int, Any] = {}
    try:
        # Signals are handled by the main thread alone: nothing interrupts another.
        if threading.current_thread() is threading.main_thread():
            for number in _stops():
                if callable(signal.getsignal(number)):
                    before[number] = signal.getsignal(number)
                    signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came[:1]:
            before[number](number, None)


def _stops() -> list[int]:
    import signal

    # Windows has no SIGHUP, and tells of a closed window by SIGBREAK.
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def die_by(number: int) -> int:
    """End as the signal would have ended us, so that a calling shell sees the truth.

    Returns the exit code that says so where processes do not end by signals.
    """
    if not WINDOWS:
        import signal

        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return 128 + number


def settle_streams() -> None:
    """Let no character be one that standard output cannot take.

    A pipe or file gets UTF-8 on Windows too, unless the user asks for another encoding; what an
    encoding lacks is escaped.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None or not hasattr(stream, "reconfigure"):
            continue
        given = os.environ.get("PYTHONIOENCODING")
        encoding = "utf-8" if WINDOWS and not given and not stream.isatty() else None
        errors = "backslashreplace" if stream.errors == "strict" else stream.errors
        stream.reconfigure(encoding=encoding, errors=errors)
