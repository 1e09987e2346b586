"""Tensors from files and from the command line.

A text is a literal if it is JSON (begins with ``[`` or ``{``) or if all its entries are numbers
or symbols; but symbols stand back where there is a file of that name, or it looks like one.

=============  =================================================================================
source         what is read
=============  =================================================================================
``1 2; 1/3 4`` rows of numbers, separated by ``;`` or line ends; one row is one axis
``[[1, 2]]``   JSON arrays of any depth, or an object with ``data``, as ``--json`` writes
``a 2b x[0]``  symbols, for results like ``ax+by``; ``w_11``, ``w₁₁``, ``a'``, ``α``, ``-a/2``;
               in JSON ``[[a, b]]`` too
x.npy          one array; x.npz:name, one array of several
x.json         as the literal; other text files as rows (CSV, TSV, spaces)
a picture      (C, H, W), or (H, W) if gray; several frames are (N, C, H, W)
``-``          standard input, in any of these formats
=============  =================================================================================
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np

from convcli.arithmetic.numerals import parse_number
from convcli.errors import TensorError
from convcli.kernels.json_text import JsonNumber, load_json, quote_bare_words
from convcli.kernels.npy import MAGIC, read_npy
from convcli.kernels.regular_file import open_regular, read_regular
from convcli.kernels.text_table import split_table
from convcli.ops.exact import as_exact
from convcli.ops.operands import Array
from convcli.ops.polynomial import NAME, Number, Polynomial, entry_array, parse_entry
from convcli.system.files import exists

__all__ = ["parse_tensor", "read_tensor"]

MAX_TEXT_BYTES = 64 << 20
MAX_MEMBER_BYTES = 8 << 30
MAX_AXES = 8
_SUFFIX = re.compile(
    r"\.(npy|npz(:.*)?|json|csv|tsv|txt|png|jpe?g|gif|bmp|tiff?|webp|p[bgpn]m)$", re.I
)
_FRACTION = re.compile(r"[-+\N{MINUS SIGN}]?[0-9.]+/[-+0-9.]+[^\W\d]?[^/\\]*")
_DIVIDED = re.compile(rf"[-+\N{{MINUS SIGN}}]?[0-9.]*[*·]?{NAME}/[0-9]+")
_TOKENS = re.compile(r"[\s,;]+(?![^\[\]]{0,9}\])")
"""What separates entries, outside the brackets of ``x[0,1]``."""


def read_tensor(
    source: str,
    read_image: Callable[[bytes, str], Array] | None = None,
    *,
    exact: bool = False,
) -> Array:
    """Read a tensor from a file, standard input (``-``) or a literal.

    Parameters
    ----------
    source
        What the user typed.
    read_image
        Decodes the bytes of a picture, given its name; without it pictures are refused.
    exact
        Keep the numbers of a literal with a fraction in it as ``Fraction``; files are float64.

    Raises
    ------
    TensorError
        If it is neither, cannot be read, or holds something that is not a finite number.

    >>> read_tensor("1 2; 3 4").tolist()
    [[1, 2], [3, 4]]
    >>> read_tensor("1/3 1", exact=True).tolist()
    [Fraction(1, 3), Fraction(1, 1)]
    """
    if source == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise TensorError("standard input is a terminal; pipe a tensor into it or name a file")
        return _decode(sys.stdin.buffer.read(), "standard input", read_image)
    text = source.strip()
    if not text:
        raise TensorError("the tensor is empty; write numbers as in '1 2; 3 4', or name a file")
    if text[0] in "[{":
        return parse_tensor(quote_bare_words(text, fractions=exact), "literal", exact=exact)
    if _begins_with_number(text) and not _names_file(text):
        return parse_tensor(text, "literal", exact=exact)
    if _names_file(text) or exists(source):
        return _read_file(source, read_image)
    try:
        return parse_tensor(text, "literal", exact=exact)
    except TensorError as error:
        raise TensorError(
            f"{source!r} is no file, and no literal either: {error}; numbers are written as in "
            "'1 2; 3 4' or '[[1,2],[3,4]]'"
        ) from error


def _begins_with_number(text: str) -> bool:
    try:
        parse_number(re.split(r"[\s,;]+", text, maxsplit=1)[0])
    except ValueError as error:
        return "finite" in str(error) or "too l" in str(error)
    return True


def _names_file(text: str) -> bool:
    """Whether it looks like one: by its suffix, or by a slash that is not that of a fraction."""
    tokens = _TOKENS.split(text)
    folder, slash, _ = text.partition("/")
    if slash and len(tokens) == 1 and (re.fullmatch(r"[A-Za-z]{2,}", folder) or exists(folder)):
        return True  # photos/1 alone is a file, w_1/2 half of a symbol
    return _SUFFIX.search(text) is not None or any(
        ("/" in token or "\\" in token)
        and not _FRACTION.fullmatch(token)
        and not _DIVIDED.fullmatch(token)
        for token in tokens
    )


def _read_file(source: str, read_image: Callable[[bytes, str], Array] | None) -> Array:
    path, colon, member = source.rpartition(":")
    if colon and path.lower().endswith(".npz") and not exists(source):
        return _read_npz(path, member)
    if source.lower().endswith(".npz"):
        return _read_npz(source, "")
    with open_regular(source, error=TensorError) as file:
        head = file.read(len(MAGIC))
    if head == MAGIC or source.lower().endswith(".npy"):
        return _finite(read_npy(source, source, error=TensorError), source)
    limit = MAX_MEMBER_BYTES if read_image else MAX_TEXT_BYTES
    data = read_regular(source, limit, "store a large tensor as .npy", error=TensorError)
    return _decode(data, source, read_image)


def _read_npz(path: str, member: str) -> Array:
    with open_regular(path, error=TensorError) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                names = {
                    info.filename.removesuffix(".npy"): info
                    for info in archive.infolist()
                    if info.filename.endswith(".npy")
                }
                if not member and len(names) == 1:
                    member = next(iter(names))
                if member not in names:
                    known = ", ".join(names) or "no arrays"
                    raise TensorError(f"{path} holds {known}; name one of them as in {path}:NAME")
                info = names[member]
                if info.file_size > MAX_MEMBER_BYTES:
                    raise TensorError(f"{path}:{member} claims {info.file_size:,} bytes")
                data = archive.read(info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
            raise TensorError(f"{path} is not an .npz file: {error}") from error
        except Exception as error:
            if isinstance(error, TensorError):
                raise
            raise TensorError(f"{path} is a damaged .npz file: {error}") from error
    name = f"{path}:{member}"
    return _finite(read_npy(data, name, error=TensorError), name)


def _decode(data: bytes, name: str, read_image: Callable[[bytes, str], Array] | None) -> Array:
    if data.startswith(MAGIC):
        return _finite(read_npy(data, name, error=TensorError), name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if read_image is None:
            raise TensorError(f"{name} is neither text nor .npy") from error
        return read_image(data, name)
    if "\0" in text or re.match(r"P[1-7]\s", text):
        if read_image is None:
            raise TensorError(f"{name} is neither text nor .npy")
        return read_image(data, name)
    if len(data) > MAX_TEXT_BYTES:
        raise TensorError(f"{name} is text of {len(data):,} bytes; store a large tensor as .npy")
    return parse_tensor(text, name)


def _finite(array: Array, name: str) -> Array:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise TensorError(f"{name} holds values that are not finite (NaN or infinity)")
    return array


def parse_tensor(text: str, name: str, *, exact: bool = False) -> Array:
    """Read JSON, or rows of numbers or symbols.

    Whole numbers give int64, others float64, names an object array of polynomials; with
    ``exact`` numbers of which one is a fraction give an object array of fractions.

    >>> parse_tensor("1/2, 2\\n3, 4", "x.csv").tolist()
    [[0.5, 2.0], [3.0, 4.0]]
    """
    if not text.strip():
        raise TensorError(f"{name} is empty")
    if text.lstrip()[0] in "[{":
        return _json(text, name, exact)
    rows = split_table(text, name, numbered="\n" in text, error=TensorError)
    if not rows:
        raise TensorError(f"{name} holds no numbers")
    entries = []
    for row in rows:
        if len(row.cells) != len(rows[0].cells):
            raise TensorError(
                f"{row.place}: this row has {len(row.cells)} entries, the first has "
                f"{len(rows[0].cells)}; every row must be equally long"
            )
        entries.append([_entry(cell, row.place) for cell in row.cells])
    kinds = {type(entry) for row in entries for entry in row}
    if Polynomial in kinds:
        return entry_array(entries)
    return _numeric(entries if len(entries) > 1 else entries[0], kinds, exact)


def _numeric(entries: Any, kinds: set[Any], exact: bool) -> Array:
    """Nested lists of numbers as an array: fractions as they are, or as float64."""
    if Fraction not in kinds:
        return np.array(entries)
    return as_exact(entries) if exact else np.array(entries, np.float64)


def _entry(token: str, place: str) -> Number | Polynomial:
    try:
        return parse_entry(token)
    except TensorError as error:
        empty = "a cell is empty; write 0 where there is none"
        raise TensorError(f"{place}: {error if token else empty}") from error


def _json(text: str, name: str, exact: bool) -> Array:
    document = load_json(text, name, MAX_AXES, TensorError)
    dtype = None
    if isinstance(document, dict):
        if "data" not in document or set(document) - {"shape", "dtype", "data"}:
            raise TensorError(f"{name}: a JSON object must hold data, and may hold shape and dtype")
        dtype = document.get("dtype")
        document = document["data"]
    values = _nested(document, name, 0)
    kinds = {type(value) for value in _leaves(values)}
    if not kinds:
        raise TensorError(f"{name} holds no numbers")
    if Polynomial in kinds:
        return _symbolic(values)
    array = _numeric(values, kinds, exact and dtype is None)
    allowed = ("float16", "float32", "float64", "int64")
    if dtype is not None and dtype not in allowed:
        raise TensorError(f"{name}: dtype is {dtype!r}; it must be one of {', '.join(allowed)}")
    return array if dtype is None else _cast(array, dtype, name)


def _cast(array: Array, dtype: str, name: str) -> Array:
    """The numbers in the type that the document names, if it holds them."""
    with np.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(dtype)
    whole = dtype == "int64"
    if not (np.array_equal(cast, array) if whole else np.isfinite(cast).all()):
        raise TensorError(
            f"{name}: dtype is {dtype!r}, but "
            + ("not every number is whole" if whole else "a number is too large for it")
        )
    return cast


def _nested(value: Any, name: str, depth: int) -> Any:
    """Nested lists with their numbers read, checked to be rectangular."""
    if depth > MAX_AXES:
        raise TensorError(f"{name}: nested too deeply; at most {MAX_AXES} levels")
    if isinstance(value, JsonNumber):
        return _entry(str(value), name)
    if isinstance(value, str):
        entry = _entry(value, name)
        if "/" not in value and not isinstance(entry, Polynomial):
            raise TensorError(f"{name}: {value!r} is text; write numbers without quotes")
        return entry
    if not isinstance(value, list):
        shown = "an object" if isinstance(value, dict) else json.dumps(value)
        raise TensorError(f"{name}: {shown} is not a number")
    items = [_nested(item, name, depth + 1) for item in value]
    shapes = [_lengths(item) for item in items]
    for number, shape in enumerate(shapes):
        if shape != shapes[0]:
            _ragged(name, number, shape, shapes[0])
    return items


def _ragged(name: str, number: int, shape: tuple[int, ...], first: tuple[int, ...]) -> NoReturn:
    shown, wanted = ("x".join(map(str, s)) or "a single number" for s in (shape, first))
    raise TensorError(f"{name}: item {number + 1} is {shown}, item 1 is {wanted}; make them equal")


def _lengths(nested: Any) -> tuple[int, ...]:
    if not isinstance(nested, list):
        return ()
    return (len(nested), *(_lengths(nested[0]) if nested else ()))


def _leaves(nested: Any) -> list[Any]:
    if not isinstance(nested, list):
        return [nested]
    return [leaf for item in nested for leaf in _leaves(item)]


def _symbolic(values: Any) -> Array:
    leaves = _leaves(values)
    array = np.empty(len(leaves), dtype=object)
    array[:] = leaves
    return array.reshape(_lengths(values))
