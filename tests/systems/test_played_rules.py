"""The played Windows is as strict as the real one: what breaks there breaks here."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

RULES = {
    "replace-open": """
        open("a", "w").write("a"); held = open("b", "w")
        refused(PermissionError, lambda: os.replace("a", "b"))
        refused(PermissionError, lambda: os.replace("b", "a"))
        held.close(); os.replace("a", "b")
    """,
    "replace-open-descriptor": """
        fd = os.open("a", os.O_CREAT | os.O_WRONLY)
        refused(PermissionError, lambda: Path("a").replace("b"))
        refused(PermissionError, lambda: Path("a").unlink())
        os.close(fd); Path("a").replace("b"); Path("b").unlink()
    """,
    "mapped": """
        import mmap
        with open("a", "wb+") as file:
            file.write(b"data"); file.flush()
            room = mmap.mmap(file.fileno(), 4)
        refused(PermissionError, lambda: os.unlink("a"))
        room.close(); os.unlink("a")
    """,
    "open-elsewhere": """
        import subprocess, sys
        held = subprocess.Popen(
            [sys.executable, "-S", "-c", "f = open('a', 'w'); print(flush=True); input()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        held.stdout.readline()
        refused(PermissionError, lambda: os.unlink("a"))
        held.communicate(b"\\n"); os.unlink("a")
    """,
    "rename-never-replaces": """
        open("a", "w").close(); open("b", "w").close()
        refused(FileExistsError, lambda: os.rename("a", "b"))
    """,
    "folder-of-an-open-file": """
        os.mkdir("f"); held = open("f/a", "w")
        refused(PermissionError, lambda: os.rename("f", "g"))
        held.close(); os.rename("f", "g")
        refused(PermissionError, lambda: os.open("g", os.O_RDONLY))
    """,
    "text-descriptor": """
        fd = os.open("a", os.O_CREAT | os.O_RDWR)
        assert os.write(fd, b"1\\n2") == 3
        assert open("a", "rb").read() == b"1\\r\\n2"
        os.lseek(fd, 0, 0); assert os.read(fd, 9) == b"1\\n2"
        open("a", "wb").write(b"12\\x1a34"); os.lseek(fd, 0, 0); assert os.read(fd, 9) == b"12"
        os.close(fd); fd = os.open("a", os.O_RDWR | os.O_BINARY)
        assert os.read(fd, 9) == b"12\\x1a34"
    """,
    "names": """
        for name in ("a:b", "a?", "*", "<", ">", "|", '"'):
            refused(OSError, lambda: open(name, "w"))
            refused(OSError, lambda: os.open(name, os.O_CREAT))
            refused(OSError, lambda: os.mkdir(name))
            assert not Path(name).exists()
        refused(FileNotFoundError, lambda: open("/proc/meminfo"))
    """,
    "missing": """
        import mmap, select, signal, socket, sys
        assert (os.name, sys.platform) == ("nt", "win32")
        for name in "O_CLOEXEC O_NONBLOCK pread preadv pwrite fchmod sysconf fork sync".split():
            assert not hasattr(os, name), name
        for place, name in ((mmap, "MAP_PRIVATE"), (select, "poll"), (signal, "SIGPIPE"),
                            (signal, "SIGKILL"), (socket, "AF_UNIX")):
            assert not hasattr(place, name), name
        for name in "fcntl resource pwd termios".split():
            refused(ImportError, lambda: __import__(name, globals()))
        import msvcrt
    """,
    "no-fork": """
        import multiprocessing
        process = multiprocessing.get_context("fork").Process(target=print)
        refused(OSError, process.start)
    """,
    "pipe": """
        reading, writing = os.pipe(); os.close(reading)
        assert refused(OSError, lambda: os.write(writing, b"a")).errno == 22
    """,
    "encodings": """
        import sys
        assert sys.stdout.encoding == "cp1252"
        refused(UnicodeEncodeError, lambda: print("\\u25a0", flush=True))
        refused(EncodingWarning, lambda: Path("a").write_text("a"))
    """,
}
BEGIN = """
import os
from pathlib import Path
def refused(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} expected")
"""


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_holds(python: Run, tmp_path: Path, rule: str) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "broken.py").write_text(BEGIN + textwrap.dedent(rule), encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import package.broken"
    done = python("-c", code, system="windows", cwd=tmp_path, package=package)
    assert done.code == 0, done.err
