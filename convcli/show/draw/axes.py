"""One axis of a drawing: which cells there are, and which of them each output reads."""

from __future__ import annotations

from dataclasses import dataclass

from convcli.arithmetic.borders import ZEROS, Border
from convcli.arithmetic.layer import AnyWindow
from convcli.arithmetic.transposed import TransposedWindow
from convcli.show.draw.scene import Mark

__all__ = ["AxisView", "axis_view", "single_axis", "worse"]

_ORDER: tuple[Mark, ...] = ("value", "zero", "padding", "border", "overhang")


@dataclass(frozen=True, slots=True)
class AxisView:
    """The cells of a board along one axis.

    Parameters
    ----------
    sources
        For each cell the index of the input that it holds, or None; that of a cell of the border
        is the cell that it shows.
    marks
        What kind of cell each is.
    taps
        For each output, the cells that it reads, in the order of the kernel as it is shown.
    """

    sources: tuple[int | None, ...]
    marks: tuple[Mark, ...]
    taps: tuple[tuple[int, ...], ...]

    @property
    def origin(self) -> int:
        """Where the first cell of the input stands."""
        return self.marks.index("value")

    @property
    def read(self) -> frozenset[int]:
        """Cells that some output reads."""
        return frozenset(cell for taps in self.taps for cell in taps)

    @property
    def reached(self) -> frozenset[int]:
        """Cells that are read where they stand, or where a border shows them."""
        return frozenset(map(self.home, self.read))

    def home(self, cell: int) -> int:
        """Where the input stands that a cell of the border shows; any other cell itself."""
        source = self.sources[cell]
        if source is None or self.marks[cell] != "border":
            return cell
        return self.origin + source


def single_axis() -> AxisView:
    """The other axis of a one-dimensional drawing: one cell, read once."""
    return AxisView((0,), ("value",), ((0,),))


def axis_view(window: AnyWindow, border: Border = ZEROS) -> AxisView:
    """A convolution, a pooling, or a transposed convolution seen as one over stuffed zeros.

    >>> from convcli.arithmetic.window import conv_window
    >>> view = axis_view(conv_window(4, 3, stride=2, padding=1))
    >>> view.sources, view.taps
    ((None, 0, 1, 2, 3, None), ((0, 1, 2), (2, 3, 4)))
    >>> axis_view(conv_window(4, 3, padding=1), Border("wrap")).sources
    (3, 0, 1, 2, 3, 0)
    """
    if isinstance(window, TransposedWindow):
        return _gathering(window)
    overhang = window.overhang
    inside = range(window.before, window.before + window.size)
    cells = range(window.padded + overhang)
    padding: Mark = "padding" if border.is_zeros else "border"
    return AxisView(
        (*border.sources(window.size, window.before, window.after), *(None,) * overhang),
        tuple(
            "value" if cell in inside else padding if cell < window.padded else "overhang"
            for cell in cells
        ),
        tuple(
            tuple(
                output * window.stride + tap * window.dilation for tap in range(window.kernel_size)
            )
            for output in range(window.output)
        ),
    )


def _gathering(window: TransposedWindow) -> AxisView:
    """Output ``o`` reads the stuffed input at ``o + before - tap * dilation``.

    The stuffed input has ``stride - 1`` zeros between its values. Read from left to right, the
    kernel is reversed, so the taps are in the order of the reversed kernel.

    >>> from convcli.arithmetic.transposed import transposed_window
    >>> view = axis_view(transposed_window(2, 3, stride=2, padding=1))
    >>> view.sources, view.taps
    ((None, 0, None, 1, None), ((0, 1, 2), (1, 2, 3), (2, 3, 4)))
    """
    last = (window.size - 1) * window.stride
    low = min(0, window.before - window.effective_kernel + 1)
    high = max(last, window.output - 1 + window.before)
    sources: list[int | None] = []
    marks: list[Mark] = []
    for cell in range(low, high + 1):
        whole = 0 <= cell <= last and cell % window.stride == 0
        sources.append(cell // window.stride if whole else None)
        marks.append("value" if whole else "zero" if 0 <= cell <= last else "padding")
    taps = tuple(
        tuple(
            output + window.before - tap * window.dilation - low
            for tap in reversed(range(window.kernel_size))
        )
        for output in range(window.output)
    )
    return AxisView(tuple(sources), tuple(marks), taps)


def worse(first: Mark, second: Mark) -> Mark:
    """The mark of a cell whose row and column have different ones.

    >>> worse("zero", "padding")
    'padding'
    """
    return max(first, second, key=_ORDER.index)
