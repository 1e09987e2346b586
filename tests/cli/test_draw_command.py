"""``convcli draw`` as a user types it, and its player in a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ENTERED, LEFT = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"
COLOUR = re.compile(rb"\x1b\[(?:\d+;)*(?:3[0-7]|4[0-7]|9[0-7]|10[0-7]|[34]8;)[0-9;]*m")


def test_the_last_step_in_a_pipe(convcli: Callable[..., object]) -> None:
    done = convcli("draw", "--x", "1 2; 3 4", "--w", "1 10; 100 1000")
    assert done.code == 0
    assert done.err == ""
    lines = done.out.decode().splitlines()
    assert lines[0] == "Convolution"
    assert lines[-1] == "1·1 + 2·10 + 3·100 + 4·1000 = 4321"
    assert any("[1][2]" in line and "<4321>" in line for line in lines)


def test_one_step_of_several(convcli: Callable[..., object]) -> None:
    done = convcli("draw", "padding_strides", "--frame", "2")
    assert done.out.decode().startswith("Convolution  2/9\n")


@pytest.mark.parametrize("suffix", ["svg", "gif", "png", "apng", "webp"])
def test_every_format_is_written(
    convcli: Callable[..., object], tmp_path: Path, suffix: str
) -> None:
    target = tmp_path / f"x.{suffix}"
    done = convcli("draw", "no_padding_strides", "-o", target)
    assert (done.code, done.out) == (0, b"")
    assert "4 steps" in done.err
    head = {"svg": b"<svg", "gif": b"GIF89a", "webp": b"RIFF"}.get(suffix, b"\x89PNG")
    assert target.read_bytes().startswith(head)
    assert convcli("draw", "no_padding_strides", "-o", target).code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("padding_stride", "did you mean 'padding_strides'?"),
        ("", "how large is the input? Give --n"),
        ("--n 5", "how large is the kernel? Give --k"),
        ("--n 2 --k 3", "output is empty"),
        ("--n 5 --k 3 --s 0", "stride is 0"),
        ("--n 5 --k 3 --view up", "it has window, gradient, matrix"),
        ("--n 5 --k 3 --theme dusk", "allowed: light, dark"),
        ("--n 5 --k 3 --frame 10", "the steps 1 to 9"),
        ("--n 5 --k 3 --pool mean", "max or avg"),
        ("--n 224 --k 3", "at most 36"),
        ("--n 5 --k 3 -o x.bmp", ".svg, .gif, .png"),
        ("--n 5 --k 3 -o no/x.svg", "there is no folder"),
        ("dilation --k 5", "says its sizes itself"),
        ("--n 5 --k 3 --transpose --flip", "--flip is for a convolution"),
        ("--n 5 --k 3 --op 1", "only a transposed convolution"),
        ("--n 5 --k 3 --fps 0", "0.1"),
    ],
    ids=lambda value: value[:30] or "nothing",
)
def test_mistakes_are_told_in_one_line(
    convcli: Callable[..., object], arguments: str, words: str
) -> None:
    done = convcli("draw", *arguments.split())
    assert done.code == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert done.out == b""


def test_numbers_must_agree_with_sizes(convcli: Callable[..., object]) -> None:
    assert "numbers need both" in convcli("draw", "--x", "1 2 3", "--k", "2").err
    assert "leave --n out" in convcli("draw", "--n", "4", "--x", "1 2 3", "--w", "1 1").err


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (("1 2 4 7 11 16", "-1 0 1"), ("--x", "1 2 4 7 11 16", "--w", "-1 0 1")),
        (("-1 2.5", "u v", "--p", "1"), ("--x", "-1 2.5", "--w", "u v", "--p", "1")),
        (("1 5 2; 3 4 8", "--pool", "max", "-k", "2"), ("--x", "1 5 2; 3 4 8", "--pool", "max", "-k", "2")),
    ],
    ids=["numbers", "letters", "pool"],
)  # fmt: skip
@pytest.mark.parametrize("command", ["draw", "explore"])
def test_operands_are_typed_as_conv_and_pool_take_them(
    convcli: Callable[..., object],
    tmp_path: Path,
    command: str,
    words: tuple[str, ...],
    options: tuple[str, ...],
) -> None:
    pages = tmp_path / "words.html", tmp_path / "options.html"
    for page, given in zip(pages, (words, options), strict=True):
        assert convcli(command, *given, "-o", page).code == 0
    assert pages[0].read_bytes() == pages[1].read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-1 2 3",), "'-1 2 3': the kernel is missing behind the input"),
        (("1 2", "1", "--x", "3 4"), "'1 2' '1' and --x or --w: the numbers are given twice"),
        (("dilation", "1 2"), "'1 2': dilation says its sizes itself"),
    ],
)
def test_operands_that_do_not_fit_are_told(
    convcli: Callable[..., object], words: tuple[str, ...], said: str
) -> None:
    done = convcli("draw", *words)
    assert (done.code, done.out, done.err.count("\n")) == (2, b"", 1)
    assert said in done.err


def test_a_row_of_weights_slides_over_a_picture(convcli: Callable[..., object]) -> None:
    done = convcli("draw", "--x", "1 2 3; 4 5 6", "--w", "1 10")
    assert "kernel 1x2" in done.out.decode()
    assert done.out.decode().endswith("5·1 + 6·10 = 65\n")


def test_a_drawing_too_large_for_memory_is_refused(
    convcli: Callable[..., object], tmp_path: Path
) -> None:
    done = convcli("draw", "--n", "20x1", "--k", "1", "--size", "8192", "-o", tmp_path / "x.png")
    assert done.code == 2
    assert "too large" in done.err
    assert not any(tmp_path.iterdir())


class Screen:
    """A program in a pseudo-terminal."""

    def __init__(self, *arguments: str, rows: int = 24, columns: int = 80, **env: str) -> None:
        self.seen = b""
        go, let_go = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.read(go, 1)
            os.environ.pop("NO_COLOR", None)
            os.environ.update(TERM="xterm-256color", **env)
            # The size must be there before the first screen is drawn.
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execv(sys.executable, [sys.executable, "-m", "convcli", *arguments])
        self.before = termios.tcgetattr(self.fd)  # the program may be quick to change it
        os.write(let_go, b"!")
        os.close(go)
        os.close(let_go)

    def read(self, seconds: float) -> bool:
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # how Linux says that the other side has ended
            data = b""
        self.seen += data
        return bool(data)

    def until(self, text: bytes, seconds: float = 300) -> None:
        """Wait for text to appear after what was waited for before."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, f"no {text!r} in {self.seen[-2000:]!r}"
            assert self.read(0.2), f"ended before {text!r}: {self.seen[-2000:]!r}"
        self.seen = self.seen[self.seen.index(text) + len(text) :]

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self) -> int:
        """The exit status; everything that was still to come is in ``seen``."""
        end = time.monotonic() + 300
        while self.read(1):
            assert time.monotonic() < end, f"does not end: {self.seen[-500:]!r}"
        status = os.waitpid(self.pid, 0)[1]
        self.pid = 0
        return status

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def screens() -> Iterator[Callable[..., Screen]]:
    opened: list[Screen] = []

    def start(*arguments: str, **options: object) -> Screen:
        opened.append(Screen(*arguments, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield start
    for screen in opened:
        screen.close()


def test_the_player_plays_pauses_steps_and_restores(screens: Callable[..., Screen]) -> None:
    screen = screens("draw", "padding_strides", "--fps", "20")
    before = screen.before
    screen.until(ENTERED)
    screen.until(b"  1/9")
    screen.until(b"  3/9")  # it moves by itself
    screen.press(b"\x1b[H")
    screen.until(b"paused")
    screen.press(b"\x1b[C")
    screen.until(b"  2/9")
    screen.press(b"\x1b[C")
    screen.until(b"  3/9")
    screen.press(b"\x1b[D")
    screen.until(b"  2/9")
    screen.press(b"\x1b[F")
    screen.until(b"  9/9")
    assert termios.tcgetattr(screen.fd)[3] != before[3]
    screen.press(b"q")
    screen.until(LEFT)
    # The step that was shown last stays behind, and the keyboard is as it was.
    screen.until(b"  9/9")
    assert termios.tcgetattr(screen.fd)[3] == before[3]
    assert screen.end() == 0


def test_a_paused_player_stands_still_until_it_is_told_to_go_on(
    screens: Callable[..., Screen],
) -> None:
    screen = screens("draw", "no_padding_strides", "--fps", "20")
    screen.until(ENTERED)
    screen.press(b"\x1b[H")
    screen.until(b"paused")
    screen.seen = b""
    for _ in range(3):
        screen.read(0.1)
    assert screen.seen.count(b"\x1b[H\x1b[1mConv") == 0
    screen.press(b" ")
    screen.until(b"  2/4")
    screen.press(b"q")
    assert screen.end() == 0


@pytest.mark.parametrize("how", ["interrupt", "terminate"])
def test_the_terminal_is_restored_when_the_player_is_killed_softly(
    screens: Callable[..., Screen], how: str
) -> None:
    screen = screens("draw", "padding_strides")
    before = screen.before
    screen.until(ENTERED)
    screen.until(b"  1/9")
    if how == "interrupt":
        screen.press(b"\x03")
    else:
        os.kill(screen.pid, signal.SIGTERM)
    screen.until(LEFT)
    assert termios.tcgetattr(screen.fd)[3] == before[3]
    status = screen.end()
    assert os.WTERMSIG(status) == (signal.SIGINT if how == "interrupt" else signal.SIGTERM)


def test_a_resized_window_is_drawn_anew_and_nothing_is_wider(
    screens: Callable[..., Screen],
) -> None:
    screen = screens("draw", "padding_strides", "--fps", "0.1")
    screen.until(ENTERED)
    screen.until(b"  1/9")
    screen.resize(12, 30)
    screen.until(b"too small")
    screen.press(b"q")
    screen.until(LEFT)
    screen.end()
    lines = re.sub(rb"\x1b\[[0-9;]*[A-Za-z]", b"", screen.seen).decode().split("\r\n")
    assert max(map(len, lines)) <= 30


def test_without_colour_nothing_is_coloured_and_all_is_said(
    screens: Callable[..., Screen],
) -> None:
    plain = screens("draw", "padding_strides", "--fps", "0.1", NO_COLOR="1")
    plain.until(ENTERED)
    plain.until(b"\x1b[J")
    plain.press(b"q")
    plain.end()
    assert not COLOUR.search(plain.seen)
    assert "[■]".encode() in plain.seen
    assert "<■>".encode() in plain.seen
    coloured = screens("draw", "padding_strides", "--fps", "0.1")
    coloured.until(ENTERED)
    coloured.press(b"q")
    coloured.end()
    assert COLOUR.search(coloured.seen)


@pytest.mark.parametrize("name", ["padding_strides", "numerical_padding_strides", "dilation"])
def test_classics_fit_into_80_by_24(name: str) -> None:
    from convcli.arithmetic.layer import Layer
    from convcli.show.draw.classics import classic
    from convcli.show.draw.operation import plan_operation
    from convcli.show.draw.terminal import step_lines
    from convcli.show.draw.views import build_scene

    case = classic(name)
    layer = Layer("conv", (int(case.k),), (int(case.s),), (int(case.p),), (int(case.d),))
    scene = build_scene(plan_operation(layer, (int(case.n),) * 2))
    for number in range(len(scene.steps)):
        lines = step_lines(scene, number, 80, 23)
        assert len(lines) <= 23
        assert max(line.cell_len for line in lines) <= 80
        assert not any("too small" in line.plain for line in lines)
