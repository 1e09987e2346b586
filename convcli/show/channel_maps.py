"""What every input channel gives an output channel, as maps that add up to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from convcli.ops.output_sum import OutputSum
from convcli.show.tensor_text import MAX_COLUMNS, MAX_ROWS, abbreviated, aligned, cell_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from convcli.ops.conv_geometry import ConvGeometry

__all__ = ["map_lines", "show_channel_maps"]

MOST = 6
"""Maps of input channels shown for one output channel; of more, the first and the last three."""


def show_channel_maps(
    sum_at: Callable[..., OutputSum],
    geometry: ConvGeometry,
    operands: Sequence[Any],
    chosen: Iterable[tuple[int, ...]],
    shape: tuple[int, ...],
    console: Console,
) -> None:
    """Print the maps of some output channels, where several input channels are added up.

    Parameters
    ----------
    sum_at
        How an output is made: :func:`convcli.ops.output_sum.conv_output_sum`, or the transposed.
    geometry, operands
        What it takes: the input, the weight and the bias.
    chosen
        Outputs, by their index in the result of that ``shape``: their channels are shown. Of
        volumes nothing is.
    """
    rank = geometry.rank
    spatial = shape[-rank:]
    if rank > 2 or 0 in spatial or len(shape) == rank:
        return
    height, width = (1, *spatial)[-2:]
    rows, columns = abbreviated(height, MAX_ROWS), abbreviated(width, MAX_COLUMNS)
    for channel in dict.fromkeys(index[:-rank] for index in chosen):
        name = f"y[{','.join(map(str, channel))}]"
        lead = (0, *channel)[-2:]
        known: dict[tuple[int | None, int | None], OutputSum] = {
            (r, c): sum_at(geometry, *operands, (*lead, *(r, c)[-rank:]))
            for r, c in itertools.product(rows, columns)
            if r is not None and c is not None
        }
        first = next(iter(known.values()))
        if len(first.channels) < 2:
            continue

        total, *shares = (
            [[_cell(known.get((r, c)), channel, r, c) for c in columns] for r in rows]
            for channel in (None, *range(len(first.channels)))
        )
        kept = abbreviated(len(first.channels), MOST)
        maps = [
            None
            if index is None
            else (
                f"channel {first.channels[index].channel}",
                shares[index],
            )
            for index in kept
        ]
        bias = None if first.bias is None else cell_text(first.bias)
        for line in map_lines(name, maps, bias, total, console.width):
            console.print(line, soft_wrap=True)


def _cell(made: OutputSum | None, channel: int | None, r: int | None, c: int | None) -> str:
    """What a channel gives an output, or the output itself; dots for what is left out."""
    if made is not None:
        return cell_text(made.value if channel is None else made.channels[channel].value)
    return "⋱" if r is None and c is None else "⋮" if r is None else "…"


def map_lines(
    name: str,
    maps: Iterable[tuple[str, list[list[str]]] | None],
    bias: str | None,
    total: list[list[str]],
    width: int,
) -> list[Text]:
    """Maps beside each other with plus signs between them, then the bias, then what they make.

    What does not fit into ``width`` columns goes below. None stands for maps that are left out.

    >>> for line in map_lines("y[0]", [("channel 0", [["1", "2"]]), ("channel 1", [["5", "7"]])],
    ...                       "1", [["7", "10"]], 80):
    ...     print(line.plain)
    y[0], every channel and their sum
      channel 0   channel 1   bias   y[0]
      1  2      + 5  7      + 1    = 7  10
    """
    from rich.text import Text

    blocks: list[tuple[str, str, list[str]]] = []
    for sign, entry in zip(itertools.chain([""], itertools.repeat("+")), maps, strict=False):
        head, cells = ("", [["…"]] * len(total)) if entry is None else entry
        blocks.append((sign, head, aligned(cells)))
    if bias is not None:
        middle = (len(total) - 1) // 2
        blocks.append(("+", "bias", [bias * (row == middle) for row in range(len(total))]))
    blocks.append(("=", name, aligned(total)))
    lines = [Text(f"{name}, every channel and their sum", "bold")]
    for group in _fitting(blocks, width):
        lines += _beside(group)
    return lines


Block = tuple[str, str, list[str]]


def _wide(block: Block) -> int:
    return 3 + max(len(block[1]), *map(len, block[2]))


def _fitting(blocks: list[Block], width: int) -> Iterable[list[Block]]:
    """Blocks in groups that fit into the width."""
    group: list[Block] = []
    for block in blocks:
        if group and sum(map(_wide, group)) + _wide(block) > width:
            yield group
            group = []
        group.append(block)
    yield group


def _beside(group: list[Block]) -> list[Text]:
    """A line of names, and one for each row of the maps with the signs in the middle one."""
    from rich.text import Text

    rows = len(group[0][2])
    lines = [Text() for _ in range(rows + 1)]
    for place, (sign, name, cells) in enumerate(group):
        room = max(len(name), *map(len, cells))
        for number, (line, text) in enumerate(zip(lines, (name, *cells), strict=True)):
            shown = sign if number == (rows + 1) // 2 else ""
            line.append(f"{shown:<2}" if not place else f" {shown:<1} ")
            line.append(f"{text:<{room}}", "" if number else "dim")
    for line in lines:
        line.rstrip()
    return lines
