"""An interrupt of which Python or a library makes another error is an interrupt all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """if True:
    import os, signal, sys
    from convcli.cli import app
    from convcli.imaging import opening

    class Named:
        def __set_name__(self, owner, name):
            os.kill(os.getpid(), signal.{number})

    def wrapped(error):
        try:
            class Owner:
                attribute = Named()
        except BaseException as stop:  # as Python 3.11 does, and other versions do not
            raise error from (stop.__cause__ or stop)

    def within(*_, **__):
        wrapped({error})

    {where} = within
    sys.exit(app.run(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
@pytest.mark.parametrize(
    ("where", "number", "error"),
    [
        ("app.invoke", "SIGINT", "RuntimeError('internal')"),
        ("app.invoke", "SIGTERM", "opening.RoomError('too large')"),
        ("opening.decode_picture", "SIGINT", "opening.RoomError('too large')"),
        ("opening.decode_picture", "SIGTERM", "RuntimeError('internal')"),
    ],
    ids=["start-interrupt", "start-terminate", "file-interrupt", "file-terminate"],
)
def test_it_ends_the_program(
    tmp_path: Path, samples: Path, where: str, number: str, error: str
) -> None:
    code = CODE.format(number=number, error=error, where=where)
    # Two files: what is wrong with one does not end a batch.
    words = ["filter", samples / "portrait.png", samples / "spin.gif", "-k", "box:3", "-j", "1"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "-q", "-o", tmp_path / "out"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == -getattr(signal, number), done.stderr
    told = ["convcli: 2 pictures: 0 done, 2 not begun"] * (where != "app.invoke")
    told += ["convcli: interrupted"] * (number == "SIGINT")
    assert done.stderr.splitlines() == told
    assert not [path.name for path in (tmp_path / "out").glob("*")]
