"""What people type as tensors: fractions, names with an index, JSON without its quotes."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convcli as package
from convcli.ops.read_tensor import read_tensor

Cli = Callable[..., Any]

SAME = {
    "1/2 0 -1; .25 1 2": [[0.5, 0, -1], [0.25, 1, 2]],
    "[[1/2, 0, -1], [.25, 1, +2]]": [[0.5, 0, -1], [0.25, 1, 2]],
    '[["1/2", 0, -1], [0.25, 1, 2]]': [[0.5, 0, -1], [0.25, 1, 2]],
    "1/2": [0.5],
    "1 \N{MINUS SIGN}2": [1, -2],
    "1,5;2\n3;4": [[1.5, 2], [3, 4]],
    "a 2b -c": ["a", "2b", "-c"],
    "x[0] x[1,2] x[1, 3]": ["x[0]", "x[1,2]", "x[1,3]"],
    "a' b'' a\N{PRIME}": ["a'", "b''", "a\N{PRIME}"],
    "1/2a 1/2 b": ["a/2", "1/2", "b"],
    "[[[a,b],[c,-1/4]]]": [[["a", "b"], ["c", "-0.25"]]],
    '[["x[0]", "1/2"]]': [["x[0]", "1/2"]],
    "-a/2 2x[0,1]/3 w_11/4": ["-a/2", "2x[0,1]/3", "w_11/4"],
    "w_11 w₁₁ α_1 β y'": ["w_11", "w₁₁", "α_1", "β", "y'"],
    "3\N{MIDDLE DOT}e1 2*e2 .5a/2": ["3\N{MIDDLE DOT}e1", "2\N{MIDDLE DOT}e2", "a/4"],
    "½ -¼; 1 ⅛": [[0.5, -0.25], [1, 0.125]],
    "[[½a, 1]]": [["a/2", "1"]],
    "[[a/2, -w_1]]": [["a/2", "-w_1"]],
    "a b\nc d": [["a", "b"], ["c", "d"]],
}


@pytest.mark.parametrize("typed", SAME)
def test_what_is_read(typed: str) -> None:
    found = read_tensor(typed)
    if found.dtype == object:
        found = np.vectorize(str, otypes=[object])(found)
    assert found.tolist() == SAME[typed]


def test_fractions_in_every_command_that_takes_tensors(convcli: Cli, tmp_path: Path) -> None:
    half, third = "1/2 1 -1/4", "1/3 2/3"
    a, b = ([Fraction(token) for token in text.split()] for text in (half, third))
    found = json.loads(convcli("conv", half, third, "--json").out)["data"]
    assert found == pytest.approx([float(a[i] * b[0] + a[i + 1] * b[1]) for i in (0, 1)])
    for command in (
        ("conv-transpose", third, half),
        ("grad", half, third),
        ("pool", "max", half, "--dims", "1"),
        ("matrix", "kernel", third, "--n", "3", "--x", half),
        ("matrix", "data", half, third),
        ("impulse", third, half),
        ("separate", "1/16 1/8 1/16; 1/8 1/4 1/8; 1/16 1/8 1/16"),
        ("check", "adjoint", half, third),
        ("draw", "--x", half, "--w", third, "-o", str(tmp_path / "a.svg")),
    ):
        done = convcli(*command)
        assert done.code == 0, done.err


def test_names_with_an_index_or_primes_come_back_in_products(convcli: Cli) -> None:
    found = json.loads(convcli("conv", "x[0] x[1] x[10]", "a' b'", "--json").out)["data"]
    assert found == ["a'\u00b7x[0]+b'\u00b7x[1]", "a'\u00b7x[1]+b'\u00b7x[10]"]
    shown = convcli("conv", "x[red] x[2]", "1 1", "--steps").out.decode()
    assert "x[red]" in shown, "brackets are no colours"


@pytest.mark.parametrize("command", ["conv", "conv-transpose", "grad", "check"])
def test_letters_after_a_minus_are_no_options(
    convcli: Cli, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [command, "adjoint"] if command == "check" else [command]
    for x in ("-a h", "-x o -o/2", "-1 h 2 o"):
        found = convcli(*words, x, "-h")
        assert found.code == 0
        assert b"Usage" in found.out, "one word is an option"
        found = convcli(*words, x, "-h o")
        assert (found.code, found.err) == (0, "")
        assert b"symbolic" in found.out
    assert not any(tmp_path.iterdir())


def test_a_fraction_is_not_taken_for_a_folder_nor_a_file_for_a_fraction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("1").mkdir()
    Path("1/two.csv").write_text("7\n")
    assert read_tensor("1/two.csv").tolist() == [7]
    assert read_tensor("1/2 1/4").tolist() == [0.5, 0.25]
    for missing in ("a/b c", "1/2 photo.png", "1/two", "photos/1"):
        with pytest.raises(package.TensorError, match="there is no file"):
            read_tensor(missing)


def test_a_preset_where_weights_belong(
    convcli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = json.loads(convcli("separate", "gaussian:1", "--json").out)
    weights = package.load_kernel("gaussian:1").weights
    np.testing.assert_allclose(np.outer(found["columns"][0], found["rows"][0]), weights)
    assert "only one of two axes" in convcli("separate", "sobel").err
    done = convcli("conv", "[[1,2,3],[4,5,6],[7,8,9]]", "sobel-x")
    assert done.code == 2
    line = done.err.partition("; convcli ")[2].partition(" writes")[0]
    assert line == "kernel export sobel-x -o w.csv"
    assert convcli(*line.split()).code == 0
    found = json.loads(convcli("conv", "[[1,2,3],[4,5,6],[7,8,9]]", "w.csv", "--json").out)
    assert found["data"] == [[8]]


def test_an_array_of_whole_numbers_stays_exact() -> None:
    whole = "9007199254740993 a"
    assert read_tensor(whole)[0] == 9007199254740993
    assert read_tensor("1 2; 3 -4").dtype == np.int64
