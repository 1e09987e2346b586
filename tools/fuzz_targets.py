"""What is fuzzed: each target makes a case from a number, and says if it went wrong.

A case is right if it ends as it should, or is refused by an error of convcli in one line: exit 0,
1 or 2, never an internal error. Only these targets know convcli; ``fuzz.py`` knows time, memory
and crashes.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from fuzz_corpus import pictures
from fuzz_libraries import folder, read_as_libraries_do
from mutations import damage, damage_text, with_right_sums

from convcli.errors import ConvcliError

__all__ = ["GROUPS", "TARGETS", "Finding", "pictures"]

ROOT = Path(__file__).parents[1]
MAX_PIXELS = 4_000_000
"""Of a mutated picture: enough to read all of the corpus, little enough to fuzz fast."""


class Finding(Exception):
    """convcli did something that it must not do."""


# ---------------------------------------------------------------- parsers


def refusable(call: Callable[[], object]) -> None:
    """Let convcli refuse the case; anything else that is raised is a finding."""
    try:
        call()
    except ConvcliError as error:
        if not str(error).strip():
            raise Finding("refused without a reason") from error


def as_file(data: bytes, suffix: str) -> Path:
    path = folder() / f"case{suffix}"
    path.write_bytes(data)
    return path


@cache
def kernel_files() -> list[tuple[str, bytes]]:
    paths = sorted(p for p in (ROOT / "samples/kernels").iterdir() if p.suffix != ".md")
    return [(p.suffix, p.read_bytes()) for p in paths]


LITERALS = [
    "1 0 -1; 2 0 -2; 1 0 -1",
    "[[0, -1, 0], [-1, 5, -1], [0, -1, 0]]",
    "3x3: 1,0,-1 2,0,-2 1,0,-1",
    "2x2+0+1: 1,- 1/3,nan",
    '{"weights": [[1, 2, 1]], "scale": "1/4", "bias": 3, "role": "smooth"}',
    "gaussian:1.5",
    "gabor:sigma=3,theta=45",
    "motion:9,30",
    "dog:1,1.6",
    "box:3x5",
]


def kernel_file(rnd: random.Random) -> None:
    """Kernel files of every format."""
    from convcli.kernels.load import load_kernel

    suffix, data = rnd.choice(kernel_files())
    if rnd.random() < 0.1:
        suffix = rnd.choice((".json", ".toml", ".mat", ".npy", ".txt", ""))
    others = [d for _, d in kernel_files()]
    if suffix == ".npy" or rnd.random() < 0.3:
        data = damage(data, rnd, others)
    else:
        texts = [d.decode("utf-8", "replace") for d in others]
        data = damage_text(data.decode("utf-8", "replace"), rnd, texts).encode("utf-8", "replace")
    path = as_file(data, suffix)
    refusable(lambda: load_kernel(path))


def kernel_literal(rnd: random.Random) -> None:
    """Kernels written on the command line, presets with parameters among them."""
    from convcli.kernels.load import load_kernel

    text = damage_text(rnd.choice(LITERALS), rnd, LITERALS)
    # motion:9500,45 is within the cap of 10,000x10,000, and takes what it takes.
    with contextlib.suppress(MemoryError):
        refusable(lambda: load_kernel(text))


CHAINS = [
    "conv 64 k3 p1 | relu | maxpool k2 | flatten | linear 10",
    "conv 32 k7 s2 p3 | bn | relu | [ conv 32 k3 p1 | relu ] x 3 | avgpool global",
    "convt 16 k4 s2 p1 op1 | depthwise k3 | conv 8 k1 g2 | dropout",
]
TENSORS = [
    "1 2; 3 4",
    "[[1, 2], [3, 4.5]]",
    "a b c",
    "2a+b -c; 1 0",
    "1/2, 2e3\n-3, .4",
    '{"shape": [1, 2], "dtype": "float32", "data": [[1, 2]]}',
    "[[[[1]]], [[[2]]]]",
]


@cache
def networks() -> list[str]:
    folder = ROOT / "convcli/arithmetic/networks"
    return [path.read_text() for path in sorted(folder.glob("*.toml"))]


def network_text(rnd: random.Random) -> None:
    """Network descriptions: chains, TOML and JSON, worked out for an input."""
    import json
    import tomllib

    from convcli.arithmetic.network import Network

    if rnd.random() < 0.4:
        source = damage_text(rnd.choice(CHAINS), rnd, CHAINS)
    else:
        text, suffix = rnd.choice(networks()), ".toml"
        if rnd.random() < 0.4:
            text, suffix = json.dumps(tomllib.loads(text)), ".json"
        data = damage_text(text, rnd, networks() + CHAINS).encode("utf-8", "replace")
        source = str(as_file(data, suffix))
    refusable(lambda: Network.load(source).evaluate((3, 32, 40)))


def tensor_text(rnd: random.Random) -> None:
    """Tensor literals and files."""
    from convcli.ops.read_tensor import read_tensor

    choice = rnd.random()
    if choice < 0.6:
        source = damage_text(rnd.choice(TENSORS), rnd, TENSORS)
        if source.strip() == "-":
            return  # standard input
    elif choice < 0.8:
        data = damage_text(rnd.choice(TENSORS), rnd, TENSORS).encode("utf-8", "replace")
        source = str(as_file(data, rnd.choice((".json", ".csv", ".txt"))))
    else:
        buffer = io.BytesIO()
        array = np.arange(24, dtype=rnd.choice(("i1", ">i4", "f2", "<f8"))).reshape(2, 3, 4)
        if choice < 0.9:
            np.save(buffer, array)
        else:
            np.savez(buffer, x=array, y=array[0])
        data = damage(buffer.getvalue(), rnd, [b"\x93NUMPY\1\0", b"PK\3\4", b"(2, 3, 4)"])
        source = str(as_file(data, ".npy" if choice < 0.9 else ".npz")) + (
            ":x" if choice >= 0.9 else ""
        )
    refusable(lambda: read_tensor(source))


def png_round_trip(rnd: random.Random) -> None:
    """Any array, written as PNG, is read back the same by convcli and by Pillow or libpng."""
    import imagecodecs

    from convcli.imaging.formats.png.write import encode_png
    from convcli.imaging.header import Metadata
    from convcli.imaging.opening import decode_picture

    shape = (rnd.randint(1, 70), rnd.randint(1, 90), rnd.randint(1, 4))
    dtype = rnd.choice((np.uint8, np.uint16))
    top = rnd.choice((1, 3, 255, np.iinfo(dtype).max))
    rng = np.random.default_rng(rnd.getrandbits(64))
    pixels = rng.integers(0, top, shape, dtype, endpoint=True)
    if rnd.random() < 0.5:
        pixels = np.cumsum(pixels, axis=rnd.randrange(2), dtype=dtype)
    compression = rnd.choice(("default", "default", "small"))
    data = encode_png(pixels, Metadata(), threads=rnd.choice((1, 2)), compression=compression)
    (frame,) = decode_picture(data, "case.png").frames
    if frame.pixels.dtype != pixels.dtype or not np.array_equal(frame.pixels, pixels):
        raise Finding(f"a PNG of {shape} {dtype.__name__} came back changed")
    if not np.array_equal(imagecodecs.png_decode(data).reshape(shape), pixels):
        raise Finding(f"libpng reads another picture of {shape} {dtype.__name__}")


# ---------------------------------------------------------------- filter


KERNELS = ("sobel-x", "box:3", "gaussian:1.5", "grayscale", "identity", "1 2; 3 -7")
OPTIONS = ((), (), (), ("--stride", "2"), ("--padding", "valid"), ("--linear",), ("--luma",))


def mutated_picture(rnd: random.Random) -> tuple[str, bytes]:
    """A damaged file of the corpus and its suffix."""
    name = rnd.choice(sorted(pictures()))
    data = damage(pictures()[name], rnd, list(pictures().values()))
    suffix = Path(name).suffix
    if suffix == ".png" and rnd.random() < 0.8:
        data = with_right_sums(data)
    return suffix, data


def filter_picture(rnd: random.Random) -> None:
    """``convcli filter`` on a damaged picture, the whole command line in this process."""
    from convcli.cli.app import run

    suffix, data = mutated_picture(rnd)
    source = as_file(data, suffix)
    if rnd.random() < 0.25:
        suffix = rnd.choice((".png", ".jpg", ".tif", ".webp", ".gif", ".bmp", ".ppm"))
    target = folder() / f"out{suffix.replace('.pfm', '.pgm')}"
    target.unlink(missing_ok=True)
    arguments = ["filter", str(source), "-k", rnd.choice(KERNELS), "-o", str(target)]
    arguments += ["--max-pixels", str(MAX_PIXELS), *rnd.choice(OPTIONS)]
    with Said() as said:
        code = run(arguments)
    judge(code, said.text, target)


class Said:
    """What is written to standard error, by convcli and by the C libraries below it."""

    def __enter__(self) -> Said:
        sys.stderr.flush()
        self._file = tempfile.TemporaryFile(dir=folder())
        self._kept = os.dup(2)
        os.dup2(self._file.fileno(), 2)
        self._python, sys.stderr = sys.stderr, os.fdopen(os.dup(2), "w")
        return self

    def __exit__(self, *problem: object) -> None:
        sys.stderr.close()
        sys.stderr = self._python
        os.dup2(self._kept, 2)
        os.close(self._kept)
        self._file.seek(0)
        self.text = self._file.read().decode("utf-8", "replace")
        self._file.close()


def judge(code: int, said: str, target: Path) -> None:
    """The oracle of ``filter``."""
    lines = said.splitlines()
    if code not in (0, 1, 2):
        raise Finding(f"exit {code}: {said}")
    for sign in ("Traceback", "internal error", "not enough memory"):
        if sign in said:
            raise Finding(said)
    if any(path.name.startswith(".convcli-") for path in folder().iterdir()):
        raise Finding("a temporary file was left")
    if code:
        if len(lines) != 1 or not lines[0].startswith("convcli: "):
            raise Finding(f"exit {code}, but not in one line: {said!r}")
        if target.exists():
            raise Finding(f"exit {code}, but the output is there")
    else:
        opens(target)


def opens(path: Path) -> None:
    """Whether another program reads the picture, every frame of it."""
    data = path.read_bytes()
    if path.suffix == ".npy":
        np.load(io.BytesIO(data), allow_pickle=False)
        return
    if path.suffix == ".tif":
        import tifffile

        with tifffile.TiffFile(io.BytesIO(data)) as file:
            for page in file.pages:
                page.asarray()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # EXIF that was damaged is kept as it was
        with Image.open(io.BytesIO(data)) as image:
            for index in range(getattr(image, "n_frames", 1)):
                image.seek(index)
                image.load()


TARGETS: dict[str, Callable[[random.Random], None]] = {
    "kernel-files": kernel_file,
    "kernel-literals": kernel_literal,
    "networks": network_text,
    "tensors": tensor_text,
    "png": png_round_trip,
    "filter": filter_picture,
    "libraries": read_as_libraries_do,
}
GROUPS = {
    "parsers": [name for name in TARGETS if name not in ("filter", "libraries")],
    "all": list(TARGETS),
}
