"""A kernel's weights as text: literals of unrolled loops, packed bytes, tables that are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.gpu.kernel_source import C_TYPES, literal
from convcli.engine.numerics import WHITE
from convcli.engine.weights import Factor

__all__ = [
    "fit_bytes",
    "fits_constant",
    "immediates",
    "is_whole",
    "loaded",
    "packed",
    "packed_factors",
    "words_of",
]

CONSTANT_BYTES = 60_000
"""Weights beyond this do not fit into the 64 KiB of constant memory."""


def immediates(
    weights: NDArray[np.float64], factors: Sequence[Factor], members: int, acc: str
) -> list[str]:
    """Weights ``(members, kH, kW)``, or columns and rows of the terms of each member after one another."""
    if not factors:
        return [
            "#define SEPARABLE 0\n#define LINES 1",
            _function(
                "weight", "int p, int i, int j", "(p * KERNEL_H + i) * KERNEL_W + j", weights, acc
            ),
        ]
    terms = len(factors) // members
    down = np.stack([column for column, _ in factors])
    across = np.stack([row for _, row in factors])
    return [
        f"#define SEPARABLE 1\n#define TERMS {terms}\n#define LINES (MEMBERS * TERMS)",
        _function("column", "int p, int t, int i", "(p * TERMS + t) * KERNEL_H + i", down, acc),
        _function("across_weight", "int line, int j", "line * KERNEL_W + j", across, acc),
    ]


def words_of(rows: int) -> int:
    """Words that hold a byte of each row.

    >>> words_of(4), words_of(5)
    (1, 2)
    """
    return -(-rows // 4)


def packed(weights: NDArray[np.float64]) -> list[str]:
    """Columns of whole weights as words of signed bytes, the lowest row in the highest byte."""
    words = words_of(weights.shape[1])
    place = "(p * KERNEL_W + j) * WORDS + w"
    return [f"#define FACTORED 0\n#define WORDS {words}", _byte_words(place, weights)]


def is_whole(weights: NDArray[np.float64]) -> bool:
    """Whether all weights are whole numbers."""
    return bool((np.rint(weights) == weights).all())


def fit_bytes(weights: NDArray[np.float64]) -> bool:
    """Whether all weights are whole numbers that signed bytes hold, of either sign.

    >>> fit_bytes(np.array([-127.0, 127])), fit_bytes(np.array([128.0])), fit_bytes(np.array([0.5]))
    (True, False, False)
    """
    return is_whole(weights) and bool(np.abs(weights).max() <= 127)


def packed_factors(factors: Sequence[Factor]) -> list[str]:
    """The column of each member as words of signed bytes, and its row."""
    down = np.stack([column for column, _ in factors])[..., None]
    across = np.stack([row for _, row in factors])
    return [
        f"#define FACTORED 1\n#define WORDS {words_of(down.shape[1])}",
        _byte_words("p * WORDS + w", down),
        _function("across_weight", "int p, int j", "p * KERNEL_W + j", across, "int32"),
    ]


def _byte_words(place: str, weights: NDArray[np.float64]) -> str:
    """Columns of ``(members, kH, kW)`` as a function of member, column and word."""
    members, rows, columns = weights.shape
    words = words_of(rows)
    padded = np.zeros((members, columns, words * 4), np.int8)
    padded[..., words * 4 - rows :] = weights.transpose(0, 2, 1)
    return _function("packed", "int p, int j, int w", place, padded.view("<i4"), "int32")


def fits_constant(weights: NDArray[np.float64], acc: str) -> bool:
    """Whether weights fit into constant memory."""
    return weights.size * np.dtype(acc).itemsize <= CONSTANT_BYTES


def loaded(weights: NDArray[np.float64], dtype: str, acc: str) -> list[str]:
    """Weights that are loaded, from constant memory or from ``weights`` of the arguments.

    Zeros among them are skipped where a sample may be infinite.
    """
    skip = dtype not in WHITE and dtype != "int32" and bool((weights == 0).any())
    table = f"__constant__ acc_t WEIGHTS[] = {_list(weights, acc)};"
    return [
        f"#define SKIP_ZEROS {int(skip)}",
        table if fits_constant(weights, acc) else "#define WEIGHTS weights",
    ]


def _function(name: str, parameters: str, place: str, values: NDArray[Any], dtype: str) -> str:
    """Numbers as a function of loop counters: unrolled loops turn them into literals.

    They stand outside of it, since compilers make a copy of what stands inside for each call.
    """
    kind = C_TYPES[dtype]
    return (
        f"static __device__ constexpr {kind} {name}_values[] = {_list(values, dtype)};\n"
        f"static __device__ __forceinline__ {kind} {name}({parameters}) "
        f"{{ return {name}_values[{place}]; }}"
    )


def _list(values: NDArray[Any], dtype: str) -> str:
    return "{" + ",".join(literal(v, C_TYPES[dtype]) for v in values.ravel().tolist()) + "}"
