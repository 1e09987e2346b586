"""``convcli compare``: the measures of two pictures as text and JSON."""

from __future__ import annotations

import math
from typing import Any

from convcli.imaging.compare import Comparison

__all__ = ["comparison_document", "comparison_lines"]


def comparison_lines(found: Comparison) -> list[str]:
    """One line for each measure.

    >>> one = Comparison((4, 5), 1, 0.0001, None, 0.02, (0, 1, 2, 0), 0.5, 255.0)
    >>> print("\\n".join(comparison_lines(one)))
    PSNR     40.00 dB
    SSIM     -  (needs 11x11 pixels)
    largest  5.1 of 255, at row 1, column 2, channel 0
    equal    50.00 % of the pixels
    """
    there = " that is in both" * bool(found.missing)
    alike = f"infinite: every sample{there} is equal"
    psnr = f"{found.psnr:.2f} dB" if found.mse else alike
    whole = " without a missing one" * bool(found.missing)
    similar = f"-  (needs 11x11 pixels{whole})" if found.ssim is None else f"{found.ssim:.5f}"
    frame, row, column, channel = found.where
    place = f"row {row}, column {column}, channel {channel}"
    if found.frames > 1:
        place += f" of frame {frame + 1}"
    levels = f"{found.largest * found.white:.6g} of {found.white:g}"
    largest = "0" if found.largest == 0 else f"{levels}, at {place}"
    rows = [("PSNR", psnr), ("SSIM", similar), ("largest", largest)]
    rows.append(("equal", f"{_share(found.equal)} of the pixels"))
    if found.missing:
        samples = "sample" + "s" * (found.missing != 1)
        left_out = f"{found.missing:,} {samples}, left out; {found.alone:,} in one alone"
        rows.append(("missing", left_out))
    return [f"{name:<9}{value}" for name, value in rows]


def _share(share: float) -> str:
    """A percentage that says 100 only where it is meant."""
    percent = f"{100 * share:.2f}"
    return f"more than {99.99} %" if percent == "100.00" and share < 1 else f"{percent} %"


def comparison_document(found: Comparison) -> dict[str, Any]:
    """The same for programs; ``psnr`` is null where it is infinite."""
    frame, row, column, channel = found.where
    return {
        "width": found.size[1],
        "height": found.size[0],
        "frames": found.frames,
        "psnr": None if math.isinf(found.psnr) else found.psnr,
        "mse": found.mse,
        "ssim": found.ssim,
        # Of whole levels a whole one: scaled by white and back, 165 is 164.99999999999997.
        "largest": float(f"{found.largest * found.white:.12g}"),
        "white": found.white,
        "where": {"frame": frame, "row": row, "column": column, "channel": channel},
        "equal": found.equal,
        "missing": found.missing,
        "missing_in_one": found.alone,
    }
