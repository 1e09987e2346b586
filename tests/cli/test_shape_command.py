"""``convcli shape`` as a user types it."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


PROGRAM = shlex.join([sys.executable, "-m", "convcli"])
"""For shells, wherever Python lies."""


def test_the_first_example_prints_32_with_the_working(convcli: Run) -> None:
    done = convcli("shape", "--n", 32, "--k", 5, "--p", 2, "--s", 1)
    assert (done.code, done.err) == (0, "")
    text = done.out.decode()
    assert "o = floor((n + 2p - k) / s) + 1\n" in text
    assert "  = floor((32 + 2*2 - 5) / 1) + 1\n  = 32\n" in text
    assert "padded size             32 + 2 + 2     36" in text
    assert text.isascii()


@pytest.mark.parametrize(
    "args",
    [
        ["--n", "32", "--k", "5", "--s", "2", "--p", "2", "--d", "2"],
        ["-n", "32", "-k", "5", "-s", "2", "-p", "2", "-d", "2"],
        ["--input", "32", "--kernel-size", "5", "--stride", "2", "--padding", "2", "--dilation=2"],
    ],
    ids=["short", "dash", "long"],
)
def test_every_spelling_of_the_options(convcli: Run, args: list[str]) -> None:
    data = json.loads(convcli("shape", *args, "--json").out)
    assert data["input"] == [32]
    assert data["kernel_size"] == [5]
    assert data["stride"] == [2]
    assert data["padding"] == [[2, 2]]
    assert data["dilation"] == [2]
    assert data["output"] == [14]
    assert data["formula"] == "o = floor((n + 2p - (d(k - 1) + 1)) / s) + 1"
    assert [step["value"] for step in data["steps"]] == [36, 9, 27, 13, 14]


@pytest.mark.parametrize(
    ("args", "output"),
    [
        ("--n 224x200 --k 7x5 --s 2x1 --p 3x0,1", [112, 197]),
        ("--n 16x112x112 --k 3 --p same", [16, 112, 112]),
        ("--n 2x2 --k 3 --s 2 --p 1 --op 1 --transpose", [4, 4]),
        ("--n 9 --k 4 --s 4 --p 2 --pool max --ceil", [3]),
        ("--n 9 --k 4 --s 4 --p 2 --pool max", [3]),
        ("--n 7 --k 2 --pool avg --ceil", [4]),
        ("--n 5 --k 2 --s 3 --transpose --as keras", [15]),
        ("--n 5 --k 2 --s 3 --transpose --as torch", [14]),
        ("--n 8 --k 3 --p full", [10]),
    ],
)
def test_outputs(convcli: Run, args: str, output: list[int]) -> None:
    done = convcli("shape", *args.split(), "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["output"] == output


def test_costs_in_json(convcli: Run) -> None:
    args = "--n 224x224 --k 7 --s 2 --p 3 --in 3 --out 64 --batch 2 --no-bias --json"
    data = json.loads(convcli("shape", *args.split()).out)
    assert data["params"] == 64 * 3 * 49
    assert data["macs"] == 2 * 64 * 112 * 112 * 3 * 49
    assert data["flops"] == 2 * data["macs"]
    assert (data["receptive_field"], data["jump"], data["start"]) == ([7, 7], [2, 2], [0.5, 0.5])


def test_what_people_forget_is_said(convcli: Run) -> None:
    def said(args: str) -> str:
        return convcli("shape", *args.split()).out.decode()

    assert "1 of 32 input cells is read by no window" in said("--n 32 --k 3 --s 2")
    assert "the floor drops 1 left-over cell" in said("--n 32 --k 3 --s 2")
    assert "1 before and 2 after (the odd one at the end)" in said("--n 9 --k 4 --p same")
    assert "1 cell between windows is skipped" in said("--n 9 --k 2 --s 3")
    assert "divided by 2 cells, or by 3 where padding counts" in said(
        "--n 9 --k 3 --s 2 --p 1 --pool avg"
    )
    checkerboard = said("--n 8 --k 3 --s 2 --transpose")
    assert "summed from 2 1 inputs in turn" in checkerboard
    assert "kernel size 4 would be even" in checkerboard
    assert "checkerboard" not in said("--n 8 --k 4 --s 2 --transpose")
    assert "ceil would give 4, but" in said("--n 9 --k 4 --s 4 --p 2 --pool max --ceil")


def test_compare_marks_what_differs(convcli: Run) -> None:
    done = convcli("shape", *"--n 5 --k 2 --s 3 --transpose --compare".split())
    lines = done.out.decode().splitlines()
    assert "tensorflow  15 *    0" in lines
    assert "torch       14      0" in lines
    data = json.loads(
        convcli("shape", *"--n 5 --k 2 --s 3 --transpose --compare --json".split()).out
    )
    assert {row["dialect"]: row["differs"] for row in data["dialects"]} == {
        "torch": False,
        "tensorflow": True,
        "keras": True,
        "onnx": False,
    }


def test_solve_lists_what_gives_the_output(convcli: Run) -> None:
    lines = convcli("shape", "--n", 32, "--solve", 16).out.decode().splitlines()
    assert lines[4].split() == ["3", "2", "1", "1", "centred"]
    data = json.loads(convcli("shape", *"--n 32 --solve 16 --k 5 --json".split()).out)
    assert {row["kernel_size"] for row in data["solutions"]} == {5}
    up = json.loads(convcli("shape", *"--n 16 --solve 32 --transpose --json".split()).out)
    assert up["solutions"][0]["stride"] == 2


CHAIN = "conv 64 k7 s2 p3 | relu | maxpool k3 s2 p1 | conv 128 k3 p1 | flatten | linear 10"


@pytest.mark.parametrize("how", [["--network", CHAIN], [CHAIN]], ids=["option", "argument"])
def test_a_chain_as_json(convcli: Run, how: list[str]) -> None:
    data = json.loads(convcli("shape", *how, "--n", 32, "--batch", 2, "--json").out)
    assert data["input"] == [2, 3, 32, 32]
    assert data["output"] == [2, 10]
    keys = {"name", "kind", "output", "params", "macs", "receptive_field", "jump", "start"}
    assert all(keys <= set(layer) for layer in data["layers"])
    for key in ("params", "macs", "activations_bytes"):
        assert data["totals"][key] == sum(layer[key] for layer in data["layers"])


def test_a_broken_chain_prints_what_works_and_exits_2(convcli: Run) -> None:
    done = convcli("shape", "conv 8 k3 | maxpool k2 | conv 8 k9 | relu", "--n", 12, "--in", 1)
    assert done.code == 2
    text = done.out.decode()
    assert "maxpool1" in text
    assert "8x5x5" in text
    assert "the chain breaks here" in text
    assert done.err.count("\n") == 1
    assert done.err.startswith("convcli: layer conv2 (conv 8 k9): ")
    assert done.err.endswith("p2 or k5 would work\n")
    data = json.loads(
        convcli("shape", "conv 8 k3 | conv 8 k99", "--n", 12, "--json").out,
    )
    assert data["failure"]["name"] == "conv2"
    assert len(data["layers"]) == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("--n 2 --k 5", "output is empty.*pad by at least 3 in all or use a smaller kernel"),
        ("--n 32 --k 3 --s 0", "stride is 0; it must be 1 or more"),
        ("--n 8 --k 3 --s 2 --op 2 --transpose", "output padding is 2; it must be 0 to 1"),
        ("--n 8 --k 3 --in 64 --out 128 --groups 3", "1, 2, 4, 8, 16, 32, 64 would work"),
        ("--n 32 --k 3 --s 2 --p same --as torch", "padding=1 gives the same size"),
        ("--n 32", "the kernel size is missing; give --k"),
        ("--k 3", "the input size is missing; give --n"),
        ("", "the input size is missing; give --n"),
        ("--n abc --k 3", "input size is 'abc'; give a whole number"),
        ("--n 32 --k 3 --p sane", "padding is 'sane'; give a number"),
        ("--n 32 --k 3 --p -1", "padding is -1,-1; it must be 0 or more"),
        ("--n 32 --k 3x3", "kernel size has 2 numbers for 1 axis; give 1"),
        ("--n 32 --k 3 --pool min", "it must be max or avg"),
        ("--n 32 --k 3 --pool max --transpose", "exclude each other"),
        ("--n 32 --k 3 --pool max --in 3 --out 4", "neither output channels nor groups"),
        ("--n 32 --k 3 --out 4", "--out needs --in"),
        ("--n 32 --k 3 --batch 0", "batch is 0"),
        ("--n 32 --k 3 --in 0 --out 4", "input channels is 0"),
        ("--n 32 --k 3 --op 1", "only a transposed convolution"),
        ("--n 32 --k 3 --ceil", "ceil mode is for pooling"),
        ("--n 32 --k 3 --as tf", "must be one of torch, tensorflow, keras, onnx"),
        ("--n 32 --k 3 --as torch --compare", "--as cannot be used with --compare"),
        ("--n 32 --solve 64", "--transpose"),
        ("--n 32 --solve 16 --compare", "--compare cannot be used with --solve"),
        ("--n 32 --k 3 --json --csv", "--json and --csv exclude each other"),
        ("resnet18 --k 3 --s 2", "--k, --s cannot be used with a network"),
        ("resnet18 --network vgg16", "two networks are given"),
        ("resnet51", "did you mean 'resnet50'"),
        ("--network nothing.toml", None),
        ("--kernle 3", "kernel-size"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(convcli: Run, args: str, message: str | None) -> None:
    done = convcli("shape", *args.split())
    assert done.out == b""
    assert done.err.startswith("convcli: ")
    assert done.err.count("\n") == 1
    if message is None:
        assert done.code == 1
        return
    assert done.code == 2

    assert re.search(message, done.err), done.err


def test_csv_is_one_record_per_layer(convcli: Run) -> None:
    text = convcli("shape", "--network", "resnet18", "--csv").out.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sum(int(row["params"]) for row in rows) == 11_689_512
    assert sum(int(row["macs"]) for row in rows) == 1_814_073_344
    assert rows[0]["output"] == "64x112x112"
    axes = convcli("shape", *"--n 9x8 --k 3 --p 0,1 --csv".split()).out.decode()
    assert [row["output"] for row in csv.DictReader(io.StringIO(axes))] == ["8", "7"]
    assert convcli("shape", *"--n 9 --solve 4 --csv".split()).out.startswith(b"kernel_size,stride")


def test_markdown_is_a_table_of_even_width(convcli: Run) -> None:
    text = convcli("shape", "--network", "unet", "--markdown").out.decode()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1
    assert rows[1].startswith("| :--- |")


def test_latex_escapes_and_balances(convcli: Run) -> None:
    for args in (["--network", "resnet18"], ["--n", "32", "--k", "3", "--s", "2"]):
        text = convcli("shape", *args, "--latex").out.decode()
        assert text.count(r"\begin{") == text.count(r"\end{")
        assert text.count("{") == text.count("}")
        for mark in "_%#":
            assert f" {mark}" not in text.replace(f"\\{mark}", "")
    assert r"\left\lfloor \frac{32 + 2 \cdot 0 - 3}{2} \right\rfloor + 1 = 15" in text


def test_a_file_with_any_bytes_in_its_name_is_named_whole(convcli: Run, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"n\xff[red].toml")
    path.write_text("layers = 'conv 4 k3'\ninput = '1x8'\n")
    done = convcli("shape", path)
    assert done.code == 0, done.err
    assert b"[red]" in done.out


def run_module(*args: str, code: str = "") -> subprocess.CompletedProcess[str]:
    program = ["-c", code] if code else ["-m", "convcli"]
    return subprocess.run([sys.executable, *program, *args], capture_output=True, text=True)


@pytest.mark.parametrize(
    "args",
    [["--n", "32", "--k", "5"], ["--network", "resnet50"], ["--n", "32", "--solve", "16"]],
    ids=["layer", "network", "solve"],
)
def test_json_and_plain_text_import_neither_arrays_nor_rich(args: list[str]) -> None:
    code = (
        "import sys; from convcli.cli.app import run; code = run(['shape', *sys.argv[1:]]); "
        "heavy = {'numpy', 'PIL', 'rich', 'onnx', 'scipy', 'pydantic'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else code)"
    )
    for form in ([], ["--json"]):
        done = run_module(*args, *form, code=code)
        assert done.returncode == 0, done.stderr


def test_a_reader_that_leaves_early_hears_nothing() -> None:
    command = f"{PROGRAM} shape --network resnet50 --json | head -c 10"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""


def test_a_closed_standard_output_is_said() -> None:
    command = f"{PROGRAM} shape --n 9 --k 3 >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "convcli: standard output is closed\n"


def test_a_full_disk_is_said() -> None:
    command = f"{PROGRAM} shape --network resnet50 >/dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "convcli: No space left on device\n"
