"""Words of the command line into the values that the rest of convcli takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from convcli.arithmetic.borders import Border, parse_border
from convcli.arithmetic.numerals import parse_share
from convcli.arithmetic.window import PADDING_NAMES
from convcli.engine.backends import BACKENDS, Backend
from convcli.errors import UsageError, did_you_mean
from convcli.imaging.grays import gray_level

if TYPE_CHECKING:
    from convcli.arithmetic.region import Region
    from convcli.imaging.formats.raw import RawLayout

__all__ = [
    "COMPRESSIONS",
    "DEPTHS",
    "ON_ERROR",
    "RANGES",
    "algorithm",
    "backend",
    "bands",
    "border",
    "memory",
    "nodata",
    "one_of",
    "padding",
    "pair",
    "part",
    "raw_layout",
    "share",
]

Word = TypeVar("Word", bound=str | None)

RANGES = ("auto", "clip", "abs", "offset", "stretch", "float")
DEPTHS = (
    *("8", "16", "float"),
    *("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float32", "float64"),
)
NODATA = ("nan", "none")
COMPRESSIONS = ("default", "small")
ON_ERROR = ("skip", "stop")
"""Words that options take. The modules that act on them import NumPy, and the input is to be read
ahead before that; a test holds these lists to theirs."""


def algorithm(name: str | None) -> str | None:
    """One of those that operations have; they are looked up where one is named."""
    if name is None:
        return None
    from convcli.engine.operations import every_algorithm

    return one_of("--algorithm", name, every_algorithm())


def backend(name: str, device: int | None) -> Backend | None:
    """What is to compute, if that was said; the number of a GPU says it too."""
    asked = Backend.parse(one_of("--backend", name, BACKENDS))
    if device is None:
        return asked
    if asked is not None and not asked.on_gpu:
        raise UsageError(f"--device {device} is a GPU; it does not go with --backend {asked}")
    return Backend("cupy", device)


def one_of(option: str, value: Word, allowed: tuple[str, ...]) -> Word:
    """The value, if it is one of those allowed; else an error that guesses what was meant."""
    if value is not None and value not in allowed:
        hint = did_you_mean(value, allowed)
        raise UsageError(f"{option} {value!r} is not known{hint}; allowed: {', '.join(allowed)}")
    return value


def border(text: str) -> Border:
    """What is read outside the picture; gray colours have their names."""
    return parse_border(text, gray_level)


def _numbers(option: str, text: str, counts: tuple[int, ...], forms: str) -> list[int]:
    try:
        values = [int(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in counts:
        raise UsageError(f"{option} {text!r} is not understood; allowed: {forms}")
    return values


def pair(option: str, text: str) -> tuple[int, int]:
    """One number, or one for rows and one for columns."""
    values = _numbers(option, text, (1, 2), "one whole number, or two as in 2,1 (height, width)")
    if min(values) < 1:
        raise UsageError(f"{option} is {text}; it must be 1 or more")
    return values[0], values[-1]


def share(option: str, text: str, whole: float, forms: str) -> float:
    """A number, a fraction, or a percentage of ``whole``."""
    try:
        return parse_share(text, whole)
    except ValueError as error:
        raise UsageError(f"{option}: {error}; write it as in {forms}") from error


def part(option: str, text: str) -> float:
    """A share from 0 to 1, written as a fraction or a percentage."""
    value = share(option, text, 1, "25% or 1/4")
    if not 0 <= value <= 1:
        raise UsageError(f"{option} is {text}; it must be 0 to 1, as in 25% or 1/4")
    return value


def bands(text: str | None) -> tuple[int, ...]:
    """Numbers of bands, from 1 on."""
    if text is None:
        return ()
    try:
        numbers = tuple(int(number) for number in text.split(","))
    except ValueError:
        numbers = (0,)
    if min(numbers) < 1:
        raise UsageError(
            f"--bands {text[:40]!r} is not understood{_run_of(text)}; allowed: numbers from 1, as in "
            "4,3,2"
        )
    return numbers


def _run_of(text: str) -> str:
    """What was meant by a first and a last number."""
    first, _, last = text.replace(":", "-").replace("..", "-").partition("-")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) < int(last) < 100):
        return ""
    return f"; did you mean '{','.join(map(str, range(int(first), int(last) + 1)))}'?"


def nodata(text: str | None) -> tuple[float | int | str | None, float | int | None]:
    """What stands for missing samples, of the input and of the result where that differs."""
    text = text or ""
    before, colon, after = text.partition(":")
    out = _value(after, text) if colon else None
    if out == "none":
        raise UsageError(
            f"--nodata {text[:40]!r}: what is missing in the result needs a value; allowed after the "
            "colon: a number, or nan where samples are floating-point"
        )
    said = float("nan") if isinstance(out, str) else out
    return _value(before, text) if before else None, said


def _value(word: str, text: str) -> float | int | str:
    if word.lower() in NODATA:
        return word.lower()
    for number in (int, float):
        try:
            return number(word)
        except ValueError:
            continue
    hint = did_you_mean(word, NODATA)
    raise UsageError(
        f"--nodata {text[:40]!r} is no value{hint}; allowed: a number, nan (NaN alone), none, and "
        "IN:OUT or :OUT for another in the result"
    )


def padding(text: str) -> Any:
    """A padding by name, or cells as ``((top, bottom), (left, right))``."""
    if text in PADDING_NAMES:
        return text
    forms = f"{', '.join(PADDING_NAMES)}, P, PH,PW or T,R,B,L in whole numbers"
    values = _numbers("--padding", text, (1, 2, 4), forms)
    if min(values) < 0:
        raise UsageError(f"--padding is {text}; it must be 0 or more on each side")
    if len(values) == 4:
        top, right, bottom, left = values
        return (top, bottom), (left, right)
    return (values[0], values[0]), (values[-1], values[-1])


def region(text: str | None) -> Region | None:
    """``--region``."""
    if text is None:
        return None
    from convcli.arithmetic.region import parse_region

    return parse_region(text)


def memory(text: str | None) -> int | None:
    """Bytes."""
    from convcli.runs.memory import parse_size

    return None if text is None else parse_size(text)


def raw_layout(shape: str | None, dtype: str | None, axes: str | None = None) -> RawLayout | None:
    """What ``--shape`` and ``--dtype`` say of a raw file; they belong together. Axes are named."""
    names: tuple[str, ...] = ()
    if axes is not None:
        from convcli.imaging.array_axes import parse_axes

        names = parse_axes(axes)
    if shape is None and dtype is None:
        if not names:
            return None
        from convcli.imaging.formats.raw import RawLayout

        return RawLayout(axes=names)
    if shape is None or dtype is None:
        raise UsageError("--shape and --dtype describe a raw file together; give both")
    forms = "H,W or H,W,C in whole numbers, others with --axes"
    if names:
        forms = f"a whole number for each of the axes {', '.join(names)}"
    sizes = _numbers("--shape", shape, (len(names),) if names else (2, 3), forms)
    if min(sizes) < 1:
        raise UsageError(f"--shape is {shape}; each must be 1 or more")
    import numpy as np

    from convcli.engine.numerics import DTYPES
    from convcli.imaging.formats.raw import RawLayout

    order = {">": ">", "<": "<"}.get(dtype[:1], "")
    codes = {name: np.dtype(name).str[1:] for name in DTYPES}
    words = {short: name for name, short in codes.items()}
    name = words.get(dtype[len(order) :], dtype[len(order) :])
    one_of("--dtype", name, DTYPES)
    return RawLayout(tuple(sizes), (order or "<") + codes[name], names)
