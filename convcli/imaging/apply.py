"""A chain of kernels applied to a picture: which channels, in what light, with what alpha."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.borders import Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import Plan, plan_filter
from convcli.errors import KernelError, ShapeError
from convcli.imaging.alpha import filter_step, leaves_alpha, picker
from convcli.imaging.light import from_linear, luminance, to_linear
from convcli.imaging.picture import COLOURS, Frame, Picture, full_scale
from convcli.kernels.kernel import Kernel

__all__ = ["FilterOptions", "Filtered", "Work", "filter_picture", "prepare"]

SPACE_OF = {1: "gray", 3: "rgb", 4: "cmyk"}
DEPTHS = {"8": "uint8", "16": "uint16", "float": "float32"}
LARGE = 1 << 20
"""Pixels from which on the way through floats is gone strip by strip."""
IDENTITY = Kernel(np.ones((1, 1)), name="identity")


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """What ``convcli filter`` can be told, besides its kernels; see its help for the words."""

    padding: Any = "same"
    stride: Any = 1
    dilation: Any = 1
    border: Border = field(default_factory=Border)
    flip: bool = False
    normalize: bool = False
    scale: float = 1.0
    bias: float = 0.0
    range: str = "auto"
    depth: str | None = None
    luma: bool = False
    linear: bool = False
    backend: str = "auto"
    threads: int | None = None
    algorithm: str | None = None
    count: int = 1
    """Pictures that one process will filter so; a batch is worth starting a GPU for."""


@dataclass(slots=True)
class Filtered:
    """A filtered picture, its frames made as they are walked, and what was done to it."""

    picture: Picture
    plan: Plan
    how_alpha: str
    """How alpha was treated, in words; empty if there is none."""
    flip: bool
    range: str
    """How values became pixels: ``auto`` is resolved."""
    samples: int = 0
    clipped: int = 0
    seconds: float = 0.0

    @property
    def clipped_fraction(self) -> float:
        """Share of the samples that fell outside the range; known once the frames are made."""
        return self.clipped / self.samples if self.samples else 0.0


class _Layout(NamedTuple):
    """Which channels the chain runs over, and what comes out."""

    widen: bool
    """A gray picture is repeated into R, G and B for a bank over three channels."""
    over_alpha: bool
    """A bank takes alpha as one of its channels."""
    space: str
    alpha: bool


def filter_picture(
    picture: Picture, kernels: Sequence[Kernel], options: FilterOptions, name: str = "picture"
) -> Filtered:
    """Plan a chain of kernels for a picture; its frames are filtered as the result is walked.

    Raises
    ------
    KernelError
        If the chain is empty or a kernel cannot be normalised.
    ShapeError
        If sizes or channels do not fit.
    """
    work, filtered = prepare(picture, kernels, options, name)
    filtered.picture.frames = _Frames(picture, work, filtered)
    return filtered


def prepare(
    picture: Picture, kernels: Sequence[Kernel], options: FilterOptions, name: str
) -> tuple[Work, Filtered]:
    """The chain made ready for a picture, and what its result will be, without frames."""
    chain = prepare_chain(kernels, options)
    layout = _lay_out(picture, chain, name)
    work = Work(kernels, chain, options, layout, picture)
    result = replace(
        picture,
        space=layout.space,
        alpha=layout.alpha,
        dtype=np.dtype(work.out_dtype),
        size=work.plan(picture.size).shape_out[:2],
        frames=(),
    )
    if layout.space != picture.space:
        result.meta = replace(picture.meta, jpeg={**picture.meta.jpeg, "changed": True})
        if result.meta.icc is not None:
            result.meta.icc = None
            result.notes.append(f"its ICC profile describes {picture.space} and was left out")
    filtered = Filtered(
        result, work.plan(picture.size), work.how_alpha(), options.flip, _range(chain, options)
    )
    return work, filtered


def _range(chain: Sequence[Kernel], options: FilterOptions) -> str:
    if options.range != "auto":
        return options.range
    return "abs" if any(kernel.absolute for kernel in chain) else "clip"


def prepare_chain(kernels: Sequence[Kernel], options: FilterOptions) -> tuple[Kernel, ...]:
    """Normalise every kernel, and put ``scale`` and ``bias`` on the last."""
    if not kernels:
        raise KernelError("no kernel was given; name one with --kernel")
    chain = [_normalised(k) if options.normalize else k for k in kernels]
    last = chain[-1]
    chain[-1] = last.replace(scale=last.scale * options.scale, bias=last.bias + options.bias)
    return tuple(chain)


def _normalised(kernel: Kernel) -> Kernel:
    total = kernel.sum
    if (leaves_alpha(kernel) and kernel.shape != (1, 1)) or total == 0:
        raise KernelError(
            f"kernel {kernel.name!r} cannot be normalised: its weights sum to 0; "
            "drop --normalize, or divide by --scale"
        )
    return kernel.replace(scale=kernel.scale / total)


def _lay_out(picture: Picture, chain: Sequence[Kernel], name: str) -> _Layout:
    channels = COLOURS[picture.space]
    over_alpha, widen = False, False
    for kernel in chain:
        if not kernel.is_bank:
            continue
        wanted = kernel.weights.shape[1]
        if wanted == 3 and channels == 1:
            widen = True
        elif wanted == channels + 1 and picture.alpha and not over_alpha:
            over_alpha = True
        elif wanted != channels:
            raise ShapeError(
                f"{name}: kernel {kernel.name!r} mixes {wanted} channels, and the picture has "
                f"{channels} at that point of the chain"
            )
        channels = kernel.weights.shape[0]
    colours = channels
    alpha = picture.alpha
    if over_alpha:
        alpha = channels in (2, 4)
        colours = channels - alpha
    if colours not in SPACE_OF:
        raise ShapeError(
            f"{name}: the chain gives {channels} channels; a picture has 1, 3 or 4, and alpha"
        )
    return _Layout(widen, over_alpha, SPACE_OF[colours], alpha)


class Work:
    """The chain on one kind of picture; plans are made once per size."""

    def __init__(
        self,
        kernels: Sequence[Kernel],
        chain: tuple[Kernel, ...],
        options: FilterOptions,
        layout: _Layout,
        picture: Picture,
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
                count=o.count * self.frames,
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

    def frame(self, frame: Frame, tally: Filtered) -> Frame:
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
            return replace(frame, pixels=done)
        else:
            colours, alpha = self._in_float(colours, alpha, opaque)
            plan = self.last(colours.shape, colours.dtype)
            outcome = execute(plan, np.ascontiguousarray(colours))
            done = outcome.pixels
            if alpha is not None:
                done = np.concatenate([done, self.depth(alpha)], axis=-1)
        tally.samples += outcome.pixels.size
        tally.clipped += outcome.clipped
        if outcome.note and outcome.note not in tally.picture.notes:
            tally.picture.notes.append(outcome.note)
        return replace(frame, pixels=done)

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
        for kernel in self.chain:
            alpha = self._keep_alpha(alpha, kernel)
        return self.depth(alpha)

    def _keep_alpha(self, alpha: NDArray[Any], kernel: Kernel) -> NDArray[Any]:
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

    def _in_float(
        self, colours: NDArray[Any], alpha: NDArray[Any] | None, opaque: bool
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """The chain step by step in floating point, 0 to 1, in the light that was asked for."""
        colours, alpha, chroma = self.begin(colours, alpha)
        for kernel in self.chain:
            if alpha is None:
                colours = self._correlate(colours, kernel, False)
            else:
                colours, alpha = filter_step(
                    colours, alpha, kernel, self._correlate, self._keep_alpha
                )
            if chroma is not None:
                chroma = self._correlate(chroma, picker(kernel.shape), False)
            if self.options.range == "auto" and kernel.absolute:
                colours = np.abs(colours)
        return self.end(colours, chroma), alpha

    def begin(
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

    def end(self, colours: NDArray[Any], chroma: NDArray[Any] | None) -> NDArray[Any]:
        """Back from brightness and from linear light."""
        if chroma is not None:
            colours = colours + chroma
        return from_linear(colours) if self.options.linear else colours

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

    def _correlate(self, pixels: NDArray[Any], kernel: Kernel, opaque: bool) -> NDArray[Any]:
        plan = self.single(pixels.shape, pixels.dtype, kernel, opaque)
        return np.asarray(execute(plan, np.ascontiguousarray(pixels)).pixels)


class _Frames:
    """The filtered frames, made at each walk."""

    def __init__(self, picture: Picture, work: Work, tally: Filtered) -> None:
        self._of = picture, work, tally

    def __iter__(self) -> Iterator[Frame]:
        picture, work, tally = self._of
        tally.samples, tally.clipped, tally.seconds = 0, 0, 0.0
        for frame in picture.frames:
            start = perf_counter()
            done = work.frame(frame, tally)
            tally.seconds += perf_counter() - start
            yield done
