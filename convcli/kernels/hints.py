"""What to type instead of something that is no kernel; suggestions are tried before they show.

Imported only when something was refused. Every way of writing that other programs have makes
candidates; the first that can be loaded is offered.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Iterator
from math import isqrt

from convcli.errors import KernelError
from convcli.kernels.catalogue import ALIASES, PRESETS, Preset
from convcli.kernels.footprint_hints import footprint_lines, has_shape, within_another
from convcli.kernels.foreign_filters import FOREIGN_FILTERS, Foreign
from convcli.kernels.preset_names import find, preset_of, squeezed

__all__ = ["instead", "is_known", "refusal", "square_rows"]

_FOREIGN = {squeezed(name): entry for name, entry in FOREIGN_FILTERS.items()}
_NAMES = {squeezed(name): name for name in [*PRESETS, *ALIASES, *FOREIGN_FILTERS]}
ALSO_MORPHOLOGY = ("gradient",)
"""Names of Sobel's that mean a difference of dilation and erosion where a shape follows."""
LONGEST = 1000
"""Characters that are looked at: time grows with their square, and no name is longer."""

_ENDS = re.compile(r"[:=(\[@\s-]|(?<=[A-Za-z])(?=[\d.])|$")
"""Where a name may end and numbers begin."""

_N = r"(\d+\.?\d*|\.\d+)"
Rewrite = Callable[[re.Match[str]], str]
_REWRITES: list[tuple[str, Rewrite]] = [
    # A side, as people say "a 5x5 blur".
    (r"gaussian \w+.(\d+)x\1", lambda m: f"gaussian:size={m[1]}"),
    (r"sharpen \w+.3x3", lambda m: "sharpen"),
    # ImageMagick: radius x sigma, + amount + threshold; a radius of 0 chooses itself.
    (rf"(gaussian|log|unsharp) \w+.(\d+)x{_N}", lambda m: _of_radius(m[1], m[3], m[2])),
    (rf"sharpen \w+.(\d+)x{_N}", lambda m: _of_radius("unsharp", m[2], m[1])),
    (rf"(gaussian|log) \w+.0,{_N}", lambda m: f"{m[1]}:{m[2]}"),
    (
        rf"(unsharp|sharpen) \w+.\d+x{_N}\+{_N}(?:\+{_N}(%?))?.*",
        lambda m: f"unsharp:{m[2]},{m[3]}{_above(_share(m[4], m[5]))}",
    ),
    (rf"dog \w+.\d+[x,]{_N},{_N}", lambda m: f"dog:{m[1]},{m[2]}"),
    # ImageMagick and GIMP: percent of white.
    (rf"threshold \w+.{_N}%.*", lambda m: f"threshold:{_share(m[1], '%')}"),
    (r"threshold \w+\((0?\.\d+)", lambda m: f"threshold:{_share(m[1], '')}"),
    (
        rf"canny \w+.{_N}%,{_N}%(?:,{_N})?",
        lambda m: f"canny:{_share(m[1], '%')},{_share(m[2], '%')}" + f",{m[3]}" * bool(m[3]),
    ),
    (
        rf"bilateral \w+.{_N},{_N}%(,.*)?",
        lambda m: f"bilateral:{m[1]},{_share(m[2], '%')}{m[3] or ''}",
    ),
    (
        rf"unsharp \w+.(.*,)?threshold={_N}%",
        lambda m: f"unsharp:{m[1] or ''}threshold={_share(m[2], '%')}",
    ),
    # OpenCV: the picture, the level, what white is.
    (r"(?i)threshold \w+\(.*otsu.*", lambda m: "otsu"),
    (rf"threshold \w+\([a-zA-Z_]\w*,{_N}(?:,.*)?", lambda m: f"threshold:{m[1]}"),
    (r"laplacian \w+.0", lambda m: "outline"),
    (r"laplacian \w+.1", lambda m: "laplacian"),
    (r"(\w+) \w+.(?:0|180)", lambda m: f"{m[1]}-x"),
    (r"(\w+) \w+.(?:90|270)", lambda m: f"{m[1]}-y"),
    # Pillow and Photoshop: radius, percent, threshold in levels.
    (
        rf"unsharp \w+.{_N},{_N}%?(?:,(?:threshold=)?{_N})?(?:,(?!threshold=).*)?",
        lambda m: f"unsharp:{m[1]},{_percent(m[2])}{_above(_levels(m[3]))}",
    ),
    # Pillow and FFmpeg: the radius of a square.
    (r"box (?:boxblur|avgblur)\((\d+).*", lambda m: f"box:{2 * int(m[1]) + 1}"),
    # FFmpeg: columns, rows, amount.
    (rf"unsharp \w+\(\d+:\d+:{_N}.*", lambda m: f"unsharp:amount={m[1]}"),
    # ImageMagick: radius x sigma, + low % + high %; OpenCV, whose sums are four times a step: low, high.
    (rf"canny \w+\(.*sigma={_N}.*", lambda m: f"canny:sigma={m[1]}"),
    (rf"canny \w+.\d+x{_N}", lambda m: f"canny:sigma={m[1]}"),
    (
        rf"canny \w+.\d+x{_N}\+{_N}%\+{_N}%",
        lambda m: f"canny:{_share(m[2], '%')},{_share(m[3], '%')},{m[1]}",
    ),
    (
        rf"canny \w+\((?:[a-z]\w*,)?{_N},{_N}(?:,.*)?",
        lambda m: f"canny:{float(m[1]) / 4:g},{float(m[2]) / 4:g},0",
    ),
    # OpenCV: a diameter, sigma of colour, sigma of space; scikit-image: the first of white.
    (rf"bilateral \w+\((?:[a-z]\w*,)?(-?\d+),{_N},{_N}.*", lambda m: _bilateral(m[3], m[2], m[1])),
    (
        rf"bilateral \w+\(.*sigma_color={_N},sigma_spatial={_N}.*",
        lambda m: f"bilateral:{m[2]},{255 * float(m[1]):g}",
    ),
    # OpenCV: a size in brackets, then sigma; 0 for that which goes with the size.
    (r"gaussian \w+\(.*\((\d+),\d+\),0.*", lambda m: f"gaussian:size={m[1]}"),
    (rf"gaussian \w+\(.*\((\d+),\d+\),{_N}.*", lambda m: f"gaussian:{m[2]},{m[1]}"),
    (r"(?:box|gaussian) \w+\(.*\((\d+),(\d+).*", lambda m: f"box:{m[1]}x{m[2]}"),
    (rf"gaussian \w+.(\d*[13579]),{_N}", lambda m: f"gaussian:{m[2]},{m[1]}" * (m[1] != "1")),
]
"""How others write a preset's numbers. What is matched is the preset, then what was typed."""


def refusal(text: str, what: str = "kernel") -> str:
    """The message about a text that names no kernel, or a ``file`` that is missing.

    >>> refusal("gausian:2")
    "there is no kernel 'gausian:2'; did you mean 'gaussian:2'? (see 'convcli kernel list')"
    >>> refusal("harris:2")
    "'harris' is not there; the nearest is -k laplacian8"
    """
    message, see = f"there is no {what} {_short(text)}", " (see 'convcli kernel list')"
    text = text[:LONGEST]
    hint = instead(text)
    name, _, rest = _take_apart(text)
    if hint or squeezed(name) not in _FOREIGN:
        return message + hint + see * (what == "kernel")
    told = f"{name!r} {_told(_FOREIGN[squeezed(name)], rest)}"
    return told if text.startswith(name) else f"{message}; {told}"


def is_known(name: str) -> bool:
    """Whether a word names a kernel, here or elsewhere.

    >>> is_known("Median"), is_known("morphology"), is_known("quality")
    (True, True, False)
    """
    return squeezed(name) in _NAMES


def instead(text: str) -> str:
    """The end of a message: the first candidate that can be loaded; empty without one.

    >>> instead("Gaussian:0x2"), instead("sobel,invert"), instead("gaussian:-1")
    ("; did you mean 'gaussian:2'?", "; did you mean 'sobel | invert'?", '')
    """
    for candidate in _candidates(text[:LONGEST]):
        if candidate != text and _loads(candidate):
            known = preset_of(candidate)
            return f"; did you mean {(known.name if known else candidate)!r}?"
    return ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 120 else f"{text[:100]}...")


def square_rows(numbers: list[str]) -> str:
    """Numbers as a square with an odd side, row by row; empty if they make none.

    >>> square_rows("1 2 1 2 4 2 1 2 1".split())
    '1 2 1; 2 4 2; 1 2 1'
    """
    side = isqrt(len(numbers))
    if side < 3 or side % 2 == 0 or side * side != len(numbers):
        return ""
    return "; ".join(" ".join(numbers[i : i + side]) for i in range(0, len(numbers), side))


def _loads(candidate: str) -> bool:
    """Whether it names presets or is a literal; large kernels are not made to find out."""
    from convcli.kernels.kernel_files import parse_literal

    try:
        if candidate[:1].isalpha():
            return all(find(part) is not None for part in candidate.split("|"))
        return bool(candidate) and parse_literal(candidate) is not None
    except KernelError:
        return False


def _candidates(text: str) -> Iterator[str]:
    parts = [p for p in re.split(r"\s*(?:->|=>|\u2192|[,;+>&/]+|\bthen\b)\s*|\s+", text) if p]
    name, mark, rest = _take_apart(text)
    preset = preset_of(name)
    if preset is not None and (preset.has_footprint or (preset.cells and has_shape(rest))):
        yield from footprint_lines(preset, rest)
    if squeezed(name) in ALSO_MORPHOLOGY:
        yield from footprint_lines(PRESETS["morph-gradient"], rest)
    for line in within_another(text):
        yield line
        yield from _candidates(line)
    if len(parts) > 1:
        yield " | ".join(parts)
    if preset is not None:
        yield from _numbered(preset, f"{squeezed(name)}{mark}", rest)
    else:
        yield from _weights(text)


def _take_apart(text: str) -> tuple[str, str, str]:
    """The longest name that is known, or else the nearest; what ends it; what follows."""
    text = re.sub(r"^(?:[A-Za-z_]\w*\.)+(?=[A-Za-z])", "", text.strip())  # cv2.GaussianBlur
    for end in reversed([match.start() for match in _ENDS.finditer(text)]):
        if squeezed(text[:end]) in _NAMES:
            return text[:end].strip(), *_after(text[end:])
    typed = _beginning(r"[\w -]*", text)
    if digits := _digits(typed):  # of a name that has some
        names = [name for name in _NAMES if _digits(name) == digits]
        if near := difflib.get_close_matches(squeezed(typed), names, 1, 0.8):
            return _NAMES[near[0]], *_after(text[len(typed) :])
    typed = _beginning(r"[A-Za-z _-]*", text)
    near = difflib.get_close_matches(squeezed(typed), _NAMES, 1, 0.7)
    return _NAMES[near[0]] if near else "", *_after(text[len(typed) :])


def _beginning(pattern: str, text: str) -> str:
    found = re.match(pattern, text)
    return found[0] if found else ""


def _digits(name: str) -> str:
    return re.sub(r"\D", "", name)


def _after(text: str) -> tuple[str, str]:
    """How numbers were joined to a name (``:``, ``(`` for calls and options, blank), and they."""
    text = re.sub(r"(?<=\d)\s*(?:px|pixels?|deg|degrees|\u00b0)", "", text.strip())
    text = re.sub(r"(?<=[\d.])\s+(?=[-\d.])", ",", text)
    rest = re.sub(r"\s+", "", re.sub(r"(?<=[a-z])\s+(?=[\d.])", "=", text))
    mark = {":": ":", "=": "(", "(": "(", "[": "("}.get(rest[:1], " ")
    rest = rest[1:] if rest[:1] in (*":=([@-",) else rest
    return mark, rest.rstrip(")]'\"")


def _numbered(preset: Preset, typed: str, rest: str) -> Iterator[str]:
    """A preset with numbers as others write them, then in plainer ways."""
    # A threshold keeps its name: one that cannot be read is no number that may be left out.
    for unnamed in (rest, re.sub(r"(?!threshold=)\b[a-z_]+=", "", rest)):
        for pattern, rewrite in _REWRITES:
            match = re.fullmatch(pattern, f"{preset.name} {typed}{unnamed}")
            if match:
                yield rewrite(match)
    rest = re.sub(rf"{_N}%", lambda m: f"{float(m[1]) / 100:g}", rest)
    numbers = re.findall(rf"(?<![\w.-]){_N}(?![\w.])", rest)
    if re.search(r"(?i)(?:^|,)(?:-[\d.]+|nan|[-+]?inf)(?:,|$)", rest):
        numbers = []  # without one that cannot be, the others would stand in the wrong places
    for one in [rest, *numbers] if len(numbers) == 1 else [rest] * bool(rest):
        yield from (f"{preset.name}:{one}", f"{preset.name}-{one}", f"{preset.name}{one}")
        yield f"{preset.sized}:{one}"
    if not (rest and preset.takes):
        yield preset.name


def _of_radius(name: str, sigma: str, radius: str) -> str:
    return f"{name}:{sigma}" + f",size={2 * int(radius) + 1}" * (int(radius) > 0)


def _share(number: str | None, percent: str) -> str | None:
    """A part of white in levels of 255."""
    return number and f"{float(number) * (2.55 if percent else 255):g}"


def _levels(number: str | None) -> str | None:
    """A threshold in levels, or a part of white where it is below 1."""
    return _share(number, "") if number and float(number) < 1 else number


def _above(threshold: str | None) -> str:
    """A threshold, by its name, if there is one."""
    return f",threshold={threshold}" if threshold and float(threshold) else ""


def _bilateral(space: str, alike: str, diameter: str) -> str:
    radius = int(diameter) // 2
    return f"bilateral:{space},{alike}" + f",disk:{radius}" * (radius > 0)


def _percent(number: str) -> str:
    return f"{float(number) / 100:g}" if float(number) > 10 else number


def _weights(text: str) -> Iterator[str]:
    """Weights inside of what was typed: an array of Python, a flat list of FFmpeg."""
    nested = re.search(r"\[\s*\[.*\]\s*\]", text, re.S)
    if nested:
        yield nested[0]
    for run in re.findall(r"[-+\d.,/\s]{9,}", text):
        yield square_rows(re.split(r"[\s,]+", run.strip(" ,")))


def _told(entry: Foreign, rest: str) -> str:
    share = entry.hundred / 100
    typed = re.findall(rf"^{_N}(%?)", rest)
    numbers = [float(n) * (share if part else 1) for n, part in typed if share or not part]
    for number in [*numbers, entry.number]:
        line = entry.line(number)
        if line and _loads(shlex.split(line)[1]):
            break
    else:
        return "is not there, and no kernel comes near it"
    return f"is written {line}" if entry.exact else f"is not there; the nearest is {line}"
