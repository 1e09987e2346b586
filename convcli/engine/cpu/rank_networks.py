"""Networks of minima and maxima that give the values of a rank under a rectangle that slides.

A network is made for several output rows at once. Whatever is asked for twice is computed once, and
a value that is asked for at another column is the same value further along its row: so columns are
sorted once for all windows that they are under, and two neighbours are merged once for all that
have both. Rows that all windows of a group share are sorted first, and only those of their values
are kept that can still have the rank; then the group is halved, each half adds the rows that it
shares, and so on to single windows.

Sources: Batcher's odd-even merge (Knuth, The Art of Computer Programming 3, 5.3.4); sharing and
forgetting as in Adams, "Fast median filters using separable sorting networks", 2021, and Sugy,
arXiv 2507.19926, 2025, with the columns' sharing by one position instead of tiles across.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

__all__ = ["CompareNode", "Comparisons", "merged", "needed", "network", "of_two", "ranks_between"]

Ref: TypeAlias = tuple[int, int]
"""A node, and how many columns further along."""


class CompareNode(NamedTuple):
    """The smaller or the larger of two values, or a row of the input."""

    kind: str
    """``min``, ``max`` or ``row``."""
    a: int
    """A node, or the row's number."""
    a_shift: int = 0
    b: int = 0
    b_shift: int = 0


class Comparisons:
    """Nodes, each after those it reads, without two that are alike."""

    def __init__(self) -> None:
        self.nodes: list[CompareNode] = []
        self._known: dict[CompareNode, int] = {}

    def row(self, number: int, shift: int) -> Ref:
        """A cell of the input."""
        return self._node(CompareNode("row", number)), shift

    def smaller(self, p: Ref, q: Ref) -> Ref:
        """Of two values."""
        return self._of("min", p, q)

    def larger(self, p: Ref, q: Ref) -> Ref:
        """Of two values."""
        return self._of("max", p, q)

    def _of(self, kind: str, p: Ref, q: Ref) -> Ref:
        if p == q:
            return p
        p, q = sorted((p, q))
        first = min(p[1], q[1])
        return self._node(CompareNode(kind, p[0], p[1] - first, q[0], q[1] - first)), first

    def _node(self, node: CompareNode) -> int:
        if node not in self._known:
            self._known[node] = len(self.nodes)
            self.nodes.append(node)
        return self._known[node]


def merged(net: Comparisons, a: Sequence[Ref], b: Sequence[Ref]) -> list[Ref]:
    """Two sorted runs as one: Batcher's odd-even merge for runs of any length."""
    if not a or not b:
        return [*a, *b]
    if len(a) == len(b) == 1:
        return [net.smaller(a[0], b[0]), net.larger(a[0], b[0])]
    even, odd = merged(net, a[::2], b[::2]), merged(net, a[1::2], b[1::2])
    pairs = min(len(odd), len(even) - 1)
    found = [even[0]]
    for low, high in zip(odd[:pairs], even[1 : pairs + 1], strict=True):
        found += [net.smaller(low, high), net.larger(low, high)]
    return [*found, *odd[pairs:], *even[pairs + 1 :]]


def of_two(net: Comparisons, a: Sequence[Ref], b: Sequence[Ref], rank: int) -> Ref:
    """The value of a rank in two sorted runs: the least that some split of ``rank + 1`` reaches."""
    found: Ref | None = None
    for some in range(max(0, rank + 1 - len(b)), min(len(a), rank + 1) + 1):
        others = rank + 1 - some
        if not others:
            reached = a[some - 1]
        elif not some:
            reached = b[others - 1]
        else:
            reached = net.larger(a[some - 1], b[others - 1])
        found = reached if found is None else net.smaller(found, reached)
    assert found is not None
    return found


def ranks_between(
    net: Comparisons, runs: Sequence[Sequence[Ref]], first: int, last: int
) -> list[Ref]:
    """Values of ranks ``first`` to ``last`` of several sorted runs together.

    What is too small or too large in its own run to have one of these ranks is left out.
    """
    left = [list(run) for run in runs]
    while True:
        left, first, last = _forgotten(left, first, last)
        if len(left) == 1:
            return left[0][first : last + 1]
        if len(left) == 2 and first == last:
            return [of_two(net, left[0], left[1], first)]
        left.sort(key=len)
        left = [merged(net, left[0], left[1]), *left[2:]]


def _forgotten(runs: list[list[Ref]], first: int, last: int) -> tuple[list[list[Ref]], int, int]:
    """The runs without what cannot have the ranks, and the ranks in what is left."""
    changed = True
    while changed:
        changed = False
        for number, run in enumerate(runs):
            above = sum(map(len, runs)) - 1 - first  # more than so many are not larger
            low = max(0, len(run) - 1 - above)
            kept = run[low : last + 1]
            if len(kept) < len(run):
                runs[number], changed = kept, True
                first, last = first - low, last - low
        runs = [run for run in runs if run]
    return runs, first, last


class _Windows:
    """Makes the network of a rectangle."""

    def __init__(self, height: int, width: int, rank: int) -> None:
        self.height, self.width, self.rank = height, width, rank
        self.net = Comparisons()
        self.found: dict[int, Ref] = {}

    def runs(self, rows: Sequence[int]) -> list[list[Ref]]:
        """The cells of some rows as sorted runs, of which neighbouring windows share most."""
        net = self.net

        def block(start: int, count: int) -> list[Ref]:
            if count > 1:
                half = count // 2
                return merged(net, block(start, half), block(start + half, half))
            return _sorted(net, [net.row(row, start) for row in rows])

        found, start = [], 0
        for power in reversed(range(self.width.bit_length())):
            if self.width >> power & 1:
                found.append(block(start, 1 << power))
                start += 1 << power
        return found

    def shared(self, start: int, stop: int) -> range:
        """Rows that all windows from output row ``start`` to ``stop`` have."""
        return range(stop - 1, start + self.height)

    def between(self, rows: int) -> tuple[int, int]:
        """Ranks among so many rows that may be that of the window in the end."""
        others = (self.height - rows) * self.width
        return max(self.rank - others, 0), min(self.rank, rows * self.width - 1)

    def halve(self, start: int, stop: int, core: list[Ref]) -> None:
        """From what the windows share to each of them."""
        if stop - start == 1:
            self.found[start] = core[0]
            return
        middle, have = (start + stop) // 2, self.shared(start, stop)
        dropped = self.between(len(have))[0]
        for a, b in ((start, middle), (middle, stop)):
            want = self.shared(a, b)
            more = [row for row in want if row not in have]
            whole = len(more) * self.width
            extra = ranks_between(self.net, self.runs(more), 0, whole - 1)
            first, last = (rank - dropped for rank in self.between(len(want)))
            self.halve(a, b, ranks_between(self.net, [core, extra], first, last))

    def make(self, group: int) -> list[Ref]:
        rows = self.shared(0, group)
        self.halve(0, group, ranks_between(self.net, self.runs(rows), *self.between(len(rows))))
        return [self.found[row] for row in range(group)]


def _sorted(net: Comparisons, values: Sequence[Ref]) -> list[Ref]:
    if len(values) < 2:
        return list(values)
    half = len(values) // 2
    return merged(net, _sorted(net, values[:half]), _sorted(net, values[half:]))


@cache
def network(height: int, width: int, rank: int, group: int) -> tuple[Comparisons, list[Ref]]:
    """The network of a rectangle for ``group`` output rows, and where it has their values.

    ``group`` is a power of two, at most ``height``.
    """
    windows = _Windows(height, width, rank)
    return windows.net, windows.make(group)


def needed(net: Comparisons, outputs: Sequence[Ref]) -> list[int]:
    """Nodes that outputs depend on, in an order that lets values go soon."""
    seen: set[int] = set()
    order: list[int] = []
    for output, _ in outputs:
        stack: list[tuple[int, bool]] = [(output, False)]
        while stack:
            number, ready = stack.pop()
            if ready:
                order.append(number)
            elif number not in seen:
                seen.add(number)
                stack.append((number, True))
                node = net.nodes[number]
                if node.kind != "row":
                    stack += [(node.b, False), (node.a, False)]
    return order
