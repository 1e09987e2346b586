"""What several tests of the engine share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(params=["base", "avx2", "avx512"])
def isa(request: pytest.FixtureRequest, hold_isa: Callable[[Any, str], str]) -> str:
    """The compiled loops held to one instruction set after the other."""
    from convcli import _loops

    return hold_isa(_loops, request.param)
