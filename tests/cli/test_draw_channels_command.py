"""``convcli draw`` with channels: what its options take, and what they refuse in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

X = "[[[1,5,9,13],[2,6,10,14],[3,7,11,15],[4,8,12,16]],[[1,1,1,1],[2,2,2,2],[3,3,3,3],[4,4,4,4]]]"
W = (
    "[[[[1,0],[0,1]],[[1,1],[1,1]]],[[[0,1],[1,0]],[[0,0],[0,1]]],"
    "[[[1,1],[1,1]],[[-1,-1],[-1,-1]]]]"
)
TWO = "[[[1,2],[3,4]],[[10,20],[30,40]]]"


def last(convcli: Callable[..., object], *words: str) -> list[str]:
    done = convcli("draw", *words)
    assert (done.code, done.err) == (0, "")
    return done.out.decode().splitlines()


def test_partial_sums_and_bias_in_the_terminal(convcli: Callable[..., object]) -> None:
    lines = last(convcli, "--x", X, "--w", W, "--bias", "1 0 -2")
    assert lines[-3:] == [
        "channel 0: 11·1 + 15·1 + 12·1 + 16·1 = 54",
        "channel 1: 3·(-1) + 3·(-1) + 4·(-1) + 4·(-1) = -14",
        "54 + (-14) + bias (-2) = 38",
    ]
    assert "input 2 channels of 4x4" in lines[1]
    assert "output 3 channels of 3x3" in lines[1]


@pytest.mark.parametrize(
    ("words", "end"),
    [
        (["--x", TWO, "--w", "1 0; 0 1; 1 -1"], "y[2, 1, 1] = 1·4 + (-1)·40 = -36"),
        (["--1d", "--x", "1 2; 10 20", "--w", "1 0; 0 1; 1 -1"], "y[2, 1] = 1·2 + (-1)·20 = -18"),
        # Two axes with two axes stay a picture and its kernel.
        (["--x", "1 2; 10 20", "--w", "1 -1"], "10·1 + 20·(-1) = -10"),
        (["--x", "[[[1,2],[3,4]]]", "--w", "1 1"], "3·1 + 4·1 = 7"),
        (["--x", "[[a,b],[c,d]]", "--w", "[[[p],[q]]]", "--1d"], "y[0, 1] = p·b + q·d = bp+dq"),
        (["--x", TWO, "--k", "2", "--pool", "max"], "channel 1: max(10, 20, 30, 40) = 40"),
        (["--x", TWO, "--w", "[[[[2]]],[[[3]]]]", "--groups", "2"], "y[1, 1, 1] = 3·40 = 120"),
        (["--x", "1 2; 3 4", "--w", "[[[[1]]],[[[2]]]]", "--bias", "0 5"], "y[1, 1, 1] = 2·4 + bias 5 = 13"),
        (["--x", "1 2", "--w", "1 1", "--bias", "3"], "3 + bias 3 = 6"),
        (["--in", "2", "--out", "3", "--n", "4", "--k", "2"], "y[2, 2, 2] = sum of w[2] · x[0..1, 2..3, 2..3]"),
        (["--in", "3", "--n", "4", "--k", "2", "--pool", "avg"], "y[2, 1, 1] = mean of x[2, 2..3, 2..3]"),
    ],
)  # fmt: skip
def test_what_shapes_mean(convcli: Callable[..., object], words: list[str], end: str) -> None:
    lines = [line for line in last(convcli, *words) if "always zero" not in line]
    assert lines[-1] == end


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--x", TWO, "--w", "1 0; 0 1", "--bias", "1"], "bias has shape 1; it must have one number"),
        (["--in", "5", "--n", "4", "--k", "2"], "5 channels are too many to be read"),
        (["--in", "4", "--out", "4", "--groups", "3", "--n", "4", "--k", "2"], "groups is 3; it must divide"),
        (["--out", "4", "--n", "4", "--k", "2"], "--out needs --in"),
        (["--groups", "2", "--n", "4", "--k", "2"], "--groups needs --in and --out"),
        (["--bias", "1", "--n", "4", "--k", "2"], "--bias is numbers; give --x and --w"),
        (["--bias", "1", "--x", "1 2", "--k", "2", "--pool", "max"], "--bias is for a convolution"),
        (["--in", "3", "--out", "2", "--n", "4", "--k", "2", "--pool", "max"], "pooling has neither"),
        (["--x", TWO, "--w", "[[[[1]],[[2]],[[3]]]]"], "has 2 channels, but weight 1x3x1x1"),
        (["--x", TWO, "--w", "1 0; 0 1", "--out", "3"], "--out is 3, but the numbers have 2"),
        (["--x", f"[{TWO},{TWO}]", "--w", "1 0; 0 1"], "x is 2x2x2x2; channels of 1 or 2 axes"),
        (["padding_strides", "--in", "2", "--groups", "2"], "--in, --groups: padding_strides says"),
        (["padding_strides", "--1d"], "--1d: padding_strides says its sizes itself"),
        (["--in", "2", "--n", "6", "--k", "2", "--view", "matrix"], "at most 36 and 64 can be read"),
        (["--in", "4", "--out", "4", "--n", "16", "--k", "3"], "can be read in a drawing"),
    ],
)  # fmt: skip
def test_refusals_are_one_line(
    convcli: Callable[..., object], words: list[str], message: str
) -> None:
    done = convcli("draw", *words)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_weight_from_a_file_and_every_format(
    convcli: Callable[..., object], tmp_path: Path
) -> None:
    np.save(tmp_path / "w.npy", np.array([[[[1]], [[0]]], [[[1]], [[-1]]]]))
    for suffix, head in {"svg": b"<svg", "gif": b"GIF89a", "png": b"\x89PNG"}.items():
        target = tmp_path / f"x.{suffix}"
        words = ("--x", TWO, "--w", tmp_path / "w.npy", "--size", "200", "-o", target)
        done = convcli("draw", *words)
        assert done.code == 0, done.err
        assert "8 steps" in done.err
        assert target.read_bytes().startswith(head)
