"""Turn whatever names a kernel into a Kernel: a preset, a file, a literal, an array."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TypeAlias

from numpy.typing import ArrayLike

from convcli.displays import displayed
from convcli.errors import KernelError
from convcli.kernels.kernel import Kernel, as_numbers
from convcli.kernels.preset_names import find
from convcli.system.files import exists

__all__ = ["Chain", "KernelLike", "load_chain", "load_kernel"]

KernelLike: TypeAlias = str | Path | Kernel | ArrayLike
"""Whatever names a kernel, or is one."""

_LITERAL = r"(?i)\s*[\[{]|\s*[-+−]?[.\d]|\s*-?(nan|inf)"


class Chain(tuple[Kernel, ...]):
    """Kernels in the order in which they are applied."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        return displayed(self)


def load_kernel(spec: KernelLike) -> Kernel:
    """Load a kernel.

    Parameters
    ----------
    spec
        One of

        - a preset, perhaps with parameters: ``"sobel-x"``, ``"gaussian:1.5"``,
          ``"gaussian:sigma=1.5,size=9"`` (``convcli kernel list`` shows all), also by another
          tool's name, as in ``"GaussianBlur"``;
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
    >>> load_kernel("gausian:2")
    Traceback (most recent call last):
    ...
    convcli.errors.KernelError: there is no kernel 'gausian:2'; did you mean 'gaussian:2'? (see 'convcli kernel list')
    """
    if isinstance(spec, Kernel):
        return spec
    if isinstance(spec, Path):
        return _load_file(spec)
    if isinstance(spec, str):
        parts = _split(spec)
        if len(parts) > 1:
            raise KernelError(f"{spec!r} is a chain of {len(parts)} kernels; give one of them")
        return _load_text(spec)
    weights = as_numbers(spec, "the array")
    return Kernel(weights[None, :] if weights.ndim == 1 else weights)


def load_chain(spec: KernelLike) -> Chain:
    """Load a kernel, or the kernels of a chain such as ``"gaussian:2 | sobel"``.

    >>> [kernel.name for kernel in load_chain("gaussian:2 | sobel")]
    ['gaussian:2', 'sobel']
    """
    if isinstance(spec, str):
        return Chain(_load_text(part) for part in _split(spec))
    return Chain((load_kernel(spec),))


def _split(text: str) -> list[str]:
    """The kernels of a chain; names in JSON and of files may hold the bar themselves."""
    if "|" not in text or text.lstrip()[:1] in "[{" or exists(text):
        return [text]
    parts = [part.strip() for part in text.split("|")]
    if not all(parts):
        raise KernelError(
            f"the chain {text!r} has a '|' without a kernel beside it; write it as in "
            "gaussian:2 | sobel"
        )
    return parts


def _load_text(spec: str) -> Kernel:
    text = spec.strip()
    if not text:
        raise KernelError("no kernel is given; name one, as in sobel-x, or write 1 0 -1")
    if text == "-":
        raise KernelError(
            "'-' is no kernel: standard input is the picture; give a file or a preset"
        )
    try:
        found = find(text)
    except KernelError as error:
        raise KernelError(_amended(text, str(error))) from error
    if found is not None:
        return found.make()
    if _is_literal(text):
        from convcli.kernels.kernel_files import parse_literal

        return parse_literal(text)
    is_path = _is_path(text)
    if is_path and ("/" in text or os.sep in text or exists(text)):
        return _load_file(Path(spec))
    from convcli.kernels.hints import refusal

    raise KernelError(refusal(text, "file" if is_path else "kernel"))


def _amended(text: str, message: str) -> str:
    """A message about a preset's numbers, with what to type instead unless it says so itself."""
    from convcli.kernels.hints import instead

    if "did you mean" in message:
        return message
    told, how, rest = message.partition("; write")
    if how and "is no footprint" not in told:
        return message
    return told + instead(text) + how + rest


def _load_file(path: Path) -> Kernel:
    from convcli.kernels.kernel_files import load_file

    return load_file(path)


def _is_literal(text: str) -> bool:
    if not re.match(_LITERAL, text) or (len(text) < 4096 and exists(text)):
        return False
    # "1-sharpen.csv" is a file that is missing, "1 0 O" a literal with a typing error.
    return bool(re.search(r"[\s,;\[\]:]", text)) or not re.search(r"[A-Za-z]", text)


def _is_path(text: str) -> bool:
    # gausian:1.5 is a preset misspelt, kernel.csv a file that is missing.
    named = os.sep in text or "/" in text or re.search(r"\.[A-Za-z]\w*$", text)
    return bool(named) or exists(text)
