"""``convcli kernel`` as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convcli.kernels.catalogue import PRESETS

Run = Callable[..., Any]


def test_list_names_every_preset_with_its_purpose(convcli: Run) -> None:
    done = convcli("kernel", "list")
    assert (done.code, done.err) == (0, "")
    text = done.out.decode()
    for preset in PRESETS.values():
        assert f"\n  {preset.name} " in text
        assert preset.purpose in text
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_list_as_json(convcli: Run) -> None:
    entries = json.loads(convcli("kernel", "list", "--json").out)
    assert [e["name"] for e in entries] == list(PRESETS)
    gaussian = entries[0]
    assert [p["name"] for p in gaussian["parameters"]] == ["sigma", "size"]


@pytest.mark.parametrize("name", PRESETS)
def test_show_every_preset(convcli: Run, name: str) -> None:
    spec = PRESETS[name].example if PRESETS[name].required else name
    done = convcli("kernel", "show", spec)
    assert (done.code, done.err) == (0, "")
    text = done.out.decode()
    assert text.startswith(spec)
    assert "\ndoes  " in text
    assert "\nrange " in text


def test_show_says_all_of_it(convcli: Run) -> None:
    text = convcli("kernel", "show", "gaussian-3x3").out.decode()
    for line in (
        "  1  2  1",
        "  2  4  2",
        "does        smooths: brightness kept",
        "scale       1/16",
        "sum         1",
        "range       0 to 255 for samples of 0 to 255",
        "symmetry    symmetric left-right, top-bottom, under half a turn, under transposition, under a quarter turn",
        "rank        1: separable, a column times a row (exact)",
        "column      1 2 1",
        "row         1 2 1",
    ):
        assert f"\n{line}\n" in f"\n{text}", line


def test_show_as_json_can_be_loaded_again(convcli: Run) -> None:
    shown = json.loads(convcli("kernel", "show", "dgauss-x:1", "--json").out)
    assert shown["parts"][0]["rank"] == 1
    assert shown["sum"] == 0
    assert len(shown["weights"]) == shown["shape"][0] == 7


@pytest.mark.parametrize("literal", ["-1 0 1", "1 0 -1; 2 0 -2; 1 0 -1", "-.5", "[[-1, 1]]"])
def test_literals_are_no_options(convcli: Run, literal: str) -> None:
    assert convcli("kernel", "show", literal).code == 0


@pytest.mark.parametrize("sample", ["blur.mat", "ring.im", "fringe.json", "relief.toml"])
def test_show_a_file(convcli: Run, samples: Path, sample: str) -> None:
    assert convcli("kernel", "show", samples / "kernels" / sample).code == 0


@pytest.mark.parametrize("format", ["json", "toml", "csv", "tsv", "txt", "npy", "mat", "im"])
def test_export_chooses_the_format_by_the_suffix(convcli: Run, tmp_path: Path, format: str) -> None:
    target = tmp_path / f"k.{format}"
    done = convcli("kernel", "export", "laplacian", "-o", target)
    assert (done.code, done.out) == (0, b"")
    assert done.err == f"laplacian -> {target} ({format})\n"
    shown = json.loads(convcli("kernel", "show", target, "--json").out)
    assert shown["weights"] == [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    if format != "npy":
        piped = convcli("kernel", "export", "laplacian", "-o", "-", "-f", format)
        assert piped.out == target.read_bytes()
        assert piped.err == ""


def test_export_npy_to_standard_output(convcli: Run) -> None:
    assert convcli("kernel", "export", "sobel-x", "-o", "-", "-f", "npy").out[:6] == b"\x93NUMPY"


def test_nothing_is_overwritten_unasked(convcli: Run, tmp_path: Path) -> None:
    target = tmp_path / "k.csv"
    target.write_text("mine")
    done = convcli("kernel", "export", "laplacian", "-o", target)
    assert done.code == 2
    assert "--overwrite" in done.err
    assert target.read_text() == "mine"
    assert convcli("kernel", "export", "laplacian", "-o", target, "--overwrite").code == 0
    assert target.read_text() == "0,1,0\n1,-4,1\n0,1,0\n"
    assert list(tmp_path.iterdir()) == [target]


WRONG = {
    "unknown kernel": (["show", "sobbel-x"], "did you mean 'sobel-x'"),
    "no convolution": (["show", "hysteresis"], "the nearest is -k canny"),
    "misspelt option": (["show", "sobel-x", "--jsn"], "--jsn"),
    "no kernel": (["show"], "KERNEL"),
    "no output": (["export", "sobel-x"], "--output"),
    "no format": (["export", "sobel-x", "-o", "k.png"], "add -f with json"),
    "no format for a pipe": (["export", "sobel-x", "-o", "-"], "add -f with json"),
    "unknown format": (["export", "sobel-x", "-o", "k.csv", "-f", "xls"], "'xls' is not known"),
    "too much for csv": (["export", "sobel", "-o", "k.csv"], "stack of 2 kernels"),
    "bias": (["export", "invert", "-o", "k.npy"], "use json or toml or mat"),
    "a missing file": (["show", "./missing.csv"], "there is no file"),
    "unknown command": (["sho"], "sho"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_one_line_and_exit_2(
    convcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, reason = WRONG[case]
    done = convcli("kernel", *arguments)
    assert done.code == 2
    assert reason in done.err
    assert done.err.count("\n") == 1
    assert done.out == b""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("format", ["csv", "npy"])
def test_a_full_disk_is_noticed(unbuffered: str, format: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "convcli", "kernel", "export", "box", "-o", "-", "-f", format],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            check=False,
        )
    assert done.returncode == 1
    assert b"No space left" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from convcli.cli.app import run; run(['kernel', 'show', '--help']);"
        "print([m for m in ('numpy', 'scipy', 'cupy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.endswith(b"[]\n")


def test_a_reader_that_leaves_early_is_nobodys_fault() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "convcli", "kernel", "list"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == -signal.SIGPIPE


def test_no_command_shows_the_help_and_nothing_else(convcli: Run) -> None:
    done = convcli("kernel")
    assert done.code == 2
    assert done.err == ""
    assert b"export" in done.out
