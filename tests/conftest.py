"""What all tests share: golden texts, rewritten only on an explicit request, and instruction sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long one example takes says nothing on a machine that others use too.
settings.register_profile("convcli", deadline=None)
settings.load_profile("convcli")

DATA = Path(__file__).parent / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens", action="store_true", help="rewrite the golden texts in tests/data"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with ``tests/data/<name>``; blanks at line ends do not count."""

    def check(name: str, text: str) -> None:
        path = DATA / name
        text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
        if request.config.getoption("--update-goldens"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), (
            f"{path} differs; if that is meant, run pytest with --update-goldens and look at the "
            "difference"
        )

    return check


@pytest.fixture
def hold_isa() -> Iterator[Callable[[Any, str], str]]:
    """Hold the loops of an extension to one instruction set, until the test ends."""
    held: list[tuple[Any, str]] = []

    def hold(module: Any, name: str) -> str:
        usual = module.isa()
        try:
            module.isa(name)
        except ValueError:
            pytest.skip(f"this processor or build has no {name}")
        held.append((module, usual if isinstance(usual, str) else usual[0]))
        return name

    yield hold
    for module, usual in held:
        module.isa(usual)
