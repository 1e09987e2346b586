"""One arithmetic: ``shape``, the tensor operations and the filter give the same size."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import convcli
from convcli import ShapeError

axis = st.fixed_dictionaries(
    {
        "n": st.integers(1, 14),
        "k": st.integers(1, 5),
        "s": st.integers(1, 3),
        "d": st.integers(1, 2),
        "before": st.integers(0, 3),
        "after": st.integers(0, 3),
    }
)
named = st.sampled_from([None, "same", "same_lower", "valid", "full"])


def numbers(axes: list[dict[str, int]], name: str | None) -> dict[str, object]:
    pads = [(a["before"], a["after"]) if name is None else name for a in axes]
    return {
        "stride": tuple(a["s"] for a in axes),
        "dilation": tuple(a["d"] for a in axes),
        "padding": pads,
    }


def shown(kind: str, axes: list[dict[str, int]], options: dict[str, object]) -> list[int]:
    """What ``convcli shape`` puts into its JSON."""
    from convcli.arithmetic.layer import Layer
    from convcli.show.shape_layer import layer_document

    layer = Layer(
        kind,  # type: ignore[arg-type]
        tuple(a["k"] for a in axes),
        options["stride"],  # type: ignore[arg-type]
        tuple(options["padding"]),  # type: ignore[arg-type]
        options["dilation"],  # type: ignore[arg-type]
    )
    windows = layer.windows([a["n"] for a in axes])
    output: list[int] = layer_document(layer, windows).data["output"]
    return output


def blind(a: dict[str, int]) -> bool:
    """Whether some window of pooling reads nothing but padding."""
    inside = range(a["before"], a["before"] + a["n"])
    starts = range(0, a["before"] + a["n"] + a["after"], a["s"])
    return any(not any(start + tap * a["d"] in inside for tap in range(a["k"])) for start in starts)


@settings(max_examples=150, deadline=None)
@given(st.lists(axis, min_size=1, max_size=3), named)
def test_conv_gives_the_size_that_shape_shows(axes: list[dict[str, int]], name: str | None) -> None:
    options = numbers(axes, name)
    try:
        expected = shown("conv", axes, options)
    except ShapeError:
        expected = None
    x = np.ones((2, 3, *(a["n"] for a in axes)), np.float32)
    weight = np.ones((4, 3, *(a["k"] for a in axes)), np.float32)
    try:
        made = convcli.conv(x, weight, **options)
    except ShapeError:
        assert expected is None
        return
    assert made.shape == (2, 4, *(expected or ()))


@settings(max_examples=100, deadline=None)
@given(st.lists(axis, min_size=1, max_size=2), st.sampled_from([None, "valid", "same"]))
def test_conv_transpose_gives_the_size_that_shape_shows(
    axes: list[dict[str, int]], name: str | None
) -> None:
    options = numbers(axes, name)
    try:
        expected = shown("conv_transpose", axes, options)
    except ShapeError:
        expected = None
    x = np.ones((2, 3, *(a["n"] for a in axes)), np.float32)
    weight = np.ones((3, 4, *(a["k"] for a in axes)), np.float32)
    try:
        made = convcli.conv_transpose(x, weight, **options)
    except ShapeError:
        assert expected is None
        return
    assert made.shape == (2, 4, *(expected or ()))


@settings(max_examples=100, deadline=None)
@given(st.lists(axis, min_size=1, max_size=2), st.booleans())
def test_pooling_gives_the_size_that_shape_shows(axes: list[dict[str, int]], ceil: bool) -> None:
    options = numbers(axes, None)
    try:
        expected = convcli.pool_output_shape(
            [a["n"] for a in axes], [a["k"] for a in axes], ceil_mode=ceil, **options
        )
    except ShapeError:
        expected = None
    x = np.ones((2, 3, *(a["n"] for a in axes)), np.float32)
    try:
        made = convcli.max_pool(x, tuple(a["k"] for a in axes), ceil_mode=ceil, **options)
    except ShapeError as error:
        # A maximum over padding alone has no value, so the operation refuses what has a size.
        assert expected is None or ("padding alone" in str(error) and any(map(blind, axes)))
        return
    assert made.shape == (2, 3, *(expected or ()))


@settings(max_examples=100, deadline=None)
@given(axis, axis, st.sampled_from([None, "same", "valid", "full"]))
def test_filter_gives_the_size_that_shape_shows(
    rows: dict[str, int], columns: dict[str, int], name: str | None
) -> None:
    axes = [rows, columns]
    options = numbers(axes, name)
    try:
        expected = shown("conv", axes, options)
    except ShapeError:
        expected = None
    image = np.full((rows["n"], columns["n"]), 7, np.uint8)
    kernel = np.ones((rows["k"], columns["k"]))
    padding = name if name is not None else tuple(options["padding"])  # type: ignore[arg-type]
    try:
        made = convcli.filter_image(
            image,
            kernel,
            padding=padding,
            stride=options["stride"],
            dilation=options["dilation"],
            border="edge",
        )
    except ShapeError:
        assert expected is None
        return
    assert list(made.shape) == expected
