"""Keys of a terminal one by one, where the system has such terminals."""

from __future__ import annotations

import contextlib
import select
import sys
from collections.abc import Iterator
from typing import Any

termios: Any
tty: Any
try:
    import termios
    import tty
except ImportError:  # Windows
    termios = tty = None

__all__ = ["has_keys", "is_pressed", "keys"]


def has_keys() -> bool:
    """Whether standard input is a terminal that gives keys one by one."""
    return termios is not None and sys.stdin is not None and sys.stdin.isatty()


@contextlib.contextmanager
def keys() -> Iterator[int]:
    """A descriptor of keys one by one and unechoed; interrupts still interrupt."""
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    try:
        # Not TCSAFLUSH, the default: what is typed ahead is meant.
        tty.setcbreak(keyboard, termios.TCSADRAIN)
        yield keyboard
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def is_pressed(keyboard: int, seconds: float) -> bool:
    """Whether there is a key to read, now or within so many seconds."""
    return bool(select.select([keyboard], [], [], seconds)[0])
