"""The options of one layer, read and checked against each other."""

from __future__ import annotations

from typing import Any

from convcli.arithmetic.layer import POOLS, Layer, LayerKind
from convcli.arithmetic.sizes import parse_padding, parse_sizes
from convcli.arithmetic.solver import Fixed
from convcli.errors import ShapeError
from convcli.records import NamedTuple

__all__ = ["LayerOptions"]


class LayerOptions(NamedTuple):
    """What was typed, empty where nothing was."""

    n: str = ""
    k: str = ""
    s: str = ""
    p: str = ""
    d: str = ""
    op: str = ""
    transpose: bool = False
    pool: str = ""
    ceil: bool = False
    in_channels: int | None = None
    out_channels: int | None = None
    groups: int = 1
    bias: bool = True

    @property
    def kind(self) -> LayerKind:
        """Which of the four sliding layers it is."""
        if self.pool and self.pool not in POOLS:
            raise ShapeError(f"--pool is {self.pool!r}; it must be {' or '.join(POOLS)}")
        if self.pool and self.transpose:
            raise ShapeError("--pool and --transpose exclude each other")
        if self.pool:
            return POOLS[self.pool]
        return "conv_transpose" if self.transpose else "conv"

    @property
    def is_pool(self) -> bool:
        """Whether it is one of the two poolings."""
        return self.kind in POOLS.values()

    @property
    def spatial(self) -> tuple[int, ...]:
        """The input size per axis."""
        return parse_sizes(self.n, "input size")

    @property
    def kernel_size(self) -> tuple[int, ...]:
        """The size of the kernel or window per axis, or one for all."""
        return parse_sizes(self.k, "kernel size")

    def check(self) -> None:
        """Refuse what does not go together.

        Raises
        ------
        ShapeError
            If there is no input size, or channels are missing or too many.
        """
        if not self.n:
            raise ShapeError(
                "the input size is missing; give --n, as in --n 224x224, or a network such as "
                "resnet50"
            )
        self.check_channels()

    def check_channels(self) -> None:
        """Refuse channels that are missing, or too many for what is asked.

        Raises
        ------
        ShapeError
            If pooling has what only weights have, or one number needs another.
        """
        if self.is_pool and (self.out_channels is not None or self.groups != 1):
            raise ShapeError("pooling has neither output channels nor groups")
        if self.out_channels is not None and self.in_channels is None:
            raise ShapeError("--out needs --in, the input channels")
        if self.groups != 1 and self.out_channels is None:
            raise ShapeError("--groups needs --in and --out")

    def layer(self, kernel_size: tuple[int, ...] | None = None) -> Layer:
        """The layer, with this kernel size where none was typed.

        Without ``--out`` it keeps the channels of ``--in``.
        """
        if kernel_size is None:
            if not self.k:
                raise ShapeError(
                    "the kernel size is missing; give --k, as in --k 3, or ask --solve"
                )
            kernel_size = self.kernel_size
        out = self.in_channels if self.out_channels is None else self.out_channels
        return Layer(
            self.kind,
            kernel_size,
            parse_sizes(self.s, "stride") if self.s else None,
            parse_padding(self.p) if self.p else (0,),
            parse_sizes(self.d, "dilation") if self.d else (1,),
            parse_sizes(self.op, "output padding") if self.op else None,
            self.ceil,
            None if self.pool else out,
            self.groups,
            self.bias,
        )

    def fixed(self) -> Fixed:
        """The values that the answers to ``--solve`` must have."""
        return Fixed(
            _one(self.k, "kernel size"),
            _one(self.s, "stride"),
            _one(self.p, "padding"),
            _one(self.d, "dilation"),
            _one(self.op, "output padding"),
        )


def _one(text: str, name: str) -> Any:
    if not text:
        return None
    values = parse_padding(text) if name == "padding" else parse_sizes(text, name)
    if len(values) > 1 or isinstance(values[0], str):
        raise ShapeError(f"{name} must be one number for every axis with --solve")
    return values[0]
