"""What several tests of the engine share."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

from convcli.engine import dispatch
from convcli.extensions import VARIABLE


@pytest.fixture(params=["compiled", "numpy"])
def loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each kind of inner loops in turn; the compiled ones where they were built."""
    if request.param == "compiled" and find_spec("convcli._loops") is None:
        pytest.skip("convcli._loops was not built")
    if not os.environ.get(VARIABLE, "").startswith(request.param):  # may name an instruction set
        monkeypatch.setenv(VARIABLE, request.param)
    assert dispatch.loops().name == request.param
    return str(request.param)
