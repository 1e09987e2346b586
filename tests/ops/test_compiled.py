"""The compiled loops against im2col and BLAS, for every instruction set that this machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli.extensions import extension
from convcli.ops import compiled_conv
from convcli.ops.conv import conv, conv_transpose
from convcli.ops.gradients import conv_grad

LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "rows_of_several_tiles": ((1, 3, 5, 301), (9, 3, 3, 3), {"padding": 1}),
    "rows_shorter_than_a_vector": ((2, 4, 19, 7), (11, 4, 3, 2), {"padding": (2, 0)}),
    "strides_sort_the_cells": ((1, 3, 33, 41), (5, 3, 5, 4), {"stride": (2, 3), "padding": 2}),
    "wide_dilation": ((1, 2, 30, 29), (3, 2, 3, 3), {"dilation": (4, 9), "padding": "same"}),
    "depthwise": ((2, 13, 17, 23), (13, 1, 3, 5), {"groups": 13, "padding": 1}),
    "groups": ((2, 6, 9, 31), (10, 3, 2, 3), {"groups": 2, "stride": (1, 2)}),
    "pointwise": ((3, 7, 12, 11), (18, 7, 1, 1), {}),
    "one_axis": ((2, 5, 700), (9, 5, 8), {"padding": (7, 3), "stride": 3}),
    "three_axes": ((1, 3, 6, 7, 37), (8, 3, 2, 3, 3), {"padding": (1, 0, 2), "stride": (2, 1, 1)}),
    "kernel_larger_than_input": ((1, 2, 3, 2), (3, 2, 7, 5), {"padding": "full"}),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_compiled_equals_blas(
    isa: str, monkeypatch: pytest.MonkeyPatch, name: str, dtype: str
) -> None:
    shape, weight_shape, options = LAYERS[name]
    rng = np.random.default_rng(len(name))
    # Whole numbers: both ways are exact, so they must be equal, not only close.
    x = rng.integers(-8, 8, shape).astype(dtype)
    w = rng.integers(-8, 8, weight_shape).astype(dtype)
    bias = rng.integers(-8, 8, weight_shape[0]).astype(dtype)
    y = conv(x, w, bias, **options)
    grad = conv_grad(y, x, w, **options).x
    stamps = {k: v for k, v in options.items() if k != "padding"}
    spread = conv_transpose(y, w, **stamps)
    with monkeypatch.context() as patch:
        patch.setenv("CONVCLI_LOOPS", "numpy")
        np.testing.assert_array_equal(y, conv(x, w, bias, **options))
        np.testing.assert_array_equal(grad, conv_grad(y, x, w, **options).x)
        np.testing.assert_array_equal(spread, conv_transpose(y, w, **stamps))
    assert y.dtype == dtype


def test_rounding_is_that_of_float32(isa: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 16, 20, 50)).astype(np.float32)
    w = rng.standard_normal((12, 16, 3, 3)).astype(np.float32)
    exact = conv(x.astype(np.float64), w.astype(np.float64), padding=1)
    bound = conv(abs(x).astype(np.float64), abs(w).astype(np.float64), padding=1)
    assert (abs(conv(x, w, padding=1) - exact) <= 16 * 9 * 2**-24 * bound).all()


@pytest.mark.parametrize("budget", [1, 500, 20_000])
def test_blocks_do_not_show(isa: str, monkeypatch: pytest.MonkeyPatch, budget: int) -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(-8, 8, (5, 3, 14, 26)).astype(np.float32)
    w = rng.integers(-8, 8, (4, 3, 3, 3)).astype(np.float32)
    whole = conv(x, w, stride=(1, 2), padding=(2, 1))
    monkeypatch.setattr(compiled_conv, "CELL_BYTES", budget)
    monkeypatch.setattr(compiled_conv, "MIN_PRODUCTS", 0)
    np.testing.assert_array_equal(conv(x, w, stride=(1, 2), padding=(2, 1)), whole)


def test_values_behind_the_last_cell_are_not_used(isa: str) -> None:
    """Scratch memory is used again: NaN left there by one call must not reach the next."""
    conv(np.full((1, 2, 9, 90), np.nan, np.float32), np.ones((3, 2, 3, 3), np.float32), padding=1)
    y = conv(np.ones((1, 2, 5, 6), np.float32), np.ones((3, 2, 3, 3), np.float32), padding=1)
    assert np.isfinite(y).all()
    assert y.max() == 18


def slide_arguments() -> dict[str, Any]:
    """One channel of 3x40 cells, 2x2 taps, 2x32 outputs."""
    return {
        "type": "f",
        "cells": np.ones(3 * 40 + 512, np.float32),
        "offsets": np.array([0, 1, 40, 41]),
        "starts": np.array([0]),
        "weights": np.ones((1, 4), np.float32),
        "bias": np.zeros(1, np.float32),
        "out": np.zeros((1, 1, 2, 32), np.float32),
        "out_starts": np.array([0]),
        "images": 1, "groups": 1, "per_group": 1, "rows": 2, "width": 32, "pitch": 40,
        "image_step": 120, "group_step": 120, "out_image": 64, "out_channel": 64, "out_row": 32,
        "out_column": 1,
    }  # fmt: skip


WRONG: dict[str, dict[str, Any]] = {
    "cells_too_few": {"cells": np.ones(40, np.float32)},
    "offset_outside": {"offsets": np.array([0, 1, 40, 5000])},
    "offset_negative": {"offsets": np.array([0, 1, 40, -1])},
    "start_outside": {"starts": np.array([10_000])},
    "start_negative": {"starts": np.array([-1])},
    "weights_too_few": {"weights": np.ones(3, np.float32)},
    "bias_missing": {"bias": np.ones(0, np.float32)},
    "out_too_small": {"out": np.zeros((1, 1, 2, 31), np.float32)},
    "out_start_outside": {"out_starts": np.array([1])},
    "out_of_another_type": {"out": np.zeros((1, 1, 2, 32), np.float64)},
    "images_more": {"images": 100},
    "groups_more": {"groups": 2},
    "rows_more": {"rows": 30},
    "no_images": {"images": 0},
    "no_groups": {"groups": 0},
    "no_channels": {"per_group": 0},
    "no_rows": {"rows": 0},
    "no_width": {"width": 0},
    "pitch_too_small": {"pitch": 3},
    "step_negative": {"out_row": -1},
    # Products of 64 bits that wrap to something small.
    "images_wrap": {"images": 2**40 + 1, "image_step": 2**40},
    "outputs_wrap": {"images": 2**40 + 1, "image_step": 0, "out_image": 2**40},
    "channels_wrap": {"groups": 2**32, "per_group": 2**32},
    "starts_wrap": {"starts": np.array([2**63 - 1]), "rows": 2**20},
    "rows_wrap": {"rows": 2**33 + 1, "pitch": 2**33},
    "a_buffer_of_no_whole_cells": {"out": np.zeros(4 * 64 + 2, np.uint8)[2:].view("u1")},
}


@pytest.mark.parametrize("name", WRONG)
def test_the_extension_refuses_what_would_leave_its_arrays(isa: str, name: str) -> None:
    module = extension("_tensors").module
    right = slide_arguments()
    module.slide(*right.values())
    assert (right["out"] == 4).all()
    with pytest.raises(ValueError, match="slide: "):
        module.slide(*{**slide_arguments(), **WRONG[name]}.values())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_threads_of_its_own() -> None:
    code = """
import os, numpy as np, convcli
x, w = np.ones((4, 8, 40, 40), np.float32), np.ones((8, 8, 3, 3), np.float32)
convcli.conv(x, w)
child = os.fork()
if child == 0:
    os._exit(int(convcli.conv(x, w)[0, 0, 0, 0]))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 72
"""
    environment = {**os.environ, "CONVCLI_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], timeout=60, env=environment, check=False
    )
    assert done.returncode == 0


def askew(*strides: int) -> np.ndarray:
    """Numbers that do not lie a whole number of numbers apart."""
    return np.ndarray((2, 2, 3, 4), np.float32, bytearray(800), strides=strides)


FILL_WRONG: dict[str, tuple[Any, ...]] = {
    "memory_too_small": (np.ones((1, 2, 3, 4), np.float32), 23, 0, 1, (0, 0), (3, 4), 1),
    "phases_need_more": (np.ones((1, 1, 1, 5), np.float32), 5, 0, 1, (0, 0), (1, 5), 3),
    "images_beyond": (np.ones((1, 2, 3, 4), np.float32), 100, 0, 2, (0, 0), (3, 4), 1),
    "images_negative": (np.ones((1, 2, 3, 4), np.float32), 100, -1, 1, (0, 0), (3, 4), 1),
    "axes_missing": (np.ones((1, 2, 3, 4), np.float32), 100, 0, 1, (0,), (3, 4), 1),
    "span_huge": (np.ones((1, 2, 3, 4), np.float32), 100, 0, 1, (0, 0), (2**39, 2**39), 1),
    "span_zero": (np.ones((1, 2, 3, 4), np.float32), 100, 0, 1, (0, 0), (3, 0), 1),
    "no_phases": (np.ones((1, 2, 3, 4), np.float32), 100, 0, 1, (0, 0), (3, 4), 0),
    "phases_huge": (np.ones((1, 2, 3, 4), np.float32), 100, 0, 1, (0, 0), (3, 4), 2**63 - 1),
    "far_before": (np.ones((1, 2, 3, 4), np.float32), 100, 0, 1, (-(2**62), 0), (3, 4), 1),
    "images_askew": (askew(98, 48, 16, 4), 100, 0, 1, (0, 0), (3, 4), 1),
    "channels_askew": (askew(96, 50, 16, 4), 100, 0, 1, (0, 0), (3, 4), 1),
    "rows_askew": (askew(96, 48, 17, 4), 100, 0, 1, (0, 0), (3, 4), 1),
    "columns_askew": (askew(96, 48, 24, 6), 100, 0, 1, (0, 0), (3, 4), 1),
    "bytes": (np.ones((1, 2, 3, 4), np.uint8), 100, 0, 1, (0, 0), (3, 4), 1),
}


@pytest.mark.parametrize("name", FILL_WRONG)
def test_filling_refuses_what_does_not_fit(isa: str, name: str) -> None:
    x, cells, *rest = FILL_WRONG[name]
    with pytest.raises(ValueError, match="fill: "):
        extension("_tensors").module.fill(x, np.zeros(cells, np.float32), *rest)


@pytest.mark.parametrize("phases", [1, 2, 3])
@pytest.mark.parametrize("view", ["whole", "reversed", "every_other"])
def test_filling_pads_and_sorts(isa: str, phases: int, view: str) -> None:
    x = np.arange(2 * 3 * 4 * 7, dtype=np.float32).reshape(2, 3, 4, 7)
    x = {"whole": x, "reversed": x[..., ::-1, ::-1], "every_other": x[:, ::2, :, ::2]}[view]
    for low, span in (((-2, -3), (9, 12)), ((1, 1), (2, 2)), ((3, -9), (4, 5)), ((-1, 6), (3, 9))):
        line = -(-span[1] // phases)
        memory = np.full((2, x.shape[1], span[0], phases, line), np.nan, np.float32)
        extension("_tensors").module.fill(x, memory.reshape(-1), 0, 2, low, span, phases)
        padded = np.pad(x, [(0, 0), (0, 0), (20, 20), (20, 20)])
        part = padded[..., 20 + low[0] : 20 + low[0] + span[0], 20 + low[1] : 20 + low[1] + span[1]]
        part = np.pad(part, [(0, 0)] * 3 + [(0, line * phases - span[1])])
        np.testing.assert_array_equal(
            memory, part.reshape(*part.shape[:3], line, phases).swapaxes(3, 4)
        )


@pytest.mark.ci
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak")
@pytest.mark.parametrize("loops", ["compiled", "numpy"])
def test_peak_memory_stays_under_four_times_input_and_output(loops: str) -> None:
    code = """
import re, numpy as np, convcli
x = np.random.default_rng(0).standard_normal((8, 64, 224, 224), dtype=np.float32)
w = np.full((64, 64, 3, 3), 0.5, np.float32)
y = convcli.conv(x, w, padding=1)
assert y.shape == x.shape and abs(y[3, 5, 7, 9] - 0.5 * x[3, :, 6:9, 8:11].sum()) < 1e-3
# Not ru_maxrss: it begins with what the process held that started this one.
peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
print(peak / (x.nbytes + y.nbytes))
"""
    variable = {"CONVCLI_LOOPS": "numpy"} if loops == "numpy" else {}
    environment = {k: v for k, v in os.environ.items() if k != "CONVCLI_LOOPS"} | variable
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 4
