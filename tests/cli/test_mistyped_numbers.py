"""Numbers with too many digits: one line, at once, whatever they were to fill with zeros."""

from __future__ import annotations

import shlex
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Cli = Callable[..., Any]
ROOM = 32 << 20
"""Bytes that none of these may take: each would ask for gigabytes."""
BILLION, DIGITS = "999999999", "9" * 5000


@pytest.fixture
def refused(
    convcli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """Run a command line, which is to be refused in one line, with exit 2 and without memory."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((40, 60), np.uint8)).save("in.png")

    def check(line: str, says: str) -> None:
        convcli("filter", "in.png", "-k", "box:3", "-o", "warm.png", "--overwrite")
        tracemalloc.start()
        try:
            done = convcli(*shlex.split(line))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert done.code == 2, done.err
        assert len(done.err.splitlines()) == 1
        assert "internal error" not in done.err
        assert says in done.err
        assert peak < ROOM
        assert {p.name for p in tmp_path.iterdir()} == {"in.png", "warm.png"}

    return check


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (f"--padding {BILLION}", "999,999,999 cells are read outside of the picture; at most"),
        (f"--padding {BILLION * 3}", "cells are read outside of the picture; at most 1,048,576"),
        (f"--dilation {BILLION}", "cells are read outside of the picture; at most 1,048,576"),
        (f"--dilation {BILLION} --padding valid", "the output is empty"),
        ("--dilation 20000", "spans 40001x40001 cells; at most 10000x10000"),
        ("--padding 9000", "18058x18038 pixels, 325,730,204, and at most 178,956,970"),
        ("--padding 50 --max-pixels 20000", "158x138 pixels, 21,804, and at most 20,000"),
        (f"--stride {DIGITS}", "--stride"),
        (f"--memory {DIGITS}", "is no size"),
        (f"-k gaussian:{BILLION}", "sigma is 1e+09; it must be a number from 0.05 to 1666"),
        (f"-k box:{BILLION}", "it must be a whole number from 1 to 10000"),
        (f"-k median:{'x' * 5000}", "is no footprint"),
    ],
)
def test_filters(refused: Callable[[str, str], None], option: str, says: str) -> None:
    refused(f"filter in.png -k box:3 -o out.png {option}", says)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{stem:>1000000000}", "a field of 1000000000 letters; 255 are a whole name"),
        ("{index:0999999999d}", "a field of 0999999999 letters"),
        ("{index:.999999999f}", "a field of 999999999 letters"),
        ("{stem:256}", "a field of 256 letters"),
        (f"{{index:{DIGITS}}}", "a field of 99999999999999999999 letters"),
        ("{stem:{index}{index}{index}{index}}", "a field of 1111 letters"),
        ("{stem!r:>9}", "!r is not known"),
        ("{stem:{index.__class__}}", "{index.__class__} is no field"),
    ],
)
def test_names(refused: Callable[[str, str], None], template: str, says: str) -> None:
    refused(f"filter in.png -k box:3 -o 'x{template}.png'", says)


def test_a_name_may_be_as_long_as_file_systems_take(convcli: Cli, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / "in.png")
    done = convcli(
        "filter", tmp_path / "in.png", "-k", "box:3", "-o", f"{tmp_path}/{{index:0251}}.png"
    )
    assert done.code == 0, done.err
    assert (tmp_path / f"{1:0251}.png").exists()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"conv '1 2 3' '1 2' --padding {BILLION}", "padding is 999,999,999; at most 1,000,000"),
        (f"conv 'a b c' '1 2' --padding 1,{BILLION}", "padding is 999,999,999; at most 1,000,000"),
        (f"conv '1 2 3' '1 2' --dilation {BILLION}", "dilation is 999,999,999; at most 1,000,000"),
        (f"conv-transpose '1 2 3' '1 2' --stride {BILLION}", "stride is 999,999,999; at most"),
        (f"grad '1 2 3' '1 2' --padding {BILLION}", "padding is 999,999,999; at most 1,000,000"),
        (f"pool max '1 2 3' -k 2 --padding {BILLION}", "padding is 999,999,999; at most 1,000,000"),
        (f"impulse '1 2 3' '1 2' --padding {BILLION}", "padding is 999,999,999; at most 1,000,000"),
        (f"check adjoint '1 2 3' '1 2' --padding {BILLION}", "padding is 999,999,999; at most"),
        (f"check equivariance '1 2 3' '1 2' --shift {BILLION}", "'--shift': 999999999 is not in"),
        (f"matrix kernel '1 2 1' --n {BILLION}", "n is 999,999,999; at most 1,000,000"),
        (f"draw -n 9 -k 3 -p {BILLION} -o out.svg", "2000000007 cells along one axis are too many"),
        (f"draw -n 9 -k 3 --transpose -s {BILLION}", "cells along one axis are too many"),
        (f"bench --size {BILLION}x{BILLION}", "to 30000"),
    ],
)
def test_tensors_and_drawings(refused: Callable[[str, str], None], line: str, says: str) -> None:
    refused(line, says)


def test_a_command_that_is_longer_than_names_of_files(refused: Callable[[str, str], None]) -> None:
    refused("x" * 5000, "no command")


def test_shape_works_out_any_size(convcli: Cli) -> None:
    done = convcli("shape", f"conv 2 k3 s2 p{BILLION}", "--n", f"3x{BILLION}x{BILLION}", "--json")
    assert done.code == 0, done.err
    assert str(int(BILLION) * 3 // 2) in done.out.decode()
