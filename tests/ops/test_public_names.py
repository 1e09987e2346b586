"""Every public name of the tensors loads from where it says."""

from __future__ import annotations

import inspect

import pytest

import convcli

NAMES = [name for name, home in convcli._HOMES.items() if home.startswith("convcli.ops")]


@pytest.mark.parametrize("name", NAMES)
def test_public_name(name: str) -> None:
    found = getattr(convcli, name)
    assert found.__module__ == convcli._HOMES[name]
    assert inspect.getdoc(found)
    if inspect.isfunction(found):
        assert ">>>" in (found.__doc__ or ""), f"{name} has no example"
