"""Sizes at the edge of sense, signals, and crowded standard streams."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Cli = Callable[..., Any]


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 65535), (65535, 1), (1, 1), (2, 3), (7, 1)],
    ids=["1x65535", "65535x1", "1x1", "2x3", "7x1"],
)
@pytest.mark.parametrize("border", ["reflect", "symmetric", "edge", "wrap", "constant:3"])
def test_thin_pictures_and_kernels_larger_than_them(
    convcli: Cli, tmp_path: Path, height: int, width: int, border: str
) -> None:
    rng = np.random.default_rng(height * 7 + width)
    image = rng.integers(0, 256, (height, width), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "in.png")
    weights = rng.integers(-3, 4, (5, 9))
    kernel = "; ".join(" ".join(map(str, row)) for row in weights)
    arguments = ["-k", kernel, "--border", border, "-o", tmp_path / "out.png", "-q"]
    done = convcli("filter", tmp_path / "in.png", *arguments)
    assert done.code == 0, done.err
    mode, options = border, {}
    if border.startswith("constant"):
        mode, options = "constant", {"constant_values": 3}
    padded = np.pad(image.astype(np.int64), ((2, 2), (4, 4)), mode=mode, **options)  # type: ignore[call-overload]
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 9))
    expected = np.einsum("ijkl,kl->ij", windows, weights).clip(0, 255)
    with Image.open(tmp_path / "out.png") as out:
        np.testing.assert_array_equal(np.asarray(out), expected)


def test_an_all_zero_kernel_gives_black(convcli: Cli, tmp_path: Path, samples: Path) -> None:
    done = convcli("filter", samples / "portrait.png", "-k", "0 0; 0 0", "-o", tmp_path / "o.png")
    assert done.code == 0
    with Image.open(tmp_path / "o.png") as out:
        assert not np.asarray(out).any()


def test_an_even_kernel_has_its_extra_row_at_the_end(convcli: Cli, tmp_path: Path) -> None:
    dot = np.zeros((5, 5), np.uint8)
    dot[2, 2] = 100
    Image.fromarray(dot).save(tmp_path / "dot.png")
    convcli("filter", tmp_path / "dot.png", "-k", "1 1; 1 1", "-o", tmp_path / "o.png")
    with Image.open(tmp_path / "o.png") as out:
        got = np.asarray(out)
    # Position (i, j) reads rows i, i+1 and columns j, j+1.
    assert np.argwhere(got).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_termination_leaves_no_temporary(tmp_path: Path, samples: Path, number: int) -> None:
    shutil.copy(samples / "portrait.png", tmp_path / "in.png")
    names = ["in.png"] * 1
    code = (
        "import sys, time\n"
        "from convcli.imaging import atomic\n"
        "from convcli.cli.app import run\n"
        "def slowly(fd, data, early):\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(600)\n"
        "atomic.write_all = slowly\n"
        "sys.exit(run(['filter', *sys.argv[1:], '-k', 'box:3', '-o', 'o.png']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, *names], cwd=tmp_path, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert list(tmp_path.glob(".convcli-*"))
        process.send_signal(number)
        process.wait(300)
    assert process.returncode == -number
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.png"]


def test_an_interrupt_beside_the_error_boundary_is_no_traceback() -> None:
    code = (
        "import sys\n"
        "from convcli.cli import app\n"
        "def run(argv): raise KeyboardInterrupt\n"
        "app.run = run\n"
        "from convcli.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=False)
    assert done.returncode == -signal.SIGINT
    assert done.stderr == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_that_comes_as_the_first_is_obeyed_is_no_traceback(number: int) -> None:
    code = (
        "import os, sys\n"
        "from convcli.cli import app\n"
        "again = lambda *_: os.kill(os.getpid(), int(sys.argv[1]))\n"
        "app.invoke = app._complain = app.gc.collect = again\n"
        "from convcli.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(int(number))], stderr=subprocess.PIPE, check=False
    )
    assert done.returncode == -number
    assert done.stderr == b""


def test_what_nohup_sets_aside_stays_aside(tmp_path: Path, samples: Path) -> None:
    shutil.copy(samples / "portrait.png", tmp_path / "in.png")
    code = (
        "import os, signal, sys\n"
        "from convcli.imaging import atomic\n"
        "from convcli.cli.app import run\n"
        "write = atomic.write_all\n"
        "def after_a_hangup(*arguments, **options):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    return write(*arguments, **options)\n"
        "atomic.write_all = after_a_hangup\n"
        "sys.exit(run(['filter', 'in.png', '-k', 'box:3', '-o', 'o.png']))\n"
    )
    for nohup, left in (["nohup"], ["in.png", "o.png"]), ([], ["in.png"]):
        (tmp_path / "o.png").unlink(missing_ok=True)
        done = subprocess.run([*nohup, sys.executable, "-c", code], cwd=tmp_path, check=False)
        assert done.returncode == (0 if nohup else -signal.SIGHUP)
        assert sorted(p.name for p in tmp_path.iterdir()) == left


@pytest.mark.usefixtures("strace")
def test_an_error_of_the_second_write_leaves_nothing(tmp_path: Path, samples: Path) -> None:
    shutil.copy(samples / "portrait.png", tmp_path / "in.png")
    trace = ["strace", "-f", "-o", "/dev/null", "-P", str(tmp_path), "-e", "trace=fsync"]
    inject = ["-e", "inject=fsync:error=ENOSPC:when=1"]
    done = subprocess.run(
        [
            *trace[:4],
            *inject,
            sys.executable,
            *"-m convcli filter in.png -k box:3 -o o.png".split(),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == "convcli: o.png: No space left on device\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.png"]


def test_no_colour_and_no_bar_in_a_pipe(tmp_path: Path, samples: Path) -> None:
    shutil.copy(samples / "spin.gif", tmp_path / "a.gif")
    shutil.copy(samples / "portrait.png", tmp_path / "b.png")
    done = subprocess.run(
        [sys.executable, "-m", "convcli", "filter", "a.gif", "b.png", "-k", "box:3", "-o", "out/"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "\x1b" not in done.stderr
    assert len(done.stderr.splitlines()) == 2


ESCAPE, COLOUR = "\x1b[", re.compile(r"\x1b\[[0-9;]*3[0-9]")
SPEAKING = {
    "help": ["filter", "--help"],
    "kernel": ["kernel", "list"],
    "conv": ["conv", "1 2 3", "1 0"],
    "matrix": ["matrix", "kernel", "x y", "--n", "3"],
    "draw": ["draw", "padding_strides"],
}
PLAIN = {
    "shape": ["shape", "--n", "32", "--k", "5"],
    "json": ["conv", "1 2 3", "1 0", "--json"],
    "summary": ["filter", "a.png", "b.png", "-k", "box:3", "--overwrite"],
    "error": ["filter", "nothing.png", "-k", "box:3"],
}


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in ("help", "conv", "json", "summary")
        else pytest.param(name, marks=pytest.mark.slow)
        for name in (*SPEAKING, *PLAIN)
    ],
)
def test_force_color_reaches_pipes_and_no_color_outweighs_it(
    tmp_path: Path, samples: Path, name: str
) -> None:
    for picture in ("a.png", "b.png"):
        shutil.copy(samples / "spin.gif", tmp_path / picture)

    def said(**variables: str) -> str:
        command = [sys.executable, "-m", "convcli", *(SPEAKING | PLAIN)[name]]
        environment = {**os.environ, **variables}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8"
        )
        return done.stdout + done.stderr

    assert ESCAPE not in said()
    forced = said(FORCE_COLOR="1")
    assert bool(COLOUR.search(forced)) == (ESCAPE in forced) == (name in SPEAKING)
    assert not COLOUR.search(said(FORCE_COLOR="1", NO_COLOR="1"))


def test_a_bar_on_a_terminal(tmp_path: Path, samples: Path) -> None:
    import pty

    for index in range(3):
        shutil.copy(samples / "portrait.png", tmp_path / f"{index}.png")
    main, side = pty.openpty()
    with subprocess.Popen(
        [sys.executable, *"-m convcli filter 0.png 1.png 2.png -k box:3 -o out/".split()],
        cwd=tmp_path,
        stderr=side,
    ) as process:
        os.close(side)
        seen = b""
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:
                break
            if not part:
                break
            seen += part
    os.close(main)
    assert process.returncode == 0
    assert b"3/3" in seen


def test_a_pipe_behind_a_name_is_written_to(samples: Path) -> None:
    command = [sys.executable, "-m", "convcli", "filter", str(samples / "portrait.png")]
    command += ["-k", "box:3", "-q", "-f", "png", "-o"]
    by_dash = subprocess.run([*command, "-"], capture_output=True, check=True).stdout
    by_name = subprocess.run([*command, "/dev/stdout"], capture_output=True, check=True).stdout
    assert by_name == by_dash


def test_a_picture_too_wide_for_its_format_makes_no_folder(tmp_path: Path) -> None:
    Image.new("L", (65501, 2)).save(tmp_path / "wide.png")
    command = [sys.executable, "-m", "convcli", "filter", "wide.png", "-k", "box:3"]
    command += ["-f", "jpeg", "-o", "new/"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "65501 pixels a side, only 65500; use .png or .tif" in done.stderr
    assert not (tmp_path / "new").exists()
