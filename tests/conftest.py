"""What all tests share: golden texts, rewritten only on an explicit request, and instruction sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from convcli.extensions import EXTENSIONS, extension

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


def pytest_configure() -> None:
    # Now, so that CONVCLI_LOOPS=compiled:SET holds for tests that set the variable themselves.
    for name in EXTENSIONS:
        extension(name)


@pytest.fixture(params=["base", "avx2", "avx512"])
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """The compiled extensions held to one instruction set after the other."""
    found = [extension(name).module for name in EXTENSIONS]
    if None in found:
        pytest.skip("needs the compiled extensions")
    usual = [module.isa() for module in found]
    if not all(request.param in module.isas() for module in found):
        pytest.skip(f"this processor or build has no {request.param}")
    for module in found:
        module.isa(request.param)
    yield request.param
    for module, name in zip(found, usual, strict=True):
        module.isa(name)
