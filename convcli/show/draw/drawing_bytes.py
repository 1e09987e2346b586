"""A laid-out drawing as a file, whatever its format."""

from __future__ import annotations

import itertools

from convcli.show.draw.layout import Drawing
from convcli.show.draw.svg import HOLD, write_svg

__all__ = ["drawing_bytes", "write_drawn"]


def drawing_bytes(
    drawing: Drawing,
    suffix: str,
    *,
    width: int | None = None,
    fps: float = 2.0,
    frame: int | None = None,
) -> bytes:
    """SVG, PDF, or what :func:`convcli.imaging.drawing_files.encode_drawing` writes.

    Parameters
    ----------
    width
        Pixels across; by default those of the canvas.
    fps
        Steps in a second; the last stays for four.
    frame
        Only this step, counted from 0.
    """
    if suffix == ".svg":
        return write_svg(drawing, width=width, fps=fps, frame=frame).encode()
    if suffix == ".pdf":
        from convcli.show.draw.pdf import write_pdf

        return write_pdf(drawing, width=width, frame=frame)
    from convcli.imaging.drawing_files import encode_drawing

    frames = drawing.frames if frame is None else drawing.frames[frame : frame + 1]
    durations = [1000 / fps] * (len(frames) - 1) + [(1 + HOLD) * 1000 / fps]
    return encode_drawing(drawing.canvas, frames, suffix, width=width, durations=durations)


def write_drawn(
    drawing: Drawing,
    output: str,
    suffix: str,
    *,
    width: int | None = None,
    fps: float = 2.0,
    frame: int | None = None,
    overwrite: bool = False,
) -> None:
    """Write a drawing into a file; parameters are those of :func:`drawing_bytes`.

    A video goes to FFmpeg step by step, and its last step stays as in an animation.
    """
    from convcli.imaging.atomic import write_atomic
    from convcli.imaging.video import VIDEOS, write_video

    if suffix not in VIDEOS:
        data = drawing_bytes(drawing, suffix, width=width, fps=fps, frame=frame)
        write_atomic(output, data, overwrite=overwrite)
        return
    from convcli.imaging.raster import rasterise, scale_of

    frames = drawing.frames if frame is None else drawing.frames[frame : frame + 1]
    images = rasterise(drawing.canvas, frames, scale_of(drawing.canvas, width))
    first = next(images)
    write_video(
        output,
        itertools.chain([first], images),
        first.size,
        suffix=suffix,
        fps=fps,
        hold=HOLD,
        ground=drawing.canvas.ground,
        overwrite=overwrite,
    )
