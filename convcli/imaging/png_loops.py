"""The compiled loops over PNG rows, if they were built."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import Any

__all__ = ["compiled_loops"]


@cache
def compiled_loops() -> Any:
    """The extension ``convcli._png``, or None: not built, or ``CONVCLI_LOOPS=numpy``."""
    if os.environ.get("CONVCLI_LOOPS") == "numpy":
        return None
    try:
        return import_module("convcli._png")
    except ImportError:
        return None
