"""Names of presets as people write them, with or without numbers: ``GaussianBlur``, ``box:9x5``."""

from __future__ import annotations

import re
from typing import NamedTuple

from convcli.errors import KernelError
from convcli.kernels.catalogue import ALIASES, PRESETS, Preset
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_names import CORRELATE, OPERATIONS, WITH_PRESETS
from convcli.kernels.parameters import parse_values

__all__ = ["NamedPreset", "find", "preset_of", "squeezed"]


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
    box = PRESETS["box"]
    return Preset(
        name,
        "operations",
        f"{name} of a square or rectangle",
        lambda width=3, height=None: box.build(width, height)._replace(scale=1.0),
        "",
        "other",
        box.parameters,
        example=f"{name}:9x5",
        operation=name,
    )


class NamedPreset(NamedTuple):
    """A preset and the numbers that were given with it; nothing is computed yet."""

    preset: Preset
    values: dict[str, float]

    def make(self) -> Kernel:
        """The kernel."""
        return self.preset.make(self.values)


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
    preset = preset_of(name)
    if preset is None:
        return None
    rest = rest.strip()
    if colon and not rest:
        raise KernelError(
            f"nothing follows the colon of {preset.name!r}; write {preset.example or preset.name}"
        )
    if preset.parameters == PRESETS["box"].parameters:
        rest = re.sub(r"^(\d+)[xX](\d+)$", r"\1,\2", rest)
    values = parse_values(preset.name, preset.parameters, rest, preset.example) if colon else {}
    for needed in preset.parameters[: preset.required]:
        if needed.name not in values:
            raise KernelError(
                f"{preset.name} needs {needed.name} ({needed.note}), {needed.allowed}, "
                f"as in {preset.example}"
            )
    return NamedPreset(preset, values)
