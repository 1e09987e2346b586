"""Backends that the tensor tests run on: CONVCLI_TEST_BACKENDS=numpy,cupy, numpy by default.

A backend that is named but cannot run fails the tests; it never skips them.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

BACKENDS = os.environ.get("CONVCLI_TEST_BACKENDS", "numpy").split(",")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Any:
    """``put`` moves a NumPy array to the backend, ``get`` brings a result back and checks its home."""
    if request.param == "numpy":
        return SimpleNamespace(name="numpy", put=np.asarray, get=_numpy_only)
    if request.param == "cupy":
        import cupy

        cupy.zeros(1).sum()  # raises here, where no device is
        return SimpleNamespace(name="cupy", put=cupy.asarray, get=_cupy_only)
    raise ValueError(f"CONVCLI_TEST_BACKENDS names {request.param!r}; it must be numpy or cupy")


def _numpy_only(array: Any) -> Any:
    assert isinstance(array, np.ndarray)
    return array


def _cupy_only(array: Any) -> Any:
    import cupy

    assert isinstance(array, cupy.ndarray)
    return cupy.asnumpy(array)
