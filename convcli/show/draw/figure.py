"""``convcli.draw``: what the command draws, for Python and for notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath
from typing import Unpack

from numpy.typing import ArrayLike

from convcli.errors import UsageError
from convcli.show.draw.given_operation import LayerWords, given_operation
from convcli.show.draw.layout import Drawing, lay_out
from convcli.show.draw.theme import theme_of
from convcli.show.draw.views import build_scene

__all__ = ["Figure", "draw"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing that a notebook shows, animated where it has several steps."""

    drawing: Drawing
    fps: float = 2.0

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return len(self.drawing.frames)

    def save(
        self,
        path: str | PathLike[str],
        *,
        overwrite: bool = False,
        width: int | None = None,
        step: int | None = None,
    ) -> None:
        """Write it as a file, in the format of the suffix, as ``convcli draw -o`` does.

        Parameters
        ----------
        path
            Ends in .svg, .gif, .png, .apng, .webp, or, where fpdf2 is installed, .pdf (a page for
            each step), or, where FFmpeg is, .mp4 or .webm.
        overwrite
            Whether a file that is there may be replaced.
        width
            Pixels across; by default what suits the drawing.
        step
            Only this one, counted from 1: a still picture.

        Raises
        ------
        UsageError
            If the suffix or the step is none of these, what writes it is not installed, or the
            file is there.
        """
        from convcli.imaging.atomic import check_target
        from convcli.imaging.drawing_files import RASTERS
        from convcli.imaging.video import VIDEOS
        from convcli.show.draw.drawing_bytes import write_drawn

        name = fspath(path)
        suffix = name[name.rfind(".") :].lower() if "." in name else ""
        allowed = (".svg", ".pdf", *RASTERS, *VIDEOS)
        if suffix not in allowed:
            raise UsageError(f"{name!r}: a drawing is written as {', '.join(allowed)}")
        frame = self._frame(step)
        check_target(name, overwrite=overwrite)
        write_drawn(
            self.drawing,
            name,
            suffix,
            width=width,
            fps=self.fps,
            frame=frame,
            overwrite=overwrite,
        )

    def _frame(self, step: int | None) -> int | None:
        if step is not None and not 1 <= step <= self.steps:
            raise UsageError(f"step is {step}; the drawing has the steps 1 to {self.steps}")
        return None if step is None else step - 1

    def _repr_svg_(self) -> str:
        from convcli.show.draw.svg import write_svg

        return write_svg(self.drawing, fps=self.fps, inline=True)

    def __repr__(self) -> str:
        return f"Figure({self.drawing.title!r}, {self.steps} step{'s' * (self.steps > 1)})"


def draw(
    x: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    *,
    view: str = "",
    theme: str = "light",
    fps: float = 2.0,
    **layer: Unpack[LayerWords],
) -> Figure:
    """Draw a convolution, a transposed one or pooling, step by step.

    Parameters
    ----------
    x
        The input with its numbers: an array as :func:`convcli.conv` takes it, or a text such as
        ``"1 2; 3 4"`` or ``"a b c"``. Or the name of a classic animation, ``"padding_strides"``.
    weight, bias
        The kernel and the bias, likewise; pooling has none.
    view
        ``window``, ``matrix``, ``gradient``; of a transposed one ``gather``, ``scatter``,
        ``gradient``. By default the first.
    theme, fps
        ``light`` or ``dark``; steps in a second.
    layer
        - ``n``, ``k``: sizes of input and kernel where there are no numbers, and of the window of
          pooling: 5 is 5x5, (5, 7) is 5x7, (5,) is a sequence.
        - ``stride``, ``padding``, ``border``, ``dilation``, ``output_padding``, ``groups``,
          ``flip``, ``dims``: as :func:`convcli.conv` and :func:`convcli.conv_transpose` have them; the
          stride of pooling is the window by default.
        - ``in_channels``, ``out_channels``: without numbers, at most 4 of each.
        - ``transposed``, ``pool`` (``"max"`` or ``"avg"``), ``ceil_mode``: which operation it is.

    Returns
    -------
    Figure
        It shows itself in a notebook; ``.save("sums.svg")`` writes it.

    Raises
    ------
    ShapeError, TensorError, UsageError
        If sizes do not fit together, are too large to be read, or an option does not go with
        another.

    >>> draw("a b c d", "u v", padding=1)
    Figure('Convolution', 5 steps)
    >>> draw(n=5, k=3, stride=2, padding=1).steps
    9
    >>> draw("numerical_max_pooling", view="gradient").steps
    9
    """
    look = theme_of(theme)
    if not 0.1 <= fps <= 50:
        raise UsageError(f"fps is {fps}; allowed: 0.1 to 50")
    operation = given_operation(x, weight, bias, layer)
    return Figure(lay_out(build_scene(operation, view), look), fps)
