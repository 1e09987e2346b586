"""The working of pooling: which cell won, what a mean is divided by, where a gradient goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convcli.ops.pool_sums import PoolShare, PoolSum, quotient
from convcli.show.tensor_steps import PADDING_STYLE, at, factor
from convcli.show.tensor_text import cell_text

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["max_line", "mean_line", "share_lines"]


def max_line(step: PoolSum) -> Text:
    """The values, the largest of them, and where it stands.

    >>> from convcli.ops.pool_sums import PoolCell
    >>> cells = tuple(PoolCell("input", (i,), value) for i, value in enumerate([1, 6, 6]))
    >>> max_line(PoolSum((0,), cells, 3, ((1,), (2,)))).plain
    'y[0] = max(1, 6, 6) = 6   x[1] (x[2] is as large: the first counts)'
    """
    from rich.text import Text

    first, *others = step.winners
    largest = next(cell.value for cell in step.cells if cell.at == first)
    line = Text(f"{at('y', step.index)} = max({', '.join(map(cell_text, step.values))})")
    line.append(f" = {cell_text(largest)}")
    where = at("x", first)
    if others:
        names = ", ".join(at("x", other) for other in others)
        where += f" ({names} {'is' if len(others) == 1 else 'are'} as large: the first counts)"
    return line.append(f"   {where}", "dim")


def mean_line(step: PoolSum, value: Any, count_include_pad: bool) -> Text:
    """The sum over its divisor, and what the divisor counts where that is not plain.

    ``value`` is the result as it was computed, shown where it is no exact fraction.

    >>> from convcli.ops.pool_sums import PoolCell
    >>> cells = tuple(PoolCell("input", (i,), value) for i, value in enumerate([1, 3, 4, 6]))
    >>> mean_line(PoolSum((0,), cells, 4, ()), 3.5, True).plain
    'y[0] = (1 + 3 + 4 + 6) / 4 = 7/2'
    """
    from rich.text import Text

    terms = []
    for cell in step.cells:
        if cell.kind == "input":
            terms.append(Text(factor(cell.value)))
        elif cell.kind == "padding" and count_include_pad:
            terms.append(Text("[0]", PADDING_STYLE))
    total: Any = sum(step.values)
    exact = value if isinstance(total, float) else quotient(total, step.divisor)
    line = Text(f"{at('y', step.index)} = (") + Text(" + ").join(terms)
    line.append(f") / {step.divisor} = {cell_text(exact)}")
    return line.append(_divisor_remark(step, count_include_pad), "dim")


def _divisor_remark(step: PoolSum, count_include_pad: bool) -> str:
    """Why fewer, or other, cells are counted than the window has."""
    remarks = []
    padding, overhang = step.count("padding"), step.count("overhang")
    if padding:
        how = "counted" if count_include_pad else "not counted"
        remarks.append(f"{padding} of padding {how}")
    if overhang:
        verb = "hangs" if overhang == 1 else "hang"
        remarks.append(f"{overhang} {verb} over the end, never counted")
    return f"   {len(step.cells)} cells, {', '.join(remarks)}" if remarks else ""


def share_lines(index: tuple[int, ...], shares: Sequence[PoolShare], value: Any) -> list[Text]:
    """What reaches one cell of the input, with the names and then with the numbers.

    >>> for line in share_lines((1,), [PoolShare(4, (0,), 2), PoolShare(6, (1,), 3)], 4):
    ...     print(line.plain)
    dL/dx[1] = dL/dy[0]/2 + dL/dy[1]/3
             = 4/2 + 6/3 = 4
    """
    from rich.text import Text

    lead = at("dL/dx", index)
    if not shares:
        return [Text(f"{lead} = 0   no output took its value")]
    over = [f"/{share.divisor}" if share.divisor != 1 else "" for share in shares]
    names = [at("dL/dy", share.at) + d for share, d in zip(shares, over, strict=True)]
    numbers = [factor(share.grad) + d for share, d in zip(shares, over, strict=True)]
    total: Any = sum(quotient(share.grad, share.divisor) for share in shares)
    shown = cell_text(value if isinstance(total, float) else total)
    worked = " + ".join(numbers)
    return [
        Text(f"{lead} = {' + '.join(names)}"),
        Text(f"{' ' * len(lead)} = {worked}" + (f" = {shown}" if worked != shown else "")),
    ]
