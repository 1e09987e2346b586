"""An interrupt of which Python or a library makes another error is an interrupt all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from convcli.system import process

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


SWALLOWED = """if True:
    import os, signal, sys
    from convcli.cli import app
    from convcli.imaging import opening

    read, invoke = opening.decode_picture, app.invoke

    def swallow():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            pass

    def at_a_file(*arguments, **options):
        swallow()
        return read(*arguments, **options)

    def at_the_start(argv):
        swallow()
        return invoke(argv)

    {instead}
    sys.exit(app.run(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
@pytest.mark.parametrize(
    ("instead", "jobs"),
    [("opening.decode_picture = at_a_file", 1), ("app.invoke = at_the_start", 2)],
    ids=["alone", "workers"],
)
def test_one_that_a_library_swallows_ends_a_batch_after_the_file(
    tmp_path: Path, samples: Path, instead: str, jobs: int
) -> None:
    """Nor do workers that are begun afterwards take what goes wrong there for it."""
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    files = [tmp_path / "damaged.png", *[samples / "portrait.png"] * 1, samples / "spin.gif"]
    words = ["filter", *files, "-k", "box:3", "-j", str(jobs), "-q", "-o", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWED.format(instead=instead), *words],
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGINT, done.stderr
    assert done.stderr.endswith("convcli: interrupted\n")
    assert "not begun" in done.stderr
    assert "Traceback" not in done.stderr
    assert "killed" not in done.stderr


def test_what_goes_wrong_in_another_thread_is_no_interrupt() -> None:
    def ask() -> None:
        process.raise_stop()
        asked.append(True)

    asked: list[bool] = []
    with process.stops_obeyed():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        with pytest.raises(KeyboardInterrupt):
            process.raise_stop()
    process.raise_stop()  # it is over, and forgotten
    assert asked == [True]
