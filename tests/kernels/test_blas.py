"""No flag of the processor that a BLAS leaves behind becomes a warning, in whatever part of convcli."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import convcli
from convcli.kernels.blas import matmul

PACKAGE = Path(convcli.__file__).parent
PRODUCTS = {"matmul", "dot", "vdot", "inner", "einsum", "tensordot"}


def products(source: str) -> list[str]:
    """What a file multiplies by a BLAS of NumPy's choice."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            found.append(ast.unparse(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found += [ast.unparse(node)] if node.func.attr in PRODUCTS else []
    return found


@pytest.mark.parametrize("line", ["a @ b", "x = (a @ b).sum()", "np.dot(a, b)", "a.dot(b)"])
def test_the_check_sees(line: str) -> None:
    assert products(line)


def test_products_of_matrices_are_made_in_one_place() -> None:
    others = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "blas.py"]
    assert {str(p): found for p in others if (found := products(p.read_text("utf-8")))} == {}


def test_a_flag_that_is_up_is_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    multiply = np.matmul

    def careless(*operands: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        np.subtract(np.float32(np.inf), np.array([np.inf], np.float32))
        return multiply(*operands, out=out)

    monkeypatch.setattr(np, "matmul", careless)
    with pytest.raises(RuntimeWarning, match="invalid value"):
        np.matmul(np.eye(2), np.eye(2))
    assert (matmul(np, np.eye(2), np.eye(2)) == np.eye(2)).all()
