"""Documents that hurt parsers: refused by kernels, tensors and networks alike, and quickly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convcli.arithmetic.network import Network
from convcli.errors import UsageError
from convcli.kernels.load import load_kernel
from convcli.ops.read_tensor import read_tensor

READERS: dict[str, Callable[[str], Any]] = {
    "kernel": load_kernel,
    "tensor": read_tensor,
    "network": lambda name: Network.load(name).evaluate((3, 8, 9)),
}
HURTFUL = {
    "deep": "[" * 200_000,
    "deep_and_closed": "[" * 200_000 + "]" * 200_000,
    "deep_objects": '{"a":' * 200_000,
    "5000_digits": "[[" + "1" * 5000 + "]]",
    "digits_as_key": '{"layers": "conv ' + "1" * 5000 + '"}',
    "a_name_twice": '{"weights": [[1]], "data": [1], "layers": "relu", "data": [2], '
    '"weights": [[2]], "layers": "relu"}',
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", HURTFUL)
def test_documents_that_hurt_parsers(tmp_path: Path, reader: str, kind: str) -> None:
    (tmp_path / "x.json").write_text(HURTFUL[kind])
    with pytest.raises(UsageError) as caught:
        READERS[reader](str(tmp_path / "x.json"))
    assert caught.value.exit_code == 2
    assert "x.json" in str(caught.value)


@pytest.mark.parametrize(
    ("reader", "text", "means"),
    [
        ("kernel", "[[1, 2]]", lambda kernel: kernel.weights.tolist() == [[1, 2]]),
        ("tensor", "[[1, 2]]", lambda tensor: tensor.tolist() == [[1, 2]]),
        ("network", '{"layers": "conv 4 k3"}', lambda report: report.output == (4, 6, 7)),
    ],
)
def test_a_byte_order_mark_is_accepted(
    tmp_path: Path, reader: str, text: str, means: Callable[[Any], bool]
) -> None:
    (tmp_path / "x.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert means(READERS[reader](str(tmp_path / "x.json")))


@pytest.mark.parametrize("reader", ["kernel", "tensor"])
@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "null", '"nan"', "true", '"1"', "{}"]
)
def test_numbers_that_are_none(tmp_path: Path, reader: str, number: str) -> None:
    (tmp_path / "x.json").write_text(f"[[1, {number}]]")
    with pytest.raises(UsageError) as caught:
        READERS[reader](str(tmp_path / "x.json"))
    assert caught.value.exit_code == 2
