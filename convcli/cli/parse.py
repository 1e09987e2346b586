"""Words of the command line into the values that the rest of convcli takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convcli.arithmetic.borders import parse_border
from convcli.arithmetic.numerals import parse_share
from convcli.arithmetic.window import PADDING_NAMES
from convcli.errors import UsageError, did_you_mean
from convcli.imaging.grays import gray_level
from convcli.imaging.options import FilterOptions

if TYPE_CHECKING:
    from convcli.imaging.large.source import RawLayout

__all__ = [
    "ALGORITHMS",
    "BACKENDS",
    "COMPRESSIONS",
    "DEPTHS",
    "ON_ERROR",
    "RANGES",
    "filter_options",
    "one_of",
    "raw_layout",
]

RANGES = ("auto", "clip", "abs", "offset", "stretch", "float")
DEPTHS = ("8", "16", "float")
BACKENDS = ("auto", "numpy", "cupy")
ALGORITHMS = ("direct", "separable", "box", "fft")
COMPRESSIONS = ("default", "small")
ON_ERROR = ("skip", "stop")


def filter_options(**words: Any) -> FilterOptions:
    """Check and translate the options of ``filter``; keywords as in :class:`FilterOptions`."""
    one_of("--range", words["range"], RANGES)
    one_of("--backend", words["backend"], BACKENDS)
    if words["algorithm"] is not None:
        one_of("--algorithm", words["algorithm"], ALGORITHMS)
    words["backend"] = _on_device(words["backend"], words.pop("device", None))
    if words["depth"] is not None:
        one_of("--depth", words["depth"], DEPTHS)
    return FilterOptions(
        **{
            **words,
            "padding": _padding(words["padding"]),
            "stride": _pair("--stride", words["stride"]),
            "dilation": _pair("--dilation", words["dilation"]),
            "border": parse_border(words["border"], gray_level),
            "scale": _share("--scale", words["scale"], 1, "2, 1/16 or 50%"),
            "bias": _share("--bias", words["bias"], 255, "128 or 50%"),
        }
    )


def _on_device(backend: str, device: int | None) -> str:
    """The backend with the GPU that was chosen by number, which asks for a GPU."""
    if device is None:
        return backend
    if backend == "numpy":
        raise UsageError(f"--device {device} is a GPU; it does not go with --backend numpy")
    return f"cupy:{device}"


def one_of(option: str, value: str, allowed: tuple[str, ...]) -> str:
    """The value, if it is one of those allowed; else an error that guesses what was meant."""
    if value not in allowed:
        hint = did_you_mean(value, allowed)
        raise UsageError(f"{option} {value!r} is not known{hint}; allowed: {', '.join(allowed)}")
    return value


def _numbers(option: str, text: str, counts: tuple[int, ...], forms: str) -> list[int]:
    try:
        values = [int(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in counts:
        raise UsageError(f"{option} {text!r} is not understood; allowed: {forms}")
    return values


def _pair(option: str, text: str) -> tuple[int, int]:
    values = _numbers(option, text, (1, 2), "one whole number, or two as in 2,1 (height, width)")
    if min(values) < 1:
        raise UsageError(f"{option} is {text}; it must be 1 or more")
    return values[0], values[-1]


def _share(option: str, text: str, whole: float, forms: str) -> float:
    try:
        return parse_share(text, whole)
    except ValueError as error:
        raise UsageError(f"{option}: {error}; write it as in {forms}") from error


def _padding(text: str) -> Any:
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


def raw_layout(shape: str | None, dtype: str | None) -> RawLayout | None:
    """What ``--shape`` and ``--dtype`` say of a raw file; they belong together."""
    if shape is None and dtype is None:
        return None
    if shape is None or dtype is None:
        raise UsageError("--shape and --dtype describe a raw file together; give both")
    forms = "H,W or H,W,C in whole numbers"
    sizes = _numbers("--shape", shape, (2, 3), forms)
    if min(sizes) < 1:
        raise UsageError(f"--shape is {shape}; each must be 1 or more")
    from convcli.imaging.large.source import DTYPES, RawLayout

    order = {">": ">", "<": "<"}.get(dtype[:1], "")
    names = {"u1": "uint8", "u2": "uint16", "f2": "float16", "f4": "float32", "f8": "float64"}
    name = names.get(dtype[len(order) :], dtype[len(order) :])
    one_of("--dtype", name, DTYPES)
    codes = {long: short for short, long in names.items()}
    return RawLayout(tuple(sizes), (order or "<") + codes[name])
