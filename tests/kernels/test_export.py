"""Round trips: every preset through every format that is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.errors import KernelError
from convcli.kernels.catalogue import PRESETS
from convcli.kernels.export import FORMATS, export_kernel
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel

FIELDS = ("scale", "bias", "name", "role", "combine", "absolute", "source")


def holds(format: str, kernel: Kernel) -> bool:
    """What each format can hold, told independently of the code that refuses."""
    if format in ("json", "toml"):
        return True
    if kernel.weights.ndim == 3:
        return False
    if kernel.weights.ndim == 4:
        return format == "npy" and kernel.bias == 0
    return kernel.bias == 0 or format == "mat"


@pytest.mark.parametrize("format", FORMATS)
def test_round_trip(tmp_path: Path, format: str) -> None:
    for name in PRESETS:
        comes_back(tmp_path, name, format)


def comes_back(tmp_path: Path, name: str, format: str) -> None:
    kernel = load_kernel(PRESETS[name].example if PRESETS[name].required else name)
    if not kernel.is_correlation:
        with pytest.raises(KernelError, match="is no weighted sum, so it has no weights to write"):
            export_kernel(kernel, format)
        return
    if not holds(format, kernel):
        with pytest.raises(KernelError, match="use json or toml"):
            export_kernel(kernel, format)
        return
    path = tmp_path / f"k.{format}"
    path.write_bytes(export_kernel(kernel, format))
    back = load_kernel(str(path))
    assert (back.weights * back.scale == kernel.weights * kernel.scale).all()
    assert back.bias == kernel.bias
    if format in ("json", "toml"):
        assert (back.weights == kernel.weights).all()
        for field in FIELDS:
            assert getattr(back, field) == getattr(kernel, field)
    if format == "mat" and kernel.scale != 1 and (kernel.weights % 1 == 0).all():
        assert (back.weights == kernel.weights).all(), "whole numbers stay whole beside a scale"


finite = st.floats(-1e300, 1e300, allow_nan=False) | st.integers(-1000, 1000).map(float)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    rows=st.integers(1, 3).flatmap(
        lambda n: st.lists(st.lists(finite, min_size=n, max_size=n), min_size=1, max_size=4)
    ),
    scale=st.sampled_from([1.0, 0.3, 1 / 9, -2.0, 1 / 16, 7.0]),
    name=texts,
    format=st.sampled_from(list(FORMATS)),
)
def test_any_numbers_and_names_survive(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[float]],
    scale: float,
    name: str,
    format: str,
) -> None:
    kernel = Kernel(rows, scale=scale, name=name)
    path = tmp_path_factory.getbasetemp() / f"any.{format}"
    path.write_bytes(export_kernel(kernel, format))
    back = load_kernel(path)
    assert (back.weights * back.scale == kernel.weights * kernel.scale).all()
    if format in ("json", "toml"):
        assert back.name == name


def test_text_formats_are_what_others_read() -> None:
    kernel = load_kernel("sobel-x")
    assert export_kernel(kernel, "csv") == b"-1,0,1\n-2,0,2\n-1,0,1\n"
    assert export_kernel(kernel, "tsv") == b"-1\t0\t1\n-2\t0\t2\n-1\t0\t1\n"
    assert export_kernel(kernel, "txt") == b"-1 0 1\n-2 0 2\n-1 0 1\n"
    assert export_kernel(kernel, "im") == b"3x3:\n  -1,0,1\n  -2,0,2\n  -1,0,1\n"
    assert export_kernel(load_kernel("average"), "mat") == b"3 3 9 0\n1 1 1\n1 1 1\n1 1 1\n"
    assert export_kernel(load_kernel("invert"), "mat") == b"1 1 1 255\n-1\n"


def test_npy_is_read_by_numpy(tmp_path: Path) -> None:
    (tmp_path / "k.npy").write_bytes(export_kernel(load_kernel("sepia"), "npy"))
    assert np.load(tmp_path / "k.npy").shape == (3, 3, 1, 1)


def test_unknown_format() -> None:
    with pytest.raises(KernelError, match="'xyz' is not known; allowed: json, toml"):
        export_kernel(load_kernel("sobel-x"), "xyz")
