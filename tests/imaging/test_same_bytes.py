"""The same picture gives the same PNG, whatever the loops, the threads, the memory, the moment."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from convcli.extensions import VARIABLE, extension
from convcli.imaging.formats.png.chunks import walk
from convcli.imaging.formats.png.write import AVERAGE, CACHED_BYTES, PAETH, SUB, UP, encode_png
from convcli.imaging.header import Metadata

compiled = pytest.mark.skipif(extension("_png").module is None, reason="needs the compiled loops")


def without_loops(pixels: np.ndarray) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "numpy")
        return encode_png(pixels, Metadata())


def filters(data: bytes, height: int) -> set[int]:
    stream = b"".join(bytes(body) for kind, body, _ in walk(data, "x") if kind == b"IDAT")
    return set(np.frombuffer(zlib.decompress(stream), np.uint8).reshape(height, -1)[:, 0].tolist())


def mixed(height: int, width: int, channels: int, dtype: str) -> np.ndarray:
    """Slopes to the right, down and both ways, and noise, which want different filters."""
    rng = np.random.default_rng([height, width, channels])
    y, x = np.indices((height, width))
    slopes = [x * 9, y * 11, x * 5 + y * 7, rng.integers(0, 256, x.shape)]
    values = np.choose(y * 4 // height, slopes)[..., None]
    values = values + rng.integers(0, 3, (height, width, channels))
    return (values * 251 if dtype == "uint16" else values).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_with_and_without_compiled_loops(isa: str, channels: int, dtype: str) -> None:
    taken: set[int] = set()
    long = CACHED_BYTES // channels + 3  # a row that is more than NumPy filters at a time
    for height, width in ((1, 1), (5, 2), (40, 33), (7, 500), (700, 61), (6, long)):
        pixels = mixed(height, width, channels, dtype)
        data = encode_png(pixels, Metadata())
        assert without_loops(pixels) == data, (height, width)
        taken |= filters(data, height)
    assert taken >= {SUB, UP, AVERAGE, PAETH}


def test_where_sums_are_equal_and_at_the_ends_of_the_range(isa: str) -> None:
    few = np.random.default_rng(3).integers(0, 3, (900, 9, 1), dtype=np.uint8) * 127
    values = np.array([0, 1, 2, 127, 128, 129, 254, 255], np.uint8)
    a, b, c, x = (grid.ravel() for grid in np.meshgrid(*[values] * 4))
    squares = np.stack([c, b, a, x], axis=1).reshape(-1, 2, 1)  # two rows of two pixels
    for pixels in (few, squares):
        assert without_loops(pixels) == encode_png(pixels, Metadata())


@compiled
def test_a_command_without_compiled_loops_writes_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(encode_png(mixed(90, 80, 3, "uint8"), Metadata()))
    for loops in ("", "numpy"):
        command = [sys.executable, "-m", "convcli", "filter", "in.png", "-k", "sharpen"]
        command += ["-o", f"out{loops}.png"]
        environment = os.environ | {VARIABLE: loops}
        subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert (tmp_path / "out.png").read_bytes() == (tmp_path / "outnumpy.png").read_bytes()


ADDRESSES = """
import hashlib, zlib
import numpy as np
from convcli.imaging.formats.png.packing import pack_matches

rng = np.random.default_rng(1)
strips = []
for _ in range(8):
    # What begins as the strip began, and what begins as its third byte did, comes again.
    noise = rng.integers(0, 256, 300, dtype=np.uint8).tobytes()
    strips.append(memoryview(noise + noise[2:40] + noise[:50] + rng.bytes(400)))
found = [set() for _ in strips]
spacers = []
for _ in range(4000):
    spacers.append(np.empty(1 << 16, np.uint8))  # never written, so it takes no room
    for strip, hashes in zip(strips, found):
        packed = b"".join(pack_matches(strip, zlib.Z_FINISH))
        assert zlib.decompress(packed, -15) == strip
        hashes.add(hashlib.sha256(packed).hexdigest())
print([len(hashes) for hashes in found])
"""


@pytest.mark.slow
def test_the_address_of_the_compressor_does_not_matter() -> None:
    """ISA-L alone, given each strip in one piece, packs some of these in two or three ways."""
    command = [sys.executable, "-c", ADDRESSES]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(1 << 29)}  # all side by side
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == str([1] * 8)


STRESS = """
import hashlib, os, signal
import numpy as np
from convcli.imaging.formats.png import write as png_write
from convcli.imaging.header import Metadata

def pictures():
    rng = np.random.default_rng(5)
    for shape in ((200, 220, 3), (90, 70, 1), (61, 300, 4), (300, 260, 2)):
        noise = rng.integers(0, 256, shape)
        smooth = sum(np.roll(noise, n, 0) + np.roll(noise, n, 1) for n in range(8)) // 16
        for values in (noise, smooth, noise // 200 * 90):  # packed badly, less so, and well
            yield values.astype(np.uint8)
        yield (smooth * 251).astype(np.uint16)

if hasattr(signal, "setitimer"):  # interrupted somewhere in the midst of it
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 3e-4, 3e-4)
png_write.THREADED_BYTES = 0
found = [set() for _ in pictures()]
rng = np.random.default_rng(os.getpid())
for turn in range(60):
    # Freed blocks, full of anything, of the sizes that the encoder will ask for.
    dirt = [rng.bytes(int(size)) for size in rng.integers(1 << 10, 1 << 19, 24)]
    del dirt[:: 1 + turn % 3]
    for pixels, hashes in zip(pictures(), found):
        offset = turn % 64 * pixels.itemsize
        moved = np.empty(pixels.nbytes + offset, np.uint8)[offset:].view(pixels.dtype)
        moved = moved.reshape(pixels.shape)
        moved[...] = pixels
        data = png_write.encode_png(moved, Metadata(), threads=1 + turn % 4)
        hashes.add(hashlib.sha256(data).hexdigest())
if hasattr(signal, "setitimer"):
    signal.setitimer(signal.ITIMER_REAL, 0)
assert all(len(hashes) == 1 for hashes in found), [len(hashes) for hashes in found]
print(*(hashes.pop() for hashes in found))
"""

MEMORY = [
    {},
    {"MALLOC_PERTURB_": "85", "PYTHONMALLOC": "malloc"},
    {"MALLOC_PERTURB_": "255", "MALLOC_ARENA_MAX": "1"},
    {"MALLOC_MMAP_THRESHOLD_": str(1 << 28), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)},
    {VARIABLE: "numpy", "MALLOC_PERTURB_": "1"},
]
"""What memory holds when it is handed out, whether it was used before, and where it lies (words of
glibc, which say nothing elsewhere)."""


@pytest.mark.slow
def test_thousands_of_encodings_in_any_memory_with_any_threads() -> None:
    found = []
    for environment in MEMORY:
        command, whole = [sys.executable, "-c", STRESS], os.environ | environment
        done = subprocess.run(command, env=whole, stdout=subprocess.PIPE, text=True, check=True)
        found.append(done.stdout.split())
    assert len(found[0]) == 16
    assert all(hashes == found[0] for hashes in found)
