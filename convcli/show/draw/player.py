"""A scene played in the terminal: space pauses, the arrows step, q quits.

The terminal is put back as it was whatever happens: the screen, the cursor, the keyboard.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from convcli.show.console import is_terminal, make_console
from convcli.show.draw.scene import Scene
from convcli.show.draw.terminal import step_lines
from convcli.system.keyboard import has_keys, is_pressed, keys

__all__ = ["Player", "can_play", "play", "print_step", "wait"]

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[2J", "\x1b[?25h\x1b[?1049l"
HELP = "space pause · ← → step · home end · q quit"
HOLD = 3
"""Steps for which the last one stays before it begins again."""

KEYS = {
    "\x1b[D": "back",
    "\x1b[C": "on",
    "\x1bOD": "back",
    "\x1bOC": "on",
    "\x1b[A": "back",
    "\x1b[B": "on",
    "h": "back",
    "l": "on",
    "\x1b[H": "first",
    "\x1b[F": "last",
    "\x1b[1~": "first",
    "\x1b[4~": "last",
    " ": "pause",
    "q": "quit",
    "Q": "quit",
    "\x1b": "quit",
    "\x04": "quit",
}


def can_play() -> bool:
    """Whether somebody looks at the output and can press keys; else a step is printed instead."""
    return is_terminal() and has_keys()


def print_step(scene: Scene, number: int, width: int | None = None) -> None:
    """One step, plainly."""
    console = make_console(width=width)
    for line in step_lines(scene, number, console.width):
        console.print(line, soft_wrap=True)


class Player:
    """Which step shows, and whether it moves: what the keys do, without a terminal.

    >>> player = Player(9)
    >>> player.press("on"), player.at, player.paused
    (True, 1, True)
    >>> player.press("quit")
    False
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.at = 0
        self.paused = False
        self.held = 0

    def press(self, action: str) -> bool:
        """Do what a key asks for; False ends the show."""
        if action == "quit":
            return False
        if action == "pause":
            self.paused = not self.paused
            return True
        self.paused = True
        self.at = {
            "back": max(self.at - 1, 0),
            "on": min(self.at + 1, self.count - 1),
            "first": 0,
            "last": self.count - 1,
        }[action]
        return True

    def tick(self) -> None:
        """Time for the next step, unless it is paused; the last one stays a while."""
        if self.paused:
            return
        if self.at < self.count - 1:
            self.at, self.held = self.at + 1, 0
        elif self.held < HOLD:
            self.held += 1
        else:
            self.at, self.held = 0, 0


def play(scene: Scene, fps: float, *, once: bool = False) -> bool:
    """Show the scene until q, or to its end if ``once``; the last step is left on the screen.

    Returns whether it ended by itself.
    """
    player = Player(len(scene.steps))
    with _raw_terminal() as keyboard:
        drawn: tuple[Any, ...] = ()
        due = time.monotonic() + 1 / fps
        while True:
            size = _size()
            state = (player.at, player.paused, size)
            if state != drawn:
                _write(_screen(scene, player, size.columns, size.lines))
                drawn = state
            wait = max(due - time.monotonic(), 0)
            # Not longer than this, so that a resized window is redrawn at once.
            pressed = is_pressed(keyboard, min(wait, 0.1))
            if pressed and not all(player.press(action) for action in _actions(keyboard)):
                break
            if time.monotonic() >= due:
                if once and player.held == HOLD and not player.paused:
                    break
                player.tick()
                due = time.monotonic() + 1 / fps
    print_step(scene, player.at, _size().columns)
    return player.held == HOLD


def wait(seconds: float) -> bool:
    """Wait for a key, or so long; False if the key was q."""
    with keys() as keyboard:
        return not is_pressed(keyboard, seconds) or "quit" not in _actions(keyboard)


def _size() -> os.terminal_size:
    """Of the window now; COLUMNS and LINES, which shutil asks first, do not change with it."""
    try:
        return os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return os.terminal_size((80, 24))


def _screen(scene: Scene, player: Player, width: int, height: int) -> str:
    """The whole screen as one string, so that it does not flicker."""
    from rich.text import Text

    console = make_console(width=width)
    lines = step_lines(scene, player.at, width, height - 2)
    hint = f"{'paused · ' if player.paused else ''}{HELP}"
    lines += [Text("")] * (height - 1 - len(lines)) + [Text(hint[:width], "dim")]
    with console.capture() as captured:
        for line in lines[:height]:
            console.print(line, soft_wrap=True, end="\x1b[K\n")
    return "\x1b[H" + captured.get().removesuffix("\n") + "\x1b[J"


def _actions(keyboard: int) -> Iterator[str]:
    """What the keys that have been pressed ask for; one that the terminal hung up quits."""
    raw = os.read(keyboard, 1024)
    if raw.endswith(b"\x1b") and is_pressed(keyboard, 0.05):
        # The rest of an arrow key, over a slow line, and not the escape key.
        raw += os.read(keyboard, 1024)
    data = raw.decode("utf-8", "replace")
    if not data:
        yield "quit"
    while data:
        # The longest key first: a lone escape also begins the arrows.
        key = next((k for k in sorted(KEYS, key=len, reverse=True) if data.startswith(k)), data[0])
        data = data[len(key) :]
        if key in KEYS:
            yield KEYS[key]


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@contextlib.contextmanager
def _raw_terminal() -> Iterator[int]:
    """Read keys as they are pressed, on the alternate screen; both are undone at the end."""
    try:
        with keys() as keyboard:
            _write(ENTER)
            yield keyboard
    finally:
        _write(LEAVE)
