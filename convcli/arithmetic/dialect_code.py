"""How each framework writes a layer, as code to paste."""

from __future__ import annotations

from collections.abc import Sequence

from convcli.arithmetic.layer import AnyWindow, Layer

__all__ = ["spell_keras", "spell_onnx", "spell_tensorflow", "spell_torch"]


def _tuple(values: Sequence[object]) -> str:
    """One value where all are alike, else a tuple."""
    if len(set(values)) == 1:
        return str(values[0])
    return f"({', '.join(map(str, values))})"


def _same(layer: Layer) -> bool:
    return layer.padding[0] == "same"


def _kernel(windows: Sequence[AnyWindow]) -> str:
    return _tuple([window.kernel_size for window in windows])


def _strides(windows: Sequence[AnyWindow]) -> str:
    return _tuple([window.stride for window in windows])


def _channels(layer: Layer, in_channels: int | None) -> tuple[str, str]:
    given = "C_in" if in_channels is None else str(in_channels)
    out = "C_out" if layer.out_channels is None else str(layer.out_channels)
    return given, out


def spell_torch(layer: Layer, windows: Sequence[AnyWindow], in_channels: int | None) -> str:
    """``nn.Conv2d(3, 64, 7, stride=2, padding=3)``."""
    words = [] if layer.is_pool else list(_channels(layer, in_channels))
    words.append(_kernel(windows))
    if layer.is_pool or any(window.stride != 1 for window in windows):
        words.append(f"stride={_strides(windows)}")
    pairs = [(window.before, window.after) for window in windows]
    uneven = any(before != after for before, after in pairs)
    if _same(layer):
        words.append("padding='same'")
    elif any(map(any, pairs)) and not uneven:
        words.append(f"padding={_tuple([before for before, _ in pairs])}")
    extras = _extras(layer)
    if extras is not None:
        words.append(f"output_padding={extras}")
    if any(window.dilation != 1 for window in windows):
        words.append(f"dilation={_tuple([window.dilation for window in windows])}")
    if layer.groups != 1:
        words.append(f"groups={layer.groups}")
    if layer.ceil_mode:
        words.append("ceil_mode=True")
    if not layer.bias and not layer.is_pool:
        words.append("bias=False")
    names = {
        "conv": "Conv",
        "conv_transpose": "ConvTranspose",
        "maxpool": "MaxPool",
        "avgpool": "AvgPool",
    }
    code = f"nn.{names[layer.kind]}{len(windows)}d({', '.join(words)})"
    if uneven and not _same(layer):
        if layer.kind == "conv_transpose":
            return f"{code}, then crop {', '.join(f'{b} and {a}' for b, a in pairs)}"
        # F.pad counts from the last axis backwards.
        flat = ", ".join(f"{before}, {after}" for before, after in reversed(pairs))
        fill = ", value=-inf" if layer.kind == "maxpool" else ""
        return f"F.pad(x, ({flat}){fill}), then {code}"
    return code


def _extras(layer: Layer) -> str | None:
    if not layer.output_padding or not any(layer.output_padding):
        return None
    return _tuple(layer.output_padding)


def spell_keras(layer: Layer, windows: Sequence[AnyWindow], in_channels: int | None) -> str:
    """``Conv2D(64, 7, strides=2, padding='same')``."""
    rank = len(windows)
    words = [] if layer.is_pool else [_channels(layer, in_channels)[1]]
    words.append(_kernel(windows))
    if layer.is_pool or any(window.stride != 1 for window in windows):
        words.append(f"strides={_strides(windows)}")
    if _same(layer):
        words.append("padding='same'")
    extras = _extras(layer)
    if extras is not None:
        words.append(f"output_padding={extras}")
    if any(window.dilation != 1 for window in windows):
        words.append(f"dilation_rate={_tuple([window.dilation for window in windows])}")
    if layer.groups != 1:
        words.append(f"groups={layer.groups}")
    if not layer.bias and not layer.is_pool:
        words.append("use_bias=False")
    names = {
        "conv": f"Conv{rank}D",
        "conv_transpose": f"Conv{rank}DTranspose",
        "maxpool": f"MaxPooling{rank}D",
        "avgpool": f"AveragePooling{rank}D",
    }
    code = f"{names[layer.kind]}({', '.join(words)})"
    pairs = [(window.before, window.after) for window in windows]
    if _same(layer) or not any(map(any, pairs)):
        return code
    sides = str(pairs[0]) if rank == 1 else f"({', '.join(map(str, pairs))})"
    if layer.kind == "conv_transpose":
        return f"{code}, then Cropping{rank}D({sides})"
    return f"ZeroPadding{rank}D({sides}), then {code}"


def spell_tensorflow(layer: Layer, windows: Sequence[AnyWindow], in_channels: int | None) -> str:
    """``tf.nn.conv2d(x, w, strides=2, padding='SAME')``."""
    rank = len(windows)
    pairs = [[window.before, window.after] for window in windows]
    padded = any(map(any, pairs))
    explicit = rank == 2 and layer.kind != "avgpool"
    before = ""
    padding = "'SAME'" if _same(layer) else "'VALID'"
    if padded and not _same(layer):
        sides = [[0, 0], *pairs, [0, 0]]
        padding = str(sides).replace(" ", "") if explicit else "'VALID'"
        before = "" if explicit else f"tf.pad(x, {str(sides).replace(' ', '')}), then "
    words = ["x", "w"] if not layer.is_pool else ["x", f"ksize={_kernel(windows)}"]
    if layer.kind == "conv_transpose":
        shape = ["N", *(window.output for window in windows), _channels(layer, in_channels)[1]]
        words.append(f"output_shape=[{', '.join(map(str, shape))}]")
        before = ""
    words += [f"strides={_strides(windows)}", f"padding={padding}"]
    if any(window.dilation != 1 for window in windows):
        words.append(f"dilations={_tuple([window.dilation for window in windows])}")
    names = {
        "conv": f"conv{rank}d",
        "conv_transpose": f"conv{rank}d_transpose",
        "maxpool": f"max_pool{rank}d",
        "avgpool": f"avg_pool{rank}d",
    }
    return f"{before}tf.nn.{names[layer.kind]}({', '.join(words)})"


def spell_onnx(layer: Layer, windows: Sequence[AnyWindow], in_channels: int | None) -> str:
    """``Conv(kernel_shape=[7,7], strides=[2,2], pads=[3,3,3,3])``."""

    def numbers(values: Sequence[int]) -> str:
        return f"[{','.join(map(str, values))}]"

    words = [f"kernel_shape={numbers([window.kernel_size for window in windows])}"]
    if any(window.stride != 1 for window in windows):
        words.append(f"strides={numbers([window.stride for window in windows])}")
    pads = [window.before for window in windows] + [window.after for window in windows]
    if layer.padding[0] in ("same", "same_lower"):
        words.append("auto_pad=SAME_UPPER" if _same(layer) else "auto_pad=SAME_LOWER")
    elif any(pads):
        words.append(f"pads={numbers(pads)}")
    if any(window.dilation != 1 for window in windows):
        words.append(f"dilations={numbers([window.dilation for window in windows])}")
    if layer.output_padding and any(layer.output_padding):
        extra = layer.output_padding
        words.append(
            f"output_padding={numbers(extra * len(windows) if len(extra) == 1 else extra)}"
        )
    if layer.groups != 1:
        words.append(f"group={layer.groups}")
    if layer.ceil_mode:
        words.append("ceil_mode=1")
    names = {
        "conv": "Conv",
        "conv_transpose": "ConvTranspose",
        "maxpool": "MaxPool",
        "avgpool": "AveragePool",
    }
    return f"{names[layer.kind]}({', '.join(words)})"
