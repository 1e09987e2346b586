"""How other programs write ranks and morphology, as lines of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import ceil

from convcli.kernels.footprints import SHAPE_ALIASES, SHAPES
from convcli.kernels.preset import Preset

__all__ = ["footprint_lines", "has_shape", "within_another"]

_FAMILY = re.compile(
    r"(?i)-*(?:statistic|morphology|morph|neighbou?rs|focal|local|moving|rolling)(?=[\W_])[\W_]*(?!$)"
    r"(\w*)((?s:.*))"
)
_METHODS = {
    "gradient": "range",
    "contrast": "range",
    "nonpeak": "median",
    "mean": "box",
    "edge": "morph-gradient",
    "edgein": "morph-gradient",
    "edgeout": "morph-gradient",
    "smooth": "open",
    "erodeintensity": "erode",
    "dilateintensity": "dilate",
}
"""Of ImageMagick's ``-statistic`` and ``-morphology``, where ours has another name."""
_OPENCV = re.compile(r"MORPH_(\w+)")
_SHAPE = re.compile(rf"(?i)({'|'.join([*SHAPES, *SHAPE_ALIASES, 'square'])})(\W*)(\d+\.?\d*)")


def within_another(text: str) -> Iterator[str]:
    """What an operation is called where one command has many of them, and ranks by their number.

    >>> list(within_another("-statistic median 3x3")), list(within_another("rank:3"))
    (['median 3x3'], ['median:3'])
    """
    family = _FAMILY.match(text)
    if family:
        word, rest = family.groups()
        yield _METHODS.get(word.lower(), word) + rest
    for name in _OPENCV.findall(text):
        yield {"GRADIENT": "morph-gradient"}.get(name, name.lower())
    ranked = re.match(r"(?i)(?:\w+\.)*rank(?:[-_ ]?filter|[-_ ]?order)?\b(?!\.)(.*)", text, re.S)
    if ranked:
        size = re.fullmatch(r"\W*(\d+\s*[xX]\s*\d+)\W*", ranked[1])
        if size:
            yield f"median:{size[1]}"
        yield from _by_number([int(n) for n in re.findall(r"\d+", ranked[1])])
    share = re.match(r"(?i)(?:\w+\.)*quantile\b[^\d.]*(\d*\.?\d+)?(.*)", text, re.S)
    if share:
        part = float(share[1] or 0.5)
        yield f"percentile:{part * 100 if part <= 1 else part:g}{share[2].rstrip(')')}"


def _by_number(numbers: list[int]) -> Iterator[str]:
    """Sides, and which value in order, counted from 0: libvips has two sides, Pillow one."""
    if len(numbers) < 2:
        yield from (f"{'median' if one < 32 else 'percentile'}:{one}" for one in numbers)
        return
    width, height = numbers[0], numbers[-2]
    cells, number = width * height, numbers[-1]
    if 0 <= number < cells:
        percent = ceil(10000 * number / cells) / 100
        size = f"{width}x{height}" if width != height else f"{width}"
        yield f"median:{size}" if number == cells // 2 else f"percentile:{percent:g},{size}"


def has_shape(rest: str) -> bool:
    """Whether a shape and its radius are named."""
    return _SHAPE.search(rest) is not None


def footprint_lines(preset: Preset, rest: str) -> Iterator[str]:
    """A preset with the footprint that ``rest`` may mean, which has no blanks."""
    own = re.match(r"\d+\.?\d*,", rest) if preset.parameters and not preset.cells else None
    name = f"{preset.name}:{own[0] if own else ''}"
    shape = _SHAPE.search(rest)
    if shape:
        kind, mark, number = shape.groups()
        kind = kind.lower()
        if kind != "square":
            yield f"{name}{SHAPE_ALIASES.get(kind, kind)}:{number}"
        elif "(" in mark:  # scikit-image's call: the side
            yield f"{name}{int(float(number))}"
        else:  # ImageMagick's Square:3, as disk:3 here: the radius
            yield f"{name}{2 * int(float(number)) + 1}"
    radius = re.search(r"radius=(\d+)$", rest)
    if radius:
        yield f"{name}{2 * int(radius[1]) + 1}"
    if own is None and re.match(r"\d+\.?\d*%", rest):
        yield name + rest.replace("%", "")
    yield from (name + cells for cells in _misspelt(rest.removeprefix(own[0] if own else "")))
    sides = re.search(r"\((\d+),(\d+)", rest)
    if sides:  # of arrays: rows first
        yield f"{name}{sides[2]}x{sides[1]}"


def _misspelt(rest: str) -> Iterator[str]:
    """Sizes and shapes that are nearly written as here.

    >>> [*_misspelt("5x"), *_misspelt("5,5"), *_misspelt("3x3:disk"), *_misspelt("octagon:3")]
    ['5', '5x5', 'disk:1', 'disk:3']
    """
    for pattern, write in _SPELLINGS:
        found = re.fullmatch(pattern, rest)
        if found:
            yield write(found)


_SPELLINGS: list[tuple[str, Callable[[re.Match[str]], str]]] = [
    (r"-?(\d+)(?:\.\d+)?[xX*]?", lambda m: m[1]),
    (r"[a-z]+=(\d+)", lambda m: m[1]),
    (r"(\d+),iterations=(\d+)", lambda m: str((int(m[1]) - 1) * int(m[2]) + 1)),
    (r"(?:[a-z]+\W)?(\d+)[xX*,](\d+)(?:[xX*,]\d+)*", lambda m: f"{m[1]}x{m[2]}"),
    (r"(?:octagon|hexagon|star|round)\W*(\d+\.?\d*)", lambda m: f"disk:{m[1]}"),
    (rf"(\d+)(?:x\d+)?\W?({'|'.join(SHAPES)})", lambda m: f"{m[2]}:{(int(m[1]) - 1) // 2}"),
]
"""How sizes and shapes are written elsewhere, or by mistake."""
