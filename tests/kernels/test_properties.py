"""What a kernel is said to do, against pictures that are filtered."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from convcli.kernels.catalogue import PRESETS
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel
from convcli.kernels.properties import describe, response_range, symmetries


def example(name: str) -> str:
    return PRESETS[name].example if PRESETS[name].required else name


SUMS = [n for n in PRESETS if load_kernel(example(n)).is_correlation]
PLAIN = [n for n in SUMS if load_kernel(example(n)).weights.ndim == 2]
STACKS = [n for n in SUMS if load_kernel(example(n)).weights.ndim == 3]


@pytest.mark.parametrize("name", PLAIN)
def test_the_range_is_reached_and_not_left(name: str) -> None:
    kernel = load_kernel(example(name))
    found = describe(kernel)
    weights = kernel.weights * kernel.scale
    worst = np.where(weights > 0, 255.0, 0.0)
    assert (weights * worst).sum() + kernel.bias == pytest.approx(found.high)
    assert (weights * (255 - worst)).sum() + kernel.bias == pytest.approx(found.low)


@pytest.mark.parametrize("name", STACKS)
def test_the_range_of_a_stack_bounds_every_answer(name: str) -> None:
    kernel = load_kernel(example(name))
    found = describe(kernel)
    rng = np.random.default_rng(3)
    patches = rng.choice([0.0, 255.0], size=(20_000, *kernel.shape))
    answers = np.einsum("nij,pij->np", patches, kernel.weights * kernel.scale)
    combined = np.sqrt((answers**2).sum(1)) if kernel.combine == "magnitude" else answers.max(1)
    assert found.low - 1e-9 <= combined.min()
    assert combined.max() <= found.high + 1e-9
    assert not found.exact


def test_bank_range_is_that_of_its_worst_output() -> None:
    assert describe(load_kernel("sepia")).high == pytest.approx(255 * 1.351)
    assert describe(load_kernel("grayscale")).high == 255


EFFECTS = {
    "-0.1 0.9 -0.1": "sharpens: flat areas times 0.7",
    "-1 -2 -1": "smooths: flat areas times -4",
    "0.5 -0.25": "smooths and differentiates: flat areas times 0.25",
    "identity": "changes nothing",
    "identity:5": "changes nothing",
    "gaussian:2": "smooths: brightness kept",
    "1 1 1": "smooths: flat areas times 3",
    "sharpen": "sharpens: brightness kept",
    "unsharp:1,2": "sharpens: brightness kept",
    "sobel-x": "differentiates: slope to the right; flat areas become 0",
    "sobel-y": "differentiates: slope downwards; flat areas become 0",
    "1 0 -1": "differentiates: slope to the left; flat areas become 0",
    "1; 0; -1": "differentiates: slope upwards; flat areas become 0",
    "0 1; -1 0": "differentiates: slope to the upper right; flat areas become 0",
    "-1 0 0; 0 0 0; 0 0 1": "differentiates: slope to the lower right; flat areas become 0",
    "laplacian": "differentiates: second or higher derivative; flat areas become 0",
    "log:2": "differentiates: second or higher derivative; flat areas become 0",
    "contour": "differentiates: second or higher derivative; flat areas become 255",
    "invert": "rescales: flat areas times -1 plus 255",
    "0 0 1": "shifts: brightness kept",
    "0 0": "gives 0 everywhere",
    "emboss": "smooths and differentiates: brightness kept",
    "sobel": "differentiates: root of the summed squares of 2 slopes; flat areas become 0",
    "kirsch": "differentiates: strongest of 8 directions; flat areas become 0",
    "grayscale": "mixes channels: 3 in, 1 out",
}


@pytest.mark.parametrize("spec", EFFECTS)
def test_effect(spec: str) -> None:
    assert describe(load_kernel(spec)).effect == EFFECTS[spec]


@pytest.mark.parametrize("name", PLAIN)
def test_the_effect_on_a_flat_picture(name: str) -> None:
    kernel = load_kernel(example(name))
    flat = np.full((40, 40), 100.0)
    value = ndimage.correlate(flat, kernel.weights * kernel.scale)[20, 20] + kernel.bias
    effect = describe(kernel).effect
    if "flat areas become" in effect:
        assert value == pytest.approx(float(effect.rsplit(" ", 1)[1]), abs=1e-9)
    elif "brightness kept" in effect or effect == "changes nothing":
        assert value == pytest.approx(100)
    elif effect.startswith("adds up: flat areas times "):
        assert value == pytest.approx(float(effect.rsplit(" ", 1)[1]) * 100)
    else:
        found = re.fullmatch(r"rescales: flat areas times (\S+) plus (\S+)", effect)
        assert found, effect
        assert value == pytest.approx(float(found[1]) * 100 + float(found[2]))


@pytest.mark.parametrize(
    "name", ["sobel-x", "laplacian", "emboss", "motion:9,30", "roberts-y", "box:3x2"]
)
def test_symmetries_are_those_of_the_answers(name: str) -> None:
    weights = load_kernel(name).weights
    turns = {
        "left-right": lambda w: np.fliplr(w),
        "top-bottom": lambda w: np.flipud(w),
        "under half a turn": lambda w: np.rot90(w, 2),
        "under transposition": np.transpose,
        "under a quarter turn": np.rot90,
    }
    want = set()
    for turn, of in turns.items():
        if of(weights).shape == weights.shape:
            if np.allclose(of(weights), weights):
                want.add(f"symmetric {turn}")
            if np.allclose(of(weights), -weights):
                want.add(f"antisymmetric {turn}")
    assert set(symmetries(weights)) == want


@pytest.mark.parametrize("name", PRESETS)
def test_the_parts_multiply_out(name: str) -> None:
    for part in describe(load_kernel(example(name))).parts:
        assert part.rank == np.linalg.matrix_rank(part.weights)
        product = part.columns @ part.rows
        assert np.abs(product - part.weights).max() == pytest.approx(part.error, abs=1e-15)
        assert part.error <= 1e-12 * max(1, np.abs(part.weights).max())


def test_large_kernels_are_described_without_their_rank() -> None:
    rng = np.random.default_rng(1)
    part = describe(load_kernel(rng.normal(size=(513, 514)))).parts[0]
    assert part.rank is None


@pytest.mark.parametrize(
    ("weights", "want"),
    [
        ([[[-1, 0]], [[-1, 0]]], (-255, 0)),
        ([[[-1], [1]], [[-1], [1]]], (-255, 255)),
        ([[[-1, 1]], [[1, -1]]], (0, 255)),
        ([[[-1, 1, 0]], [[0, -1, 1]], [[1, 0, -1]]], (0, 255)),
        ([[[2, 0]], [[0, -3]]], (0, 510)),
    ],
)
def test_the_range_of_a_maximum(weights: list[Any], want: tuple[float, float]) -> None:
    """Against every picture of five levels as large as the kernel."""
    kernel = Kernel(np.array(weights, float), combine="maximum")
    assert response_range(kernel) == want
    pictures = itertools.product(np.linspace(0, 255, 5), repeat=kernel.weights[0].size)
    found = [(kernel.weights.reshape(len(weights), -1) @ p).max() for p in np.array(list(pictures))]
    assert (min(found), max(found)) == want


def test_the_sum_of_a_stack_is_that_of_its_first_part_and_of_a_bank_the_mean() -> None:
    weights = np.array([[[1.0, 2]], [[5, 6]]])
    assert Kernel(weights, combine="maximum", scale=0.5).sum == 1.5
    assert Kernel(weights.reshape(2, 1, 1, 2), scale=0.5).sum == 3.5
    assert Kernel(weights[0], scale=0.5).sum == 1.5
