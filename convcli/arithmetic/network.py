"""Networks as users know them: read from text, a file or the built-in ones, and worked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from convcli.arithmetic.layer_model import LayerModel
from convcli.arithmetic.network_graph import Node, build_graph
from convcli.arithmetic.network_report import NetworkReport
from convcli.displays import displayed

if TYPE_CHECKING:
    from convcli.arithmetic.onnx_model.model import OnnxModel

__all__ = ["Network"]


class Network:
    """A network of layers, in the order they run.

    Parameters
    ----------
    items
        Layers as text, or as the tables of docs/networks.md.
    input_shape
        ``(channels, *spatial)`` that it is meant for, if it says so.
    blocks
        Chains that stand for a word.

    >>> network = Network.parse("conv 8 k3 | relu | maxpool k2 | flatten | linear 10")
    >>> report = network.evaluate((1, 28, 28))
    >>> report.output, report.totals.params, report.totals.macs
    ((10,), 13610, 62192)
    """

    def __init__(
        self,
        items: Sequence[str | Mapping[str, object]],
        *,
        title: str = "",
        input_shape: Sequence[int] | None = None,
        blocks: Mapping[str, object] | None = None,
        source: str = "",
    ) -> None:
        nodes = build_graph(items, blocks)
        self._model: LayerModel | OnnxModel = LayerModel(
            nodes, title=title, input_shape=input_shape, source=source
        )

    @classmethod
    def _of(cls, model: LayerModel | OnnxModel) -> Network:
        network = cls.__new__(cls)
        network._model = model
        return network

    @classmethod
    def of_nodes(
        cls, nodes: Sequence[Node], *, title: str = "", input_shape: Sequence[int] | None = None
    ) -> Network:
        """A network from nodes that are already laid out, as a reader of another format makes."""
        return cls._of(LayerModel(nodes, title=title, input_shape=input_shape))

    @classmethod
    def parse(cls, text: str) -> Network:
        """Read a chain; it may begin with ``input 3x224x224``.

        Raises
        ------
        ShapeError
            If a layer is not understood.
        """
        return cls._of(LayerModel.parse(text))

    @classmethod
    def load(cls, name: str) -> Network:
        """A built-in network by name, a ``.toml``, ``.json`` or ``.onnx`` file, or a chain.

        Raises
        ------
        ShapeError
            If it is none of them, or its contents are not understood.
        InputError
            If the file cannot be read.

        >>> Network.load("lenet5").evaluate().totals.params
        61706
        """
        from convcli.arithmetic.network_files import load_model

        return cls._of(load_model(name))

    @classmethod
    def builtin_names(cls) -> tuple[str, ...]:
        """Names of the built-in networks.

        >>> "resnet50" in Network.builtin_names()
        True
        """
        from convcli.arithmetic.network_files import builtin_names

        return builtin_names()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The layers in the order they run; none of an ONNX file, whose nodes are its own."""
        return self._model.nodes

    @property
    def title(self) -> str:
        """What the network is called."""
        return self._model.title

    @property
    def source(self) -> str:
        """The paper and the variant, if the network's file says so."""
        return self._model.source

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """``(channels, *spatial)`` that it is meant for, if it says so."""
        return self._model.input_shape

    def input_for(self, sizes: Sequence[int] | None, channels: int | None) -> tuple[int, ...]:
        """The input shape, from what is given and what the network says of itself.

        One size stands for every axis. One size more than the network has axes (more than two,
        where it does not say) begins with the channels, unless ``channels`` is given. Channels
        are 3 where nobody names them.

        Raises
        ------
        ShapeError
            If nobody names a size, or there are too many.

        >>> vgg16 = Network.load("vgg16")
        >>> vgg16.input_for((64,), None), vgg16.input_for((1, 64, 80), None)
        ((3, 64, 64), (1, 64, 80))
        """
        return self._model.input_for(sizes, channels)

    def evaluate(
        self,
        input_shape: Sequence[int] | None = None,
        batch: int | None = None,
        *,
        maps: bool = False,
    ) -> NetworkReport:
        """Work every layer out for an input of ``(channels, *spatial)``.

        ``batch`` is 1, or what the network's file fixes, unless it is given. A layer that cannot
        take its input ends the report: ``failure`` says where, why and what would repair it.
        ``maps`` adds which cells each layer reads, for :func:`convcli.arithmetic.trace.trace`.

        Raises
        ------
        ShapeError
            If the input shape itself is not one.
        """
        return self._model.evaluate(input_shape, batch, maps=maps)

    def evaluate_for(
        self,
        sizes: Sequence[int] | None = None,
        channels: int | None = None,
        batch: int | None = None,
        named: Mapping[str, Sequence[int]] | None = None,
        *,
        maps: bool = False,
    ) -> NetworkReport:
        """Work every layer out for sizes as ``input_for`` takes them.

        ``named`` has the sizes of inputs that an ONNX file gives names.
        """
        return self._model.evaluate_for(sizes, channels, batch, named, maps=maps)

    def _repr_html_(self) -> str | None:
        return displayed(self)
