"""Disks that fill, writes that fall short, processes that die: the old file or the new, whole."""

from __future__ import annotations

import io
import os
import random
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

CONVCLI = [sys.executable, "-m", "convcli"]
SUFFIXES = ("png", "jpg", "tif", "webp", "gif", "bmp", "ppm", "avif")
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """A picture that no format makes smaller than 200 KB."""
    rng = np.random.default_rng(5)
    path = tmp_path / "in.png"
    Image.fromarray(rng.integers(0, 256, (700, 800, 3), dtype=np.uint8)).save(path)
    return path


def small_picture(path: Path, level: int, side: int = 64) -> None:
    rng = np.random.default_rng(level)
    Image.fromarray(rng.integers(0, 256, (side, side), dtype=np.uint8)).save(path)


def opens(data: bytes) -> bool:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
    return True


def temporaries(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(".convcli-")]


# ---------------------------------------------------------------- disks that fill


@pytest.mark.fault(30, how="a tmpfs of 200 KB mounted as the target, every format")
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="mounting needs root")
def test_a_disk_of_200_kb(tmp_path: Path, noise: Path) -> None:
    run = " ".join(CONVCLI)
    script = [
        "set -u",
        "mkdir small",
        "mount -t tmpfs -o size=200k none small || exit 77",
        f"for s in {' '.join(SUFFIXES)}; do",
        "  echo old > small/out.$s",
        f"  {run} filter in.png -k identity -o small/out.$s --overwrite",
        '  echo "$s $? $(cat small/out.$s) $(ls -A small | wc -l)" >> report',
        "  rm small/out.$s",
        "done",
    ]
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", "\n".join(script) + "\n"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no mount namespaces here")
    report = (tmp_path / "report").read_text().splitlines()
    assert report == [f"{suffix} 1 old 1" for suffix in SUFFIXES], done.stderr
    lines = done.stderr.splitlines()
    wanted = [f"convcli: small/out.{suffix}: No space left on device" for suffix in SUFFIXES]
    assert [line for line in lines if "warning" not in line] == wanted


@pytest.mark.fault(30, how="RLIMIT_FSIZE of 200 KB, every format, where nothing can be mounted")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_limit_of_200_kb(tmp_path: Path, noise: Path, suffix: str) -> None:
    (tmp_path / f"out.{suffix}").write_bytes(b"old")
    command = f"ulimit -f 200; exec {' '.join(CONVCLI)} filter in.png -k identity --overwrite"
    done = subprocess.run(
        ["bash", "-c", f"{command} -o out.{suffix}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1] == f"convcli: out.{suffix}: File too large"
    assert (tmp_path / f"out.{suffix}").read_bytes() == b"old"
    assert temporaries(tmp_path) == []


@pytest.mark.fault(31, how="ENOSPC or EIO put into a write, fsync or rename by strace")
@needs_strace
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        ("write", "ENOSPC", "No space left on device"),
        ("write", "EIO", "Input/output error"),
        ("fsync", "ENOSPC", "No space left on device"),
        ("rename", "EIO", "Input/output error"),
    ],
)
def test_an_error_of_the_system_leaves_the_old_file(
    convcli: Callable[..., Any], tmp_path: Path, noise: Path, call: str, error: str, says: str
) -> None:
    (tmp_path / "out.png").write_bytes(b"old")
    # Only calls that go to files below the folder: -P takes paths, and the temporary's name is
    # not known before; so the first large write is the one that fails.
    inject = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:error={error}")
    if call == "write":
        code = (
            "import os, sys; from convcli.imaging import atomic; real = os.write; calls = []\n"
            "def write(fd, data):\n"
            "    calls.append(1)\n"
            "    return real(fd, data[:50_000]) if len(calls) == 1 else real(fd, data)\n"
            "atomic.os.write = write\n"
            "from convcli.cli.app import run\n"
            "sys.exit(run(sys.argv[1:]))"
        )
        # Writes of this process before the picture's are none: the second is the failing one.
        strace = [*inject[:-1], f"inject=write:error={error}:when=2+"]
        command = [*strace, sys.executable, "-c", code]
    else:
        command = [*inject, *CONVCLI]
    words = "filter in.png -k identity -o out.png --overwrite -q".split()
    done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    if call != "write":  # where every later write fails, the message cannot be written either
        assert done.stderr == f"convcli: out.png: {says}\n"
    assert (tmp_path / "out.png").read_bytes() == b"old"
    assert temporaries(tmp_path) == []


@pytest.mark.fault(31, how="every write to a pipe cut short, to 4 KB, by the pipe itself")
def test_short_writes_to_a_pipe_are_continued(tmp_path: Path, noise: Path) -> None:
    script = f"{' '.join(CONVCLI)} filter in.png -k identity -o - | (sleep 0.3; cat) > out.png"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out.png") as out, Image.open(noise) as source:
        np.testing.assert_array_equal(np.asarray(out), np.asarray(source))


@pytest.mark.fault(32, how="a folder without write permission, as one who is not root")
@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="needs setpriv")
def test_a_read_only_folder_is_refused_before_decoding(
    convcli: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "in.png").write_bytes(b"this would fail to decode")
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o555)
    drop = "-dac_override,-dac_read_search"
    before = ("setpriv", f"--inh-caps={drop}", f"--bounding-set={drop}")
    done = convcli(
        "filter", "in.png", "-k", "box:3", "-o", "out/o.png",
        before=before if os.geteuid() == 0 else (),
    )  # fmt: skip
    assert done.code == 1
    assert done.err == "convcli: out/o.png: the folder {} cannot be written to\n".format(
        os.path.realpath("out")
    )


# ---------------------------------------------------------------- processes that die


def kill_often(folder: Path, times: int) -> tuple[int, int]:
    """Kill ``filter`` over one target, again and again; (rounds with the new file, with a stray).

    Every second kill comes at a random moment of the whole run, the others while the temporary
    is there.
    """
    target, moments = folder / "out.png", random.Random(8)
    small_picture(folder / "in.png", 1, 900)
    command = [*CONVCLI, *"filter in.png -k identity -o out.png --overwrite -q".split()]
    subprocess.run(command, cwd=folder, check=True)
    new = target.read_bytes()
    small_picture(folder / "old.png", 2)
    old = (folder / "old.png").read_bytes()
    slow = (
        "import sys, time; from convcli.imaging import atomic; real = atomic.os.write\n"
        "def write(fd, data):\n"
        "    time.sleep(0.001)\n"
        "    return real(fd, data[:20_000])\n"
        "atomic.os.write = write\n"
        "from convcli.cli.app import run\n"
        "sys.exit(run(sys.argv[1:]))"
    )
    began = time.monotonic()
    subprocess.run(command, cwd=folder, check=True)
    whole = time.monotonic() - began
    replaced = strays = 0
    for turn in range(times):
        target.write_bytes(old)
        argv = command if turn % 2 else [sys.executable, "-c", slow, *command[3:]]
        with subprocess.Popen(argv, cwd=folder, stderr=subprocess.DEVNULL) as process:
            if turn % 2:
                time.sleep(moments.uniform(0.3, 1.1) * whole)
            else:
                while not temporaries(folder) and process.poll() is None:
                    time.sleep(0.001)
                time.sleep(moments.uniform(0, 0.04))
            process.kill()
        left = temporaries(folder)
        assert len(left) <= 1, f"round {turn}: {left}"
        strays += len(left)
        now = target.read_bytes()
        assert now in (old, new), f"round {turn}: {len(now)} bytes that are neither"
        replaced += now == new
        if left and turn % 5 == 0:
            subprocess.run(command, cwd=folder, check=True)
            assert temporaries(folder) == [], f"round {turn}: not swept"
        else:
            for name in left:
                (folder / name).unlink()
    return replaced, strays


@pytest.mark.fault(33, how="kill -9 while the temporary is there, and at random moments")
def test_killed_while_writing(tmp_path: Path) -> None:
    _, strays = kill_often(tmp_path, 8)
    assert strays > 0, "no kill came while the temporary was there: the test proves nothing"


WRITER = (
    "import sys, time; from pathlib import Path; from convcli.cli.app import run\n"
    "from convcli.imaging import atomic\n"
    "number, rounds = sys.argv[1], int(sys.argv[2])\n"
    "print('ready', flush=True); sys.stdin.readline()\n"
    "for turn in range(rounds):\n"
    "    atomic._swept.clear()\n"  # a new process would sweep each time
    "    code = run(['filter', f'{number}.png', '-k', 'identity', '-o', 'target.png',\n"
    "                '--overwrite', '-q'])\n"
    "    if code: sys.exit(code)\n"
)


def write_at_once(folder: Path, writers: int, rounds: int) -> tuple[int, int]:
    """Writers of one target and a reader in a loop; (reads, different files seen)."""
    wanted = []
    for number in range(writers):
        small_picture(folder / f"{number}.png", number, 90 + number)
        with Image.open(folder / f"{number}.png") as image:
            wanted.append(np.asarray(image).tobytes())
    target = folder / "target.png"
    small_picture(target, 0, 90)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(number), str(rounds)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(writers)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    reads, seen = 0, set()
    while any(process.poll() is None for process in processes):
        with Image.open(io.BytesIO(target.read_bytes())) as image:
            seen.add(wanted.index(np.asarray(image).tobytes()))
        reads += 1
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert temporaries(folder) == []
    return reads, len(seen)


@pytest.mark.fault(50, how="16 processes write one target, 5 rounds, while a reader loops")
def test_16_writers_and_a_reader(tmp_path: Path) -> None:
    reads, seen = write_at_once(tmp_path, 16, 5)
    assert reads > 20
    assert seen > 4, "the reader saw few of the writers: the test proves little"


# ---------------------------------------------------------------- what a target keeps


@pytest.mark.fault(38, how="the output is the input: its name, a symbolic link, a hard link")
@pytest.mark.parametrize("link", ["name", "symbolic", "hard"])
def test_the_input_is_not_replaced(convcli: Callable[..., Any], tmp_path: Path, link: str) -> None:
    small_picture(tmp_path / "in.png", 3)
    before = (tmp_path / "in.png").read_bytes()
    name = "in.png" if link == "name" else "link.png"
    if link == "symbolic":
        (tmp_path / name).symlink_to("in.png")
    elif link == "hard":
        (tmp_path / name).hardlink_to(tmp_path / "in.png")
    done = convcli("filter", "in.png", "-k", "box:3", "-o", name, "--overwrite")
    assert done.code == 2
    assert "--in-place" in done.err
    assert (tmp_path / "in.png").read_bytes() == before


@pytest.mark.fault(40, how="the target is a symbolic link into another folder")
def test_a_link_stays_and_what_it_points_to_is_replaced(
    convcli: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "far").mkdir()
    for name in ("in.png", "far/real.png"):
        small_picture(tmp_path / name, len(name))
    (tmp_path / "link.png").symlink_to("far/real.png")
    done = convcli("filter", "in.png", "-k", "identity", "-o", "link.png", "--overwrite")
    assert done.code == 0, done.err
    assert (tmp_path / "link.png").readlink() == Path("far/real.png")
    with Image.open("far/real.png") as got, Image.open("in.png") as source:
        np.testing.assert_array_equal(np.asarray(got), np.asarray(source))


@pytest.mark.fault(44, how="an overwritten file of mode 0640, and new files under three umasks")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_modes(convcli: Callable[..., Any], tmp_path: Path, umask: int) -> None:
    small_picture(tmp_path / "in.png", 3)
    small_picture(tmp_path / "old.png", 4)
    (tmp_path / "old.png").chmod(0o640)
    for name in ("old.png", "new.png"):
        words = ("filter", "in.png", "-k", "box:3", "-o", name, "--overwrite")
        done = convcli(*words, preexec_fn=lambda: os.umask(umask) and None)
        assert done.code == 0, done.err
    assert stat.S_IMODE((tmp_path / "old.png").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o666 & ~umask
