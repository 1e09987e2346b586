"""Disks that fill, writes that fall short, processes that die: the old file or the new, whole."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

CONVCLI = [sys.executable, "-m", "convcli"]
PROGRAM = shlex.join([sys.executable, "-m", "convcli"])
"""For shells, wherever Python lies."""
SUFFIXES = ("png", "jpg", "tif", "webp", "gif", "bmp", "ppm", "avif")


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


def temporaries(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(".convcli-")]


# ---------------------------------------------------------------- disks that fill


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="mounting needs root")
@pytest.mark.slow
def test_a_disk_of_200_kb(tmp_path: Path, noise: Path) -> None:
    script = [
        "set -u",
        "mkdir small",
        "mount -t tmpfs -o size=200k none small || exit 77",
        f"for s in {' '.join(SUFFIXES)}; do",
        "  echo old > small/out.$s",
        f"  {PROGRAM} filter in.png -k identity -o small/out.$s --overwrite",
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


@pytest.mark.parametrize(
    "suffix",
    [
        *("png", "tif", "jpg"),
        *(
            pytest.param(s, marks=pytest.mark.slow)
            for s in SUFFIXES
            if s not in ("png", "tif", "jpg")
        ),
    ],
)
def test_a_limit_of_200_kb(tmp_path: Path, noise: Path, suffix: str) -> None:
    (tmp_path / f"out.{suffix}").write_bytes(b"old")
    command = f"ulimit -f 200; exec {PROGRAM} filter in.png -k identity --overwrite"
    done = subprocess.run(
        ["bash", "-c", f"{command} -o out.{suffix}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1] == f"convcli: out.{suffix}: File too large"
    assert (tmp_path / f"out.{suffix}").read_bytes() == b"old"
    assert temporaries(tmp_path) == []


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        ("write", "ENOSPC", "No space left on device"),
        pytest.param("write", "EIO", "Input/output error", marks=pytest.mark.slow),
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
            "import os; from convcli.imaging import atomic; real = os.write; calls = []\n"
            "def write(fd, data):\n"
            "    calls.append(1)\n"
            "    return real(fd, data[:50_000]) if len(calls) == 1 else real(fd, data)\n"
            "atomic.os.write = write\n"
            "from convcli.__main__ import main\n"
            "main()"
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


def test_short_writes_to_a_pipe_are_continued(tmp_path: Path, noise: Path) -> None:
    script = f"{PROGRAM} filter in.png -k identity -o - | (sleep 0.3; cat) > out.png"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out.png") as out, Image.open(noise) as source:
        np.testing.assert_array_equal(np.asarray(out), np.asarray(source))


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


@pytest.mark.slow
def test_killed_while_writing(soak: ModuleType, tmp_path: Path) -> None:
    figures = soak.kill_often(tmp_path, 8)
    assert figures["strays"] >= 4, "a kill did not come while the temporary was there"
    assert figures["sweeps_checked"] > 0


@pytest.mark.slow
def test_16_writers_and_a_reader(soak: ModuleType, tmp_path: Path) -> None:
    figures = soak.write_at_once(tmp_path, 16, 5)
    assert figures["reads"] > 20
    assert figures["seen"] > 4, "the reader saw few of the writers: the test proves little"


# ---------------------------------------------------------------- what a target keeps


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


@pytest.mark.parametrize("umask", [0o022, pytest.param(0o077, marks=pytest.mark.slow), 0o002])
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
