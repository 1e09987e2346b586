"""What stands in for a missing call does what the call does, on each system."""

from __future__ import annotations

import json
import ntpath
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.cli import app
from convcli.errors import UsageError
from convcli.imaging import atomic, urls
from convcli.runs import journal, template
from convcli.system import machine

Run = Any
everywhere = pytest.mark.parametrize("system", ["", "windows", "macos"])


def script(python: Run, folder: Path, system: str, code: str, *args: object) -> str:
    done = python("-c", textwrap.dedent(code), *args, system=system, cwd=folder)
    assert done.code == 0, done.err
    return str(done.out.decode().strip())


@everywhere
def test_threads_read_and_write_one_file_at_their_places(
    python: Run, tmp_path: Path, system: str
) -> None:
    script(
        python,
        tmp_path,
        system,
        """
        import os, threading
        from convcli.system.files import open_new, open_to_read, read_at, write_at
        blocks = {i * 7919: os.urandom(7919) for i in range(64)}
        def each(work):
            threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
            for t in threads: t.start()
            for t in threads: t.join()
        fd = open_new("a")
        each(lambda k: [write_at(fd, blocks[at], at) for at in list(blocks)[k::8]])
        os.close(fd)
        assert open("a", "rb").read() == b"".join(blocks.values())
        fd, wrong = open_to_read("a"), []
        each(lambda k: wrong.extend(at for at in blocks if read_at(fd, 7919, at) != blocks[at]))
        assert not wrong
        """,
    )


@everywhere
def test_lines_that_processes_append_are_whole(python: Run, tmp_path: Path, system: str) -> None:
    script(
        python,
        tmp_path,
        system,
        """
        import subprocess, sys
        line = '''
        import sys
        from convcli.system.sharing import append, open_shared
        fd = open_shared("journal")
        for i in range(30): append(fd, (sys.argv[1] * 200 + str(i) + "\\\\n").encode())
        '''
        code = "\\n".join(l.strip() for l in line.splitlines())
        children = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "abc"]
        assert [child.wait() for child in children] == [0, 0, 0]
        """,
    )
    lines = (tmp_path / "journal").read_bytes().splitlines()
    assert sorted(lines) == sorted(
        c * 200 + b"%d" % i for c in (b"a", b"b", b"c") for i in range(30)
    )


@everywhere
def test_a_resumed_run_waits_for_the_others(python: Run, tmp_path: Path, system: str) -> None:
    out = script(
        python,
        tmp_path,
        system,
        """
        import subprocess, sys, time
        from convcli.system.sharing import open_shared
        held = subprocess.Popen(
            [sys.executable, "-c", '''
        from convcli.system.sharing import open_shared
        open_shared("journal"); print(flush=True); input()'''],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        held.stdout.readline()
        try:
            open_shared("journal", 0.3)
        except TimeoutError:
            print("waited")
        held.communicate(b"\\n")
        open_shared("journal", 0.3)
        open_shared("journal")
        """,
    )
    assert out == "waited"


@everywhere
def test_the_sweep_takes_what_nobody_writes(python: Run, tmp_path: Path, system: str) -> None:
    old = time.time() - 3600
    for name in (".convcli-left.tmp", ".convcli-fresh.tmp"):
        (tmp_path / name).write_bytes(b"x")
    os.utime(tmp_path / ".convcli-left.tmp", (old, old))
    script(
        python,
        tmp_path,
        system,
        """
        import os
        from pathlib import Path
        from convcli.imaging.atomic import _Temporary, sweep
        with _Temporary(Path()) as (fd, path):
            os.utime(path, (1, 1))
            sweep(Path())
            assert path.exists()
            print(path.name)
        assert not path.exists()
        """,
    )
    # Without locks, what is fresh may be somebody's.
    left = {p.name for p in tmp_path.iterdir()}
    assert left == ({".convcli-fresh.tmp"} if system == "windows" else set())


@everywhere
def test_a_finished_file_takes_its_place_or_none(python: Run, tmp_path: Path, system: str) -> None:
    script(
        python,
        tmp_path,
        system,
        """
        from pathlib import Path
        from convcli.errors import UsageError
        from convcli.imaging import atomic
        Path("a").write_bytes(b"old")
        atomic.check_target = lambda path, overwrite: None  # it came into being after the check
        try:
            atomic.write_atomic("a", b"new")
        except UsageError as error:
            assert "exists" in str(error)
        else:
            raise AssertionError("replaced")
        assert Path("a").read_bytes() == b"old"
        atomic.write_atomic("a", b"n\\new\\x1a", overwrite=True)
        assert Path("a").read_bytes() == b"n\\new\\x1a"
        assert [p.name for p in Path().iterdir()] == ["a"]
        """,
    )


def test_windows_tries_again_while_somebody_looks_at_a_file(python: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    script(
        python,
        tmp_path,
        "windows",
        """
        import threading
        from pathlib import Path
        from convcli.errors import OutputError
        from convcli.imaging.atomic import write_atomic
        from convcli.system import sharing
        sharing._PATIENCE = 120  # the timer may come late on a busy machine
        held = open("a", "rb")
        threading.Timer(0.2, held.close).start()
        write_atomic("a", b"new", overwrite=True)
        assert Path("a").read_bytes() == b"new"
        sharing._PATIENCE = 0.2
        with open("a", "rb"):
            try:
                write_atomic("a", b"newer", overwrite=True)
            except OutputError as error:
                assert "Permission denied" in str(error)
            else:
                raise AssertionError("replaced an open file")
        assert Path("a").read_bytes() == b"new"
        assert [p.name for p in Path().iterdir()] == ["a"]
        """,
    )


@pytest.mark.slow
def test_a_killed_batch_goes_on_on_windows(python: Run, tmp_path: Path, samples: Path) -> None:
    (tmp_path / "in").mkdir()
    portrait = Image.open(samples / "portrait.png").convert("L").resize((300, 300))
    for index in range(40):
        portrait.rotate(index * 9).save(tmp_path / f"in/{index:02}.png")
    command = [*"-m convcli filter -r in -k gaussian:2 -j 2 --resume -o".split()]
    assert python(*command, "whole", cwd=tmp_path).code == 0
    with python.popen(*command, "out", system="windows", cwd=tmp_path) as killed:
        while len(list((tmp_path / "out").glob("*.png"))) < 5:
            assert killed.poll() is None, "it ended before it was killed"
            time.sleep(0.002)
        killed.kill()
    done = python(*command, "out", system="windows", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "done before" in done.err
    for whole in (tmp_path / "whole").iterdir():
        assert (tmp_path / "out" / whole.name).read_bytes() == whole.read_bytes()
    done = python(*command, "out", system="windows", cwd=tmp_path)
    assert "40 done before" in done.err


def test_windows_tells_of_its_memory(python: Run, tmp_path: Path) -> None:
    code = "from convcli.system.machine import free_memory; print(free_memory())"
    assert int(script(python, tmp_path, "windows", code)) == 6 << 30
    assert int(script(python, tmp_path, "macos", code)) >= 1 << 26


@everywhere
def test_a_reader_that_leaves_is_no_fault(
    python: Run, tmp_path: Path, samples: Path, system: str
) -> None:
    words = ["-m", "convcli", "filter", samples / "portrait.png", "-k", "invert", "-o", "-"]
    with python.popen(*words, system=system, cwd=tmp_path) as running:
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == (141 if system == "windows" else -signal.SIGPIPE)


def test_windows_pipes_take_utf_8_and_any_name(python: Run, tmp_path: Path) -> None:
    done = python(*"-m convcli draw no_padding_no_strides".split(), system="windows", cwd=tmp_path)
    assert "\u25a0" in done.out.decode("utf-8")
    words = "-m convcli filter -k box:3 \u4e2d.png".split()
    done = python(*words, system="windows", cwd=tmp_path)
    assert (done.code, "\u4e2d.png" in done.err) == (2, True)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
@pytest.mark.parametrize("words", ["draw no_padding_no_strides", "matrix kernel 1,2 --n 3"])
def test_what_an_encoding_lacks_is_escaped(words: str, encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "convcli", *words.split()],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(encoding)


@everywhere
def test_two_names_for_one_file_where_capitals_make_no_difference(
    python: Run, tmp_path: Path, system: str
) -> None:
    for name in ("x/a.png", "y/A.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("L", (8, 8), 7).save(tmp_path / name)
    words = "filter x/a.png y/A.png -k identity -o out/".split()
    done = python("-m", "convcli", *words, system=system, cwd=tmp_path)
    if system:
        assert done.code == 2, done.err
        assert "would both be written to" in done.err
    else:
        assert done.code == 0, done.err
        assert {p.name for p in (tmp_path / "out").iterdir()} == {"a.png", "A.png"}


def test_urls_have_slashes_where_paths_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (urls, template):
        monkeypatch.setattr(module, "Path", PureWindowsPath)
    monkeypatch.setattr(template.os, "path", ntpath)
    scheme, path = urls.split_path("s3://bucket/in/a.png")
    assert scheme + str(path.with_name("b.png")) == "s3://bucket/in/b.png"
    assert str(urls.split_path("in/a.png")[1]) == "in\\a.png"
    filled = template.fill("s3://bucket/out/{parent}/{name}", parent="x/y", name="a.png")
    assert filled == "s3://bucket/out/x/y/a.png"
    assert template.root_of("s3://bucket/out/{parent}/{name}") == "s3://bucket/out"
    template.check_inside(filled, "s3://bucket/out")
    with pytest.raises(UsageError, match="would lie outside"):
        template.check_inside("s3://bucket/other/a.png", "s3://bucket/out")


@pytest.mark.ci
def test_too_little_memory_is_said_in_one_line(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (3000, 4000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png", compress_level=0)
    Image.fromarray(noise[:64, :64]).save(tmp_path / "small.png")

    def run(name: str, threads: int, megabytes: int) -> tuple[int, str]:
        words = f"filter {name}.png -k gaussian:2 --threads {threads} -q --overwrite -o out.png"
        limit = f"ulimit -s 8192 -v {megabytes << 10}; exec {sys.executable} -m convcli {words}"
        done = subprocess.run(
            ["bash", "-c", limit], capture_output=True, text=True, cwd=tmp_path, timeout=300
        )
        return done.returncode, done.stderr

    # What a small picture just gets by with: how much that is depends on the libraries.
    enough = next(m for m in range(100, 2000, 40) if run("small", 1, m) == (0, ""))
    (tmp_path / "out.png").unlink()
    # Room for the libraries and the pixels, and for a few of the 63 stacks.
    assert run("large", 64, enough + 100) == (1, "convcli: not enough memory\n")
    # With less it is said as well, by whoever met the limit first, and nothing after it.
    for megabytes in range(enough - 60, enough + 60, 7):
        code, said = run("large", 8, megabytes)
        assert (code, len(said.splitlines())) == (1, 1), said
        assert "emory" in said
    assert {p.name for p in tmp_path.iterdir()} == {"large.png", "small.png"}


@pytest.mark.ci
def test_what_fails_in_a_full_address_space_lacks_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    # As NumPy says it where Python's datetime could not load its compiled half.
    error = AttributeError("module 'datetime' has no attribute 'datetime_CAPI'")
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    for limit, lacks in ((None, False), (taken + 2**20, True), (taken + 2**30, False)):
        monkeypatch.setattr(machine, "address_limit", lambda limit=limit: limit)
        assert machine.lacks_memory(error) is lacks


def test_an_address_space_is_tight_below_two_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, tight in ((None, False), (2**31, False), (2**31 - 1, True)):
        monkeypatch.setattr(machine, "address_limit", lambda limit=limit: limit)
        assert machine.is_tight() is tight


@pytest.mark.ci
def test_threads_share_what_is_reserved_in_a_limited_address_space() -> None:
    # Twenty threads that allocate: 64 MB for each of them would be too much, their stacks are not.
    code = """if True:
        import threading
        from convcli.system.machine import spare_address_space
        spare_address_space()
        wait = threading.Barrier(21)
        def work():
            held = [bytearray(600) for _ in range(1000)]
            wait.wait()
        threads = [threading.Thread(target=work) for _ in range(20)]
        for thread in threads: thread.start()
        wait.wait()
        print(next(l for l in open("/proc/self/status") if l.startswith("VmSize")).split()[1])"""
    limit = f"ulimit -s 1024 -v 600000; exec {sys.executable} -c '{code}'"
    done = subprocess.run(["bash", "-c", limit], capture_output=True, text=True, timeout=300)
    assert done.stderr == ""
    assert int(done.stdout) < 300_000


@pytest.mark.parametrize(
    "error", [RuntimeError("can't start new thread"), MemoryError(), OSError(12, "no memory")]
)
def test_every_word_for_too_little_memory_is_known(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(argv: list[str]) -> int:
        raise error

    monkeypatch.setattr(app, "invoke", fail)
    assert app.run([]) == 1
    assert capfd.readouterr().err == "convcli: not enough memory\n"


@pytest.mark.parametrize("many", [False, True])
def test_a_thread_that_cannot_start_is_too_little_memory(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    many: bool,
) -> None:
    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    picture = Image.new("RGB", (1000, 700))  # of several tiles, whichever loops make them
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "b.png")
    words = ["filter", "-k", "box:3", "--threads", "2", "-q", "-j", "1", "-o"]
    inputs = [str(tmp_path / name) for name in ("a.png", "b.png")[: 1 + many]]
    assert app.run([*words, str(tmp_path / ("out/" if many else "out.png")), *inputs]) == 1
    told = capfd.readouterr().err.splitlines()
    assert told[0] == (f"convcli: {inputs[0]}: " if many else "convcli: ") + "not enough memory"
    assert "fault" not in "".join(told)


def test_where_a_start_cannot_be_told_each_file_is_on_the_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, samples: Path
) -> None:
    """A journal that cannot know of a power cut must not call done what is not on the disk."""
    flushed: list[int] = []
    monkeypatch.setattr(atomic, "flush", flushed.append)
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes((samples / "portrait.png").read_bytes())
    inputs = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    for boot, files in (("a start", 0), ("", 2)):
        flushed.clear()
        monkeypatch.setattr(journal, "boot_id", lambda boot=boot: boot)
        out = tmp_path / f"out{files}"
        assert app.run(["filter", *inputs, "-k", "box:3", "-j", "1", "-o", str(out), "-q"]) == 0
        assert len(flushed) == files
        (lines,) = tmp_path.glob(f".out{files}.*")
        assert {json.loads(line)["boot"] for line in lines.read_text().splitlines()} == {boot}
