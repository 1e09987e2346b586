"""Where the static figures were most wrong: ceilings beside shares that were measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from gpu_ceilings import CARDS

OLD_NAMES = {"general 3x3": "3x3", "general 5x5": "5x5"}
"""Of the figures of 2026-11-26, which were measured before rows had today's names."""


class Doubt(NamedTuple):
    """A filter whose share of a copy was predicted and measured."""

    label: str
    ceiling: float
    launched: float
    """The ceiling with the rows that threads read before their first output."""
    share: float

    @property
    def wrong(self) -> float:
        """Times that less was reached than the ceiling says."""
        return self.ceiling / self.share


def predicted(row: Mapping[str, Any], copy: float) -> tuple[float, float]:
    """Ceilings of a static row of 9.0 on a device of that speed of copies, as a share of them."""
    slower = CARDS["H100"].copy / copy  # as many multiprocessors, other memory
    moving = row["ideal"] / row["bytes"]
    return tuple(min(row[name] * slower, moving) for name in ("computing", "launched"))


def doubts(static: Mapping[str, Any], shares: Mapping[str, float], copy: float) -> list[Doubt]:
    """All filters that have both, the most wrong first."""
    found = []
    for label, share in shares.items():
        row = static.get(label, {}).get("sm_90", {})
        if "computing" in row and share > 0:
            found.append(Doubt(label, *predicted(row, copy), share))
    return sorted(found, key=lambda d: -abs(math.log(d.wrong)))


def measured_shares(figures: Mapping[str, Any]) -> tuple[dict[str, float], float]:
    """Shares of a copy by label, and the copy's speed, from ``docs/performance/gpu.json``."""
    shares: dict[str, float] = {}
    if "journal" in figures:
        copy = figures["journal"]["copies/device"]["copy"]
        for key, row in figures["journal"].items():
            part, _, name = key.partition("/")
            side, _, rest = name.partition(" ")
            if part == "filters" and side == "4096":
                dtype, colours, case = rest.split(" ", 2)
                shares[f"{case} {dtype} {colours}"] = row["bytes"] / row["s"] / copy
        return shares, copy
    for name, colours in figures["rows"].items():
        for kind, row in colours.items():
            shown = {"gray": "gray", "rgb": "RGB"}[kind]
            shares[f"{OLD_NAMES.get(name, name)} u8 {shown}"] = row["share of copy"]
    return shares, figures["facts"]["copy TB/s read plus written"] * 1e12


def told(found: list[Doubt], many: int = 2) -> str:
    """The figures that the model got most wrong, as a sentence."""
    worst = [
        f"{d.label} (ceiling {d.ceiling:.2f} of copy, {d.launched:.2f} with the rows that threads read "
        f"before their first output, measured {d.share:.2f}: {d.wrong:.1f} times off)"
        for d in found[:many]
    ]
    means = [
        math.exp(sum(math.log(top(d) / d.share) for d in found) / len(found))
        for top in (lambda d: d.ceiling, lambda d: d.launched)
    ]
    last = max(found, key=lambda d: d.launched / d.share)
    return (
        f"Of {len(found)} filters that have both figures, the model is most wrong about "
        f"{' and '.join(worst)}. On the geometric mean it promises {means[0]:.1f} times what is reached, "
        f"{means[1]:.1f} with those rows; then it is most wrong about {last.label} "
        f"({last.launched / last.share:.1f})."
    )
