"""A laid-out drawing as the bytes of a file, whatever its format."""

from __future__ import annotations

from convcli.show.draw.layout import Drawing
from convcli.show.draw.svg import HOLD, write_svg

__all__ = ["drawing_bytes"]


def drawing_bytes(
    drawing: Drawing,
    suffix: str,
    *,
    width: int | None = None,
    fps: float = 2.0,
    frame: int | None = None,
) -> bytes:
    """SVG, or what :func:`convcli.imaging.raster.encode_drawing` writes; the last step stays."""
    if suffix == ".svg":
        return write_svg(drawing, width=width, fps=fps, frame=frame).encode()
    from convcli.imaging.raster import encode_drawing

    frames = drawing.frames if frame is None else drawing.frames[frame : frame + 1]
    durations = [1000 / fps] * (len(frames) - 1) + [(1 + HOLD) * 1000 / fps]
    return encode_drawing(drawing.canvas, frames, suffix, width=width, durations=durations)
