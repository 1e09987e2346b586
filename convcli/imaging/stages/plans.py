"""The plans that a chain of kernels needs on frames of one kind, each made once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convcli.arithmetic.borders import Border
from convcli.engine.plan import Plan, plan_filter
from convcli.errors import KernelError
from convcli.imaging.header import Header, full_scale
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Pixels
from convcli.imaging.stages.channels import Channels
from convcli.kernels.kernel import Kernel

__all__ = ["Plans"]

DEPTHS = {"8": "uint8", "16": "uint16", "float": "float32"}
IDENTITY = Kernel(np.ones((1, 1)), name="identity")


class Plans:
    """Plans by size, for a picture that ``header`` tells of.

    Parameters
    ----------
    chain
        The kernels, normalised.
    channels
        Which channels they run over.

    Raises
    ------
    KernelError
        If the chain cannot work in the light that the options ask for.
    """

    def __init__(
        self, header: Header, chain: tuple[Kernel, ...], channels: Channels, options: FilterOptions
    ) -> None:
        self.chain, self.options = chain, options
        self.dtype, self.n_frames = header.dtype, header.n_frames
        self.alpha = header.alpha and not channels.over_alpha
        self.colours = (
            3 if channels.widen else header.colours + (header.alpha and channels.over_alpha)
        )
        if (options.luma or options.linear) and header.space == "cmyk":
            raise KernelError("CMYK has no light to work in: drop --luma and --linear")
        self.luma = options.luma and header.space == "rgb"
        if self.luma and any(kernel.is_bank for kernel in chain):
            raise KernelError("--luma filters one channel; a kernel across channels needs all")
        self.in_light = self.luma or options.linear
        wide = "float64" if header.dtype == np.float64 else "float32"
        self.float_dtype = np.dtype(wide)
        if options.depth is not None:
            self.out_dtype = DEPTHS[options.depth]
        else:
            self.out_dtype = wide if options.range == "float" else header.dtype.name
        self._made: dict[Any, Plan] = {}

    def split(self, pixels: Pixels) -> tuple[Pixels, Pixels | None]:
        """Colours, gray repeated for a bank over R, G and B, and alpha if it is kept apart."""
        alpha = None
        if self.alpha:
            pixels, alpha = pixels[..., :-1], pixels[..., -1:]
        if pixels.shape[-1] != self.colours:
            pixels = np.repeat(pixels, self.colours, axis=-1)
        return pixels, alpha

    def chained(self, size: tuple[int, int]) -> Plan:
        """The whole chain on the colours of a frame of ``size``, from samples to samples."""
        return self._plan(
            (*size, 1 if self.luma else self.colours),
            self.float_dtype if self.in_light else self.dtype,
            self.chain,
            range=self.options.range,
            out_dtype=self.out_dtype,
        )

    def one(self, shape: tuple[int, ...], kernel: Kernel, *, opaque: bool = False) -> Plan:
        """One kernel on floats; ``opaque`` if what lies outside the picture is 1, as of alpha."""
        return self._plan(shape, self.float_dtype, [kernel], opaque=opaque)

    def picking(self, size: tuple[int, int], dtype: Any, pickers: Sequence[Kernel]) -> Plan:
        """The alpha under the centres of the kernels: exact, so not by a transform."""
        return self._plan((*size, 1), dtype, pickers, opaque=True, algorithm=None)

    def ending(self, shape: tuple[int, ...]) -> Plan:
        """From floats to the samples of the result, pixel by pixel."""
        to = "clip" if self.options.range == "auto" else self.options.range
        return self._plan(shape, self.float_dtype, [IDENTITY], range=to, depth=True)

    def deepening(self, shape: tuple[int, ...], dtype: Any) -> Plan:
        """From one depth to that of the result, pixel by pixel."""
        return self._plan(shape, dtype, [IDENTITY], range="clip", depth=True)

    def _plan(
        self,
        shape: tuple[int, ...],
        dtype: Any,
        kernels: Sequence[Kernel],
        *,
        range: str = "float",
        out_dtype: str | None = None,
        opaque: bool = False,
        depth: bool = False,
        algorithm: str | None = "",
    ) -> Plan:
        """``depth`` if it is a change of depth alone, which has no geometry and one algorithm.

        The ``algorithm`` is that of the options unless another is given, or None for any.
        """
        key = (shape, np.dtype(dtype), tuple(kernels), range, out_dtype, opaque, depth)
        if key not in self._made:
            o, scale = self.options, full_scale(dtype)
            value = scale if opaque else o.border.value * scale / 255
            geometry = {
                "padding": o.padding,
                "stride": o.stride,
                "dilation": o.dilation,
                "border": Border(o.border.mode, value),
                "flip": o.flip,
                "algorithm": o.algorithm if algorithm == "" else algorithm,
            }
            self._made[key] = plan_filter(
                shape,
                dtype,
                kernels,
                range=range,
                out_dtype=self.out_dtype if depth else out_dtype,
                backend=o.backend,
                threads=o.threads,
                count=o.pictures * self.n_frames,
                **({} if depth else geometry),
            )
        return self._made[key]
