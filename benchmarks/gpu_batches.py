"""Pictures that come from somewhere and go somewhere: memory to memory, and whole commands."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gpu_bench import Bench, Row, picture, wall
from pictures import photograph
from PIL import Image

from convcli.engine.dispatch import execute
from convcli.engine.gpu.cupy_device import device_of_thread
from convcli.engine.gpu.cupy_run import run_chain
from convcli.engine.plan import plan_filter
from convcli.kernels.load import load_kernel

AT_ONCE = 3
"""Pictures under way: one comes, one is computed, one goes."""

STRIPS = 8
"""In so many a picture goes over the bus and back alone."""

KERNELS = ("sobel-x", "gaussian:3")


def rows(bench: Bench) -> list[Row]:
    """Memory to memory first: it is quick, and says what the rest can be."""
    return [
        *(Row(f"memory {name}", partial(in_memory, bench, name)) for name in KERNELS),
        *(Row(f"{suffix} batch {name}", partial(batch, bench, suffix, name))
          for name in KERNELS for suffix in ("png", "jpg")),
        *(Row(f"{suffix} one {name}", partial(one_file, bench, suffix, name))
          for name in ("sobel-x", "gaussian:10") for suffix in ("ppm", "png")),
    ]  # fmt: skip


def in_memory(bench: Bench, name: str) -> dict[str, Any]:
    """Transfers included, against the transfers alone and the CPU; one picture, and many."""
    shape = (*bench.amount.photo, 3)
    x = picture(shape, "uint8")
    plans = {
        b: plan_filter(shape, "uint8", [load_kernel(name)], backend=b, range="auto")
        for b in ("cupy", "numpy")
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        each = []
        for work in (partial(run_chain, plans["cupy"]), transfers_alone):
            deque(pool.map(work, [x] * AT_ONCE), 0)
            begin = time.perf_counter()
            deque(pool.map(work, [x] * bench.amount.pictures), 0)
            each.append((time.perf_counter() - begin) / bench.amount.pictures)
    return {
        "cpu": wall(lambda: execute(plans["numpy"], x), 5),
        "one": wall(lambda: run_chain(plans["cupy"], x), bench.amount.rounds),
        "one, transfers alone": wall(lambda: transfers_alone(x), bench.amount.rounds),
        "each of many": each[0],
        "each of many, transfers alone": each[1],
        "pictures": bench.amount.pictures,
    }


def transfers_alone(x: Any) -> Any:
    """To the device and back in strips, the way a filter does it, without the filter."""
    device = device_of_thread(0)
    flat = x.reshape(x.shape[0], -1)
    out = np.empty_like(flat)
    with device:
        slab = device.xp.empty(flat.shape, flat.dtype)
        for rows in np.array_split(np.arange(len(flat)), STRIPS):
            strip = slice(rows[0], rows[-1] + 1)
            device.upload(flat[strip], slab[strip], beside=True)
            device.download(slab[strip], out[strip])
        device.finish()
    return out


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary one."""
    made = Path(tempfile.mkdtemp(prefix="convcli-gpu-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def written(path: Path, height: int, width: int) -> Path:
    """A photograph in the format that its suffix says."""
    pixels = photograph(width, height)
    if path.suffix == ".ppm":
        path.write_bytes(b"P6\n%d %d\n255\n" % (width, height) + pixels.tobytes())
    elif path.suffix == ".png":
        Image.fromarray(pixels).save(path, compress_level=1)
    else:
        Image.fromarray(pixels).save(path, quality=92)
    return path


def both(bench: Bench, source: str, name: str, target: Path) -> dict[str, float]:
    """Seconds of the command on the GPU and on the CPU."""
    begin = ["filter", source, "-k", name, "-o", str(target), "--overwrite", "-q", "--backend"]
    return {b: bench.commands([*begin, b]) for b in ("cupy", "numpy")}


def one_file(bench: Bench, suffix: str, name: str) -> dict[str, Any]:
    """A large photograph, from file to file."""
    with folder() as home:
        source = written(home / f"in.{suffix}", *bench.amount.photo)
        return both(bench, str(source), name, home / f"out.{suffix}")


def batch(bench: Bench, suffix: str, name: str) -> dict[str, Any]:
    """Many photographs by one command."""
    with folder() as home:
        width, height = bench.amount.file_size
        first = written(home / f"0.{suffix}", height, width)
        for number in range(1, bench.amount.files):
            shutil.copy(first, home / f"{number}.{suffix}")
        target = home / "out"
        target.mkdir()
        return both(bench, str(home / f"*.{suffix}"), name, target) | {"files": bench.amount.files}
