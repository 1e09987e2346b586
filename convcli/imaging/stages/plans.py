"""The plans that a chain of kernels needs on frames of one kind, each made once."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np

from convcli.arithmetic.borders import Border
from convcli.engine.backends import NUMPY, Backend, Choice
from convcli.engine.operations import knows
from convcli.engine.plan import Plan, Step, plan_filter
from convcli.errors import KernelError
from convcli.imaging.header import Header, full_scale
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Pixels
from convcli.imaging.stages.alpha import picker, picker_of
from convcli.imaging.stages.channels import Channels
from convcli.imaging.stages.missing import exact_limit, missing_of
from convcli.imaging.stages.plan_checks import check_last, check_light, check_missing
from convcli.imaging.stages.rasters import DEPTHS, holds_values, needs_float64
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import facts_of, in_units, nearly_whole

__all__ = ["Plans"]

IDENTITY = Kernel(np.ones((1, 1)), name="identity")


class Plans:
    """Plans by size, for a picture that ``header`` tells of.

    Parameters
    ----------
    chain
        The kernels, normalised.
    channels
        Which channels they run over.

    Attributes
    ----------
    values
        Whether samples are values in units of their own, and not light.
    weighs
        Whether alpha is transparency, by which colours are weighted.
    composites
        Whether there is transparency, be it one of the channels that a kernel mixes.
    signed
        Whether samples of the result can be negative, so that slopes keep their signs.
    between
        Type of the values between two kernels where samples may be missing.
    xp
        The module of the arrays that its plans work on: NumPy, or that of a GPU's.

    Raises
    ------
    KernelError
        If the chain cannot work in the light that the options ask for.
    UsageError
        If an option does not go with values, or no value of the result says what is missing.
    """

    def __init__(
        self, header: Header, chain: tuple[Kernel, ...], channels: Channels, options: FilterOptions
    ) -> None:
        self.chain, self.options = chain, options
        self._made_of = header, channels
        self.xp: Any = np
        self.backend = NUMPY
        self._elsewhere: dict[Backend, Plans] = {}
        self.dtype, self.n_frames = header.dtype, header.n_frames
        self.values = holds_values(header, options)
        self.alpha = header.alpha and not channels.over_alpha
        self.weighs = self.alpha and not self.values
        self.composites = header.alpha and not self.values
        self.colours = (
            3 if channels.widen else header.colours + (header.alpha and channels.over_alpha)
        )
        check_light(self, header)
        self.luma = options.luma and header.space == "rgb"
        across = [k.name for k in chain if k.is_bank or facts_of(k).joins]
        if self.luma and across:
            raise KernelError(
                f"--luma filters one channel; {across[0]}, a kernel across channels, needs all"
            )
        self.in_light = self.luma or options.linear
        wide = "float64" if header.dtype == np.float64 else "float32"
        self.float_dtype = np.dtype(wide)
        if options.depth is not None:
            self.out_dtype = DEPTHS.get(options.depth, options.depth)
        else:
            self.out_dtype = wide if options.range == "float" else header.dtype.name
        self.signed = self.values and np.dtype(self.out_dtype).kind != "u"
        types = header.dtype, np.dtype(self.out_dtype)
        self.between = np.dtype("float64" if any(map(needs_float64, types)) else "float32")
        by_alpha = self.alpha and self.values
        self.missing = missing_of(header, options, self.out_dtype, by_alpha=by_alpha)
        if self.in_colours:
            check_missing(self.missing, header)
        check_last(self)
        self._made: dict[Any, Plan] = {}
        self._others: dict[Any, Plans] = {}

    def with_kernel(self, number: int, kernel: Kernel) -> Plans:
        """Those of the same chain with another kernel in one place; the latest few are kept."""
        chain = (*self.chain[:number], kernel, *self.chain[number + 1 :])
        key = tuple(k.numbers for k in chain)
        if key not in self._others:
            while len(self._others) > 3:
                del self._others[next(iter(self._others))]
            header, channels = self._made_of
            self._others[key] = Plans(header, chain, channels, self.options)
        return self._others[key]

    def split(self, pixels: Pixels) -> tuple[Pixels, Pixels | None]:
        """Colours, gray repeated for a bank over R, G and B, and alpha if it is kept apart."""
        alpha = None
        if self.alpha:
            pixels, alpha = pixels[..., :-1], pixels[..., -1:]
        if pixels.shape[-1] != self.colours:
            pixels = self.xp.repeat(pixels, self.colours, axis=-1)
        return pixels, alpha

    @property
    def in_colours(self) -> bool:
        """Whether samples become light, or colours beside their alpha: then none may be missing."""
        return self.weighs or self.in_light

    @property
    def unit(self) -> float:
        """What a bias of 1 adds to a sample: one level of 255, or one."""
        return 1.0 if self.values else full_scale(self.dtype) / 255

    @cached_property
    def unclipped(self) -> Plans:
        """Plans that give the same results as floats, of white 1 in a picture, before clipping."""
        plans = copy(self)
        plans.out_dtype, plans._made = "float64", {}
        return plans

    def on_device(self, backend: Backend, xp: Any) -> Plans:
        """Plans of the same chain for a GPU, whose arrays are those of the module ``xp``."""
        if backend not in self._elsewhere:
            plans = copy(self)
            plans.backend, plans.xp, plans._made = backend, xp, {}
            plans.options = self.options._replace(backend=backend)
            self._elsewhere[backend] = plans
        return self._elsewhere[backend]

    def shows_absolute(self, kernel: Kernel) -> bool:
        """Whether the absolute values of a kernel's results are shown."""
        return kernel.absolute and self.options.range == "auto" and not self.signed

    def chained(self, size: tuple[int, int]) -> Plan:
        """The whole chain on the colours of a frame of ``size``, from samples to samples.

        It is the one that ``auto`` weighs; plans of its parts run on the CPU, or where it was put
        by :meth:`on_device`, so that samples do not cross the bus between them.
        """
        signed = self.options.range == "auto" and self.signed
        return self._plan(
            (*size, 1 if self.luma else self.colours),
            self.float_dtype if self.in_light else self.dtype,
            self.in_white,
            range="clip" if signed else self.options.range,
            out_dtype=self.out_dtype,
            algorithm=self.options.algorithm,
            backend=self.options.backend or self.options.chosen,
        )

    @cached_property
    def in_white(self) -> tuple[Kernel, ...]:
        """The chain; what squares values gives parts of white. A change of depth sees to the last."""
        if self.values:
            return self.chain
        *inner, last = self.chain
        white = full_scale(self.float_dtype if self.in_light else self.dtype)
        return (*(in_units(k, 1.0, white) for k in inner), last)

    def one(
        self, shape: tuple[int, ...], kernel: Kernel, *, opaque: bool = False, **how: Any
    ) -> Plan:
        """One kernel on floats; ``opaque`` if what lies outside the picture is 1, as of alpha."""
        outside = 1.0 if opaque else None
        return self._plan(shape, self.float_dtype, [kernel], outside=outside, **how)

    def picking(
        self, size: tuple[int, int], dtype: Any, pickers: Sequence[Kernel], **how: Any
    ) -> Plan:
        """The alpha under the centres of the kernels: exact, so not by a transform.

        A centre is a cell of the window, whichever way the kernel is turned.
        """
        how = {"flip": False, "outside": full_scale(dtype), "algorithm": None} | how
        return self._plan((*size, 1), dtype, pickers, **how)

    def picking_under(self, kernel: Kernel, step: Step, dtype: Any) -> Plan:
        """The alpha under the centres of a kernel's windows, where its step has them."""
        size = step.shape_in[:2]
        if kernel.is_correlation:
            return self.picking(size, dtype, [picker(kernel.shape)])
        centre, there = picker_of(step, mirrored=facts_of(kernel).mirrored)
        return self.picking(size, dtype, [centre], **there.how)

    def voted(
        self,
        shape: tuple[int, ...],
        dtype: Any,
        kernel: Kernel,
        out_dtype: Any,
        *,
        outside: float | None = None,
    ) -> Plan:
        """A kernel that is no sum, from samples to values in the same unit, in floats or not."""
        out = np.dtype(out_dtype)
        unit = self.white / 255
        if kernel.operation == "threshold" and not self.values:
            level, *found = kernel.numbers
            if not found:
                found = [self.as_value(level * full_scale(self.dtype) / 255)]
                kernel = kernel.replace(numbers=(level, *found))
        kernel = in_units(kernel, unit, None if self.values else self.white)
        return self._plan(
            shape,
            dtype,
            [kernel],
            range="float" if out.kind == "f" else "clip",
            out_dtype=out.name,
            outside=self.options.border.value * unit if outside is None else outside,
            values=True,
        )

    def as_value(self, level: float) -> float:
        """A level of the picture's samples among the values between the steps, to the bit."""
        if self.dtype.kind == "f":
            return level
        level = nearly_whole(level)
        if not self.in_colours:
            return level
        return float(
            self.float_dtype.type(level) * self.float_dtype.type(1 / full_scale(self.dtype))
        )

    @property
    def white(self) -> float:
        """White of the values between the steps, as floats; 255 of values in units of their own."""
        if self.values:
            return 255.0
        return 1.0 if self.weighs or self.in_light else full_scale(self.dtype)

    def sums(
        self,
        shape: tuple[int, ...],
        dtype: Any,
        kernel: Kernel,
        out_dtype: Any,
        *,
        outside: float | None = None,
        any_algorithm: bool = False,
        range: str = "float",
        **how: Any,
    ) -> Plan:
        """One kernel's sums of values, or of how many are there, in floats."""
        return self._plan(
            shape,
            dtype,
            [kernel],
            range=range,
            out_dtype=np.dtype(out_dtype).name,
            outside=outside,
            algorithm=None if any_algorithm else "",
            **how,
        )

    def ending(self, shape: tuple[int, ...], dtype: Any = None) -> Plan:
        """From floats to the samples of the result, pixel by pixel."""
        to = "clip" if self.options.range == "auto" else self.options.range
        dtype = dtype or self.float_dtype
        if not self._in_levels:
            return self._plan(shape, dtype, [IDENTITY], range=to, depth=True)
        level = IDENTITY.replace(scale=self.depth)
        return self._plan(shape, dtype, [level], range=to, depth=True, values=True)

    @property
    def depth(self) -> float:
        """What values beside missing samples are multiplied by to have the depth of the result."""
        return full_scale(self.out_dtype) / full_scale(self.dtype) if self._in_levels else 1.0

    def ends_so(self, dtype: np.dtype[Any]) -> bool:
        """Whether floats are the samples of the result already."""
        plain = self.options.range in ("auto", "clip", "float")
        return dtype == self.out_dtype and plain and not self._in_levels

    @property
    def _in_levels(self) -> bool:
        """Whether floats beside missing samples are a picture's, of which white is no 1."""
        return not (self.values or self.in_colours) and self.dtype.kind == "u"

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
        outside: float | None = None,
        depth: bool = False,
        algorithm: str | None = "",
        backend: Backend | Choice | str | None = "",
        **how: Any,
    ) -> Plan:
        """``depth`` if it is a change of depth alone, which has no geometry and one algorithm.

        The ``algorithm`` is that of the options, if a kernel's operation has it, unless another is
        given, or None for any. The ``backend`` is that of the parts of a chain by default.
        ``outside`` is what the border's constant stands for, in the samples' units, if it is not
        what the options say. ``how`` is handed on to the engine.
        """
        dtype = np.dtype(dtype)
        if backend == "":
            backend = self.backend
        told = tuple(how.items())
        key = (shape, dtype, tuple(kernels), range, out_dtype, outside, depth, backend, told)
        if key not in self._made:
            o = self.options
            if algorithm == "":
                algorithm = o.algorithm if knows(kernels, o.algorithm) else None
            if outside is None:
                level = o.border.value
                outside = level if self.values else level * full_scale(dtype) / 255
            geometry: dict[str, Any] = {
                "padding": o.padding,
                "stride": o.stride,
                "dilation": o.dilation,
                "border": Border(o.border.mode, outside),
                "flip": o.flip,
                "algorithm": algorithm,
            }
            self._made[key] = plan_filter(
                shape,
                dtype,
                kernels,
                range=range,
                out_dtype=self.out_dtype if depth else out_dtype,
                backend=backend,
                threads=o.threads,
                count=o.pictures * self.n_frames,
                **{**({} if depth else geometry), **self._held(dtype, kernels), **how},
            )
        return self._made[key]

    def _held(self, dtype: np.dtype[Any], kernels: Sequence[Kernel]) -> dict[str, Any]:
        """What is known of values that the engine cannot know by their type."""
        if not self.values:
            return {}
        if dtype.kind not in "iu" or dtype.itemsize < 8:
            return {"values": True}
        most = exact_limit(kernels)
        return {"values": True, "bounds": (0 if dtype.kind == "u" else -most, most)}
