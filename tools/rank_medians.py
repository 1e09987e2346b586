"""Writes the C of small medians: .venv/bin/python tools/rank_medians.py

Larger networks are carried out instruction by instruction; these stay in registers. A value that is
read further along its row is written to memory first, so a network falls into passes; the smallest
computes it again there, and is one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from convcli.engine.cpu.rank_networks import CompareNode, Comparisons, Ref, needed, network

SIDES = (3, 5, 7, 9)
ONE_PASS = (3,)
GROUP = 2
TO = Path(__file__).parents[1] / "convcli" / "engine" / "cpu" / "ranks" / "medians.h"
HEAD = """\
/* Written by tools/rank_medians.py: medians of squares, two output rows at a time. Included by
 * keyed.h, which defines what an instruction is: P(row) finds a row, R(row, shift) and S(slot, shift)
 * read, W(slot, t) and O(row, t) write, L(t, a, b) is the smaller and H(t, a, b) the larger of two. */
"""


def sources(node: CompareNode) -> tuple[Ref, ...]:
    """What a node reads."""
    return () if node.kind == "row" else ((node.a, node.a_shift), (node.b, node.b_shift))


def passes_of(nodes: list[CompareNode], order: list[int]) -> dict[int, int]:
    """The pass of each node: after those whose values it reads further along, and otherwise as late
    as those that read it want, since what is read in its own pass stays in a register."""
    first = dict.fromkeys(order, 0)
    for number in order:
        for source, shift in sources(nodes[number]):
            later = shift > 0 and nodes[source].kind != "row"
            first[number] = max(first[number], first[source] + later)
    found = dict.fromkeys(order, max(first.values()))
    for number in reversed(order):
        for source, shift in sources(nodes[number]):
            found[source] = min(found[source], found[number] - (shift > 0))
    return found


def recomputed(net: Comparisons, outputs: Sequence[Ref]) -> tuple[Comparisons, list[Ref]]:
    """The network in which only rows are read further along."""
    made = Comparisons()

    def at(number: int, shift: int) -> Ref:
        node = net.nodes[number]
        if node.kind == "row":
            return made.row(node.a, shift)
        (a, along_a), (b, along_b) = (at(n, shift + more) for n, more in sources(node))
        place = CompareNode(node.kind, a, along_a, b, along_b)
        if place not in made.nodes:
            made.nodes.append(place)
        return made.nodes.index(place), 0

    return made, [at(number, shift) for number, shift in outputs]


def median(side: int) -> str:
    """The functions of one size."""
    net, outputs = network(side, side, side * side // 2, GROUP)
    if side in ONE_PASS:
        net, outputs = recomputed(net, outputs)
    nodes, order = net.nodes, needed(net, outputs)
    place = passes_of(nodes, order)
    extent = dict.fromkeys(order, 0)
    for number in reversed(order):
        for source, shift in sources(nodes[number]):
            extent[source] = max(extent[source], extent[number] + shift)
    kept: dict[int, int] = {}
    for number in order:
        for source, _ in sources(nodes[number]):
            if nodes[source].kind != "row" and place[source] < place[number]:
                kept.setdefault(source, len(kept))
    assert all(shift == 0 for _, shift in outputs)
    ends = {number: row for row, (number, _) in enumerate(outputs)}
    text = []
    for turn in range(max(place.values()) + 1):
        own = [n for n in order if place[n] == turn and nodes[n].kind != "row"]
        lines: list[str] = []
        loaded: set[str] = set()
        for number in own:
            node = nodes[number]
            a, b = (
                read(nodes, place, kept, turn, source, loaded, lines) for source in sources(node)
            )
            lines.append(f"{'H' if node.kind == 'max' else 'L'}(t{number}, {a}, {b})")
            if number in kept:
                lines.append(f"W({kept[number]}, t{number})")
            if number in ends:
                lines.append(f"O({ends[number]}, t{number})")
        most = max(extent[number] for number in own)
        rows = sorted({int(name[1:].split("_")[0]) for name in loaded if name[0] == "r"})
        found = " ".join(f"P({row})" for row in rows)
        text.append(f"PASS({side}, {turn}, {most}, {found},\n{filled(lines)})\n")
    calls = " ".join(f"RUN({side}, {turn})" for turn in range(len(text)))
    return "".join(text) + f"MEDIAN({side}, {len(kept)}, {calls})\n"


def read(
    nodes: list[CompareNode],
    place: dict[int, int],
    kept: dict[int, int],
    turn: int,
    ref: Ref,
    loaded: set[str],
    lines: list[str],
) -> str:
    """The name of a value, which is fetched when it is first read in its pass."""
    source, shift = ref
    if nodes[source].kind == "row":
        name, fetch = f"r{nodes[source].a}_{shift}", f"R({nodes[source].a}, {shift})"
    elif place[source] < turn:
        name, fetch = f"s{kept[source]}_{shift}", f"S({kept[source]}, {shift})"
    else:
        return f"t{source}"
    if name not in loaded:
        loaded.add(name)
        lines.append(fetch)
    return name


def filled(words: list[str], width: int = 110) -> str:
    """Several instructions on a line."""
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else '    '}{word}"
    return "\n".join(lines)


def written() -> str:
    """The whole file."""
    sides = " ".join(f"X({side})" for side in SIDES)
    return HEAD + f"#define MEDIANS(X) {sides}\n" + "".join(map(median, SIDES))


if __name__ == "__main__":
    TO.write_text(written(), encoding="utf-8")
