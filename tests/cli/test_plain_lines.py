"""What ``plain`` reads of a command line is what Typer reads of it."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

import pytest

from convcli.cli import filter as filter_module
from convcli.cli import kernel, shape
from convcli.cli.declared import Commands
from convcli.cli.plain import plain
from convcli.cli.typed import typed

MODULES = {"filter": filter_module, "shape": shape, "kernel": kernel}
NOT_PLAIN = object()


def recording(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same parameters, whose values are given back."""

    @functools.wraps(function)
    def record(**given: Any) -> Any:
        return given

    return record


def read_by_typer(name: str, words: list[str]) -> Any:
    module = MODULES[name].app
    told = Commands(**module.settings)
    told.commands = [c._replace(function=recording(c.function)) for c in module.commands]
    root = typed(told)
    try:
        with root.make_context(name, list(words)) as context:
            return root.invoke(context)
    except Exception:  # whatever it refuses
        return NOT_PLAIN


def read_plainly(name: str, words: list[str]) -> Any:
    call: Any = plain(MODULES[name].app, words)
    if call is None:
        return NOT_PLAIN
    defaults = call.func.__defaults__ or ()
    names = call.func.__code__.co_varnames[: call.func.__code__.co_argcount]
    return dict(zip(names[len(names) - len(defaults) :], defaults, strict=True)) | call.keywords


PLAIN = [
    "filter a.png -k sobel-x",
    "filter -qk gaussian:2 a.png b.png -o out/ -j2 --threads=4 --overwrite",
    "filter -k=box a.png --quality 90 --quality 80 --picture --values",
    "filter a.png -k -1 -o - --scale= --border constant:3 -- -b.png --overwrite",
    "filter -k",
    "filter --kernel -- --",
    "filter -k box - --memory -q --region 1,2,3x4 -rv0 --min-valid 50%",
    "shape --n 32 --k 5 -p 2 -s1 --no-bias --batch 3",
    "shape resnet50 --n a=1 -n b=2 --json",
    "shape -n32 -d 2 --in 3 --out 0x4",
    "kernel list --json",
    "kernel list",
]


@pytest.mark.parametrize("line", PLAIN)
def test_what_both_read_both_read_alike(line: str) -> None:
    name, *words = line.split()
    got = read_plainly(name, words)
    if got is not NOT_PLAIN:
        theirs = read_by_typer(name, words)
        assert got == theirs
        assert {k: type(v) for k, v in got.items()} == {k: type(v) for k, v in theirs.items()}


def test_usual_lines_are_plain() -> None:
    lines = [line.split() for line in PLAIN]
    left = [" ".join(line) for line in lines if read_plainly(line[0], line[1:]) is NOT_PLAIN]
    assert left == ["filter -k", "shape -n32 -d 2 --in 3 --out 0x4"]


@pytest.mark.parametrize(
    "line",
    [
        "filter",
        "filter a.png",
        "filter --help",
        "filter -k box -h",
        "filter -k box --quality 0",
        "filter -k box --quality x",
        "filter -k box --quality",
        "filter -k box --overwrite=yes",
        "filter -k box -x",
        "filter -k box --kern box",
        "shape a b",
        "shape --n 3 --batch 1.0",
        "kernel",
        "kernel lis",
        "kernel show -a",
    ],
)
def test_what_is_wrong_or_asks_for_help_is_left_to_typer(line: str) -> None:
    name, *words = line.split()
    assert read_plainly(name, words) is NOT_PLAIN


PIECES = {
    "filter": "a.png - -- -k --kernel --kernel=box -kbox -q -qv -o --output= -j -j2 -j0 --jobs=3 "
    "--threads --quality=101 --picture --values --no-values -r0 -rk --border --scale=2 2 -1 -z "
    "--device=1 --flip --flip=1 --max-pixels=5 --json -f=png",
    "shape": "vgg16 -- - --n --n=3 -n4 -n -k3 --k -p -s2 --bias --no-bias --bias=1 --batch=2 --in "
    "-5 7 --as --json --compare --groups=2 --groups=x -o --o",
}


def test_random_lines_are_read_alike_or_left() -> None:
    rng = random.Random(1)
    plain_ones = 0
    for _ in range(400):
        name = rng.choice(list(PIECES))
        words = rng.choices(PIECES[name].split(), k=rng.randint(1, 6))
        words = ["-k", "box", *words] if name == "filter" and rng.random() < 0.7 else words
        got = read_plainly(name, words)
        if got is not NOT_PLAIN:
            plain_ones += 1
            assert got == read_by_typer(name, words), words
    assert plain_ones > 80
