"""Where PyTorch, TensorFlow, Keras and ONNX disagree, case by case."""

from __future__ import annotations

import itertools
import re
from itertools import product

import pytest

from convcli import ShapeError
from convcli.arithmetic.dialects import DIALECTS, compare, speak
from convcli.arithmetic.layer import Layer, LayerKind


def layer(kind: LayerKind, k: int, **numbers: object) -> Layer:
    tuples = {key: value if isinstance(value, bool) else (value,) for key, value in numbers.items()}
    return Layer(kind, (k,), **tuples)  # type: ignore[arg-type]


def output(dialect: str, wanted: Layer, n: int) -> int:
    return speak(dialect, wanted, (n,)).output[0]


def keras_deconv_length(n: int, k: int, padding: str, op: int | None, s: int, d: int) -> int:
    """``deconv_output_length`` of keras/src/backend/common/backend_utils, as published."""
    k = k + (k - 1) * (d - 1)
    if op is None:
        return n * s + max(k - s, 0) if padding == "valid" else n * s
    pad = k // 2 if padding == "same" else 0
    return (n - 1) * s + k - 2 * pad + op


def test_keras_transposed_sizes_are_those_of_its_source() -> None:
    for n, k, s, d in product(range(1, 7), range(1, 6), range(1, 4), range(1, 3)):
        if s > 1 and d > 1:
            continue
        for name, op in product(("valid", "same"), (None, *range(s))):
            extra = {} if op is None else {"output_padding": op}
            wanted = layer("conv_transpose", k, stride=s, dilation=d, padding=name, **extra)
            expected = keras_deconv_length(n, k, name, op, s, d)
            if expected < 1:
                with pytest.raises(ShapeError):
                    output("keras", wanted, n)
                continue
            assert output("keras", wanted, n) == expected, (n, k, s, d, name, op)


def test_keras_and_torch_differ_where_the_kernel_is_smaller_than_the_stride() -> None:
    wanted = layer("conv_transpose", 2, stride=3)
    assert [output(name, wanted, 5) for name in DIALECTS] == [14, 15, 15, 14]
    marks = {row.dialect: row.output_differs for row in compare(wanted, (5,))}
    assert marks == {"torch": False, "tensorflow": True, "keras": True, "onnx": False}


def test_same_with_a_stride_is_refused_by_torch_with_a_number_that_works() -> None:
    wanted = layer("conv", 7, stride=2, padding="same")
    with pytest.raises(ShapeError, match=r"stride is 2; padding=3 gives the same size"):
        speak("torch", wanted, (224,))
    assert output("torch", layer("conv", 7, stride=2, padding=3), 224) == 112
    assert speak("tensorflow", wanted, (224,)).padding == ((2, 3),)


def test_same_on_a_transposed_layer_is_refused_by_torch_with_numbers_that_work() -> None:
    wanted = layer("conv_transpose", 3, stride=2, padding="same")
    with pytest.raises(ShapeError, match="padding=1, output_padding=1 gives the same size"):
        speak("torch", wanted, (7,))
    numbers = layer("conv_transpose", 3, stride=2, padding=1, output_padding=1)
    assert output("torch", numbers, 7) == output("keras", wanted, 7) == 14


def test_the_odd_cell_of_same_goes_to_the_end_except_in_lower() -> None:
    assert speak("torch", layer("conv", 4, padding="same"), (9,)).padding == ((1, 2),)
    assert speak("onnx", layer("conv", 4, padding="same_lower"), (9,)).padding == ((2, 1),)
    for name in ("torch", "tensorflow", "keras"):
        with pytest.raises(ShapeError, match="same_lower"):
            speak(name, layer("conv", 4, padding="same_lower"), (9,))


def test_padding_on_one_side_is_padding() -> None:
    for sides in ((0, 1), (1, 0), (1, 1)):
        said = speak("tensorflow", layer("conv", 3, padding=sides), (9,)).remarks
        assert any("tf.pad comes first" in remark for remark in said)
    assert speak("tensorflow", layer("conv", 3), (9,)).remarks == ()


def test_ceil_mode_exists_in_torch_and_onnx_only() -> None:
    wanted = layer("maxpool", 4, stride=4, padding=2, ceil_mode=True)
    assert output("torch", wanted, 9) == output("onnx", wanted, 9) == 3
    for name in ("tensorflow", "keras"):
        with pytest.raises(ShapeError, match="no ceil mode; padding 'same'"):
            speak(name, wanted, (9,))


def test_torch_refuses_pooling_padding_beyond_half_the_window() -> None:
    with pytest.raises(
        ShapeError, match=r"padding 2 is more than half of the window's 3.*at most 1"
    ):
        speak("torch", layer("maxpool", 3, stride=1, padding=2), (9,))
    assert output("torch", layer("maxpool", 3, stride=1, padding=1), 9) == 9


@pytest.mark.parametrize(
    ("dialect", "numbers", "reason"),
    [
        ("keras", {"stride": 2, "dilation": 2}, "only one of them above 1"),
        ("torch", {"padding": "same", "stride": 3}, "stride 1 only"),
        (
            "keras",
            {"kind": "conv_transpose", "dilation": 2, "output_padding": 1},
            "below the stride 1",
        ),
        ("caffe", {}, "must be one of torch, tensorflow, keras, onnx"),
    ],
    ids=["keras_stride_and_dilation", "torch_same_and_stride", "keras_output_padding", "unknown"],
)
def test_refusals(dialect: str, numbers: dict[str, object], reason: str) -> None:
    kind = numbers.get("kind", "conv")
    rest = {key: value for key, value in numbers.items() if key != "kind"}
    with pytest.raises(ShapeError, match=reason):
        speak(dialect, layer(kind, 3, **rest), (12,))  # type: ignore[arg-type]


def test_who_counts_padding_in_an_average_is_said() -> None:
    said = {
        row.dialect: " ".join(row.spoken.remarks) if row.spoken else row.refusal
        for row in compare(layer("avgpool", 3, stride=2, padding=1), (9,))
    }
    assert "counts padding by default" in said["torch"]
    assert "does not count padding by default" in said["onnx"]


@pytest.mark.parametrize(
    ("dialect", "code"),
    [
        ("torch", "nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)"),
        ("tensorflow", "tf.nn.conv2d(x, w, strides=2, padding=[[0,0],[3,3],[3,3],[0,0]])"),
        ("keras", "ZeroPadding2D(((3, 3), (3, 3))), then Conv2D(64, 7, strides=2, use_bias=False)"),
        ("onnx", "Conv(kernel_shape=[7,7], strides=[2,2], pads=[3,3,3,3])"),
    ],
)
def test_the_code_to_paste(dialect: str, code: str) -> None:
    wanted = Layer("conv", (7,), (2,), (3,), out_channels=64, bias=False)
    assert speak(dialect, wanted, (224, 224), 3).code == code


def test_uneven_padding_in_torch_is_padded_first_with_the_last_axis_first() -> None:
    wanted = Layer("conv", (3,), padding=((0, 1), 2), out_channels=4)
    assert (
        speak("torch", wanted, (9, 11), 2).code == "F.pad(x, (2, 2, 0, 1)), then nn.Conv2d(2, 4, 3)"
    )


@pytest.mark.parametrize("kind", ["conv", "conv_transpose"])
def test_what_stands_in_for_same_gives_its_size_on_every_axis(kind: LayerKind) -> None:
    """The numbers of the message, tried; one padding for all axes seldom will do."""
    told = set()
    for kernel, strides, sizes in itertools.product(
        [(2, 5), (4, 5), (1, 6)], [(2, 2), (3, 2), (2, 3)], [(7, 8), (9, 7)]
    ):
        wanted = Layer(kind, kernel, strides, ("same",))
        with pytest.raises(ShapeError) as caught:
            speak("torch", wanted, sizes)
        hint = str(caught.value).partition("; ")[2]
        numbers = [int(number) for number in re.findall(r"[0-9]+", hint)]
        bare = wanted._replace(padding=(0,))
        if hint.startswith("F.pad"):
            pairs = list(zip(numbers[0:4:2], numbers[1:4:2], strict=True))[::-1]
            given = [n + sum(pair) for n, pair in zip(sizes, pairs, strict=True)]
            found = [window.output for window in bare.windows(given)]
        elif "cropping" in hint:
            extras = tuple(numbers[1:3]) if "output_padding" in hint else None
            cells = numbers[3 if extras else 1 :]
            pairs = list(zip(cells[::2], cells[1::2], strict=True))
            whole = bare._replace(output_padding=extras).windows(sizes)
            found = [w.output - sum(pair) for w, pair in zip(whole, pairs, strict=True)]
        else:
            extra = (numbers[1],) if len(numbers) > 1 else None
            trial = wanted._replace(padding=(numbers[0],), output_padding=extra)
            found = [window.output for window in trial.windows(sizes)]
        assert found == [window.output for window in wanted.windows(sizes)]
        told.add(hint.split()[0])
    assert len(told) > 1
