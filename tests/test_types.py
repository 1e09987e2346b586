"""What a type checker tells a user: no name is ``Any``, and what it says of arrays is so.

The script below is checked by ``mypy --strict`` as a user's would be, and run: the type that is
revealed for each array is the type that the array has.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convcli

ROOT = Path(__file__).parents[1]

PRELUDE = """
import numpy as np
from PIL import Image
import convcli

f16, f32, f64 = (np.ones((4, 4), np.float16), np.ones((4, 4), np.float32), np.ones((4, 4)))
i64, u8 = np.ones((4, 4), np.int64), np.ones((4, 4), np.uint8)
k32, k64 = np.ones((2, 2), np.float32), np.ones((2, 2), np.int64)
wide = np.ones((2, 3, 4, 4), np.float32)
deep, points = np.ones((3, 1, 2, 2), np.float32), np.ones((5, 3), np.float32)
names = convcli.symbols("a b; c d")
kernel = convcli.Kernel([[1, 0, -1]], scale=2, name="difference", role="derivative")
network = convcli.Network(["conv 8 k3", {"kind": "relu"}], input_shape=(3, 8, 8))
report = network.evaluate()
gradients = convcli.conv_grad(np.ones((3, 3)), f64, np.ones((2, 2)))
sparse = convcli.toeplitz(k32, (4, 4), sparse=True)
parts = convcli.separate(kernel)
figure = convcli.draw(n=5, k=3, stride=2)
page = convcli.explore("1 2 3", [1, 0], padding=1)
"""

KNOWN = """
convcli.__version__
convcli.BackendError("x").exit_code
convcli.ConvcliError("x", while_="y").exit_code
convcli.InputError("x").exit_code
convcli.KernelError("x").exit_code
convcli.OutputError("x").exit_code
convcli.ShapeError("x").exit_code
convcli.TensorError("x").exit_code
convcli.UsageError("x").exit_code
convcli.filter_image(Image.new("L", (4, 4)), "sobel-x", depth=16)
convcli.filter_image(u8, "sobel-x")
convcli.filter_image(f32, ["grayscale", kernel, f64], range="abs", padding=((1, 0), (2, 1)))
convcli.load_kernel("gaussian:2")
convcli.load_kernel([[1, 2], [3, 4]])
convcli.load_kernel(f32)
kernel
kernel.weights
kernel.scale
kernel.bias
kernel.name
kernel.role
kernel.combine
kernel.absolute
kernel.source
kernel.note
kernel.remark
kernel.operation
kernel.numbers
kernel.total
kernel.is_correlation
kernel.slug
kernel.shape
kernel.is_bank
kernel.is_zero_sum
kernel.sum
kernel.flipped()
kernel.replace(weights=[[1, 2]], bias=3)
convcli.conv(f16, f16, stride=2)
convcli.conv(f32, k32, padding="same", flip=True)
convcli.conv(i64, k64, padding=[1, (0, 1)])
convcli.conv(names, names)
convcli.conv_transpose(f32, k32, stride=2, output_padding=1)
convcli.conv_transpose(i64, k64, dims=2)
convcli.depthwise_separable(wide, deep, points)
convcli.conv_grad(f64[1:, 1:], f64, f64[:2, :2])
convcli.conv_transpose_grad(np.ones((5, 5), np.float32), f32, k32).weight
gradients
gradients.x
gradients.weight
gradients.bias
convcli.Gradients(f32, f32, f32).x
convcli.avg_pool(f32, 2)
convcli.avg_pool(f64, 2, count_include_pad=False)
convcli.avg_pool_grad(f32[:2, :2], u8, 2)
convcli.global_avg_pool(f16)
convcli.max_pool(u8, 2)
convcli.max_pool(f32, 2, return_indices=True)[0]
convcli.max_pool(f32, 2, return_indices=True)[1]
convcli.max_pool_grad(f32[:2, :2], u8, 2)
convcli.global_max_pool(i64, dims=1)
convcli.im2col(u8, 2)
convcli.col2im(np.ones((4, 9), np.float32), (4, 4), 2)
convcli.toeplitz(u8, (5, 5), padded=False)
sparse
sparse.data
sparse.indices
sparse.indptr
sparse.shape
convcli.SparseRows(f32, i64, i64, (1, 1)).data
convcli.circulant(np.ones(3, np.float32), 5)
convcli.shift_matrix(3)
convcli.separate([[1, 2], [2, 4]], rank=1)
parts
parts.columns
parts.rows
parts.error
parts.rank
convcli.Separated(f64, f64, 0.0).columns
names
convcli.Polynomial.of("a") * 2 - convcli.Polynomial.of("b")
convcli.Polynomial.of("a").terms
convcli.Polynomial.of("a").names()
convcli.Polynomial.of("a").derivatives()
convcli.Polynomial.of("a").ordered
convcli.Polynomial.of("a").replaced({"a": 2})
convcli.output_shape(32, 5)
convcli.output_shape((32, 20), 5)
convcli.transposed_output_shape(32, 5, output_padding=0)
convcli.transposed_output_shape([32, 20], 5)
convcli.pool_output_shape(32, 5, ceil_mode=True)
convcli.pool_output_shape((32, 20), 5)
convcli.receptive_field("conv 8 k3 | relu")
convcli.receptive_field([3, (3, 2), {"kernel_size": 5}]).size
network
network.nodes
network.title
network.input_shape
network.source
network.input_for((64,), None)
network.evaluate_for((64,), batch=2)
convcli.Network.parse("conv 8 k3")
figure
figure.drawing
figure.fps
figure.steps
figure.save
convcli.Figure(figure.drawing)
convcli.draw("padding_strides", view="gradient", theme="dark")
page
page.html
page.height
page.save
convcli.Page(page.html)
convcli.explore()
convcli.explain(f64, "sobel", range="abs").pairs
convcli.latex(names)
convcli.trace(network, (3, 9, 9))
convcli.load_chain("gaussian:2 | sobel")
convcli.Network.load("lenet5")
convcli.Network.of_nodes(network.nodes)
convcli.Network.builtin_names()
report
report.rows
report.rows[0].fields
report.output
report.totals
report.totals.flops
report.failure
report.inputs
report.outputs
"""
"""Expressions of which everything is known."""

BY_VALUE = """
convcli.filter_image(u8, "sobel-x", depth="float")
convcli.filter_image(f64, "sobel-x", range="float")
convcli.conv([1, 2, 3], [1, 0])
convcli.conv(u8, k32, 2.0)
convcli.conv_transpose([1, 2], [1, 10])
convcli.depthwise_separable([[1, 2, 3], [4, 5, 6]], [[[1, 1]], [[1, -1]]], [[1, 10]])
convcli.conv_grad([1, 1], [1, 2, 3, 4], [1, 0, -1]).x
convcli.conv_transpose_grad([1, 0, 1, 0, 0], [1, 2], [1, 10, 100], stride=2).bias
convcli.avg_pool([1, 2], 2)
convcli.avg_pool_grad([1], [1, 2], 2)
convcli.global_avg_pool([1, 2])
convcli.max_pool([1, 2], 2)
convcli.max_pool_grad([1], [1, 2], 2)
convcli.global_max_pool([1, 2])
convcli.im2col([1, 2, 3], 2)
convcli.col2im([[1, 1], [1, 1], [1, 1]], 4, 3)
convcli.toeplitz([1, 2], 4)
convcli.circulant([1, 2], 4)
"""
"""Arrays whose numbers' type only the values tell, as with ``np.asarray``."""

WRONG = """
convcli.fliter_image(u8, "sobel-x")
convcli.filter_image(u8, "sobel-x", bordr="wrap")
convcli.conv(f32, k32, strid=2)
convcli.output_shape("32", 5)
convcli.Kernel([[1]], role="derivate")
kernel.replace(wieghts=[[1]])
"""

DTYPES = {
    "numpy.floating[numpy._typing._nbit_base._16Bit]": "float16",
    "numpy.floating[numpy._typing._nbit_base._32Bit]": "float32",
    "numpy.signedinteger[numpy._typing._nbit_base._64Bit]": "int64",
    "numpy.unsignedinteger[numpy._typing._nbit_base._8Bit]": "uint8",
    "numpy.float64": "float64",
    "numpy.object_": "object",
}
"""How mypy and NumPy's stubs write the types of numbers."""


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def checked(folder: Path, expressions: list[str]) -> list[list[str]]:
    """What mypy says of each expression: kind and text of every message on its line."""
    before = PRELUDE.count("\n")
    script = PRELUDE + "".join(f"reveal_type({text})\n" for text in expressions)
    (folder / "script.py").write_text(script)
    options = ["--strict", "--follow-imports=silent", "--config-file=", "--cache-dir", "cache"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--no-pretty", "script.py"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    said: list[list[str]] = [[] for _ in expressions]
    for line in done.stdout.splitlines():
        match = re.match(r"script\.py:(\d+): ((?:note|error): .*)", line)
        if match is None:
            continue
        assert int(match[1]) > before, line
        said[int(match[1]) - before - 1].append(match[2])
    return said


@pytest.fixture(scope="module")
def revealed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    names = [f"convcli.{name}" for name in convcli.__all__]
    expressions = lines(KNOWN) + lines(BY_VALUE) + names
    said = checked(tmp_path_factory.mktemp("types"), expressions)
    types = {}
    for expression, messages in zip(expressions, said, strict=True):
        assert len(messages) == 1, f"{expression}: {messages}"
        match = re.fullmatch(r'note: Revealed type is "(.*)"', messages[0])
        assert match, f"{expression}: {messages[0]}"
        types[expression] = match[1]
    return types


@pytest.mark.ci
def test_no_result_and_no_attribute_is_any(revealed: dict[str, str]) -> None:
    # The type of a NumPy array's shape is Any where nothing is known of it.
    vague = {text: revealed[text] for text in lines(KNOWN) if re.search(r"\bAny\b", revealed[text])}
    assert not vague


@pytest.mark.ci
def test_only_the_numbers_of_lists_and_mixtures_are_left_open(revealed: dict[str, str]) -> None:
    for text in lines(BY_VALUE):
        assert revealed[text] == "numpy.ndarray[tuple[int, ...], numpy.dtype[Any]]", text


@pytest.mark.ci
def test_no_public_name_is_any(revealed: dict[str, str]) -> None:
    for name in convcli.__all__:
        found = revealed[f"convcli.{name}"]
        # A parameter may be made of NumPy's array-likes, which hold arrays of any numbers.
        assert not re.search(r"^Any$|-> Any\b|: Any\b", found), f"{name}: {found}"


@pytest.mark.ci
def test_what_is_revealed_of_an_array_is_so(revealed: dict[str, str]) -> None:
    names: dict[str, Any] = {}
    exec(PRELUDE, names)
    arrays = 0
    for text in lines(KNOWN):
        value = eval(text, names)
        if isinstance(value, np.ndarray):
            match = re.fullmatch(
                r"numpy\.ndarray\[tuple\[[int., ]+\], numpy\.dtype\[(.*)\]\]", revealed[text]
            )
            assert match, f"{text}: {revealed[text]}"
            assert DTYPES[match[1]] == value.dtype.name, text
            arrays += 1
        else:
            assert "numpy.ndarray" not in revealed[text].split("[")[0], text
    assert arrays > 30


@pytest.mark.ci
def test_mistakes_are_seen(tmp_path: Path) -> None:
    for expression, messages in zip(lines(WRONG), checked(tmp_path, lines(WRONG)), strict=True):
        assert any(message.startswith("error: ") for message in messages), expression


def test_the_expressions_use_every_public_name() -> None:
    text = PRELUDE + KNOWN
    objects: dict[str, Any] = {}
    exec(PRELUDE, objects)
    for name in convcli.__all__:
        assert re.search(rf"\bconvcli\.{name}\b", text), name
        found = getattr(convcli, name)
        if inspect.isclass(found) and not issubclass(found, Exception):
            given = set(dir(found))
            for value in objects.values():
                given |= set(getattr(value, "__dict__", ())) if isinstance(value, found) else set()
            public = {attribute for attribute in given if not attribute.startswith("_")}
            for attribute in public - {"count", "index"}:  # of tuples
                assert re.search(rf"\.{attribute}\b", text), f"{name}.{attribute}"


def test_the_stub_and_the_table_name_the_same() -> None:
    tree = ast.parse((ROOT / "convcli" / "__init__.pyi").read_text())
    stub = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.name == alias.asname, "only `X as X` is exported by a stub"
                stub[alias.name] = node.module
    assert stub == {**convcli._HOMES, "__version__": "convcli._version"}


FUNCTIONS = [name for name in convcli.__all__ if inspect.isfunction(getattr(convcli, name))]
OVERLOADED = [name for name in FUNCTIONS if typing.get_overloads(getattr(convcli, name))]


def test_some_functions_have_several_signatures() -> None:
    assert {"conv", "filter_image", "max_pool", "output_shape", "toeplitz"} <= set(OVERLOADED)


@pytest.mark.parametrize("name", OVERLOADED)
def test_every_signature_has_every_parameter(name: str) -> None:
    function = getattr(convcli, name)
    wanted = set(inspect.signature(function).parameters)
    for overload in typing.get_overloads(function):
        found: set[str] = set()
        for parameter in inspect.signature(overload).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                options = re.fullmatch(r"Unpack\[(\w+)\]", parameter.annotation)
                assert options, parameter.annotation
                found |= set(function.__globals__[options[1]].__annotations__)
            else:
                found.add(parameter.name)
        assert found == wanted
