"""The same layer as PyTorch, TensorFlow, Keras and ONNX understand it.

They disagree on how ``same`` is split, on ``same`` with a stride, on kernels smaller than the
stride of a transposed convolution, on ceil mode, and on what an average is divided by. Each
dialect either resolves a layer, with the code that writes it, or refuses it as the framework
would, saying what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from convcli.arithmetic.dialect_code import spell_keras, spell_onnx, spell_tensorflow, spell_torch
from convcli.arithmetic.layer import AnyWindow, Layer
from convcli.arithmetic.transposed import TransposedWindow
from convcli.arithmetic.window import effective_kernel
from convcli.errors import ShapeError

__all__ = ["DIALECTS", "DialectComparison", "Spoken", "compare", "speak"]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A layer in one dialect: what it resolves to, how it is written, and what to know."""

    dialect: str
    windows: tuple[AnyWindow, ...]
    code: str
    remarks: tuple[str, ...] = ()

    @property
    def output(self) -> tuple[int, ...]:
        """Output size per axis."""
        return tuple(window.output for window in self.windows)

    @property
    def padding(self) -> tuple[tuple[int, int], ...]:
        """Cells before and after, per axis."""
        return tuple((window.before, window.after) for window in self.windows)


@dataclass(frozen=True, slots=True)
class DialectComparison:
    """One row of a comparison: a spoken layer or the reason why there is none."""

    dialect: str
    spoken: Spoken | None
    refusal: str = ""
    output_differs: bool = False
    padding_differs: bool = False


def _named(layer: Layer) -> str:
    """The padding if it is a name, else an empty string."""
    return layer.padding[0] if isinstance(layer.padding[0], str) else ""


def _uneven(windows: Sequence[AnyWindow]) -> bool:
    return any(window.before != window.after for window in windows)


def _torch(layer: Layer, spatial: Sequence[int]) -> tuple[tuple[AnyWindow, ...], list[str]]:
    named, notes = _named(layer), []
    if len(spatial) > 3:
        raise ShapeError(f"PyTorch has layers of 1 to 3 axes, not {len(spatial)}")
    if named == "same_lower":
        raise ShapeError("PyTorch has no padding 'same_lower'; use F.pad and padding=0")
    windows = layer.windows(spatial)
    if named == "same" and layer.kind != "conv":
        raise ShapeError(
            f"PyTorch has padding='same' for Conv only, not for {layer.kind}; "
            + _instead(layer, windows)
        )
    if named == "same" and any(stride != 1 for stride in layer.strides):
        stride = max(layer.strides)
        raise ShapeError(
            f"PyTorch allows padding 'same' with stride 1 only, and the stride is {stride}; "
            + _instead(layer, windows)
        )
    if layer.is_pool:
        for window in windows:
            if 2 * max(window.before, window.after) > window.effective_kernel:
                raise ShapeError(
                    f"padding {max(window.before, window.after)} is more than half of the window's "
                    f"{window.effective_kernel}, which PyTorch refuses; at most "
                    f"{window.effective_kernel // 2} works"
                )
        if layer.kind == "avgpool" and any(dilation != 1 for dilation in layer.dilation):
            raise ShapeError(
                f"dilation is {max(layer.dilation)}, but PyTorch's AvgPool has none; 1 works"
            )
    if _uneven(windows) and not named:
        notes.append("PyTorch pads both sides alike: F.pad comes first")
    if layer.kind == "avgpool" and any(window.before or window.after for window in windows):
        notes.append("the average counts padding by default (count_include_pad=True)")
    return windows, notes


def _instead(layer: Layer, windows: Sequence[AnyWindow]) -> str:
    """Numbers that make the output of ``same``, found by trying."""
    wanted = tuple(window.output for window in windows)
    spatial = tuple(window.size for window in windows)
    most = max(window.effective_kernel for window in windows)
    limit = max(layer.strides) if layer.kind == "conv_transpose" else 1
    for extra in range(min(limit, 64)):
        for pad in range(min(most, 512)):
            try:
                trial = layer._replace(
                    padding=(pad,), output_padding=(extra,) if extra else None
                ).windows(spatial)
            except ShapeError:
                continue
            if tuple(window.output for window in trial) == wanted:
                add = f", output_padding={extra}" if extra else ""
                return f"padding={pad}{add} gives the same size"
    if layer.kind == "conv_transpose":
        cells = ", ".join(f"{window.before} and {window.after}" for window in windows)
        extras = ", ".join(
            str(w.output_padding) for w in windows if isinstance(w, TransposedWindow)
        )
        add = f", output_padding=({extras})" if extras.strip("0, ") else ""
        return f"padding=0{add} and cropping {cells} cells gives the same size"
    # F.pad takes the last axis first.
    sides = ", ".join(f"{window.before}, {window.after}" for window in reversed(windows))
    return f"F.pad with ({sides}) and padding=0 gives the same size"


def _tensorflow(layer: Layer, spatial: Sequence[int]) -> tuple[tuple[AnyWindow, ...], list[str]]:
    _no_lower_no_ceil(layer, "TensorFlow")
    if layer.kind == "conv_transpose":
        windows = _keras_transposed(layer, spatial)
        return windows, [_tensorflow_range(layer, windows)]
    notes = []
    windows = layer.windows(spatial)
    padded = any(window.before or window.after for window in windows)
    if padded and _named(layer) != "same" and (len(spatial) != 2 or layer.kind == "avgpool"):
        notes.append("numbers of padding are not taken here: tf.pad comes first")
    if layer.kind == "avgpool" and _named(layer) == "same":
        notes.append("the average never counts padding")
    return windows, notes


def _tensorflow_range(layer: Layer, windows: Sequence[AnyWindow]) -> str:
    ranges = []
    for window in windows:
        most = window.size * window.stride
        low = most - window.stride + 1
        if _named(layer) != "same":
            low = (window.size - 1) * window.stride + window.effective_kernel
            low -= window.before + window.after
            most = low + window.stride - 1
        ranges.append(f"{low} to {most}" if low < most else str(low))
    return f"output_shape is an argument: {', '.join(dict.fromkeys(ranges))} would fit"


def _no_lower_no_ceil(layer: Layer, name: str) -> None:
    if _named(layer) == "same_lower":
        raise ShapeError(f"{name} has no padding 'same_lower'; 'same' puts the odd cell at the end")
    if layer.ceil_mode:
        raise ShapeError(f"{name} has no ceil mode; padding 'same' gives ceil(n / s)")


def _keras(layer: Layer, spatial: Sequence[int]) -> tuple[tuple[AnyWindow, ...], list[str]]:
    _no_lower_no_ceil(layer, "Keras")
    stride, dilation = max(layer.strides), max(layer.dilation)
    if not layer.is_pool and stride > 1 and dilation > 1:
        raise ShapeError(
            f"stride is {stride} and dilation {dilation}; Keras takes only one of them above 1"
        )
    if layer.is_pool and dilation > 1:
        raise ShapeError(f"dilation is {dilation}, but Keras' pooling has none; 1 works")
    if layer.kind == "conv_transpose":
        extra = max(layer.output_padding or (0,))
        if extra >= stride > 0:
            raise ShapeError(f"output padding is {extra}; Keras needs it below the stride {stride}")
        windows = _keras_transposed(layer, spatial)
        cropped = any(window.before or window.after for window in windows)
        notes = ["numbers of padding are not taken: Cropping comes after"] if cropped else []
        return windows, [] if _named(layer) == "same" else notes
    windows = layer.windows(spatial)
    notes = []
    if any(window.before or window.after for window in windows) and _named(layer) != "same":
        notes.append("numbers of padding are not taken: ZeroPadding comes first")
        if layer.kind == "maxpool":
            notes.append("ZeroPadding pads a maximum with 0, the others with minus infinity")
    if layer.kind == "avgpool" and _named(layer) == "same":
        notes.append("the average never counts padding")
    return windows, notes


def _keras_transposed(layer: Layer, spatial: Sequence[int]) -> tuple[AnyWindow, ...]:
    """``valid``: the default output padding is ``max(ke, s) - ke``; ``same``: the size is ``i s``.

    A given output padding changes ``same`` to ``(i - 1) s + ke - 2 (ke // 2) + op``
    (``deconv_output_length`` of Keras).
    """
    given = layer.output_padding
    if _named(layer) == "same" and given is not None:
        halves = tuple(
            effective_kernel(kernel, layer.dilation[axis % len(layer.dilation)]) // 2
            for axis, kernel in enumerate(layer.kernel_size)
        )
        return layer._replace(padding=halves).windows(spatial)
    if _named(layer) == "same" or given is not None:
        return layer.windows(spatial)
    plain = layer.windows(spatial)
    return tuple(
        window._replace(output_padding=max(window.stride - window.effective_kernel, 0))
        for window in plain
        if isinstance(window, TransposedWindow)
    )


def _onnx(layer: Layer, spatial: Sequence[int]) -> tuple[tuple[AnyWindow, ...], list[str]]:
    windows = layer.windows(spatial)
    notes = []
    if layer.kind == "avgpool" and any(window.before or window.after for window in windows):
        notes.append("the average does not count padding by default (count_include_pad=0)")
    clipped = [w.output for w in windows if not isinstance(w, TransposedWindow) and w.clipped]
    if clipped:
        notes.append(f"before opset 22 the last window is kept: {clipped[0] + 1}, not {clipped[0]}")
    return windows, notes


_Resolve = Callable[[Layer, Sequence[int]], tuple[tuple[AnyWindow, ...], list[str]]]
_Spell = Callable[[Layer, Sequence[AnyWindow], int | None], str]

DIALECTS: dict[str, tuple[_Resolve, _Spell]] = {
    "torch": (_torch, spell_torch),
    "tensorflow": (_tensorflow, spell_tensorflow),
    "keras": (_keras, spell_keras),
    "onnx": (_onnx, spell_onnx),
}


def speak(
    dialect: str, layer: Layer, spatial: Sequence[int], in_channels: int | None = None
) -> Spoken:
    """Resolve a layer as one framework does.

    Raises
    ------
    ShapeError
        If the dialect is unknown, or the framework would refuse the layer.

    >>> layer = Layer("conv_transpose", (2,), stride=(3,))
    >>> speak("torch", layer, (5,)).output, speak("keras", layer, (5,)).output
    ((14,), (15,))
    """
    if dialect not in DIALECTS:
        raise ShapeError(f"dialect is {dialect!r}; it must be one of {', '.join(DIALECTS)}")
    resolve, spell = DIALECTS[dialect]
    windows, notes = resolve(layer, spatial)
    return Spoken(dialect, windows, spell(layer, windows, in_channels), tuple(notes))


def compare(
    layer: Layer, spatial: Sequence[int], in_channels: int | None = None
) -> list[DialectComparison]:
    """The layer in every dialect, with what differs from most of the others marked.

    >>> rows = compare(Layer("conv_transpose", (2,), stride=(3,)), (5,))
    >>> [(row.dialect, row.spoken.output[0], row.output_differs) for row in rows]
    [('torch', 14, False), ('tensorflow', 15, True), ('keras', 15, True), ('onnx', 14, False)]
    """
    rows = []
    for name in DIALECTS:
        try:
            rows.append(DialectComparison(name, speak(name, layer, spatial, in_channels)))
        except ShapeError as error:
            rows.append(DialectComparison(name, None, str(error)))
    spoken = [row.spoken for row in rows if row.spoken]
    outputs, pads = [s.output for s in spoken], [s.padding for s in spoken]
    if not spoken:
        return rows
    # The first of the most frequent: with two against two, PyTorch's is the measure.
    usual_output, usual_padding = max(outputs, key=outputs.count), max(pads, key=pads.count)
    return [
        row
        if row.spoken is None
        else replace(
            row,
            output_differs=row.spoken.output != usual_output,
            padding_differs=row.spoken.padding != usual_padding,
        )
        for row in rows
    ]
