"""From layer specs to a graph of named nodes, in the order they run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convcli.arithmetic.chain_parser import LayerSpec, parse_chain
from convcli.arithmetic.layer import Layer
from convcli.arithmetic.layer_spec import (
    SHORT,
    SLIDING,
    check_keys,
    label_of,
    options_of,
    sliding_layer,
)
from convcli.arithmetic.vocabulary import BRANCHING, KINDS, canonical_kind
from convcli.errors import ShapeError, did_you_mean

__all__ = ["INPUT", "Node", "build_graph"]

INPUT = "input"
"""Name of the network's input, which branches can join again."""

MAX_NODES = 20_000


@dataclass(frozen=True, slots=True)
class Node:
    """One layer of a network: what it is, and the names of what it reads.

    ``options`` holds what the kind needs beyond a sliding ``layer``: ``out_channels`` of a
    linear layer, ``size`` of adaptive pooling, ``factor``, ``padding``, ``crop``,
    ``in_channels`` (checked). ``depth`` counts the branches around it.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    label: str
    layer: Layer | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 0


class _Builder:
    def __init__(self, blocks: Mapping[str, Any]) -> None:
        self.blocks = blocks
        self.nodes: list[Node] = []
        self.names = {INPUT}
        self.counts: dict[str, int] = {}

    def run(self, items: Sequence[Any], tip: str, scope: str, depth: int, nesting: int) -> str:
        """Add ``items`` after ``tip`` and return the name of the new tip."""
        for item in self._flat(items):
            kind = item["kind"]
            repeat = item.get("repeat", 1)
            if not isinstance(repeat, int) or not 1 <= repeat <= MAX_NODES:
                raise ShapeError(f"repeat is {repeat!r}; it must be 1 to {MAX_NODES}")
            for _ in range(repeat):
                if kind in self.blocks:
                    tip = self._block(item, tip, scope, depth, nesting)
                elif "branches" in item:
                    tip = self._branches(item, tip, scope, depth, nesting)
                else:
                    tip = self._layer(item, tip, scope, depth)
        return tip

    def _flat(self, items: Sequence[Any]) -> Iterator[LayerSpec]:
        """Items one by one; text among them is a chain of its own."""
        for item in items:
            if isinstance(item, str):
                yield from parse_chain(item, self.blocks)
            elif isinstance(item, Mapping) and isinstance(item.get("kind"), str):
                whole = f"kind = {item['kind']!r}"
                yield {**item, "kind": canonical_kind(item["kind"], whole, self.blocks)}
            else:
                raise ShapeError(f"layer {item!r}: a layer is text or a table with a kind")

    def _block(self, item: LayerSpec, tip: str, scope: str, depth: int, nesting: int) -> str:
        kind = item["kind"]
        if nesting > 20:
            raise ShapeError(f"block {kind!r} contains itself")
        body = self.blocks[kind]
        args = [str(arg) for arg in item.get("args", ())]
        if isinstance(body, str):
            wanted = max((int(n) for n in re.findall(r"\$([1-9])", body)), default=0)
            if len(args) != wanted:
                raise ShapeError(f"block {kind!r} takes {wanted} values, not {len(args)}: {args}")
            body = re.sub(r"\$([1-9])", lambda match: args[int(match[1]) - 1], body)
            body = [body]
        name = item.get("name") or self._fresh(kind, scope)
        return self.run(body, tip, f"{name}.", depth, nesting + 1)

    def _branches(self, item: LayerSpec, tip: str, scope: str, depth: int, nesting: int) -> str:
        kind = item["kind"]
        if kind not in BRANCHING:
            raise ShapeError(f"{kind} takes no branches; only {' and '.join(BRANCHING)} do")
        branches = item["branches"]
        if not isinstance(branches, Sequence) or isinstance(branches, str) or len(branches) < 2:
            raise ShapeError(f"{kind} needs two branches or more")
        ends = []
        for branch in branches:
            chain = [branch] if isinstance(branch, (str, Mapping)) else branch
            if chain in (["identity"], [""], [{"kind": "identity"}]):
                ends.append(tip)
            else:
                ends.append(self.run(chain, tip, scope, depth + 1, nesting))
        return self._add(kind, tuple(ends), item, scope, depth, label=kind)

    def _layer(self, item: LayerSpec, tip: str, scope: str, depth: int) -> str:
        kind = item["kind"]
        if kind == "input":
            raise ShapeError("input belongs at the beginning of a chain, before its layers")
        check_keys(item)
        inputs: tuple[str, ...] = (tip,)
        if kind in BRANCHING:
            refs = item.get("with")
            refs = [refs] if isinstance(refs, str) else refs
            if not refs:
                raise ShapeError(
                    f"{kind} needs branches, as in {kind}[ conv 8 k3 p1 ; identity ], or the name "
                    f"of a layer, as in {kind} skip"
                )
            inputs += tuple(self._resolve(ref, scope, kind) for ref in refs)
        return self._add(kind, inputs, item, scope, depth)

    def _resolve(self, ref: str, scope: str, kind: str) -> str:
        while True:
            if scope + ref in self.names:
                return scope + ref
            if not scope:
                break
            scope = ".".join(scope.split(".")[:-2]) + "." if scope.count(".") > 1 else ""
        hint = did_you_mean(ref, self.names) or "; name one with @, as in relu @skip"
        raise ShapeError(f"{kind} {ref}: no layer before it has that name{hint}")

    def _fresh(self, kind: str, scope: str) -> str:
        key = scope + SHORT.get(kind, kind).replace("global ", "global_")
        self.counts[key] = self.counts.get(key, 0) + 1
        return f"{key}{self.counts[key]}"

    def _add(
        self,
        kind: str,
        inputs: tuple[str, ...],
        item: LayerSpec,
        scope: str,
        depth: int,
        label: str | None = None,
    ) -> str:
        if len(self.nodes) >= MAX_NODES:
            raise ShapeError(f"the network has more than {MAX_NODES} layers")
        named = item.get("name")
        name = scope + str(named) if named else self._fresh(kind, scope)
        if name in self.names:
            raise ShapeError(f"two layers are named {name!r}; names must be unique")
        self.names.add(name)
        layer = sliding_layer(kind, item) if kind in SLIDING else None
        options = options_of(item, layer)
        node = Node(
            name, kind, inputs, label or label_of(kind, layer, options), layer, options, depth
        )
        self.nodes.append(node)
        return name


def build_graph(
    items: Sequence[Any], blocks: Mapping[str, object] | None = None
) -> tuple[Node, ...]:
    """Turn specs into nodes, with blocks and repeats written out and every name unique.

    Raises
    ------
    ShapeError
        If a layer is not understood, a name is used twice or does not exist.

    >>> for node in build_graph(["add[ conv 8 k3 p1 | relu ; identity ] | flatten"]):
    ...     print(node.name, node.inputs)
    conv1 ('input',)
    relu1 ('conv1',)
    add1 ('relu1', 'input')
    flatten1 ('add1',)
    """
    blocks = blocks or {}
    for name in blocks:
        if name in KINDS:
            raise ShapeError(f"block {name!r} has the name of a layer; choose another")
    builder = _Builder(blocks)
    builder.run(items, INPUT, "", 0, 0)
    return tuple(builder.nodes)
