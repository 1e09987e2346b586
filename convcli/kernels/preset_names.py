"""Names of presets as people write them, with or without numbers: ``GaussianBlur``, ``box:9x5``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from convcli.errors import KernelError
from convcli.kernels.catalogue import ALIASES, PRESETS, Preset
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_names import CORRELATE, OPERATIONS, WITH_HEIGHTS, WITH_PRESETS
from convcli.kernels.order_presets import square
from convcli.kernels.parameters import parse_values
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.kernels.footprints import Footprint

__all__ = ["NamedPreset", "find", "preset_of", "squeezed"]

DEFAULT_SIDE = "3"
"""Of a footprint that is not written."""


def squeezed(name: str) -> str:
    """A name without capitals, dashes and blanks: ``FIND_EDGES``, ``findEdges`` are find-edges.

    >>> squeezed("Sobel_X")
    'sobelx'
    """
    return re.sub(r"[\s_-]+", "", name.lower())


_PRESETS = {squeezed(name): PRESETS[ALIASES.get(name, name)] for name in [*ALIASES, *PRESETS]}


def preset_of(name: str) -> Preset | None:
    """The preset of that name, or of that other name.

    >>> preset_of("FIND_EDGES").name, preset_of("gausian")
    ('outline', None)
    """
    key = squeezed(name)
    return _PRESETS.get(key) or _footprint(key)


def _footprint(name: str) -> Preset | None:
    """The preset for the footprint of an operation that is no weighted sum."""
    if name not in OPERATIONS or name == CORRELATE or name in WITH_PRESETS:
        return None
    purpose = f"{name} of the cells that count"
    return Preset(
        name, "operations", purpose, square(), "", "other", example=f"{name}:9x5", operation=name
    )


class NamedPreset(NamedTuple):
    """A preset and what was given with it; nothing is computed yet but the cells of a footprint."""

    preset: Preset
    values: dict[str, float]
    footprint: Footprint | None = None

    def make(self) -> Kernel:
        """The kernel."""
        return self.preset.make(self.values, self.footprint)


def find(text: str) -> NamedPreset | None:
    """The preset that a text names, with the numbers after its colon; None if it names none.

    Raises
    ------
    KernelError
        If the preset does not take these numbers, or needs some.

    >>> find("Gaussian:1.5").values
    {'sigma': 1.5}
    """
    name, colon, rest = text.partition(":")
    if squeezed(text) in _PRESETS:  # the colon is part of a name, as in threshold:otsu
        name, colon, rest = text, "", ""
    preset = preset_of(name)
    if preset is None:
        return None
    rest = rest.strip()
    if colon and not rest:
        raise KernelError(
            f"nothing follows the colon of {preset.name!r}; write {preset.example or preset.name}"
        )
    footprint = None
    if preset.has_footprint:
        rest, footprint = _with_footprint(preset, rest)
    elif preset.cells:
        rest = re.sub(r"^(\d+)[xX](\d+)$", r"\1,\2", rest)
        if _is_footprint(rest):
            rest, footprint = _with_footprint(preset, rest, own=0)
    values = {}
    if rest or (colon and not preset.has_footprint and footprint is None):
        values = parse_values(preset.name, preset.parameters, rest, preset.example)
    for needed in preset.parameters[: preset.required]:
        if needed.name not in values:
            raise KernelError(
                f"{preset.name} needs {needed.name} ({needed.note}), {needed.allowed}, "
                f"as in {preset.example}"
            )
    return NamedPreset(preset, values, footprint)


def _is_footprint(text: str) -> bool:
    """Whether it is a shape, rows of cells or a file of them, and not the sides of a rectangle."""
    from convcli.kernels.footprints import SHAPE_ALIASES, SHAPES

    word = re.match(r"[A-Za-z]*", text)
    shaped = word is not None and word[0].lower() in (*SHAPES, *SHAPE_ALIASES)
    return shaped or bool(re.search(r"[;:/\\\[{]|\.[A-Za-z]\w*$", text))


def _with_footprint(
    preset: Preset, rest: str, own: int | None = None
) -> tuple[str, Footprint | None]:
    """The numbers of a preset's own, and the footprint that follows them."""
    own = len(preset.parameters) if own is None else own
    parts = rest.split(",", own) if own else [rest]
    numbers, cells = parts[:own], "".join(parts[own:]).strip()
    footprint = None
    if cells:
        from convcli.kernels.footprints import parse_footprint

        example = preset.example if not own else f"{preset.name}:{','.join(numbers)},7"
        gray = preset.operation in WITH_HEIGHTS
        footprint = parse_footprint(preset.name, cells, example, gray=gray)
        if footprint.name == DEFAULT_SIDE and preset.weigh is None:
            footprint = None
    return ",".join(numbers), footprint
