"""The worked examples as layers that are drawn and explored; ``worked_examples.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

EXAMPLES = json.loads(Path(__file__).with_name("worked_examples.json").read_text())
CASES: dict[str, dict[str, Any]] = {case["id"]: case for case in EXAMPLES["cases"]}


def layer(case: dict[str, Any]) -> tuple[tuple[Any, Any], dict[str, Any]]:
    """Input and weight, and the words of :func:`convcli.draw` for the rest."""
    words = {k: case[k] for k in ("flip", "stride", "padding", "dilation") if k in case}
    if case["op"] == "conv_transpose":
        words["transposed"] = True
    if "output_padding" in case:
        words["output_padding"] = case["output_padding"]
    if "input" not in case:
        shape = case["input_shape"]
        words["n"] = shape[-2:]
        words["k"] = case.get("kernel_size") or case["weight_shape"][-2:]
        if len(shape) == 4:
            words |= {"in_channels": shape[1], "out_channels": case["weight_shape"][0]}
        return (None, None), words
    x, w = (" ".join(g) if isinstance(g[0], str) else g for g in (case["input"], case["weight"]))
    return (x, w), words


def expected(case: dict[str, Any]) -> list[list[str]]:
    """What the cells of every output channel say, row by row; empty where only sizes are given."""
    if "symbolic_output" in case:
        return [case["symbolic_output"]]
    output = case.get("output")
    if output is None:
        return []
    if not isinstance(output[0], list):
        return [[str(value) for value in output]]
    planes = output if isinstance(output[0][0], list) else [output]
    return [[str(value) for row in plane for value in row] for plane in planes]
