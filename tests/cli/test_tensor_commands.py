"""The tensor commands as a user types them: every worked example, the working, the mistakes."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., Any]
EXAMPLES = json.loads((Path(__file__).parents[1] / "data" / "worked_examples.json").read_text())
CASES = {case["id"]: case for case in EXAMPLES["cases"]}


def literal(entries: Any) -> str:
    return " ".join(entries) if isinstance(entries[0], str) else json.dumps(entries)


def options_of(case: dict[str, Any]) -> list[str]:
    options = [] if not case.get("flip") else ["--flip"]
    for name in ("stride", "padding", "dilation", "output_padding"):
        if name in case:
            options += [f"--{name.replace('_', '-')}", str(case[name])]
    return options


@pytest.mark.parametrize("name", CASES)
def test_worked_examples(convcli: Run, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    if case["op"] == "toeplitz":
        w, x = literal(case["weight"]), literal(case["input"])
        done = convcli("matrix", "kernel", w, "--n", 4, "--padding", 1, "--x", x, "--json")
        found = json.loads(done.out)
        assert found["left"] == case["matrix"]
        assert found["right"] == case["padded_input"]
        assert found["result"] == case["symbolic_output"]
        assert found["equals_sliding_window"] is True
        return
    command = case["op"].replace("_", "-")
    if "input" in case:
        x, w = literal(case["input"]), literal(case["weight"])
        done = convcli(command, x, w, *options_of(case), "--json")
        assert (done.code, done.err) == (0, "")
        found = json.loads(done.out)
        assert found["data"] == case.get("output", case.get("symbolic_output"))
        assert found["shape"] == list(np.array(found["data"]).shape)
        return
    kernel = case.get("weight_shape", (case.get("kernel_size"),) * 2)
    np.save(tmp_path / "x.npy", np.ones(case["input_shape"], np.float32))
    np.save(tmp_path / "w.npy", np.ones(kernel, np.float32))
    done = convcli(command, tmp_path / "x.npy", tmp_path / "w.npy", *options_of(case), "--json")
    assert json.loads(done.out)["shape"] == case["output_shape"]
    assert json.loads(done.out)["dtype"] == "float32"


def test_partial_sums_of_the_channels(convcli: Run) -> None:
    case = CASES["conv2d_two_channels_three_filters"]
    done = convcli("conv", literal(case["input"]), literal(case["weight"]), "--all")
    lines = done.out.decode().splitlines()
    for o, parts in enumerate(case["partial_sums"].values()):
        for i, j in np.ndindex(3, 3):
            at = lines.index(f"y[{o},{i},{j}]")
            block = "\n".join(lines[at + 1 : at + 6])
            first, second = (part[i][j] for part in parts)
            assert f"= {first}\n" in block
            assert f"= {second}\n" in block
            total = case["output"][o][i][j]
            second_text = f"({second})" if second < 0 else str(second)
            assert f"sum:         {first} + {second_text} = {total}" in block


def test_steps_show_products_and_padding(convcli: Run) -> None:
    done = convcli("conv", "1 2 3 4", "1 0 -1", "--steps", "--padding", 1)
    assert done.out.decode().splitlines() == [
        "y[0] = [0]·1 + 1·0 + 2·(-1) = -2",
        "y[1] = 1·1 + 2·0 + 3·(-1) = -2",
        "y[2] = 2·1 + 3·0 + 4·(-1) = -2",
        "y[3] = 3·1 + 4·0 + [0]·(-1) = 3",
        "[0] is padding",
        "correlation of 4 with 3:  4 int64",
        "    -2  -2  -2  3",
    ]


def test_steps_of_symbols_transposed_flipped_with_bias(convcli: Run) -> None:
    done = convcli("conv-transpose", "a b", "x y z", "--stride", 2, "--all")
    assert "y[2] = a·z + b·x = az+bx\n" in done.out.decode()
    done = convcli("conv", "3 4 5", "2 1", "--padding", "full", "--flip", "--at", 1)
    assert done.out.decode().startswith("y[1] = 3·1 + 4·2 = 11\n")
    done = convcli("conv", "1 2 3 4", "1 1", "--bias", "10", "--at", 0)
    assert "sum:         3 + 10 (bias) = 13" in done.out.decode()
    done = convcli("conv", "1 2 3 4", "1 1", "--steps", "--json")
    assert json.loads(done.out)["data"] == [3, 5, 7]
    assert "y[0] = 1·1 + 2·1 = 3" in done.err


def test_every_step_sums_to_the_output(convcli: Run) -> None:
    """Groups, strides, dilation and 3 axes: the working is the real working."""
    rng = np.random.default_rng(4)
    x, w = rng.integers(-5, 5, (1, 4, 5, 4, 6)), rng.integers(-5, 5, (2, 2, 2, 1, 3))
    x, w = x[0], w
    options = ["--groups", 2, "--stride", "2x1x2", "--dilation", "2x1x1", "--padding", "1x0x2,1"]
    out = convcli("conv", json.dumps(x.tolist()), json.dumps(w.tolist()), *options, "--all")
    values = json.loads(
        convcli("conv", json.dumps(x.tolist()), json.dumps(w.tolist()), *options, "--json").out
    )["data"]
    sums = [line for line in out.out.decode().splitlines() if line.startswith("  sum:")]
    assert [int(line.rsplit("= ", 1)[1]) for line in sums] == list(np.ravel(values))
    wt = rng.integers(-5, 5, (4, 1, 2, 1, 3))
    arguments = ["conv-transpose", json.dumps(x.tolist()), json.dumps(wt.tolist()), "--groups", 2, "--stride", "2x1x3"]  # fmt: skip
    values = json.loads(convcli(*arguments, "--json").out)["data"]
    sums = [
        line
        for line in convcli(*arguments, "--all").out.decode().splitlines()
        if line.startswith("  sum:")
    ]
    assert [int(line.rsplit("= ", 1)[1]) for line in sums] == list(np.ravel(values))


def test_files_in_and_out(convcli: Run, tmp_path: Path) -> None:
    x = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "two.npz", w=np.array([[1], [-1]]), other=x)
    (tmp_path / "w.csv").write_text("1\n-1\n")
    (tmp_path / "w.json").write_text('{"shape": [2, 1], "dtype": "int64", "data": [[1], [-1]]}')
    expected = x[:-1] - x[1:]
    for w in ("two.npz:w", "w.csv", "w.json"):
        done = convcli("conv", tmp_path / "x.npy", f"{tmp_path}/{w}", "--json")
        assert json.loads(done.out)["data"] == expected.tolist()
    for suffix in ("npy", "json", "csv"):
        target = tmp_path / f"y.{suffix}"
        done = convcli("conv", tmp_path / "x.npy", tmp_path / "w.csv", "-o", target)
        assert (done.code, done.out) == (0, b"")
        assert f"y.{suffix}" in done.err
        again = convcli("conv", target, "[[1]]", "--json")
        assert json.loads(again.out)["data"] == expected.tolist()
        done = convcli("conv", tmp_path / "x.npy", tmp_path / "w.csv", "-o", target)
        assert done.code == 2
        assert "--overwrite" in done.err
    assert np.load(tmp_path / "y.npy").dtype == np.float64  # the CSV's whole numbers are int64
    grads = convcli("grad", "1 2 3", "1 1", "--only", "weight", "-o", tmp_path / "g.npy")
    assert grads.code == 0
    assert np.load(tmp_path / "g.npy").tolist() == [3, 5]


def test_pictures_are_channels_first(convcli: Run, samples: Path) -> None:
    picture = samples / "portrait.png"
    from convcli.imaging.opening import read_picture

    pixels = next(iter(read_picture(str(picture)).frames)).pixels
    channels = pixels.shape[2]
    done = convcli(
        "conv", picture, json.dumps(np.ones((1, channels, 1, 1), int).tolist()), "--json"
    )
    found = json.loads(done.out)
    assert found["shape"] == [1, *pixels.shape[:2]]
    np.testing.assert_array_equal(found["data"][0], pixels.sum(axis=2, dtype=int))


@pytest.mark.parametrize("batch", [0, 2])
def test_windows_of_a_batch_are_shown_one_after_the_other(
    batch: int, convcli: Callable[..., Any], tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", np.arange(batch * 6).reshape(batch, 1, 2, 3))
    done = convcli("matrix", "data", tmp_path / "x.npy", "-k", "2")
    assert done.code == 0, done.err
    out = done.out.decode()
    assert f"each window is a column: {batch}x4x2:" in out
    assert out.count("member") == batch
    assert batch == 0 or "10 11" in out


def test_pipes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "convcli", "conv"]
    first = subprocess.run([*command, "1 2 3 4", "1 1", "-o", "-"], capture_output=True, check=True)
    assert np.load(io.BytesIO(first.stdout)).tolist() == [3, 5, 7]
    second = subprocess.run(
        [*command, "-", "1 1", "--json"], input=first.stdout, capture_output=True
    )
    assert json.loads(second.stdout)["data"] == [8, 12]
    third = subprocess.run([*command, "-", "1 1"], input=b"1 2\n3 4\n", capture_output=True)
    assert third.returncode == 2
    assert third.stderr.count(b"\n") == 1


def test_matrices_on_the_board(convcli: Run) -> None:
    done = convcli("matrix", "kernel", "1 2 3", "--n", 4, "--padding", 1)
    text = done.out.decode()
    assert "⎡1 2 3 0 0 0⎤ ⎡0⎤ = ⎡  2a+3b⎤\n" in text
    assert "✓ equals the sliding window" in text
    done = convcli("matrix", "kernel", "x y z", "--n", 4, "--padding", 1, "--transpose", "--json")
    found = json.loads(done.out)
    assert found["result"] == CASES["transposed_as_matrix"]["symbolic_output"]
    assert found["equals_sliding_window"] is True
    done = convcli("matrix", "data", "1 2 3 4 5", "1 0 -1")
    assert "[1 0 -1] ⎡1 2 3⎤ = [-2 -2 -2]" in done.out.decode()
    done = convcli("matrix", "data", "a b c; d e f; g h i", "-k", "2", "--json")
    assert json.loads(done.out)["right"][0] == ["a", "b", "d", "e"]
    done = convcli("matrix", "circulant", "1 2 3", "--n", 5, "--json")
    found = json.loads(done.out)
    assert found["commute"] is True
    assert found["C"]["data"][0] == [1, 0, 0, 3, 2]
    text = convcli("matrix", "circulant", "a b", "--n", 3).out.decode()
    assert "C S = S C" in text
    assert "✗" not in text


def test_two_dimensional_matrix_with_stride_and_flip(convcli: Run) -> None:
    x = np.random.default_rng(0).integers(-9, 9, (2, 5, 4))
    w = np.random.default_rng(1).integers(-9, 9, (3, 2, 2, 3))
    for extra in ([], ["--flip"], ["--stride", "2x1", "--padding", "1"]):
        done = convcli("matrix", "kernel", json.dumps(w.tolist()), "--x", json.dumps(x.tolist()), *extra, "--json")  # fmt: skip
        assert json.loads(done.out)["equals_sliding_window"] is True
        done = convcli("matrix", "data", json.dumps(x.tolist()), json.dumps(w.tolist()), *extra, "--json")  # fmt: skip
        assert json.loads(done.out)["equals_sliding_window"] is True
        done = convcli("matrix", "kernel", json.dumps(w.tolist()), "--n", "2x5x4", *extra, "--transpose", "--json")  # fmt: skip
        assert json.loads(done.out)["equals_sliding_window"] is True


def test_impulse_separate_pool_and_checks(convcli: Run) -> None:
    found = json.loads(convcli("impulse", "1 2 3", "3 0 5", "--flip", "--json").out)
    assert found["response"]["data"] == [1, 2, 3]
    assert [part["response"]["data"] for part in found["impulses"]] == [
        [3, 6, 9, 0, 0],
        [0, 0, 5, 10, 15],
    ]
    assert found["sum"]["data"] == [3, 6, 14, 10, 15]
    assert json.loads(convcli("impulse", "1 2 3", "--json").out)["response"]["data"] == [3, 2, 1]
    text = convcli("impulse", "x y", "a b", "--flip").out.decode()
    assert "sum = [ax ay+bx by]" in text
    assert "✓ equals the output" in text

    found = json.loads(convcli("separate", "1 2 1; 2 4 2; 1 2 1", "--json").out)
    assert found == {"rank": 1, "error": 0.0, "columns": [[1, 2, 1]], "rows": [[1, 2, 1]]}
    assert "rank 2" in convcli("separate", "1 2 1; 2 4 2; 1 2 3").out.decode()

    assert "    5  8\n" in convcli("pool", "max", "1 5 2 0; 3 4 8 7").out.decode()
    done = convcli("pool", "avg", "1 2 3 4 5", "-k", 3, "--stride", 2, "--padding", 1, "--no-count-include-pad", "--dims", 1, "--json")  # fmt: skip
    assert json.loads(done.out)["data"] == [1.5, 3, 4.5]
    done = convcli("pool", "max", "1 5; 3 4", "-k", "all", "--indices", "--json")
    assert json.loads(done.out)["data"] == [[1]]
    done = convcli("pool", "max", "1 5; 3 4", "--grad-y", "[[7]]", "--json")
    assert json.loads(done.out)["data"] == [[0, 7], [0, 0]]

    for what in ("equivariance", "adjoint", "gradient"):
        for extra in ([], ["--stride", 2], ["--padding", "same", "--dilation", 2]):
            done = convcli("check", what, "1 2 3 4 5", "1 0 -1", *extra)
            assert done.code == 0
            assert "✓ both sides agree" in done.out.decode()
    done = convcli("check", "adjoint", "[[[1,2],[3,4]],[[5,6],[7,8]]]", "[[[[1]]],[[[2]]]]", "--groups", 2, "--json")  # fmt: skip
    assert json.loads(done.out)["holds"] is True


def test_checks_show_what_their_numbers_come_from(convcli: Run) -> None:
    """With the vector that is drawn, both sides can be worked out on paper."""
    x, w = [1, 2, 3, 5], [1, 0, -1]
    found = json.loads(convcli("check", "adjoint", "1 2 3 5", "1 0 -1", "--json").out)
    parts = {name: np.array(value["data"]) for name, value in found.items() if "data" in str(value)}
    v = parts["v"]
    assert parts["conv(x)"].tolist() == np.correlate(x, w).tolist()
    assert parts["conv_transpose(v)"].tolist() == np.convolve(v, w).tolist()
    assert parts["<conv(x), v>"] == np.correlate(x, w) @ v
    assert parts["<x, conv_transpose(v)>"] == x @ np.convolve(v, w)
    found = json.loads(convcli("check", "gradient", "1 2 3 5", "1 0 -1", "--json").out)
    v = np.array(found["v"]["data"])
    by_hand = [*np.convolve(v, w), *np.correlate(x, v)]
    assert found["gradient of <conv(x), v> for x, then weight"]["data"] == by_hand
    text = convcli("check", "gradient", "1 2 3 5", "1 0 -1").out.decode()
    assert text.startswith("v:  2 float64\n")


def test_each_command_names_the_axes_of_its_own_weight(convcli: Run) -> None:
    forward, backward = "(C_out, C_in/groups, *kernel)", "(C_in, C_out/groups, *kernel)"
    words = {
        name: re.sub(r"[\s│]+", " ", convcli(name, "--help").out.decode())
        for name in ("conv", "conv-transpose", "grad")
    }
    assert forward in words["conv"]
    assert "C_in, C_out" not in words["conv"]
    assert backward in words["conv-transpose"]
    assert "C_out, C_in" not in words["conv-transpose"]
    assert f"{forward}, with --transposed {backward}" in words["grad"]
    cube, vector = "[[[1,2]]]", "[[[1,2]]]"
    for name, axes in (("conv", forward), ("conv-transpose", backward)):
        assert axes in convcli(name, cube, vector).err.replace("\n", " ")
        assert axes in convcli(name, "1 2 3", "[[[[1]]]]").err.replace("\n", " ")


def test_a_batch_of_none_goes_through(convcli: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", np.ones((0, 3, 5, 6)))
    np.save(tmp_path / "w.npy", np.ones((4, 3, 3, 3)))
    done = convcli("conv", tmp_path / "none.npy", tmp_path / "w.npy", "--steps", "--json")
    assert json.loads(done.out)["shape"] == [0, 4, 3, 4]
    done = convcli("conv", tmp_path / "none.npy", tmp_path / "w.npy")
    assert "0x4x3x4 float64" in done.out.decode()
    assert "0x3x2x3 float64" in convcli("pool", "max", tmp_path / "none.npy").out.decode()


def test_start_up_imports_only_what_is_used(tmp_path: Path) -> None:
    code = (
        "import sys; from convcli.cli.app import run; run(['conv', '1 2 3', '1 1', '--json']);"
        "print(*sorted(m for m in sys.modules if m.split('.')[0] in "
        "('rich', 'PIL', 'scipy', 'cupy', 'threadpoolctl', 'imagecodecs')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == ['{"shape": [2], "dtype": "int64", "data": [3, 5]}', ""]


def test_gradients(convcli: Run) -> None:
    found = json.loads(convcli("grad", "1 2 3 4", "1 0 -1", "--json").out)
    assert found["x"]["data"] == [1, 1, -1, -1]
    assert found["weight"]["data"] == [3, 5, 7]
    assert found["bias"]["data"] == [2]
    found = json.loads(
        convcli("grad", "1 2", "1 10 100", "--transposed", "--stride", 2, "--json").out
    )
    assert found["x"]["data"] == [111, 111]
    assert found["weight"]["data"] == [3, 3, 3]


MISTAKES: dict[str, tuple[list[str], str]] = {
    "channels": (["conv", "[[1,2],[3,4]]", "[[[1],[1],[1]]]"], "needs 3"),
    "stride_0": (["conv", "1 2 3", "1", "--stride", "0"], "stride is 0"),
    "empty_output": (["conv", "1 2", "1 2 3"], "the output is empty"),
    "padding": (["conv", "1 2", "1", "--padding", "some"], "valid, same, same_lower, full"),
    "ambiguous": (["conv", "[[[1,2]]]", "[[[1,2]]]"], "--dims 1 is"),
    "ragged": (["conv", "1 2; 3", "1"], "X: literal, row 2"),
    "nan": (["conv", "1 nan", "1"], "'nan' is not a finite number"),
    "overflow": (["conv", "1 1e999", "1"], "too large"),
    "null": (["conv", "[1, null]", "1"], "null is not a number"),
    "true": (["conv", "[true]", "1"], "true is not a number"),
    "text_nan": (["conv", '["nan"]', "1"], "'nan' is not a finite number"),
    "text_number": (["conv", '["1"]', "1"], "text; write numbers without quotes"),
    "deep": (["conv", "[" * 200_000, "1"], "nested too deeply"),
    "digits": (["conv", "9" * 5000, "1"], "too long"),
    "big_whole": (["conv", "9999999999999999999", "1"], "does not fit into 64 bits"),
    "duplicate": (["conv", '{"data": [1], "data": [2]}', "1"], "twice"),
    "json_key": (["conv", '{"values": [1]}', "1"], "must hold data"),
    "empty": (["conv", "", "1"], "is empty"),
    "missing_file": (["conv", "no.npy", "1"], "there is no file 'no.npy'"),
    "neither": (["conv", "what?", "1"], "no file, and no literal"),
    "device": (["conv", "/dev/zero", "1"], "is a device"),
    "folder": (["conv", "/", "1"], "is a directory"),
    "option": (["conv", "1 2", "1", "--strid", "2"], "--strid"),
    "at": (["conv", "1 2 3", "1", "--at", "3"], "the last one is --at 2"),
    "suffix": (["conv", "1 2", "1", "-o", "y.txt"], "suffix must be one of"),
    "csv_rank": (["conv", "[[[1,2]]]", "[[[[1]]]]", "-o", "y.csv"], "does not fit into .csv"),
    "only": (["grad", "1 2", "1", "--only", "y"], "allowed: x, weight, bias"),
    "grad_o": (["grad", "1 2", "1", "-o", "g.npy"], "--only"),
    "int_overflow": (["conv", "9000000000000000000 1", "9 9"], "could exceed int64"),
    "symbols_npy": (["conv", "a b", "1", "-o", "y.npy"], "symbols cannot be stored"),
    "output_padding": (["conv-transpose", "1 2", "1", "--output-padding", "1"], "output padding"),
    "matrix_n": (["matrix", "kernel", "1 2"], "--n 4"),
    "matrix_x": (["matrix", "kernel", "1 2", "--n", "3", "--x", "1 2"], "the input has 3"),
    "data_neither": (["matrix", "data", "1 2"], "--kernel-size"),
    "circulant": (["matrix", "circulant", "1 2 3", "--n", "2"], "1 to 2 numbers"),
    "matrix_large": (["matrix", "kernel", "1 2", "--n", "99999"], "entries are worked out"),
    "cycle_large": (["matrix", "circulant", "a b", "--n", "999"], "at most 200 cells"),
    "impulses_large": (["impulse", "1 2", " ".join("1" * 5000)], "at most 4096 are taken apart"),
    "separate": (["separate", "1 2 3"], "only one of two axes"),
    "separate_symbols": (["separate", "a b; c d"], "only numbers can be separated"),
    "underscore": (["conv", "1_000 2", "1"], "neither a number nor a symbol"),
    "two_separators": (["conv", "1 2; 3\n4 5; 6", "1"], "not both"),
    "rank": (["separate", "1 2; 3 4", "--rank", "3"], "has 1 to 2"),
    "pool": (["pool", "max", "1 2", "--dims", "1", "-k", "3"], "the output is empty"),
    "pool_symbols": (["pool", "max", "a b", "--dims", "1"], "symbols cannot be pooled"),
    "impulse_axes": (["impulse", "1 2", "1 2; 3 4"], "same number of axes"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_line_and_exit_2(
    convcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, message = MISTAKES[name]
    done = convcli(*arguments)
    assert done.code == 2, done.err
    assert done.out == b""
    assert done.err.startswith("convcli: ")
    assert done.err.count("\n") == 1
    assert message in done.err
    assert "internal error" not in done.err
    assert not list(tmp_path.iterdir())


def npy(header: str, body: bytes = b"") -> bytes:
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


BAD_FILES: dict[str, bytes] = {
    "pickle": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"\x80\x04."),
    "text": npy("{'descr': '<U2', 'fortran_order': False, 'shape': (1,)}", b"a\0\0\0b\0\0\0"),
    "structured": npy(
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", b"\0" * 4
    ),
    "complex": npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", b"\0" * 8),
    "four_terabytes": npy(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000)}", b"\0" * 4
    ),
    "truncated": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", b"\0" * 8),
    "trailing": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", b"\0" * 8),
    "nan": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", b"\0\0\xc0\x7f"),
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("kind", ["npy", "npz", "stdin"])
def test_dangerous_files(convcli: Run, tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / f"bad.{'npz' if kind == 'npz' else 'npy'}"
    if kind == "npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", BAD_FILES[name])
    else:
        path.write_bytes(BAD_FILES[name])
    if kind == "stdin":
        with path.open("rb") as stdin:
            ran = subprocess.run([sys.executable, "-m", "convcli", "conv", "-", "1"], stdin=stdin, capture_output=True, text=True)  # fmt: skip
        code, err = ran.returncode, ran.stderr
    else:
        done = convcli("conv", path, "1")
        code, err = done.code, done.err
    assert code == 2
    assert err.count("\n") == 1
    assert "internal error" not in err


def test_more_files(convcli: Run, tmp_path: Path) -> None:
    (tmp_path / "not.npz").write_bytes(b"PK\x03\x04 no zip at all")
    done = convcli("conv", tmp_path / "not.npz", "1")
    assert (done.code, done.err.count("\n")) == (2, 1)
    np.savez(tmp_path / "two.npz", a=[1.0], b=[2.0])
    done = convcli("conv", tmp_path / "two.npz", "1")
    assert "holds a, b; name one of them" in done.err
    os.mkfifo(tmp_path / "pipe")
    done = convcli("conv", tmp_path / "pipe", "1")
    assert "is a pipe" in done.err
    np.save(tmp_path / "big.npy", np.array([1, 2], ">i4"))
    assert json.loads(convcli("conv", tmp_path / "big.npy", "1 1", "--json").out)["data"] == [3]
    (tmp_path / "bom.csv").write_bytes(b"\xef\xbb\xbf1,2\n")
    assert json.loads(convcli("conv", tmp_path / "bom.csv", "1 1", "--json").out)["data"] == [3]
    (tmp_path / "text.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    done = convcli("conv", tmp_path / "text.png", "1")
    assert (done.code, done.err.count("\n")) == (1, 1)


@pytest.mark.parametrize("width", ["80", "120"])
def test_large_results_are_abbreviated_and_fit(tmp_path: Path, width: str) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.standard_normal((40, 2, 60, 70)))
    np.save(tmp_path / "w.npy", rng.standard_normal((1, 2, 3, 3)))
    code = (
        "import convcli.show.console as c; from convcli.cli.app import run; import sys;"
        f"c.PIPE_WIDTH = {width}; sys.exit(run(['conv', 'x.npy', 'w.npy']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "40x1x58x68 float64" in lines[0]
    assert max(map(len, lines)) <= int(width)
    assert len(lines) < 80
    assert "… 34 more slices …" in done.stdout
    assert "\x1b" not in done.stdout
