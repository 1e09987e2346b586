"""A kernel in the terminal: a heat map of its weights and of its frequency response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from convcli.kernels.frequency_response import frequency_response
from convcli.kernels.kernel import Kernel
from convcli.show.colours import diverging, hex_of, sequential, settled
from convcli.show.console import make_console
from convcli.show.kernel_figure import MOST, weight_planes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["block_lines", "shade_lines", "show_plots"]

SHADES = " ░▒▓█"
SPARKS = "▁▂▃▄▅▆▇█"
COUNT = 33
"""Frequencies on each side of the map: columns of the terminal, and twice its lines."""


def block_lines(colours: NDArray[np.uint8]) -> list[Text]:
    """A picture (H, W, 3) in half blocks: each character is two pixels, one over the other."""
    from rich.text import Text

    rows = colours if len(colours) % 2 == 0 else np.concatenate([colours, colours[-1:]])
    last = len(colours) % 2 == 1
    lines = []
    for top in range(0, len(rows), 2):
        line = Text()
        for upper, lower in zip(rows[top], rows[top + 1], strict=True):
            ground = "" if last and top + 2 == len(rows) else f" on {hex_of(lower)}"
            line.append("▀", hex_of(upper) + ground)
        lines.append(line)
    return lines


def shade_lines(values: NDArray[np.float64]) -> list[Text]:
    """Values from 0 to 1 as shades of gray, for a terminal without colour."""
    from rich.text import Text

    index = np.rint(np.clip(values, 0, 1) * (len(SHADES) - 1)).astype(int)
    return [Text("".join(SHADES[i] for i in row)) for row in index]


def show_plots(kernel: Kernel, console: Console | None = None) -> None:
    """Print the heat maps side by side, and the response across and down as sparks."""
    from rich.text import Text

    console = console or make_console()
    colour = not console.no_color and console.color_system is not None
    planes = weight_planes(kernel)
    for plane in planes if len(planes) <= MOST else []:
        if plane.response is None:
            continue
        response = settled(frequency_response(plane.weights, COUNT))
        peak = float(response.max()) or 1.0
        console.print()
        if colour:
            reach = float(np.abs(plane.weights).max()) or 1.0
            zoom = max(COUNT // max(plane.weights.shape), 1)
            large = np.kron(plane.weights / reach, np.ones((zoom, zoom)))[: 2 * COUNT, : 2 * COUNT]
            weights = block_lines(diverging(large, (40, 44, 52)))
            maps = block_lines(sequential(response / peak))
        else:
            weights = []
            maps = shade_lines(response[::2] / peak)
        wide = max((line.cell_len for line in weights), default=0)
        if wide + COUNT + 4 > console.width:
            weights, wide = [], 0
        room = wide + 3 if weights else 0
        heads = Text("weights".ljust(room) if weights else "", "dim")
        console.print(heads + Text(f"response, 0 in the middle ({plane.heading})", "dim"))
        for number, line in enumerate(maps):
            left = weights[number] if number < len(weights) else Text("")
            console.print(left + Text(" " * (room - left.cell_len)) + line, soft_wrap=True)
        middle = COUNT // 2
        for name, ray in (
            ("across", response[middle, middle:]),
            ("down", response[middle:, middle]),
        ):
            index = np.rint(ray / peak * (len(SPARKS) - 1)).astype(int)
            sparks = "".join(SPARKS[i] for i in index)
            console.print(
                Text(f"{name:<8}", "dim")
                + Text(sparks, "cyan")
                + Text(
                    f"  {round(ray[0], 9) + 0.0:.3g} at 0, {round(ray[-1], 9) + 0.0:.3g} at 1/2",
                    "dim",
                ),
                soft_wrap=True,
            )
