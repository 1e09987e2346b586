"""Every shape in the worked examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from convcli import output_shape, transposed_output_shape

CASES = json.loads((Path(__file__).parents[1] / "data/worked_examples.json").read_text())["cases"]


def shape_of(array: Any) -> list[int]:
    return [len(array), *shape_of(array[0])] if isinstance(array, list) else []


def shape(case: dict[str, Any], key: str) -> list[int]:
    for name in (f"{key}_shape", key, f"symbolic_{key}"):
        if name in case:
            return case[name] if name.endswith("_shape") else shape_of(case[name])
    raise KeyError(key)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c["op"] != "toeplitz"], ids=lambda case: case["id"]
)
def test_worked_shape(case: dict[str, Any]) -> None:
    kernel = [case["kernel_size"]] * 2 if "kernel_size" in case else shape(case, "weight")
    given, expected = shape(case, "input"), shape(case, "output")
    # Leading axes (batch, channels) of the input and the weight are no spatial ones.
    rank = len(kernel) - 2 if len(kernel) > 2 else len(kernel)
    numbers = {key: case[key] for key in ("stride", "padding", "dilation") if key in case}
    if case["op"] == "conv_transpose":
        numbers["output_padding"] = case.get("output_padding", 0)
        found = transposed_output_shape(given[-rank:], kernel[-rank:], **numbers)
    else:
        found = output_shape(given[-rank:], kernel[-rank:], **numbers)
    assert list(found) == expected[-rank:]


def test_worked_toeplitz_shape() -> None:
    case = next(c for c in CASES if c["op"] == "toeplitz")
    rows, columns = shape_of(case["matrix"])
    assert output_shape(len(case["input"]), len(case["weight"]), padding=case["padding"]) == rows
    assert columns == len(case["padded_input"])
