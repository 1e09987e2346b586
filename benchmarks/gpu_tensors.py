"""Convolutions of tensors beside PyTorch: forward, both gradients and transposed; no TF32."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from gpu_bench import TINY, Bench, Row
from gpu_peers import NoPeer, torch_on_gpu, torch_time

import convcli

TENSORS = [
    ("conv 64->64 k3", (32, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}),
    ("depthwise 128 k3", (32, 128, 56, 56), (128, 1, 3, 3), {"padding": 1, "groups": 128}),
    ("conv 3->64 k7 s2", (32, 3, 224, 224), (64, 3, 7, 7), {"padding": 3, "stride": 2}),
    ("conv 128->256 k1", (32, 128, 28, 28), (256, 128, 1, 1), {}),
    ("conv 16->32 k3", (8, 16, 256, 256), (32, 16, 3, 3), {"padding": 1}),
]
WAYS = {"forward": 1, "gradients": 2, "transposed": 1}
"""And how often each multiplies."""


def rows(bench: Bench) -> list[Row]:
    """Each way of each tensor; forward first."""
    return [
        Row(f"{name}, {way}", partial(row, bench, way, shape, weight, options))
        for way in WAYS
        for name, shape, weight, options in TENSORS
    ]


def row(
    bench: Bench, way: str, shape: tuple[int, ...], weight: tuple[int, ...], options: dict[str, Any]
) -> dict[str, Any]:
    """Seconds of ours and of PyTorch."""
    rng = np.random.default_rng(2)
    shape = (1, shape[1], 9, 9) if bench.amount is TINY else shape
    with bench.device:
        x, w = (bench.cp.asarray(rng.standard_normal(s, np.float32)) for s in (shape, weight))
        y = convcli.conv(x, w, **options)
        ways: dict[str, Callable[[], Any]] = {
            "forward": lambda: convcli.conv(x, w, **options),
            "gradients": lambda: convcli.conv_grad(y, x, w, **options),
            "transposed": lambda: convcli.conv_transpose(y, w, **options),
        }
        seconds = bench.time(ways[way])
        made: dict[str, Any] = {
            "s": seconds,
            "multiply_adds": WAYS[way] * y.size * math.prod(weight[1:]),
        }
        try:
            made["torch"] = by_torch(bench, way, x, w, y, options)
        except Exception as error:  # theirs, whatever it is
            made["torch"] = (
                str(error) if isinstance(error, NoPeer) else f"{type(error).__name__}: {error}"
            )
    bench.free()
    return made


def by_torch(bench: Bench, way: str, x: Any, w: Any, y: Any, options: dict[str, Any]) -> float:
    """Seconds of PyTorch."""
    torch = torch_on_gpu()
    bench.cp.cuda.runtime.deviceSynchronize()
    tx, tw, ty = (torch.as_tensor(a, device="cuda") for a in (x, w, y))
    conv, grad = torch.nn.functional.conv2d, torch.nn.grad
    transposed = torch.nn.functional.conv_transpose2d
    ways: dict[str, Callable[[], Any]] = {
        "forward": lambda: conv(tx, tw, **options),
        "gradients": lambda: (
            grad.conv2d_input(tx.shape, tw, ty, **options),
            grad.conv2d_weight(tx, tw.shape, ty, **options),
        ),
        "transposed": lambda: transposed(ty, tw, **options),
    }
    return torch_time(bench, torch, ways[way])
