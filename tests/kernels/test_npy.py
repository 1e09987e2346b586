"""The .npy reader against NumPy's own writer, and against what nobody should load."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from convcli.errors import KernelError, TensorError
from convcli.kernels.load import load_kernel
from convcli.kernels.npy import read_npy


def saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def raw(header: str, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    body = header.encode()
    length = struct.pack("<H" if version[0] == 1 else "<I", len(body))
    return b"\x93NUMPY" + bytes(version) + length + body + data


@pytest.mark.parametrize(
    "dtype",
    ["i1", "u1", "<i2", ">i2", ">u4", "<i8", ">u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_come_back_in_native_order(tmp_path: Path, dtype: str, order: str) -> None:
    array = np.asarray(np.arange(24).reshape(2, 3, 4), dtype=dtype, order=order)  # type: ignore[call-overload]
    path = tmp_path / "a.npy"
    path.write_bytes(saved(array))
    for source in (path, str(path), path.read_bytes()):
        back = read_npy(source)
        assert back.dtype == array.dtype.newbyteorder("=")
        assert back.dtype.isnative
        assert back.flags.c_contiguous
        assert back.flags.writeable
        assert (back == array).all()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1)], ids=str)
def test_odd_shapes(shape: tuple[int, ...]) -> None:
    back = read_npy(saved(np.ones(shape)))
    assert back.shape == shape
    assert (back == 1).all()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)], ids=str)
def test_versions(version: tuple[int, int]) -> None:
    header = "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }\n"
    assert read_npy(raw(header, b"\1\0\2\0", version)).tolist() == [1, 2]


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle was loaded",))


H = "{'descr': %s, 'fortran_order': %s, 'shape': %s}"
BAD = {
    "object": (saved(np.array([[1, None]], dtype=object)), "pickle"),
    "pickle": (pickle.dumps(Bomb()), "does not begin"),
    "object_bomb": (raw(H % ("'|O'", "False", "(1,)"), pickle.dumps(Bomb())), "pickle"),
    "text": (saved(np.array(["a"])), "str"),
    "bytes": (saved(np.array([b"a"])), "bytes"),
    "structured": (saved(np.zeros(2, [("x", "f4")])), "records"),
    "complex": (saved(np.ones((2, 2), complex)), "complex128"),
    "boolean": (saved(np.ones((2, 2), bool)), "bool"),
    "date": (saved(np.zeros(2, "M8[s]")), "datetime64"),
    "subarray": (raw(H % ("'(2,)f4'", "False", "(1,)"), bytes(8)), ""),
    "long_double": (saved(np.ones(2, np.longdouble)), "float128"),
    "unknown_type": (raw(H % ("'<q9z'", "False", "(1,)")), "unknown type"),
    "four_terabytes": (raw(H % ("'<f8'", "False", "(1000000, 500000)"), bytes(64)), "truncated"),
    "overflow": (raw(H % ("'<f8'", "False", "(4611686018427387904, 4)")), "truncated"),
    "truncated": (saved(np.ones((3, 3)))[:-1], "truncated"),
    "trailing": (saved(np.ones((3, 3))) + b"x", "something else"),
    "empty": (b"", "does not begin"),
    "magic_only": (b"\x93NUMPY", "version"),
    "cut_header": (saved(np.ones(3))[:40], "header"),
    "version_9": (raw(H % ("'<f8'", "False", "(1,)"), bytes(8), (9, 9)), "9.9"),
    "long_header": (b"\x93NUMPY\2\0\xff\xff\xff\xff", "claims 4,294,967,295"),
    "call": (raw("__import__('os').abort()"), "cannot be read"),
    "deep": (raw("(" * 5000), "cannot be read"),
    "list": (raw("[1, 2]"), "descr"),
    "missing": (raw("{'descr': '<f8', 'shape': (1,)}"), "descr"),
    "extra": (
        raw("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}", bytes(8)),
        "descr",
    ),
    "order": (raw(H % ("'<f8'", "1", "(1,)"), bytes(8)), "fortran_order"),
    "negative": (raw(H % ("'<f8'", "False", "(-1, -1)"), bytes(8)), "whole numbers"),
    "boolean_shape": (raw(H % ("'<f8'", "False", "(True,)"), bytes(8)), "whole numbers"),
    "fraction": (raw(H % ("'<f8'", "False", "(1.0,)"), bytes(8)), "whole numbers"),
    "list_shape": (raw(H % ("'<f8'", "False", "[1]"), bytes(8)), "tuple"),
    "33d": (raw(H % ("'<f8'", "False", f"({'1,' * 33})"), bytes(8)), "tuple"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused(tmp_path: Path, name: str) -> None:
    data, reason = BAD[name]
    path = tmp_path / f"{name}.npy"
    path.write_bytes(data)
    with pytest.raises(TensorError) as caught:
        read_npy(path, error=TensorError)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)
    with pytest.raises(KernelError):
        read_npy(data)


def test_a_claim_is_compared_before_anything_is_allocated() -> None:
    data = raw(H % ("'<f8'", "False", "(1000000, 500000)"), bytes(64))
    tracemalloc.start()
    with pytest.raises(KernelError, match=r"4,000,000,000,000 bytes, but 64"):
        read_npy(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_every_cut_is_noticed() -> None:
    data = saved(np.arange(6.0).reshape(2, 3))
    for length in range(len(data)):
        with pytest.raises(KernelError):
            read_npy(data[:length])


def test_a_kernel_larger_than_the_cap_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "big.npy"
    header = raw(H % ("'|u1'", "False", "(10001, 10001)"))
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + 10001 * 10001)
    with pytest.raises(KernelError, match=r"10001x10001; at most 10000x10000"):
        load_kernel(str(path))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.ones((2, 2, 2)), "3 dimensions"),
        (np.ones((0, 3)), "empty"),
        (np.array([[1, np.nan]]), "finite"),
        (np.array(1.0), "0 dimensions"),
    ],
    ids=["3-D", "empty", "nan", "0-D"],
)
def test_arrays_that_are_no_kernels(tmp_path: Path, array: np.ndarray, reason: str) -> None:
    path = tmp_path / "k.npy"
    path.write_bytes(saved(array))
    with pytest.raises(KernelError, match=reason) as caught:
        load_kernel(str(path))
    assert str(path) in str(caught.value)
