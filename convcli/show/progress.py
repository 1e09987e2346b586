"""How far a batch has come: a bar on a terminal, a plain line every few seconds in a log."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from convcli.show.console import is_terminal

__all__ = ["part_progress", "progress", "rate_line"]

LOG_EVERY = 5.0
"""Seconds between the lines of a log."""
DRAW_EVERY = 0.1

Advance = Callable[[bool], None]
"""Count one more file; the argument says whether it failed."""


@contextlib.contextmanager
def progress(total: int, many: bool, wanted: bool) -> Iterator[Advance]:
    """Give a function that counts one more file; it does nothing when nobody watches.

    A log gets its lines only if there are ``many`` files, which have no line of their own.

    Nothing here runs in a thread: workers are forked while a bar is shown.
    """
    if not wanted or total < 2 or sys.stderr is None:
        yield lambda failed: None
    elif is_terminal(sys.stderr):
        with _bar(total) as advance:
            yield advance
    elif many:
        yield _log(total)
    else:
        yield lambda failed: None


@contextlib.contextmanager
def part_progress(wanted: bool) -> Iterator[Callable[[int, int], None]]:
    """Give a function that tells how many parts of a large picture are done, of how many.

    One line on a terminal, drawn anew; a line every few seconds in a log. Pictures of few parts
    are done before anybody asks.
    """
    if not wanted or sys.stderr is None:
        yield lambda done, parts: None
        return
    live = is_terminal(sys.stderr)
    began = said = monotonic()
    drawn = False

    def tell(done: int, parts: int) -> None:
        nonlocal said, drawn
        now = monotonic()
        if done == parts and drawn:
            print(f"\r{'':<40}\r", end="", file=sys.stderr, flush=True)
            drawn = False
        if now - said < (DRAW_EVERY * 5 if live else LOG_EVERY) or done == parts:
            return
        said, drawn = now, live
        left = _clock(round((now - began) / done * (parts - done)))
        line = f"part {done} of {parts}, {left} left"
        print(
            f"\r{line:<40}" if live else f"convcli: {line}",
            end="" if live else "\n",
            file=sys.stderr,
            flush=True,
        )

    try:
        yield tell
    finally:
        if drawn:
            print(f"\r{'':<40}\r", end="", file=sys.stderr, flush=True)


def _clock(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def rate_line(done: int, total: int, failed: int, seconds: float) -> str:
    """One line for a log.

    >>> rate_line(500, 2000, 3, 10.0)
    '500 of 2000 pictures, 3 failed, 50.0 per second, 0:30 left'
    """
    rate = done / seconds if seconds > 0 else 0.0
    clock = _clock(round((total - done) / rate) if rate else 0)
    return f"{done} of {total} pictures, {failed} failed, {rate:.1f} per second, {clock} left"


def _log(total: int) -> Advance:
    began = said = monotonic()
    done = failures = 0

    def advance(failed: bool) -> None:
        nonlocal done, failures, said
        done, failures = done + 1, failures + failed
        now = monotonic()
        if now - said >= LOG_EVERY and done < total:
            said = now
            line = rate_line(done, total, failures, now - began)
            with contextlib.suppress(OSError, ValueError, AttributeError):
                print(f"convcli: {line}", file=sys.stderr, flush=True)

    return advance


@contextlib.contextmanager
def _bar(total: int) -> Iterator[Advance]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from convcli.show.console import make_console

    columns: list[Any] = [
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failures]}", style="red"),
    ]
    began = drawn = monotonic()
    done = failures = 0
    with Progress(*columns, console=make_console("stderr"), auto_refresh=False) as bar:
        task = bar.add_task("filter", total=total, rate="", failures="")
        bar.refresh()

        def advance(failed: bool) -> None:
            nonlocal done, failures, drawn
            done, failures = done + 1, failures + failed
            now = monotonic()
            bar.update(
                task,
                completed=done,
                rate=f"{done / max(now - began, 1e-9):.1f}/s",
                failures=f"{failures} failed" if failures else "",
            )
            if now - drawn >= DRAW_EVERY or done == total:
                drawn = now
                bar.refresh()

        yield advance
