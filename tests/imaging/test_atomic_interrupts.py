"""An interrupt at every moment of writing a file leaves the old one or the new one, and no other.

CPython tells of a signal where it looks for one: as a function begins, after each call, and when a
loop turns back. At each of these places in turn an interrupt is raised here.
"""

from __future__ import annotations

import contextlib
import dis
import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from convcli.imaging import atomic
from convcli.system import sharing

WATCHED = {atomic.__file__, sharing.__file__, contextlib.__file__}
CALLS = {"CALL", "CALL_KW", "CALL_FUNCTION_EX", "CALL_FUNCTION", "CALL_METHOD", "PRECALL"}


class Interrupt:
    """Raises ``KeyboardInterrupt`` once, at the ``moment``-th place where a signal would be told."""

    def __init__(self, moment: int) -> None:
        self.moment = moment
        self.at = ""
        self.last: dict[FrameType, str] = {}

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in WATCHED:
            return None
        before = self.last.pop(frame, "")
        if event == "call":
            frame.f_trace_opcodes = True
            self.look(frame)
        elif event == "opcode":
            if before in CALLS or before.startswith("JUMP_BACKWARD"):
                self.look(frame)
            self.last[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
        return self.trace

    def look(self, frame: FrameType) -> None:
        self.moment -= 1
        if self.moment < 0 and not self.at:
            self.at = f"{frame.f_code.co_qualname}, line {frame.f_lineno}"
            raise KeyboardInterrupt


def interrupted(moment: int, action: Callable[[], object]) -> str:
    """Where the interrupt came; nothing if the action was over before."""
    interrupt, before = Interrupt(moment), sys.gettrace()
    try:
        sys.settrace(interrupt.trace)
        action()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    gc.collect()
    return interrupt.at


def write(target: Path) -> None:
    atomic.write_atomic(target, b"new", overwrite=target.exists())


def fill(target: Path) -> None:
    with atomic.atomic_folder(target, overwrite=target.exists()) as folder:
        (folder / "part").write_bytes(b"new")


def found(target: Path) -> bytes:
    return (target / "part" if target.is_dir() else target).read_bytes()


@pytest.fixture(autouse=True)
def _little_to_collect() -> Iterator[None]:
    """All that is there already is no garbage: looking through it at every moment takes minutes."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize(
    ("action", "old", "at_once"),
    [
        (write, False, True),
        (write, True, True),
        (fill, False, True),
        (fill, True, True),
        (fill, True, False),
    ],
)
def test_an_interrupt_at_every_moment_leaves_the_old_or_the_new(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    action: Callable[[Path], None],
    old: bool,
    at_once: bool,
) -> None:
    if not at_once:
        monkeypatch.setattr(sharing, "_exchange_at_once", lambda *_: False)
    target, seen, places = tmp_path / "a", set(), []
    while not places or places[-1]:
        if target.is_dir():
            (target / "part").unlink()
            target.rmdir()
        target.unlink(missing_ok=True)
        if old:
            action(target)
            (target / "part" if action is fill else target).write_bytes(b"old")
        places.append(interrupted(len(places), lambda: action(target)))
        left = [p.name for p in tmp_path.iterdir()]
        assert left in ([["a"]] if old else [[], ["a"]]), places[-1]
        seen.add(found(target) if left else b"")
        assert seen <= {b"old" if old else b"", b"new"}, places[-1]
    # It came before and after the name was given, and in what is easily forgotten.
    assert len(seen) == 2
    assert len(places) > 50
    assert any("open_new" in p or "_open" in p or "atomic_folder" in p for p in places)
