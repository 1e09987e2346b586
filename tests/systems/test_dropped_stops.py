"""A signal to end is obeyed even where Python drops what the handler raised."""

from __future__ import annotations

import signal
import textwrap
from pathlib import Path
from typing import Any

import pytest

Run = Any

# A weak reference calls back while a module is imported, and `__del__` at any time: an exception
# there is printed, and the program goes on as if nothing had been asked of it.
CODE = """
    import signal, sys, time, weakref
    from convcli import __main__
    from convcli.cli import app

    class Thing:
        pass

    def work(argv):
        thing = Thing()
        back = weakref.ref(thing, lambda _: signal.raise_signal(signal.{name}))
        del thing
        print("goes on", flush=True)
        time.sleep(20)

    app.invoke = work
    __main__.main()
"""


@pytest.mark.parametrize("system", ["", "windows", "macos"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_stop_that_is_dropped_comes_again(
    python: Run, tmp_path: Path, system: str, name: str
) -> None:
    if system == "windows":  # nothing wakes a thread that waits there: it works on meanwhile
        waits, works = "time.sleep(20)", "while time.monotonic() < 20 + begun: time.sleep(0.01)"
        code = CODE.replace(waits, f"begun = time.monotonic()\n        {works}")
    else:
        code = CODE
    done = python("-c", textwrap.dedent(code).format(name=name), system=system, cwd=tmp_path)
    number = signal.Signals[name]
    assert done.code == (128 + number if system == "windows" else -number)
    assert done.out.strip() == b"goes on"
    assert done.err.strip() == ("convcli: interrupted" if name == "SIGINT" else "")


def test_other_errors_of_the_kind_are_still_shown(python: Run, tmp_path: Path) -> None:
    code = CODE.replace("signal.raise_signal(signal.{name})", "1 // 0")
    code = code.replace("time.sleep(20)", "sys.exit(3)")
    done = python("-c", textwrap.dedent(code), cwd=tmp_path)
    assert done.code == 3
    assert "ZeroDivisionError" in done.err
