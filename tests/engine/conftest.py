"""What several tests of the engine share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(params=["base", "avx2", "avx512"])
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """The compiled loops held to one instruction set after the other."""
    from convcli import _loops

    usual = _loops.isa()
    try:
        _loops.isa(request.param)
    except ValueError:
        pytest.skip(f"this processor or build has no {request.param}")
    yield request.param
    _loops.isa(usual)
