"""One node of an ONNX graph, with the shapes and flows of what it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import onnx

from convcli.arithmetic.layer import AnyWindow
from convcli.arithmetic.onnx_model.flow import Flow
from convcli.arithmetic.onnx_model.tensors import Tensors, domain_of
from convcli.errors import ShapeError

__all__ = ["OnnxNode"]


@dataclass(slots=True)
class OnnxNode:
    """A node (``proto``), its attributes, and the flows of inputs that depend on the network's.

    ``windows`` are those of a convolution or pooling.
    """

    proto: Any
    tensors: Tensors
    given: Mapping[str, Flow]
    attributes: Mapping[str, Any]
    windows: tuple[AnyWindow, ...] = ()

    @classmethod
    def of(cls, node: Any, tensors: Tensors, flows: Mapping[str, Flow]) -> OnnxNode:
        """A node where these tensors and flows are known."""
        value: Callable[[Any], Any] = onnx.helper.get_attribute_value
        return cls(
            node,
            tensors,
            {name: flows[name] for name in node.input if name in flows},
            {entry.name: value(entry) for entry in node.attribute},
        )

    @property
    def op(self) -> str:
        """The operator; one that is not ONNX's own with its domain before it."""
        domain = domain_of(self.proto)
        return f"{domain}.{self.proto.op_type}" if domain else str(self.proto.op_type)

    def shape(self, place: int) -> tuple[int, ...]:
        """Sizes of an input."""
        name = self.proto.input[place] if place < len(self.proto.input) else ""
        found = self.tensors.shape(name)
        if found is None:
            raise ShapeError(f"the size of its input {name!r} is not known")
        return found

    def out(self, place: int = 0) -> tuple[int, ...]:
        """Sizes of an output."""
        found = self.tensors.shape(self.proto.output[place])
        assert found is not None
        return found

    def flow(self, place: int) -> Flow:
        """The flow of an input; that of a constant is empty."""
        return self.given.get(self.proto.input[place], {}) if place < len(self.proto.input) else {}

    def word(self, name: str, usual: str) -> str:
        """An attribute that is text."""
        value = self.attributes.get(name, usual)
        return value.decode() if isinstance(value, bytes) else str(value)

    def setting(self, name: str, place: int) -> list[Any] | None:
        """Numbers that older operators have as an attribute, newer ones as an input.

        None where there are none, or only running the model tells.
        """
        if name in self.attributes:
            value = self.attributes[name]
            return list(value) if isinstance(value, (list, tuple)) else [value]
        given = self.proto.input
        return self.tensors.values(given[place]) if place < len(given) else None
