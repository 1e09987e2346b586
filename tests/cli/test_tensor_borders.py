"""``--border`` of the tensor commands: what is read outside, in words, matrices and gradients."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli.ops.identities import check_adjoint, check_equivariance, check_gradient

Run = Callable[..., Any]


def data_of(done: Any) -> Any:
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_the_working_shows_what_the_border_shows(convcli: Run) -> None:
    done = convcli("conv", "1 2 3 4", "1 0 -1", "--padding", "1", "--border", "reflect", "--steps")
    assert done.out.decode().splitlines() == [
        "y[0] = [2]·1 + 1·0 + 2·(-1) = 0",
        "y[1] = 1·1 + 2·0 + 3·(-1) = -2",
        "y[2] = 2·1 + 3·0 + 4·(-1) = -2",
        "y[3] = 3·1 + 4·0 + [3]·(-1) = 0",
        "[ ] is padding, reflect: d c b | a b c d | c b a",
        "correlation of 4 with 3, border reflect:  4 int64",
        "    0  -2  -2  0",
    ]


def test_a_corner_with_symbols_reads_through_both_axes(convcli: Run) -> None:
    words = ("a b c; d e f", "w x; y z", "--padding", "1", "--border", "circular", "--at", "0,0")
    done = convcli("conv", *words)
    assert done.out.decode().splitlines()[:3] == [
        "y[0,0] = [f]·w + [d]·x",
        "       + [c]·y + a·z = az+cy+dx+fw",
        "[ ] is padding, wrap: b c d | a b c d | a b c",
    ]


def test_a_constant_is_named_in_brackets(convcli: Run) -> None:
    done = convcli("conv", "1 2", "1 1", "--padding", "1", "--border", "constant:1/2", "--at", "0")
    assert "whole numbers, whose sums are exact; give x as float64" in done.err
    done = convcli(
        "conv", "1 2.5", "1 1", "--padding", "1", "--border", "constant:1/2", "--at", "0"
    )
    assert done.out.decode().splitlines()[:2] == ["y[0] = [0.5]·1 + 1·1 = 1.5", "[0.5] is padding"]


def test_zeros_are_the_default_and_say_nothing(convcli: Run) -> None:
    words = ("conv", "1 2 3 4", "1 0 -1", "--padding", "1", "--steps")
    assert convcli(*words).out == convcli(*words, "--border", "zeros").out
    assert "border" not in convcli(*words).out.decode()
    assert (
        "border" not in convcli(*words[:3], "--border", "edge").out.decode()
    )  # there is no padding


def test_each_step_is_its_output(convcli: Run) -> None:
    rng = np.random.default_rng(1)
    x, w = rng.integers(-9, 9, (2, 4, 3)), rng.integers(-9, 9, (4, 1, 3, 2))
    words = [json.dumps(x.tolist()), json.dumps(w.tolist()), "--padding", "2x1", "--groups", "2"]
    y = data_of(convcli("conv", *words, "--border", "symmetric", "--json"))["data"]
    done = convcli("conv", *words, "--border", "symmetric", "--all", "--json")
    sums = re.findall(r" = (-?\d+)$", done.err, re.MULTILINE)
    assert [int(value) for value in sums] == np.ravel(y).tolist()


def test_the_gradient_hands_back_through_the_border(convcli: Run) -> None:
    words = ("a b c", "x y z", "--padding", "1", "--border", "wrap", "--grad-y", "p q r")
    found = data_of(convcli("grad", *words, "--json"))
    assert found["x"]["data"] == ["py+qx+rz", "pz+qy+rx", "px+qz+ry"]
    assert found["weight"]["data"] == ["aq+br+cp", "ap+bq+cr", "ar+bp+cq"]


def test_matrices_with_a_border(convcli: Run) -> None:
    words = ("--padding", "1", "--border", "reflect")
    found = data_of(convcli("matrix", "kernel", "x y z", "--n", "3", *words, "--json"))
    assert found["title"].endswith("times the padded input (border reflect), is the output")
    assert found["right"] == ["b", "a", "b", "c", "b"]
    assert found["result"] == ["ay+bx+bz", "ax+by+cz", "bx+bz+cy"]
    assert found["equals_sliding_window"]
    found = data_of(convcli("matrix", "data", "1 2; 3 4", "5 6; 7 8", *words, "--json"))
    assert found["right"] == [
        [4, 3, 4, 2, 1, 2, 4, 3, 4],
        [3, 4, 3, 1, 2, 1, 3, 4, 3],
        [2, 1, 2, 4, 3, 4, 2, 1, 2],
        [1, 2, 1, 3, 4, 3, 1, 2, 1],
    ]
    assert found["equals_sliding_window"]
    done = convcli("matrix", "kernel", "x y", "--n", "3", *words, "--transpose")
    assert "the border reflect would hand them back to x" in done.out.decode()


def test_a_wrapped_kernel_is_the_circulant_matrix(convcli: Run) -> None:
    words = ("--n", "5", "--padding", "same", "--border", "circular", "--unpadded", "--json")
    found = data_of(convcli("matrix", "kernel", "2 3 7", *words))
    circulant = data_of(convcli("matrix", "circulant", "7 3 2", "--n", "5", "--json"))
    # The correlation has its middle on the diagonal, the circulant its first weight.
    assert found["left"] == np.roll(circulant["C"]["data"], -1, axis=0).tolist()
    assert found["equals_sliding_window"]


def test_impulses_echo_at_the_border(convcli: Run) -> None:
    words = ("1 2 3", "3 0 5", "--border", "wrap", "--padding", "same", "--flip", "--json")
    found = data_of(convcli("impulse", *words))
    assert [part["response"]["data"] for part in found["impulses"]] == [[6, 9, 3], [15, 5, 10]]
    assert found["sum"]["data"] == [21, 14, 13]


LAYERS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((6,), (3,), {"padding": "same", "stride": 2}),
    ((2, 4, 6), (3, 2, 3, 2), {"padding": "same", "dilation": (1, 2)}),
    ((1, 3, 4, 2, 6), (2, 3, 1, 3, 5), {"padding": "same", "stride": (2, 1, 3)}),
]


@pytest.mark.parametrize(("shape", "weight", "layer"), LAYERS, ids=["1d", "2d", "3d"])
@pytest.mark.parametrize("shift", [1, -2])
def test_on_a_cycle_shifts_commute_everywhere(
    shape: tuple[int, ...], weight: tuple[int, ...], layer: dict[str, Any], shift: int
) -> None:
    rng = np.random.default_rng(2)
    x, w = rng.integers(-9, 9, shape), rng.integers(-9, 9, weight)
    found = check_equivariance(x, w, shift, border="wrap", **layer)
    assert found.holds
    assert found.difference == 0
    assert "everywhere" in found.note
    rank = len(weight) - 2 if len(weight) > 2 else 1
    assert (
        found.left.shape[found.left.ndim - rank :]
        == tuple(  # nothing was put around x
            -(-n // s)
            for n, s in zip(
                shape[len(shape) - rank :],
                np.broadcast_to(layer.get("stride", 1), rank),
                strict=True,
            )
        )
    )
    for border in ("reflect", "edge", "symmetric", "zeros"):
        away = check_equivariance(x, w, shift, border=border, **layer)
        assert away.holds
        assert away.left.size > found.left.size
        assert not away.note


@pytest.mark.parametrize("border", ["wrap", "reflect"])
def test_away_from_the_border_is_far_enough_from_a_wide_one(border: str) -> None:
    x, w = np.arange(1, 6), np.array([1, 2, -4])
    found = check_equivariance(x, w, 3, padding=(11, 4), stride=2, border=border)
    assert found.holds
    assert not found.note
    assert found.left.any()


@pytest.mark.parametrize("border", ["edge", "reflect", "symmetric", "wrap"])
def test_adjoint_and_gradient_with_a_border(border: str) -> None:
    rng = np.random.default_rng(5)
    x, w = rng.integers(-9, 9, (2, 4, 5)), rng.integers(-9, 9, (4, 1, 3, 2))
    layer = {"padding": ((1, 2), (3, 0)), "stride": (1, 2), "groups": 2, "border": border}
    found = check_adjoint(x, w, **layer)
    assert found.right_name == "<x, adjoint(v)>"
    assert {*found.parts} == {"v", "conv(x)", "adjoint(v)"}
    assert found.difference == 0
    assert found.left != 0
    assert check_gradient(x, w, **layer).holds
    assert check_gradient(x, w, **{**layer, "border": "constant:3"}).holds


def test_checks_say_it(convcli: Run) -> None:
    words = ("1 2 3 4 5", "1 0 -1", "--padding", "same", "--border", "wrap")
    found = data_of(convcli("check", "equivariance", *words, "--json"))
    assert found["holds"]
    assert found["note"].startswith("border wrap: the input is a cycle, so this holds everywhere")
    assert found["note"] in convcli("check", "equivariance", *words).out.decode()
    assert "note" not in data_of(convcli("check", "equivariance", *words[:4], "--json"))
    done = convcli("check", "adjoint", "1 2 3 4 5", "1 0 -1", *words[2:])
    assert "<x, adjoint(v)>:" in done.out.decode()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("draw", "--n", "4", "--k", "2", "--pool", "max", "--border", "edge"), "a pool leaves"),
        (("draw", "--n", "4", "--k", "2", "--transpose", "--border", "wrap"), "as in PyTorch"),
        (("draw", "--n", "4", "--k", "2", "--border", "missing"), "no cell of a padded tensor"),
        (("conv-transpose", "1 2", "1 2", "--border", "edge"), "convcli grad --border"),
        (("conv-transpose", "1 2", "1 2", "--border=edge"), "zeros alone, as in PyTorch"),
        (("pool", "max", "1 2", "--border", "edge"), "left out of its maxima"),
        (("grad", "1 2", "1 2", "--transposed", "--border", "edge"), "without --transposed"),
        (("conv", "1 2", "1 2", "--border", "missing"), "no cell of a padded tensor is empty"),
        (("conv", "1 2", "1 2", "--border", "reflekt"), "did you mean"),
        (("conv", "1 2", "1 2", "--border", "misin"), "'misin' is not known; allowed: constant"),
        (("conv", "1 2", "1 2", "--border", ""), "border '' is not known"),
        (("conv", "1 2", "1 2", "--border", "7"), "did you mean 'constant:7'?"),
        (("conv", "1 2", "1 2", "--border", "."), "border '.' is not known; allowed"),
        (
            ("check", "adjoint", "1 2", "1 2", "--padding", "1", "--border", "constant:1"),
            "affine, not linear, and there is no adjoint",
        ),
        (
            ("check", "equivariance", "1 2", "1 2", "--padding", "1", "--border", "constant:1"),
            "affine, not linear",
        ),
        (("impulse", "1 2", "1 2", "--border", "constant:1"), "affine, not linear"),
    ],
)
def test_what_is_refused_is_refused_in_one_line(
    convcli: Run, words: tuple[str, ...], message: str
) -> None:
    done = convcli(*words)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_a_transposed_gradient_takes_zeros_by_any_name(convcli: Run) -> None:
    words = ("grad", "1 2", "1 2 3", "--transposed")
    assert convcli(*words, "--border", "constant").out == convcli(*words).out


def test_drawings_take_a_border(convcli: Run, tmp_path: Path) -> None:
    words = ("draw", "--x", "1 2 3 4", "--w", "1 0 -1", "--p", "1", "--border", "replicate")
    lines = convcli(*words, "--frame", 1).out.decode().splitlines()
    assert lines[1] == "input 4, kernel 3, stride 1, padding 1, border edge -> output 4"
    assert lines[-3:] == [
        "1·1 + 1·0 + 2·(-1) = -1",
        "border: x[-1] is x[0]",
        "~ border: edge",
    ]
    done = convcli("draw", "padding_strides", "--border", "wrap", "-o", tmp_path / "classic.svg")
    assert "padding 1, border wrap -> output 3x3, 9 steps" in done.err
    assert "border: wrap" in (tmp_path / "classic.svg").read_text()


def test_fractions_and_symbols_stay_exact(convcli: Run) -> None:
    done = convcli("conv", "1/3 1/7", "1 1 1", "--padding", "1", "--border", "edge")
    assert done.out.decode().splitlines()[-1].split() == ["17/21", "13/21"]
    words = ("1/3 1/7", "1 1 1", "--padding", "1", "--border", "constant:1/2", "--at", "0")
    for command, line in (
        (("conv",), "y[0] = [1/2]·1 + 1/3·1 + 1/7·1 = 41/42"),
        (("grad", "--only", "weight"), "1·[1/2] + 1·1/3 = 5/6"),
    ):
        shown = convcli(*command, *words).out.decode()
        assert line in shown and "[1/2] is padding" in shown
