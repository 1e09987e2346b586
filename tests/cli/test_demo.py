"""``convcli demo``: the tour runs to its end, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from convcli.cli.demo import TOUR


def test_every_stop_runs_in_a_pipe(
    convcli: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    home = Path.cwd()
    done = convcli("demo")
    text = done.out.decode()
    assert done.code == 0
    assert Path.cwd() == home
    assert not list(tmp_path.iterdir())
    places = [text.index(f"$ {line}\n") for _, line in TOUR]
    assert places == sorted(places)
    for part, (_, line) in zip(text.split("\n$ ")[1:], TOUR, strict=True):
        assert part.startswith(line)
        if " -o " not in line:
            assert len(part.splitlines()) > 5, line
    assert "warning" not in done.err
    assert "edges.png" in done.err


def test_the_stops_are_those_that_are_promised() -> None:
    commands = [line.split()[1] for _, line in TOUR]
    assert {"filter", "shape", "draw", "matrix"} <= set(commands)


@pytest.mark.slow
@pytest.mark.parametrize("leave", ["at_once", "at_the_end"])
def test_in_a_terminal_keys_go_on_and_q_leaves(leave: str) -> None:
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        os.execv(sys.executable, [sys.executable, "-m", "convcli", "demo"])
    seen, answered, end = b"", -1, time.monotonic() + 600
    while True:
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
        if not select.select([fd], [], [], 0.3)[0]:
            # It waits: for a key, or for the animation to end, which an arrow would pause.
            playing = seen.rfind(b"\x1b[?1049h") > seen.rfind(b"\x1b[?1049l")
            if "▀".encode() in seen and not playing and len(seen) > answered:
                os.write(fd, b"q" if leave == "at_once" else b"\n")
                answered = len(seen)
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:  # how Linux says that the other side has ended
            break
        if not data:
            break
        seen += data
    assert os.waitpid(pid, 0)[1] == 0
    os.close(fd)
    assert "▀".encode() in seen
    assert b"a whole course" in seen
    shown = sum(f"{i}/{len(TOUR)}  ".encode() in seen for i in range(1, len(TOUR) + 1))
    assert shown == (1 if leave == "at_once" else len(TOUR))
