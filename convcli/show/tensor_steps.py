"""The working of a convolution as a teacher writes it on the board."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from convcli.arithmetic.borders import BORDERS, Border
from convcli.ops.output_sum import ChannelSum, OutputSum, Term
from convcli.show.console import make_console
from convcli.show.tensor_text import bracketed, cell_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["PADDING_STYLE", "at", "factor", "show_blocks", "step_lines"]

PADDING_STYLE = "magenta"


def at(name: str, index: tuple[int, ...]) -> str:
    """An entry of an array as it is written: ``y[0,1]``; a scalar has no index."""
    return f"{name}[{','.join(map(str, index))}]" if index else name


def factor(value: Any) -> str:
    """A number or polynomial as one factor of a product.

    >>> factor(-2), factor(0.5)
    ('(-2)', '0.5')
    """
    return bracketed(cell_text(value), value)


def _product(product: Term) -> Text:
    from rich.text import Text

    if product.is_padding:
        shown = (f"[{cell_text(product.x)}]", PADDING_STYLE)
        return Text.assemble(shown, f"·{factor(product.weight)}")
    return Text(f"{factor(product.x)}·{factor(product.weight)}")


def _channel_lines(channel: ChannelSum, lead: str) -> list[Text]:
    """One line for each row of the kernel, the sum behind the last."""
    from rich.text import Text

    lines: list[Text] = []
    for row in channel.rows:
        line = Text(lead if not lines else " " * (len(lead) - 2) + "+ ")
        line.append_text(Text(" + ").join(_product(p) for p in row))
        lines.append(line)
    if not lines or not any(channel.rows):
        lines = [Text(f"{lead}nothing reaches it")]
    lines[-1].append(f" = {cell_text(channel.value)}")
    return lines


def step_lines(step: OutputSum, name: str) -> list[Text]:
    """The lines for one output; ``name`` is what it is called, as ``y[0,1]``."""
    from rich.text import Text

    if len(step.channels) == 1 and step.bias is None:
        return _channel_lines(step.channels[0], f"{name} = ")
    lines = [Text(name, "bold")]
    for channel in step.channels:
        lines += _channel_lines(channel, f"  channel {channel.channel}:   ")
    parts = [factor(channel.value) for channel in step.channels]
    if step.bias is not None:
        parts.append(f"{factor(step.bias)} (bias)")
    lines.append(Text(f"  sum:         {' + '.join(parts)} = {cell_text(step.value)}"))
    return lines


def show_blocks(
    blocks: Iterable[Sequence[Text]],
    left_out: int,
    console: Console | None = None,
    border: Border | None = None,
    what: str = "outputs",
) -> None:
    """Print the working of some outputs, how many more there are, and what the brackets mean.

    ``border`` is what the padding holds, where that is not zeros.
    """
    from rich.text import Text

    console = console or make_console()
    padded = ""
    for lines in blocks:
        for line in lines:
            console.print(line, soft_wrap=True)
            marks = (span for span in line.spans if span.style == PADDING_STYLE)
            padded = padded or next((line.plain[mark.start : mark.end] for mark in marks), "")
    if left_out:
        hint = f"… {left_out} more {what}; --all shows them, --at i,j one of them"
        console.print(Text(hint, "dim"), soft_wrap=True)
    if padded:
        console.print(_brackets(border, padded))


def _brackets(border: Border | None, constant: str) -> Text:
    """What stands in brackets: a ``constant`` such as ``[0]``, or which cells the border shows."""
    from rich.text import Text

    if border is None or border.is_constant:
        return Text(constant, PADDING_STYLE) + Text(" is padding", "dim")
    return Text("[ ]", PADDING_STYLE) + Text(
        f" is padding, {border}: {BORDERS[border.mode].drawing}", "dim"
    )
