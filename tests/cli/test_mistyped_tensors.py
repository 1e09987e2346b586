"""Options mistyped beside arguments that may be letters and negative numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("conv", "1 2 3", "1 1", "--s", "2"), "no such option: --s; did you mean --stride?"),
        (("conv", "1 2 3", "1 1", "-s", "2"), "no such option: -s; did you mean --stride?"),
        (("grad", "--p=1", "1 2 3", "1 1"), "no such option: --p; did you mean --padding?"),
        (("pool", "max", "1 2 3", "--d", "2"), "no such option: --d; did you mean --dilation?"),
        (("grad", "1 2 3", "-1", "--stepps"), "No such option: --stepps (Possible options: --ste"),
        (("conv", "1 2", "1", "--transpose"), "it is a command: convcli conv-transpose"),
        (("pool", "1 2; 3 4"), "No such command '1 2; 3 4'; there are max, avg"),
        (("check", "shift", "1 2", "1"), "there are equivariance, adjoint, gradient"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_it_is_told_as_an_option_not_as_an_argument(
    convcli: Callable[..., Any], words: tuple[str, ...], said: str
) -> None:
    done = convcli(*words)
    assert (done.code, done.out, done.err.count("\n")) == (2, b"", 1)
    assert said in done.err


@pytest.mark.parametrize(
    "words", [("conv", "1 2", "-s"), ("conv", "-a", "-1 0"), ("conv", "1 2", "--", "-p")]
)
def test_letters_with_a_sign_stay_arguments(
    convcli: Callable[..., Any], words: tuple[str, ...]
) -> None:
    assert convcli(*words, *([] if "--" in words else ["--padding", "1"])).code == 0
