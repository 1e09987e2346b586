"""What was meant by words that a command does not know, and why it lacks an option.

Words that belong behind ``-k`` may have been typed as options, or apart from it.

Imported only when a command line was refused.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import NoReturn

from convcli.errors import UsageError
from convcli.system.files import exists

__all__ = ["kernel_meant", "raise_meant", "why_absent"]

_LINE = re.compile(r"did you mean '(.*)'\?|(-k .*)$")
"""How messages about kernels end that offer one."""


_ABSENT = {
    ("conv-transpose", "--border"): "a transposed convolution has zeros alone, as in PyTorch; the "
    "adjoint of a convolution with a border is its gradient for x: convcli grad --border",
    ("conv", "--transpose"): "it is a command: convcli conv-transpose",
    ("conv", "--transposed"): "it is a command: convcli conv-transpose",
    ("pool", "--border"): "the padding of a pool is left out of its maxima, and zeros in its means",
}
"""Why a command lacks an option that those beside it have."""

_TENSORS = ("check", "conv", "conv-transpose", "grad", "impulse", "matrix", "pool")
_LONG = {"s": "--stride", "p": "--padding", "d": "--dilation", "op": "--output-padding"}
"""The commands whose arguments may be letters, and what short options of ``draw`` are called there."""


def why_absent(argv: Sequence[str], *, too_many: bool = False) -> str:
    """The message about an option that a command lacks for a reason; empty where there is none.

    ``too_many`` says that a word was left over: then ``-s`` was no letter.

    >>> why_absent(["pool", "max", "1 2", "--border=edge"])
    'no such option: --border; the padding of a pool is left out of its maxima, and zeros in its means'
    """
    for word in argv[1:]:
        option = word.partition("=")[0]
        if (argv[0], option) in _ABSENT:
            return f"no such option: {option}; {_ABSENT[argv[0], option]}"
        long = _LONG.get(option.lstrip("-"), "")
        if argv[0] in _TENSORS and long and option.startswith("-" if too_many else "--"):
            return f"no such option: {option}; did you mean {long}?"
    return ""


def kernel_meant(argv: Sequence[str], option: str = "") -> str:
    """The end of a message about a command line of ``filter``; empty where nothing was meant.

    ``option`` is the one that there is not; of ``-statistic`` the parser names the first letter.

    >>> kernel_meant(["filter", "-statistic", "median", "3x3", "-o", "out.png"], "-s")
    '; did you mean -k median:3x3?'
    >>> kernel_meant(["filter", "in.png", "-k", "erode", "disk", "3"])
    '; did you mean -k erode:disk:3?'
    """
    if argv[:1] != ["filter"]:
        return ""
    for first, others, least in _starts(list(argv[1:]), option):
        for number in range(len(others), least - 1, -1):
            line = _line(" ".join([first, *others[:number]]))
            if line:
                return f"; did you mean {line}?"
    return ""


def raise_meant(error: UsageError, argv: Sequence[str]) -> NoReturn:
    """Raise an error of ``filter`` with the kernel that was meant, if the line shows one."""
    meant = "" if "did you mean" in str(error) else kernel_meant(argv)
    if not meant:
        raise error
    raise UsageError(f"{error}{meant}") from error


def _starts(words: list[str], option: str) -> Iterator[tuple[str, list[str], int]]:
    """Where a kernel's name stands, what may belong to it, how many words of that at least."""
    from convcli.kernels.hints import is_known

    for at, word in enumerate(words):
        behind = _bare(words[at + 1 :])
        if option:
            name, _, number = word.lstrip("-").partition("=")
            if word.startswith(option) and is_known(name):
                yield name, [number] * bool(number) + behind, 0
        elif word in ("-k", "--kernel") and len(behind) > 1:
            yield behind[0], behind[1:], 1
        elif "-k" not in words and "--kernel" not in words and _bare([word]):
            name = re.split(r"[:(=]", word)[0]
            if is_known(name):
                yield word, behind, 0


def _bare(words: list[str]) -> list[str]:
    """The words up to an option or a picture."""
    found = []
    for word in words:
        if re.match(r"-[A-Za-z-]", word) or re.search(r"\.[A-Za-z]\w*$", word):
            break
        if "*" in word or exists(word):
            break
        found.append(word)
    return found


def _line(text: str) -> str:
    """The option for what a text means."""
    from convcli.errors import KernelError
    from convcli.kernels.load import load_chain

    try:
        load_chain(text)
    except KernelError as error:
        told = _LINE.search(str(error))
        if told is None:
            return ""
        if told[2]:
            return told[2]
        text = told[1]
    return f"-k {shlex.quote(text)}"
