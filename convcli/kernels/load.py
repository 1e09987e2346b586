"""Turn whatever names a kernel into a Kernel: a preset, a file, a literal, an array."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TypeAlias

from numpy.typing import ArrayLike

from convcli.errors import KernelError
from convcli.kernels.catalogue import ALIASES, PRESETS, Preset
from convcli.kernels.kernel import Kernel, as_numbers
from convcli.kernels.parameters import parse_values

__all__ = ["KernelLike", "load_kernel"]

KernelLike: TypeAlias = str | Path | Kernel | ArrayLike
"""Whatever names a kernel, or is one."""

_SYNONYMS = {
    "bilateral": "gaussian",
    "blur": "gaussian",
    "bokeh": "disk",
    "edge": "sobel",
    "edges": "sobel",
    "mean": "average",
    "negative": "invert",
    "uniform": "box",
}
"""What people type first -> the preset to offer."""

_LITERAL = r"(?i)\s*[\[{]|\s*[-+−]?[.\d]|\s*-?(nan|inf)"


def load_kernel(spec: KernelLike) -> Kernel:
    """Load a kernel.

    Parameters
    ----------
    spec
        One of

        - a preset, perhaps with parameters: ``"sobel-x"``, ``"gaussian:1.5"``,
          ``"gaussian:sigma=1.5,size=9"`` (``convcli kernel list`` shows all);
        - the path of a file: text, CSV, TSV, JSON, TOML, ``.npy``, libvips ``.mat`` or an
          ImageMagick string. ``"./sobel-x"`` is the file of that name;
        - a literal: ``"1 0 -1; 2 0 -2; 1 0 -1"``, ``"[[1, 0, -1], [2, 0, -2]]"`` or
          ImageMagick's ``"3x3: 1,0,-1 2,0,-2 1,0,-1"``;
        - a ``Kernel``, or an array of shape (kW,), (kH, kW) or (C_out, C_in, kH, kW).

    Returns
    -------
    Kernel
        In correlation orientation, as written.

    Raises
    ------
    KernelError
        If there is no such kernel, or it cannot be used.

    >>> load_kernel("sobel-x").weights[1].tolist()
    [-2.0, 0.0, 2.0]
    >>> load_kernel("1 0 -1; 2 0 -2").shape
    (2, 3)
    >>> load_kernel("sobelx")
    Traceback (most recent call last):
    ...
    convcli.errors.KernelError: there is no kernel 'sobelx'; did you mean 'sobel-x' or 'sobel'? (see 'convcli kernel list')
    """
    if isinstance(spec, Kernel):
        return spec
    if isinstance(spec, Path):
        return _load_file(spec)
    if isinstance(spec, str):
        return _load_text(spec)
    weights = as_numbers(spec, "the array")
    return Kernel(weights[None, :] if weights.ndim == 1 else weights)


def _load_text(spec: str) -> Kernel:
    text = spec.strip()
    if not text:
        raise KernelError("no kernel is given; name one, as in sobel-x, or write 1 0 -1")
    if text == "-":
        raise KernelError(
            "'-' is no kernel: standard input is the picture; give a file or a preset"
        )
    head, colon, rest = text.partition(":")
    name = head.strip().lower().replace("_", "-")
    preset = PRESETS.get(ALIASES.get(name, name))
    if preset is not None:
        return _load_preset(preset, rest.strip(), bool(colon))
    if _is_literal(text):
        from convcli.kernels.files import parse_literal

        return parse_literal(text)
    if _is_path(text):
        return _load_file(Path(spec))
    raise KernelError(f"there is no kernel {text!r}{_suggestion(name)} (see 'convcli kernel list')")


def _load_preset(preset: Preset, text: str, colon: bool) -> Kernel:
    if colon and not text:
        raise KernelError(
            f"nothing follows the colon of {preset.name!r}; "
            + (f"write {preset.example}" if preset.example else f"write {preset.name}")
        )
    if not colon:
        if preset.required:
            missing = preset.parameters[0]
            raise KernelError(
                f"{preset.name} needs {missing.name} ({missing.note}), {missing.allowed}, "
                f"as in {preset.example}"
            )
        return preset.make()
    if preset.name == "box":
        text = re.sub(r"^(\d+)[xX](\d+)$", r"\1,\2", text)
    values = parse_values(preset.name, preset.parameters, text, preset.example)
    for parameter in preset.parameters[: preset.required]:
        if parameter.name not in values:
            raise KernelError(f"{preset.name} needs {parameter.name}, as in {preset.example}")
    return preset.make(values)


def _load_file(path: Path) -> Kernel:
    from convcli.kernels.files import load_file

    return load_file(path)


def _is_literal(text: str) -> bool:
    if not re.match(_LITERAL, text) or (len(text) < 4096 and _exists(text)):
        return False
    # "1-sharpen.csv" is a file that is missing, "1 0 O" a literal with a typing error.
    return bool(re.search(r"[\s,;\[\]:]", text)) or not re.search(r"[A-Za-z]", text)


def _is_path(text: str) -> bool:
    # gausian:1.5 is a preset misspelt, kernel.csv a file that is missing.
    named = os.sep in text or "/" in text or re.search(r"\.[A-Za-z]\w*$", text)
    return bool(named) or _exists(text)


def _exists(text: str) -> bool:
    return os.path.exists(text)  # noqa: PTH110  (Path.exists raises where a name is too long)


def _suggestion(name: str) -> str:
    import difflib  # by those who mistype only

    found = difflib.get_close_matches(name, [*PRESETS, *ALIASES, *_SYNONYMS], 2)
    near = dict.fromkeys(_SYNONYMS.get(word, word) for word in found)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
