"""docs/tensors.md prints what it says."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GUIDE = (Path(__file__).parents[2] / "docs" / "tensors.md").read_text(encoding="utf-8")


def examples() -> list[tuple[str, str]]:
    blocks = re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
    found = re.findall(r"^\$ (convcli .*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)
    assert len(found) > 10
    return found


@pytest.mark.parametrize(("command", "output"), examples(), ids=[c for c, _ in examples()])
def test_commands(convcli: Callable[..., Any], command: str, output: str) -> None:
    done = convcli(*shlex.split(command)[1:])
    assert (done.code, done.err) == (0, "")
    assert done.out.decode() == output


def test_python() -> None:
    source = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(source, {}, "tensors", "docs/tensors.md", 0)
    result = doctest.DocTestRunner().run(test)
    assert result.attempted > 5
    assert result.failed == 0
