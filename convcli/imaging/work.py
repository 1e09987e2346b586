"""A chain of kernels at work on the pixels of a picture: in what light, with what alpha."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.borders import Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import Plan, plan_filter
from convcli.errors import KernelError
from convcli.imaging.alpha import filter_step, leaves_alpha, picker
from convcli.imaging.chain import Layout
from convcli.imaging.header import COLOURS, full_scale
from convcli.imaging.light import from_linear, luminance, to_linear
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Plane, Source
from convcli.kernels.kernel import Kernel

if TYPE_CHECKING:
    from convcli.imaging.apply import Filtered

__all__ = ["Work"]

DEPTHS = {"8": "uint8", "16": "uint16", "float": "float32"}
LARGE = 1 << 20
"""Pixels from which on the way through floats is gone strip by strip."""
IDENTITY = Kernel(np.ones((1, 1)), name="identity")

Correlate: TypeAlias = Callable[[int, NDArray[Any], Kernel, bool], NDArray[Any]]
"""Number of the step, pixels, kernel, whether outside is opaque, to the filtered pixels."""
Keep: TypeAlias = Callable[[int, NDArray[Any], Kernel], NDArray[Any]]
"""Number of the step, alpha, kernel, to alpha under the kernel's centres."""


class Work:
    """The chain on one kind of picture; plans are made once per size."""

    def __init__(
        self,
        kernels: Sequence[Kernel],
        chain: tuple[Kernel, ...],
        options: FilterOptions,
        layout: Layout,
        picture: Source,
    ) -> None:
        self.chain, self.options, self.layout = chain, options, layout
        self.kernels, self.picture = kernels, picture
        self.dtype, self.frames = picture.dtype, picture.n_frames
        self.alpha = picture.alpha and not layout.over_alpha
        self.channels = COLOURS[picture.space] + (picture.alpha and layout.over_alpha)
        if layout.widen:
            self.channels = 3
        if (options.luma or options.linear) and picture.space == "cmyk":
            raise KernelError("CMYK has no light to work in: drop --luma and --linear")
        self.luma = options.luma and picture.space == "rgb"
        if self.luma and any(k.is_bank for k in chain):
            raise KernelError("--luma filters one channel; a kernel across channels needs all")
        if options.depth is not None:
            self.out_dtype = DEPTHS[options.depth]
        elif options.range == "float":
            self.out_dtype = "float64" if self.dtype == np.float64 else "float32"
        else:
            self.out_dtype = self.dtype.name
        self.float_dtype = np.dtype("float64" if self.dtype == np.float64 else "float32")
        self._plans: dict[Any, Plan] = {}

    def plan(self, size: tuple[int, int]) -> Plan:
        """The plan of the whole chain on the colours."""
        direct = not (self.luma or self.options.linear)
        shape = (*size, 1 if self.luma else self.channels)
        return self._plan(
            shape,
            self.dtype if direct else self.float_dtype,
            self.chain,
            range=self.options.range,
            out_dtype=self.out_dtype,
        )

    def _plan(
        self,
        shape: tuple[int, ...],
        dtype: Any,
        kernels: Sequence[Kernel],
        *,
        range: str = "float",
        out_dtype: str | None = None,
        opaque: bool = False,
        pointwise: bool = False,
    ) -> Plan:
        key = (shape, np.dtype(dtype), tuple(kernels), range, out_dtype, opaque)
        if key not in self._plans:
            o = self.options
            scale = full_scale(dtype)
            value = scale if opaque else o.border.value * scale / 255
            where = (
                {}
                if pointwise
                else {
                    "padding": o.padding,
                    "stride": o.stride,
                    "dilation": o.dilation,
                    "border": Border(o.border.mode, value),
                    "flip": o.flip,
                }
            )
            self._plans[key] = plan_filter(
                shape,
                dtype,
                kernels,
                range=range,
                out_dtype=out_dtype,
                backend=o.backend,
                threads=o.threads,
                algorithm=None if pointwise else o.algorithm,
                count=o.pictures * self.frames,
                **where,
            )
        return self._plans[key]

    def how_alpha(self) -> str:
        """In words, for ``--explain``."""
        if self.layout.over_alpha:
            return "alpha is one of the channels that the kernel mixes"
        if not self.alpha:
            return ""
        if all(leaves_alpha(k) for k in self.chain):
            return "alpha is left as it is: the kernels measure differences or single pixels"
        return "colour is weighted by alpha, unless every pixel is opaque"

    def frame(self, frame: Plane, tally: Filtered) -> Frame:
        """Filter one frame."""
        pixels = frame.pixels
        colours, alpha = (pixels[..., :-1], pixels[..., -1:]) if self.alpha else (pixels, None)
        if self.layout.widen and colours.shape[-1] == 1:
            colours = np.repeat(colours, 3, axis=-1)
        opaque = alpha is None or bool((alpha == full_scale(alpha.dtype)).all())
        straight = opaque or all(leaves_alpha(k) for k in self.chain)
        if straight and not (self.luma or self.options.linear):
            plan = self.plan(pixels.shape[:2])
            outcome = execute(plan, np.ascontiguousarray(colours))
            done = outcome.pixels
            if alpha is not None:
                done = np.concatenate([done, self._kept_alpha(alpha, opaque, plan)], axis=-1)
        elif self._is_large(pixels):
            from convcli.imaging.large.strips import filter_in_strips

            done, clipped = filter_in_strips(pixels, self)
            tally.samples += done.size // done.shape[-1] * (done.shape[-1] - self.layout.alpha)
            tally.clipped += clipped
            return Frame(done, frame.duration, frame.disposal, frame.meta)
        else:
            colours, alpha = self.through_floats(colours, alpha, self._correlate, self._keep_alpha)
            plan = self.last(colours.shape, colours.dtype)
            outcome = execute(plan, np.ascontiguousarray(colours))
            done = outcome.pixels
            if alpha is not None:
                done = np.concatenate([done, self.depth(alpha)], axis=-1)
        tally.samples += outcome.pixels.size
        tally.clipped += outcome.clipped
        if outcome.note and outcome.note not in tally.picture.notes:
            tally.picture.notes.append(outcome.note)
        return Frame(done, frame.duration, frame.disposal, frame.meta)

    def _is_large(self, pixels: NDArray[Any]) -> bool:
        """Whether the way through floats is better gone strip by strip.

        Measured on 8 megapixels with alpha: a third of the time, and none of the memory for
        whole pictures of floats. ``stretch`` needs to see all values first.
        """
        large = pixels.shape[0] * pixels.shape[1] >= LARGE
        on_cpu = self.plan(pixels.shape[:2]).backend == "numpy"
        return large and on_cpu and self.options.range != "stretch"

    def _kept_alpha(self, alpha: NDArray[Any], opaque: bool, plan: Plan) -> NDArray[Any]:
        """Alpha as it was, at the positions of the output."""
        if opaque:
            shape = (*plan.shape_out[:2], 1)
            return np.full(shape, full_scale(self.out_dtype), self.out_dtype)
        for number, kernel in enumerate(self.chain):
            alpha = self._keep_alpha(number, alpha, kernel)
        return self.depth(alpha)

    def _keep_alpha(self, _: int, alpha: NDArray[Any], kernel: Kernel) -> NDArray[Any]:
        """One step of it; the array itself where every output lies on its own input."""
        plan = self.keeping(alpha.shape, alpha.dtype, [picker(kernel.shape)])
        step = plan.steps[0]
        if all(
            axis.stride == 1
            and axis.output == axis.size
            and axis.before == (axis.effective_kernel - 1) // 2
            for axis in (step.rows, step.cols)
        ):
            return alpha
        return np.asarray(execute(plan, np.ascontiguousarray(alpha)).pixels, alpha.dtype)

    def depth(self, alpha: NDArray[Any]) -> NDArray[Any]:
        """Alpha at the depth of the result."""
        if alpha.dtype == np.dtype(self.out_dtype):
            return alpha
        plan = self._plan(
            alpha.shape,
            alpha.dtype,
            [IDENTITY],
            range="clip",
            out_dtype=self.out_dtype,
            pointwise=True,
        )
        return np.asarray(execute(plan, np.ascontiguousarray(alpha)).pixels)

    def through_floats(
        self,
        colours: NDArray[Any],
        alpha: NDArray[Any] | None,
        correlate: Correlate,
        keep: Keep,
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """The chain step by step in floating point, 0 to 1, in the light that was asked for.

        ``correlate`` and ``keep`` do one step on the whole picture or on a part of it.
        """
        colours, alpha, chroma = self._begin(colours, alpha)
        for number, kernel in enumerate(self.chain):
            if alpha is None:
                colours = correlate(number, colours, kernel, False)
            else:
                colours, alpha = filter_step(
                    colours, alpha, kernel, partial(correlate, number), partial(keep, number)
                )
            if chroma is not None:
                chroma = correlate(number, chroma, picker(kernel.shape), False)
            if self.options.range == "auto" and kernel.absolute:
                colours = np.abs(colours)
        if chroma is not None:
            colours = colours + chroma
        return from_linear(colours) if self.options.linear else colours, alpha

    def _begin(
        self, colours: NDArray[Any], alpha: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]:
        """Samples as floats from 0 to 1, in the light that was asked for; and chroma for luma."""
        colours = colours.astype(self.float_dtype) * (1 / full_scale(colours.dtype))
        if alpha is not None:
            alpha = alpha.astype(self.float_dtype) * (1 / full_scale(alpha.dtype))
        if self.options.linear:
            colours = to_linear(colours)
        chroma = None
        if self.luma:
            brightness = luminance(colours)
            chroma, colours = colours - brightness, brightness
        return colours, alpha, chroma

    def single(self, shape: tuple[int, ...], dtype: Any, kernel: Kernel, opaque: bool) -> Plan:
        """The plan of one kernel in floating point."""
        return self._plan(shape, dtype, [kernel], opaque=opaque)

    def keeping(self, shape: tuple[int, ...], dtype: Any, pickers: Sequence[Kernel]) -> Plan:
        """The plan that gives each position the alpha under the kernels' centres."""
        return self._plan(shape, dtype, pickers, opaque=True)

    def last(self, shape: tuple[int, ...], dtype: Any) -> Plan:
        """The plan from floats to the samples of the result."""
        return self._plan(
            shape,
            dtype,
            [IDENTITY],
            range="clip" if self.options.range == "auto" else self.options.range,
            out_dtype=self.out_dtype,
            pointwise=True,
        )

    def _correlate(
        self, _: int, pixels: NDArray[Any], kernel: Kernel, opaque: bool
    ) -> NDArray[Any]:
        plan = self.single(pixels.shape, pixels.dtype, kernel, opaque)
        return np.asarray(execute(plan, np.ascontiguousarray(pixels)).pixels)
