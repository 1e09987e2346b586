"""The one maker of consoles: plain in a pipe, whole names, no colour where none is wanted."""

from __future__ import annotations

import io

import pytest

from convcli.show.console import PIPE_WIDTH, is_terminal, make_console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_is_no_terminal_and_has_no_width() -> None:
    out = io.StringIO()
    console = make_console(file=out)
    assert not is_terminal(out)
    assert console.width == PIPE_WIDTH
    console.print("x" * 500, style="bold red")
    assert out.getvalue() == "x" * 500 + "\n"


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_dumb_terminal_gets_plain_text(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", term)
    assert not is_terminal(Terminal())


def test_a_terminal_has_colour_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    assert is_terminal(out)
    make_console(file=out, width=40).print("hello", style="red")
    assert "\x1b[31m" in out.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    make_console(file=out, width=40).print("hello", style="red")
    assert "\x1b[31m" not in out.getvalue()


def test_names_in_brackets_are_printed_whole() -> None:
    out = io.StringIO()
    make_console(file=out).print("photo[red].png [/red] :smile: 1,234")
    assert out.getvalue() == "photo[red].png [/red] :smile: 1,234\n"


def test_a_closed_stream_is_no_terminal() -> None:
    out = Terminal()
    out.close()
    assert not is_terminal(out)
