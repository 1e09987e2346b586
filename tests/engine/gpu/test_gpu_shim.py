"""The stand-in for barriers and shared memory finds kernels that only happen to work."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.engine.gpu.kernel_source import KernelSource

THREADS = 96


def run(shim, body, threads=THREADS, blocks=3):
    """Run ``k(in, out)`` with one int for each thread."""
    text = (
        f'extern "C" __global__ void k(const int *in, int *out)\n'
        f"{{ const int t = threadIdx.x, at = blockIdx.x * blockDim.x + t; {body} }}\n"
    )
    rng = np.random.default_rng(4)
    x = rng.integers(0, 1000, (blocks, threads)).astype(np.int32)
    out = np.zeros_like(x)
    shim.launch(KernelSource("k", text), (blocks, 1), (threads, 1), (x, out))
    return x, out


TURNED = "__shared__ int held[96]; held[t] = in[at]; %s out[at] = held[(t + 1) %% 96];"


def test_threads_see_what_others_wrote_before_a_barrier(shim):
    x, out = run(shim, TURNED % "__syncthreads();")
    np.testing.assert_array_equal(out, np.roll(x, -1, axis=1))


def test_a_barrier_that_is_missing_shows(shim):
    """In every block: memory that nobody has written yet is noise."""
    x, out = run(shim, TURNED % "")
    assert (out != np.roll(x, -1, axis=1)).any(axis=1).all()


REUSED = """
    __shared__ int held[96];
    int sum = 0;
    for (int k = 0; k < 4; k++) {
        held[t] = in[at] + k;
        __syncthreads();
        sum += held[95 - t];
        %s
    }
    out[at] = sum;
"""


def test_memory_that_is_written_while_others_still_read_it_shows(shim):
    x, out = run(shim, REUSED % "__syncthreads();")
    np.testing.assert_array_equal(out, 4 * x[:, ::-1] + 6)
    x, out = run(shim, REUSED % "")
    assert (out != 4 * x[:, ::-1] + 6).any(axis=1).all()


@pytest.mark.parametrize(
    "body",
    [
        "if (t == 95) return; __syncthreads(); out[at] = 1;",
        "if (t < 32)\n __syncthreads();\n else\n __syncthreads();",
        "for (int k = 0; k < (t > 5); k++) __syncthreads();",
        "if (t != 40) __syncwarp(); out[at] = 1;",
    ],
    ids=["one_leaves", "different_ones", "turns_differ", "warp"],
)
def test_threads_that_do_not_meet_are_found(shim, body):
    with pytest.raises(AssertionError, match="wait at a barrier that others do not meet"):
        run(shim, body)
    # The next launch starts afresh.
    run(shim, "__syncthreads();")


def test_a_fault_is_forgotten_with_its_launch(shim):
    body = "if (in[blockIdx.x * blockDim.x] % 2 && t == 3) return; __syncthreads(); out[at] = 1;"
    with pytest.raises(AssertionError, match="barrier"):
        run(shim, body, threads=64, blocks=5)
    x, out = run(shim, "__syncthreads(); out[at] = in[at];")
    np.testing.assert_array_equal(out, x)


def test_values_are_exchanged_within_a_warp(shim):
    body = """
        int sum = in[at];
        for (int by = 1; by < 32; by *= 2) {
            const int other = __shfl_up_sync(~0u, sum, by);
            sum += t % 32 >= by ? other : 0;
        }
        out[at] = sum + __shfl_sync(~0u, in[at], 7) + __shfl_down_sync(~0u, t, 3)
                  + __shfl_xor_sync(~0u, t, 5);
    """
    x, out = run(shim, body)
    t = np.arange(THREADS)
    warps = x.reshape(-1, 3, 32)
    want = warps.cumsum(axis=2) + warps[:, :, 7:8]
    down = np.where(t % 32 < 29, t + 3, t)
    np.testing.assert_array_equal(out, want.reshape(x.shape) + down + (t ^ 5))


def test_two_dimensions_of_a_block(shim):
    text = (
        'extern "C" __global__ void k(int *out) { __shared__ int held[8][33];\n'
        "const int x = threadIdx.x, y = threadIdx.y; held[y][x] = 100 * y + x; __syncthreads();\n"
        "out[y * 32 + x] = held[7 - y][31 - x]; }"
    )
    out = np.zeros((8, 32), np.int32)
    shim.launch(KernelSource("k", text), (1, 1), (32, 8), (out,))
    want = 100 * np.arange(7, -1, -1)[:, None] + np.arange(31, -1, -1)
    np.testing.assert_array_equal(out, want)
