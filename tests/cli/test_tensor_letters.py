"""Steps, letters and fractions as they are typed and printed."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convcli as package
from convcli.ops.conv import conv

Run = Callable[..., Any]
EXAMPLES = json.loads((Path(__file__).parents[1] / "data" / "worked_examples.json").read_text())
CASES = {case["id"]: case for case in EXAMPLES["cases"]}


def literal(entries: Any) -> str:
    return " ".join(entries) if isinstance(entries[0], str) else json.dumps(entries)


def options_of(case: dict[str, Any]) -> list[str]:
    options = ["--flip"] if case.get("flip") else []
    for name in ("stride", "padding", "dilation"):
        options += [f"--{name}", str(case[name])] if name in case else []
    return options


WITH_STEPS = [name for name, case in CASES.items() if "input" in case and case["op"] != "toeplitz"]


@pytest.mark.parametrize("name", WITH_STEPS)
def test_every_sum_of_the_worked_examples(convcli: Run, name: str) -> None:
    """Each output has its sum, whose products, evaluated, give the number behind them."""
    case = CASES[name]
    x, w = literal(case["input"]), literal(case["weight"])
    done = convcli(case["op"].replace("_", "-"), x, w, *options_of(case), "--steps", "--all")
    assert (done.code, done.err) == (0, "")
    text = done.out.decode()
    wanted = np.array(case.get("output", case.get("symbolic_output")), object)
    for index in np.ndindex(*wanted.shape):
        label = f"y[{','.join(map(str, index))}]"
        block = text.partition(f"\n{label}" if not text.startswith(label) else label)[2]
        block = re.split(r"\n(?=y\[|\[0\]|correlation|convolution|transposed)", block)[0]
        assert block.rstrip().endswith(f" = {wanted[index]}"), (label, block)
        if "symbolic_output" not in case:
            check_sums(block)


def check_sums(block: str) -> None:
    """Every line of products is worth the number that ends it."""
    total = 0
    for line in block.splitlines():
        line = re.sub(r"^\s*(=|\+|channel \d+:|sum:)?\s*", "", line)
        products, _, value = line.partition(" = ")
        products = products.replace("\N{MIDDLE DOT}", "*").replace("[0]", "0")
        if not re.fullmatch(r"[-0-9*+ ()]+", products):
            continue
        total += eval(products)
        if value:
            assert total == int(value), line
            total = 0


def test_the_matrix_of_the_worked_example(convcli: Run) -> None:
    case = CASES["toeplitz_1d_padding_1"]
    w, x = literal(case["weight"]), literal(case["input"])
    text = convcli("matrix", "kernel", w, "--x", x, "--padding", 1).out.decode()
    rows = [re.split(r"[⎡⎢⎣\[⎤⎥⎦\]]", line) for line in text.splitlines()[1:5]]
    assert [row[1].split() for row in rows] == [[str(e) for e in row] for row in case["matrix"]]
    assert [row[5].strip() for row in rows] == case["symbolic_output"]
    assert "✓ equals the sliding window" in text


def test_a_table_is_a_layer_of_1x1(convcli: Run) -> None:
    case = CASES["conv2d_1x1_channel_mixing"]
    x = json.dumps(case["input"])
    assert json.loads(convcli("conv", x, "1 0; 0 1; 1 -1", "--json").out)["data"] == case["output"]
    for words, shape in (
        (("conv", "1 2 3; 4 5 6", "1 0; 0 1; 1 -1", "--dims", "1"), [3, 3]),
        (("conv", "[[[1,2],[3,4]]]", "1; 2"), [1, 1, 2]),  # one channel: a bare kernel, as ever
        (("conv-transpose", x, "1 0 1; 0 1 -1"), [3, 2, 2]),
    ):
        assert json.loads(convcli(*words, "--json").out)["shape"] == shape
    found = json.loads(convcli("grad", x, "1 0; 0 1; 1 -1", "--json").out)
    assert found["weight"]["shape"] == [3, 2, 1, 1]
    assert convcli("check", "gradient", x, "1 0; 0 1; 1 -1").code == 0
    assert "has 2 channels" in convcli("conv", x, "1 0 1; 0 1 2").err


PLACES = {
    "argument": ("conv", "w_11 w₁₂/2", "x[0]' -α/2"),
    "json": ("conv", "[[w_11, w₁₂/2]]", "[[x[0]', -α/2]]"),
    "bias": ("conv", "1 1", "1 1", "--bias", "-α/2"),
    "gradient": ("grad", "1 1", "1 1", "--grad-y", "-α/2"),
    "matrix": ("matrix", "kernel", "1 1", "--x", "w_11 -α/2"),
    "impulse": ("impulse", "--x", "w_11 -α/2"),
    "draw": ("draw", "--x", "w_11 -α/2", "--w", "x[1]' 1/3", "--frame", "1"),
}


@pytest.mark.parametrize("place", PLACES)
def test_symbols_are_read_wherever_tensors_are(convcli: Run, place: str) -> None:
    if place == "json":  # brackets of an index are JSON's there, unless they are quoted
        words: tuple[str, ...] = ("conv", '[[w_11, "w₁₂/2"]]', '[["x[0]\'", -α/2]]')
    else:
        words = PLACES[place]
    done = convcli(*words)
    assert (done.code, done.err) == (0, "")
    assert "α/2" in done.out.decode() or "α/4" in done.out.decode()


def test_symbols_from_a_file_and_a_pipe(convcli: Run, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("w_11, -α/2\n", encoding="utf-8")
    done = convcli("conv", tmp_path / "x.csv", "1/3 2", "--json")
    assert json.loads(done.out)["data"] == ["w_11/3-α"]


def test_fractions_are_printed_and_floats_are_written(convcli: Run, tmp_path: Path) -> None:
    x, w = "1/3 1/3 1/3 2 0.5", "1/3 1 2/7"
    a, b = ([Fraction(token) for token in text.split()] for text in (x, w))
    wanted = [sum((a[i + t] * b[t] for t in range(3)), Fraction(0)) for i in range(3)]
    text = convcli("conv", x, w, "--all").out.decode()
    assert text.splitlines()[0] == f"y[0] = 1/3·1/3 + 1/3·1 + 1/3·2/7 = {wanted[0]}"
    assert text.splitlines()[-1].split() == [str(value) for value in wanted]
    found = json.loads(convcli("conv", x, w, "--json").out)
    assert found["dtype"] == "float64"
    assert found["data"] == [float(value) for value in wanted]
    convcli("conv", x, w, "-o", tmp_path / "y.npy")
    stored = np.load(tmp_path / "y.npy")
    assert stored.dtype == np.float64
    assert stored.tolist() == found["data"]
    convcli("conv", x, w, "-o", tmp_path / "y.csv")
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "y.csv", delimiter=","), stored)
    assert "5/3" in convcli("conv", "1 2 2", "1/3 1/3 1/3").out.decode()
    assert "1.16667" in convcli("conv", "1/3 1", "0.5 1.0").out.decode(), "decimals stay decimals"
    np.save(tmp_path / "x.npy", np.ones(70_000))
    assert convcli("conv", tmp_path / "x.npy", "1/3 1/3", "--json").code == 0


WORKING = {
    "pool max 1,3;6,6": "y[0,0] = max(1, 3, 6, 6) = 6   x[1,0] (x[1,1] is as large: the first counts)",
    "pool avg 1,3;4,6": "y[0,0] = (1 + 3 + 4 + 6) / 4 = 7/2",
    "pool avg a,b,c --dims 1 -k 2 --padding 1": "y[0] = ([0] + a) / 2 = a/2   2 cells, 1 of padding counted",
    "pool avg 3,-1,5 --dims 1 -k 2 --ceil-mode --at 1": "y[1] = (5) / 1 = 5   2 cells, 1 hangs over the end, never counted",
    "pool avg 3,-1,5 --dims 1 -k 2 --padding 1 --no-count-include-pad --at 0": "y[0] = (3) / 1 = 3   2 cells, 1 of padding not counted",
    "pool max 1,5,2 --dims 1 -k 2 --stride 1 --grad-y 10,20 --at 1": "         = 10 + 20 = 30",
    "pool avg 1,5,2 --dims 1 -k 2 --stride 1 --grad-y g,h --at 1": "         = g/2 + h/2 = (g+h)/2",
    "grad a,b,c x,y --grad-y g,h --only x --at 1": "dL/dx[1] = dL/dy[0]·w[1] + dL/dy[1]·w[0]",
    "grad a,b,c x,y --grad-y g,h --only weight --at 1": "         = g·b + h·c = bg+ch",
    "grad a,b,c x,y --grad-y g,h --only bias --at 0": "         = g + h = g+h",
    "grad a,b x,y --transposed --only x --at 1": "dL/dx[1] = dL/dy[1]·w[0] + dL/dy[2]·w[1]",
    "grad a,b x,y --padding 1 --only weight --at 0": "dL/dw[0] = dL/dy[0]·[0] + dL/dy[1]·x[0] + dL/dy[2]·x[1]",
    "check gradient a,b x,y": "✓ both sides are the same polynomials, so they agree for all values; largest difference 0",
    "impulse --x a,0,b": "x[n] = a·δ[n] + b·δ[n-2]",
    "impulse --x a,b;0,c": "x[i,j] = a·δ[i, j] + b·δ[i, j-1] + c·δ[i-1, j-1]",
}  # fmt: skip


@pytest.mark.parametrize("command", WORKING)
def test_working(convcli: Run, command: str) -> None:
    words = command.split()
    if words[0] == "pool" and "--at" not in words:
        words.append("--steps")
    done = convcli(*words)
    assert (done.code, done.err) == (0, "")
    assert WORKING[command] in done.out.decode().splitlines()


def test_data_and_working_do_not_mix(convcli: Run) -> None:
    for words in (
        ("pool", "avg", "1 3; 4 6"),
        ("grad", "1 2 3", "1 1"),
        ("pool", "max", "1 3; 4 6"),
    ):
        done = convcli(*words, "--steps", "--json")
        assert isinstance(json.loads(done.out), dict)
        assert "= " in done.err
    assert "add --only" in convcli("grad", "1 2", "1", "--at", "0").err
    done = convcli("grad", "1 2", "1", "--only", "x", "--at", "2")
    assert done.out == b""
    assert done.err.endswith("--at '2' is not in the gradient 2; the last one is --at 1\n")
    assert "letters have no order" in convcli("pool", "max", "a b", "--dims", 1).err


def test_impulses_without_a_kernel(convcli: Run) -> None:
    found = json.loads(convcli("impulse", "--x", "3 0 -5", "--json").out)
    assert [part["response"]["data"] for part in found["impulses"]] == [[3, 0, 0], [0, 0, -5]]
    assert found["sum"]["data"] == [3, 0, -5]
    assert "response" not in found
    both = convcli("impulse", "1 2", "--x", "3 0 5", "--json").out
    assert both == convcli("impulse", "1 2", "3 0 5", "--json").out
    for words in ((), ("1", "2", "--x", "3"), ("--x", "1 2", "--stride", "2")):
        assert convcli("impulse", *words).code == 2


@pytest.mark.parametrize("border", ["zeros", "wrap"])
@pytest.mark.parametrize(("w", "n"), [("1 2 3", "5"), ("1 2; 3 4; 5 6", "4x3"), ("x y z", "4")])
def test_the_square_matrix_of_same(convcli: Run, w: str, n: str, border: str) -> None:
    words = ("matrix", "kernel", w, "--n", n, "--padding", "same", "--border", border, "--json")
    found = json.loads(convcli(*words, "--unpadded").out)
    assert len(found["left"]) == len(found["left"][0]) == len(found["right"])
    assert found["equals_sliding_window"] is True
    back = json.loads(convcli(*words, "--unpadded", "--transpose").out)
    assert back["left"] == [list(row) for row in zip(*found["left"], strict=True)]
    assert back["equals_sliding_window"] is True
    if w[0] == "1":
        sizes = [int(size) for size in n.split("x")]
        kernel = np.array([[int(v) for v in row.split()] for row in w.split(";")])
        kernel = kernel[0] if len(kernel) == 1 else kernel
        names = {"zeros": "constant"}.get(border, border)
        for column, one in enumerate(np.eye(int(np.prod(sizes)), dtype=int)):
            y = conv(one.reshape(sizes), kernel, padding="same", border=names)
            assert [row[column] for row in found["left"]] == y.ravel().tolist()


def help_examples() -> list[str]:
    folder = Path(package.__file__).parent / "cli"
    lines = []
    for name in ("conv", "grad", "pool", "impulse", "matrix", "check"):
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        for line in re.findall(r"^  (convcli .*)$", text, re.MULTILINE):
            lines += [line.replace("{name}", kind) for kind in ("equivariance", "gradient")]
    return sorted(set(lines))


@pytest.mark.parametrize("line", help_examples())
def test_the_examples_in_the_help(convcli: Run, line: str) -> None:
    done = convcli(*shlex.split(line)[1:])
    assert (done.code, done.err) == (0, "")
    assert len(line) < 76, "it stands in one line of 80 characters"


def test_factors_of_typed_fractions_are_whole_numbers(convcli: Run) -> None:
    kernel = "1/16 1/8 1/16; 1/8 1/4 1/8; 1/16 1/8 1/16"
    lines = convcli("separate", kernel).out.decode().splitlines()
    assert lines[1:4] == ["kernel = 1/16 ⎡1⎤ [1 2 1]", "              ⎢2⎥", "              ⎣1⎦"]
    found = json.loads(convcli("separate", kernel, "--json").out)
    product = np.outer(found["columns"][0], found["rows"][0])
    assert product.tolist() == [
        [1 / 16, 1 / 8, 1 / 16],
        [1 / 8, 1 / 4, 1 / 8],
        [1 / 16, 1 / 8, 1 / 16],
    ]
    assert "1/" not in convcli("separate", "1/2 1; 1 1/3").out.decode(), "two pairs are floats"


@pytest.mark.parametrize("typed", ["1/3", "-2/7", "0.1", "5"])
def test_what_a_border_holds_stays_the_number_that_was_typed(convcli: Run, typed: str) -> None:
    outside = Fraction(typed)
    done = convcli("conv", "1/2 1", "3 1/5", "--padding", "1", "--border", f"constant:{typed}")
    title, sums = done.out.decode().splitlines()
    assert title.endswith(f"border constant:{typed}:  3 exact")
    assert [Fraction(text) for text in sums.split()] == [
        3 * outside + Fraction(1, 10),
        Fraction(3, 2) + Fraction(1, 5),
        3 + outside / 5,
    ]
