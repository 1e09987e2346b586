"""The operations that a kernel can be for, by name."""

from __future__ import annotations

__all__ = ["CORRELATE", "OPERATIONS"]

CORRELATE = "correlate"

OPERATIONS = {CORRELATE: "convcli.engine.correlate"}
"""Names, and the modules with what is computed, which are imported when they are used.

A new operation is one module and one line here. Its name is then a kernel for command lines and
Python, with sizes written as for ``box``: the footprint whose cells it takes.
"""
