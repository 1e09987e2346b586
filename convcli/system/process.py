"""Signals, standard streams and child processes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

__all__ = [
    "SIGPIPE",
    "Terminated",
    "after_fork",
    "die_by",
    "ignore_stops",
    "let_stops_kill",
    "on_termination",
    "resend_dropped_stops",
    "settle_streams",
    "start_method",
    "stop_behind",
    "stops_held_back",
    "stops_put_off",
]

WINDOWS = os.name == "nt"
_STOPS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
SIGPIPE = 13
"""The number wherever there is the signal."""
_CLEARED = 0.01
"""Seconds within which whatever was being cleared is gone."""


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


def on_termination(handler: Callable[[int, Any], Any]) -> None:
    """Have ``handler`` called when this process is told to end, by a signal other than ctrl-C."""
    _handle(_STOPS[1:], handler)


def ignore_stops() -> None:
    """Leave all such signals, ctrl-C as well, to another process."""
    import signal

    _handle(_STOPS, signal.SIG_IGN)


def let_stops_kill() -> None:
    """From now on all such signals, ctrl-C as well, end this process where it is."""
    import signal

    _handle(_STOPS, signal.SIG_DFL)


def stop_behind(error: BaseException | None) -> BaseException | None:
    """The interrupt that an error was made of, if it was one.

    Python up to 3.11 makes a RuntimeError of one that comes while a class gives its attributes
    their names, as NumPy's do while it is imported.

    >>> stop_behind(RuntimeError("a file is damaged")) is None
    True
    """
    for _ in range(100):  # errors may name each other in a ring
        if error is None:
            break
        if isinstance(error, KeyboardInterrupt | Terminated):
            return error
        error = error.__cause__ or error.__context__
    return None


def resend_dropped_stops() -> None:
    """Let such a signal come once more where Python can only print what it raised, and goes on.

    That is while an object or a weak reference is cleared, as at each import. It is sent by another
    thread a moment later: the clearing must be over by then.
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
        if isinstance(dropped.exc_value, Terminated):
            _thread.start_new_thread(send, (dropped.exc_value.signum,))
        elif issubclass(dropped.exc_type, KeyboardInterrupt):
            _thread.start_new_thread(send, (signal.SIGINT,))
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
    stops = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stops)
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
            for number in (getattr(signal, name, None) for name in _STOPS):
                if number is not None and callable(signal.getsignal(number)):
                    before[number] = signal.getsignal(number)
                    signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came[:1]:
            before[number](number, None)


def _handle(names: tuple[str, ...], handler: Any) -> None:
    import signal

    for name in names:
        # Windows has no SIGHUP, and tells of a closed window by SIGBREAK. What whoever began us has
        # set aside stays so: `nohup` does that, and a shell for what runs in its background.
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


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
