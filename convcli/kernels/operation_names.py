"""The operations that a kernel can be for, by name."""

from __future__ import annotations

__all__ = ["CORRELATE", "OPERATIONS", "WITH_HEIGHTS", "WITH_PRESETS"]

CORRELATE = "correlate"

OPERATIONS = {
    CORRELATE: "convcli.engine.correlate",
    "rank": "convcli.engine.rank",
    "erode": "convcli.engine.morphology",
    "dilate": "convcli.engine.morphology",
    "open": "convcli.engine.composite",
    "close": "convcli.engine.composite",
    "tophat": "convcli.engine.composite",
    "blackhat": "convcli.engine.composite",
    "gradient": "convcli.engine.composite",
    "range": "convcli.engine.composite",
    "spread": "convcli.engine.spread",
    "mode": "convcli.engine.mode",
    "unsharp": "convcli.engine.unsharp",
    "threshold": "convcli.engine.threshold",
    "bilateral": "convcli.engine.bilateral",
    "otsu": "convcli.engine.threshold",
    "canny": "convcli.engine.canny",
}
"""Names, and the modules with what is computed, which are imported when they are used.

A new operation is one module and one line here; of a module with several, the line names one after a
colon. Its name is then a kernel for command lines and Python, with sizes written as for ``box``: the
footprint whose cells it takes. Those of ``WITH_PRESETS`` have presets instead.
"""

WITH_PRESETS = frozenset(
    "rank mode spread unsharp threshold otsu bilateral canny erode dilate open close tophat blackhat "
    "gradient range".split()
)
"""Operations of which a name alone does not say all, or says something else than elsewhere."""

WITH_HEIGHTS = frozenset("erode dilate open close tophat blackhat gradient".split())
"""Of these the weights may be gray levels, which are told by the number 1."""
