"""Kernels in JSON and TOML: an array, or a table with weights and what goes with them."""

from __future__ import annotations

import re
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.numerals import parse_number
from convcli.errors import KernelError, did_you_mean
from convcli.kernels.json_text import JsonNumber, load_json
from convcli.kernels.kernel import MAX_SIDE, Kernel
from convcli.kernels.text_table import row_remark

__all__ = ["FIELDS", "parse_json", "parse_toml"]

FIELDS = ("weights", "scale", "bias", "name", "role", "combine", "absolute", "source")
_WORDS = {
    "role": ("smooth", "sharpen", "derivative", "point", "other"),
    "combine": ("none", "magnitude", "maximum"),
}
_MAX_DEPTH = 4  # (C_out, C_in, kH, kW)


def parse_json(text: str, name: str, stem: str) -> Kernel:
    """Read an array of weights, or an object with ``weights`` and any of ``FIELDS``.

    ``kernel`` is accepted for ``weights``. Stricter than ``json``: names may not be repeated,
    and NaN and infinities are refused.

    Raises
    ------
    KernelError
        Naming the file and the line.

    >>> parse_json('{"weights": [[1, 2, 1]], "scale": 0.25}', "k.json", "k").scale
    0.25
    """
    document = load_json(text, name, _MAX_DEPTH, KernelError)
    return _kernel(document, _Place(name, text), stem)


def parse_toml(text: str, name: str, stem: str) -> Kernel:
    """Read a table with ``weights`` and any of ``FIELDS``.

    >>> parse_toml("weights = [[1, 2, 1]]\\nscale = '1/4'", "k.toml", "k").scale
    0.25
    """
    import tomllib

    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise KernelError(f"{name}: nested too deeply; at most {_MAX_DEPTH} levels") from error
    except ValueError as error:  # TOMLDecodeError, or a whole number of too many digits
        reason = re.sub(r"\s*\(at (line \d+), column \d+\)", r" in \1", str(error))
        raise KernelError(f"{name}: not TOML: {reason}") from error
    return _kernel(document, _Place(name, text), stem)


class _Place:
    """Says on which line of a document its n-th row of numbers begins."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text, self.row = name, text, 0

    def fail(self, message: str) -> NoReturn:
        raise KernelError(f"{self.name}, line {self._line()}: {message}")

    def _line(self) -> int:
        line, rows = 1, 0
        # Text in quotes and comments are stepped over; a row opens with the innermost bracket.
        for match in re.finditer(r'"(?:\\.|[^"\\])*"|#[^\n]*|\n|\[(?!\s*\[)', self.text):
            rows += match[0] == "["
            if rows == max(self.row, 1):
                return line
            line += match[0].count("\n")
        return 1


def _kernel(document: Any, place: _Place, stem: str) -> Kernel:
    if isinstance(document, list):
        document = {"weights": document}
    if not isinstance(document, dict):
        raise KernelError(f"{place.name} holds neither an array of weights nor a table with them")
    fields = dict(document)
    if "kernel" in fields and "weights" not in fields:
        fields["weights"] = fields.pop("kernel")
    for key in fields:
        if key not in FIELDS:
            hint = did_you_mean(str(key), FIELDS)
            raise KernelError(
                f"{place.name}: {key!r} is not known{hint}; allowed: {', '.join(FIELDS)}"
            )
    if "weights" not in fields:
        raise KernelError(f"{place.name} has no weights; write them as [[1, 0, -1], [2, 0, -2]]")
    weights = _array(fields.pop("weights"), place)
    flat = weights.ndim == 1
    return Kernel(
        weights[None] if flat else weights,
        remark=row_remark("", weights.size) if flat else "",
        **{"name": stem, **_checked_fields(fields, place.name)},
    )


def _checked_fields(fields: dict[str, Any], name: str) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for key, value in fields.items():
        if key in ("scale", "bias"):
            try:
                checked[key] = _number(value)
            except ValueError as error:
                raise KernelError(f"{name}: {key}: {error}") from error
            continue
        wanted: type = bool if key == "absolute" else str
        if type(value) is not wanted:
            kind = "true or false" if wanted is bool else "text in quotes"
            raise KernelError(f"{name}: {key} must be {kind}")
        if value not in _WORDS.get(key, (value,)):
            allowed = ", ".join(_WORDS[key])
            raise KernelError(f"{name}: {key} is {value!r}; it must be one of {allowed}")
        checked[key] = value
    return checked


def _array(value: Any, place: _Place) -> NDArray[np.float64]:
    """Weights as an array of 1 to 4 dimensions; a plain list is one row."""
    if not isinstance(value, list):
        place.fail("the weights must be rows of numbers, as in [[1, 0, -1], [2, 0, -2]]")
    return np.array(_nested(value, place, 1), dtype=np.float64)


def _nested(value: list[Any], place: _Place, depth: int) -> list[Any]:
    if depth > _MAX_DEPTH:
        raise KernelError(f"{place.name}: nested too deeply; at most {_MAX_DEPTH} levels")
    if any(isinstance(item, list) for item in value):
        if not all(isinstance(item, list) for item in value):
            place.fail("rows and single weights are mixed")
        items, starts = [], []
        for item in value:
            starts.append(place.row + 1)
            items.append(_nested(item, place, depth + 1))
        shapes = [_shape(item) for item in items]
        for number, shape in enumerate(shapes, 1):
            if shape != shapes[0]:
                place.row = starts[number - 1]
                place.fail(
                    f"row {number} has {_sizes(shape)}, row 1 has {_sizes(shapes[0])}; "
                    "every row must be equally long"
                )
        return items
    place.row += 1
    if not value:
        place.fail("an empty row; write its weights")
    if len(value) > MAX_SIDE:
        place.fail(f"a row of {len(value)} weights; at most {MAX_SIDE} are allowed")
    try:
        return [_number(item) for item in value]
    except ValueError as error:
        place.fail(str(error))


def _shape(nested: list[Any]) -> tuple[int, ...]:
    return (len(nested), *(_shape(nested[0]) if isinstance(nested[0], list) else ()))


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) + (" weights" if shape != (1,) else " weight")


def _number(value: Any) -> float:
    """A number of JSON or TOML, or a fraction in quotes; nothing else."""
    if isinstance(value, JsonNumber):
        return parse_number(str(value))
    if type(value) in (int, float):
        return parse_number(repr(value))
    if isinstance(value, str):
        if "/" in value:
            return parse_number(value)
        raise ValueError(f"{value[:24]!r} is text, not a number; only fractions stand in quotes")
    shown = {True: "true", False: "false", None: "null"}
    found = shown[value] if value is None or isinstance(value, bool) else type(value).__name__
    raise ValueError(f"{found} is not a number")
