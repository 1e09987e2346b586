"""Kernel files and literals: find out which format it is, and read it.

======  =======================================================================================
suffix  format
======  =======================================================================================
.npy    NumPy array of shape (kH, kW) or (C_out, C_in, kH, kW)
.json   array of rows (GDAL's matrix), or object with weights, scale, bias, name, ...
.toml   the same object as a table
.mat    libvips: ``W H [scale offset]``, then the rows; sums are *divided* by its scale
others  text: rows with commas, tabs, spaces or semicolons (CSV, TSV, ImageJ), perhaps below a
        header, an ImageMagick string, or JSON or TOML, told apart by how it begins
======  =======================================================================================
"""

from __future__ import annotations

import re
from pathlib import Path

from convcli.errors import KernelError
from convcli.kernels.imagemagick import is_imagemagick, parse_imagemagick
from convcli.kernels.json_text import quote_bare_words
from convcli.kernels.kernel import MAX_SIDE, Kernel
from convcli.kernels.npy import MAGIC, read_npy
from convcli.kernels.regular_file import open_regular, read_regular
from convcli.kernels.weight_rows import parse_rows

__all__ = ["MAX_TEXT_BYTES", "load_file", "parse_literal"]

MAX_TEXT_BYTES = 16 << 20

_LITERAL = "literal"
# Each line can match in one way only: a search that goes back over 30 empty lines takes minutes.
_TABLE = re.compile(r"(?:[^\S\n]*(?:#[^\n]*)?\n)*[^\S\n]*[A-Za-z_]+[^\S\n]*=")


def load_file(path: Path) -> Kernel:
    """Read a kernel file; its name, without the suffix, becomes the kernel's.

    Raises
    ------
    KernelError
        If it is missing, not a regular file, too large or not a kernel; names the file, and
        the line where there is one.
    """
    name = str(path)
    try:
        return _load(path, name)
    except KernelError as error:
        if name in str(error):
            raise
        raise KernelError(f"{name}: {error}") from error


def _load(path: Path, name: str) -> Kernel:
    with open_regular(path) as file:
        is_npy = file.read(len(MAGIC)) == MAGIC
    if is_npy or path.suffix.lower() == ".npy":
        weights = read_npy(path, name, check_shape=lambda shape: _check_shape(shape, name))
        return Kernel(weights[None] if weights.ndim == 1 else weights, name=path.stem)
    text = _decode(read_regular(path, MAX_TEXT_BYTES, "store a large kernel as .npy"), name)
    return _parse(text, name, path.stem, path.suffix.lower())


def parse_literal(text: str) -> Kernel:
    """Read a kernel written on the command line.

    >>> parse_literal("3x3: 1,0,-1 2,0,-2 1,0,-1").weights[1].tolist()
    [2.0, 0.0, -2.0]
    >>> parse_literal("[[1, 2], [3, 4]]").shape
    (2, 2)
    """
    return _parse(text, _LITERAL, "kernel", "")


def _parse(text: str, name: str, stem: str, suffix: str) -> Kernel:
    from convcli.kernels.kernel_documents import parse_json, parse_toml

    if not text.strip():
        raise KernelError(f"{name} is empty")
    literal = name == _LITERAL and "\n" not in text
    if suffix == ".mat":
        return _parse_mat(text, name, stem)
    if suffix == ".json" or (
        suffix != ".toml" and text.lstrip()[0] in "[{" and not _TABLE.match(text)
    ):
        return parse_json(quote_bare_words(text) if name == _LITERAL else text, name, stem)
    if suffix == ".toml" or _TABLE.match(text):
        return parse_toml(text, name, stem)
    if is_imagemagick(text):
        return Kernel(parse_imagemagick(text, name), name=stem)
    weights, remark = parse_rows(text, name, numbered=not literal)
    return Kernel(weights, name=stem, remark=remark)


def _decode(data: bytes, name: str) -> str:
    if data.startswith(b"MATLAB"):
        raise KernelError(f"{name} is a MATLAB file; save the matrix as text, CSV or .npy")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise KernelError(f"{name} is not text in UTF-8, nor a .npy file") from error
    if "\0" in text:
        raise KernelError(f"{name} is binary, and not a .npy file")
    return text


def _check_shape(shape: tuple[int, ...], name: str) -> None:
    """Refuse what cannot be a kernel before its memory is asked for."""
    sides = "x".join(map(str, shape))
    if len(shape) not in (1, 2, 4):
        raise KernelError(
            f"{name} has {len(shape)} dimensions ({sides}); a kernel has 2 (kH, kW) or "
            "4 (C_out, C_in, kH, kW)"
        )
    if max(shape[-2:]) > MAX_SIDE:
        raise KernelError(f"{name} is {sides}; at most {MAX_SIDE}x{MAX_SIDE} is allowed")


def _parse_mat(text: str, name: str, stem: str) -> Kernel:
    """Read a libvips matrix. https://www.libvips.org/API/current/method.Image.matrixload.html"""
    header, _, body = text.lstrip("\n").partition("\n")
    numbers = parse_rows(header.replace(";", " "), f"{name}, line 1", numbered=False)[0][0].tolist()
    if len(numbers) not in (2, 4):
        raise KernelError(
            f"{name}, line 1: a .mat file begins with its width and height, or with width, "
            f"height, scale and offset; got {len(numbers)} numbers"
        )
    width, height, scale, offset = [*numbers, 1.0, 0.0][:4]
    size = f"{width:g}x{height:g}"
    if not all(n == int(n) and 1 <= n <= MAX_SIDE for n in (width, height)):
        raise KernelError(f"{name}, line 1: {size}; 1x1 to {MAX_SIDE}x{MAX_SIDE} is allowed")
    if scale == 0:
        raise KernelError(f"{name}, line 1: the scale is 0; libvips divides by it")
    weights, _ = parse_rows("\n" + body.replace(";", " "), name)
    if weights.shape != (height, width):
        raise KernelError(
            f"{name}, line 1: says {size} (width x height), but {weights.shape[1]}x"
            f"{weights.shape[0]} follow"
        )
    return Kernel(weights, scale=1 / scale, bias=offset, name=stem)
