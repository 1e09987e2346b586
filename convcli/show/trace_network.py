"""``convcli.trace``: the receptive field of one output drawn, for Python and for notebooks."""

from __future__ import annotations

from collections.abc import Sequence

from convcli.arithmetic.network import Network
from convcli.errors import ShapeError
from convcli.show.draw.figure import Figure

__all__ = ["trace"]


def trace(
    network: Network | str,
    n: int | Sequence[int] | None = None,
    *,
    cell: Sequence[int] | None = None,
    layer: str = "",
    theme: str = "light",
) -> Figure:
    """Follow one output of a network back to the cells of the input that it is made from.

    Parameters
    ----------
    network
        A network, or what :meth:`convcli.Network.load` takes: a built-in name, a file, a chain.
    n
        Size of the input, as ``convcli shape --n`` has it: 32, (1, 28, 28). By default what the
        network is meant for.
    cell
        Row and column of the output, counted from 0; by default the middle.
    layer
        The layer whose output it is; by default the last that has rows and columns.
    theme
        ``light`` or ``dark``.

    Returns
    -------
    Figure
        It shows itself in a notebook; ``.save("trace.svg")`` writes it.

    Raises
    ------
    ShapeError
        If the network breaks, has no such layer or cell, or more than two axes.

    >>> trace("conv 8 k3 | maxpool k2 | conv 8 k3", 20, cell=(0, 0))
    Figure('cell 0,0 of conv2 (7x7), what it depends on', 1 step)
    """
    from convcli.arithmetic.trace import trace as follow
    from convcli.show.draw.theme import theme_of
    from convcli.show.trace_figure import trace_figure

    look = theme_of(theme)
    known = Network.load(network) if isinstance(network, str) else network
    sizes = None if n is None else (n,) if isinstance(n, int) else tuple(n)
    report = known.evaluate_for(sizes, maps=True)
    if report.failure is not None:
        raise ShapeError(str(report.failure))
    return Figure(trace_figure(report, follow(report, cell, layer), look))
