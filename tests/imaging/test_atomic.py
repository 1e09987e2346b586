"""Files are replaced whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from convcli.errors import InputError, OutputError, UsageError
from convcli.imaging import atomic
from convcli.imaging.atomic import display_name, write_atomic
from convcli.imaging.standard_output import write_stdout


def temporaries(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(atomic.PREFIX)]


def test_writes_a_new_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"data")
    assert (tmp_path / "a").read_bytes() == b"data"
    assert temporaries(tmp_path) == []


def test_an_existing_file_needs_overwrite(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(UsageError, match="exists; use --overwrite"):
        write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    write_atomic(tmp_path / "a", b"new", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_folder_of_a_new_name_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """After the name is there: otherwise a loss of power may take it away again."""
    real, flushed = os.fsync, []

    def fsync(fd: int) -> None:
        real(fd)
        flushed.append((os.fstat(fd).st_ino, (tmp_path / "a").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    if kind == "file":
        write_atomic(tmp_path / "a", b"new")
    else:
        with atomic.atomic_folder(str(tmp_path / "a")) as folder:
            (folder / "part").write_bytes(b"new")
    assert (tmp_path.stat().st_ino, True) in flushed


def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*args: object, **kwargs: object) -> None:
        (tmp_path / "a").write_bytes(b"somebody else's")

    monkeypatch.setattr(atomic, "check_target", late)
    with pytest.raises(UsageError, match="exists"):
        write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"somebody else's"
    assert temporaries(tmp_path) == []


def test_the_mode_of_a_replaced_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o640)
    write_atomic(tmp_path / "a", b"new", overwrite=True)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_follows_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "a", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(folder / "real")
    write_atomic(tmp_path / "link", b"new", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (folder / "real").read_bytes() == b"new"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        write_atomic(tmp_path / "no" / "a", b"new")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file is not a folder"):
        write_atomic(tmp_path / "file" / "a", b"new")


def test_a_folder_as_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        write_atomic(tmp_path, b"new", overwrite=True)


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    write_atomic(tmp_path / "a", bytes(range(256)))
    assert (tmp_path / "a").read_bytes() == bytes(range(256))


def test_a_disk_that_fills_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    real, calls = os.write, []

    def full_at_second(fd: int, data: memoryview) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data[:3])

    monkeypatch.setattr(os, "write", full_at_second)
    with pytest.raises(OutputError, match="No space left"):
        write_atomic(tmp_path / "a", b"new data", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert temporaries(tmp_path) == []


def test_a_limit_on_the_file_size_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from convcli.imaging.atomic import write_atomic\n"
        "write_atomic(sys.argv[1], bytes(5000), overwrite=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a")], capture_output=True, text=True
    )
    assert "OutputError" in done.stderr
    assert "File too large" in done.stderr
    assert (tmp_path / "a").read_bytes() == b"old"
    assert temporaries(tmp_path) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_kill_leaves_old_or_new_and_the_next_run_sweeps(tmp_path: Path) -> None:
    target = tmp_path / "a"
    old, new = b"o" * 3_000_000, b"n" * 3_000_000
    code = (
        "import sys\n"
        "from convcli.imaging.atomic import write_atomic\n"
        "print('go', flush=True)\n"
        "while True: write_atomic(sys.argv[1], b'n' * 3_000_000, overwrite=True)\n"
    )
    for round_ in range(12):
        target.write_bytes(old)
        with subprocess.Popen(
            [sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.002 * round_)
            process.send_signal(signal.SIGKILL)
        assert target.read_bytes() in (old, new)
        assert len(temporaries(tmp_path)) <= 1
        atomic._swept.clear()
        write_atomic(tmp_path / "b", b"x", overwrite=True)
        assert temporaries(tmp_path) == []


def test_a_temporary_in_use_is_not_swept(tmp_path: Path) -> None:
    with atomic._Temporary(tmp_path) as (_, path):
        atomic._swept.clear()
        atomic.sweep(tmp_path)
        assert path.exists()
    assert not path.exists()


def test_devices_are_written_to_as_they_are() -> None:
    write_atomic("/dev/null", b"data")
    with pytest.raises(OutputError, match="No space left"):
        write_atomic("/dev/full", b"data")


def test_names_that_are_no_text_are_shown_escaped() -> None:
    assert display_name(b"a\xff\n.png") == "a\\xff\\n.png"
    assert display_name("[/red] \x1b[31m.png") == "[/red] \\x1b[31m.png"


def test_parts_are_written_while_the_next_are_made(tmp_path: Path) -> None:
    sizes = []

    def made() -> Iterator[bytes]:
        for part in (b"a" * 5_000_000, b"b" * 300, b""):
            sizes.append([p.stat().st_size for p in tmp_path.glob(".convcli-*")])
            yield part

    assert write_atomic(tmp_path / "a", made()) == 5_000_300
    assert sizes == [[0], [5_000_000], [5_000_300]]
    assert (tmp_path / "a").read_bytes() == b"a" * 5_000_000 + b"b" * 300


@pytest.mark.parametrize("error", [InputError("damaged"), KeyboardInterrupt(), MemoryError()])
def test_a_part_that_cannot_be_made_leaves_the_old_file(
    tmp_path: Path, error: BaseException
) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def made() -> Iterator[bytes]:
        yield b"new"
        raise error

    with pytest.raises(type(error)):
        write_atomic(tmp_path / "a", made(), overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_program_without_standard_output_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has None there where the descriptor was closed before it began."""
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="standard output is closed"):
        write_stdout(b"x")
