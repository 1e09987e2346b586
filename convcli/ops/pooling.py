"""Max and average pooling, with their gradients."""

from __future__ import annotations

from convcli.ops.avg_pooling import avg_pool, avg_pool_grad, global_avg_pool
from convcli.ops.max_pooling import global_max_pool, max_pool, max_pool_grad

__all__ = [
    "avg_pool",
    "avg_pool_grad",
    "global_avg_pool",
    "global_max_pool",
    "max_pool",
    "max_pool_grad",
]
