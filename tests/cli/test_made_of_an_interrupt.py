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

    def within(*_, **__):
        try:
            os.kill(os.getpid(), signal.{number})
        except BaseException:
            pass  # C code puts another error in its place, which knows nothing of it, or none
        {instead}

    {where} = within
    sys.exit(app.run(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
@pytest.mark.parametrize(
    ("where", "number", "instead"),
    [
        ("app.invoke", "SIGINT", "raise ImportError('internal')"),
        ("app.invoke", "SIGTERM", "raise opening.RoomError('too large')"),
        ("app.invoke", "SIGINT", "return 0"),
        ("opening.decode_picture", "SIGINT", "raise opening.RoomError('too large')"),
        ("opening.decode_picture", "SIGTERM", "raise ImportError('internal')"),
    ],
    ids=["start-interrupt", "start-terminate", "lost", "file-interrupt", "file-terminate"],
)
def test_it_ends_the_program(
    tmp_path: Path, samples: Path, where: str, number: str, instead: str
) -> None:
    code = CODE.format(number=number, instead=instead, where=where)
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
