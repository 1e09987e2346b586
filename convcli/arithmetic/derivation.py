"""How an output size is worked out: the formula, the formula with numbers, and each step."""

from __future__ import annotations

from convcli.arithmetic.layer import AnyWindow
from convcli.arithmetic.transposed import TransposedWindow
from convcli.records import NamedTuple

__all__ = ["Derivation", "DerivationStep", "derive"]


class DerivationStep(NamedTuple):
    """One line of the working: what it is, the sum, and its value in cells."""

    name: str
    expression: str
    value: int


class Derivation(NamedTuple):
    """The whole calculation for one axis."""

    formula: str
    numbers: str
    latex: str
    steps: tuple[DerivationStep, ...]

    @property
    def output(self) -> int:
        """The last step's value."""
        return self.steps[-1].value


def derive(window: AnyWindow) -> Derivation:
    """Work one axis out step by step.

    >>> from convcli.arithmetic.window import conv_window
    >>> working = derive(conv_window(32, 5, padding=2))
    >>> print(working.formula, working.numbers, working.output, sep="\\n")
    o = floor((n + 2p - k) / s) + 1
    floor((32 + 2*2 - 5) / 1) + 1
    32
    """
    if isinstance(window, TransposedWindow):
        return _transposed(window)
    return _sliding(window)


def _padding(window: AnyWindow, sign: str) -> tuple[str, str]:
    """Padding in symbols and in numbers: ``+ 2p`` where both sides agree."""
    if window.before == window.after:
        return f" {sign} 2p", f" {sign} 2*{window.before}"
    return f" {sign} pb {sign} pe", f" {sign} {window.before} {sign} {window.after}"


def _kernel(window: AnyWindow) -> tuple[str, str]:
    if window.dilation == 1:
        return "k", str(window.kernel_size)
    return "(d(k - 1) + 1)", f"({window.dilation}*({window.kernel_size} - 1) + 1)"


def _kernel_step(window: AnyWindow) -> DerivationStep:
    return DerivationStep(
        "effective kernel",
        f"{window.dilation}*({window.kernel_size} - 1) + 1",
        window.effective_kernel,
    )


def _sliding(window: AnyWindow) -> Derivation:
    assert not isinstance(window, TransposedWindow)
    ceil, clipped = window.ceil_mode, window.clipped
    rounding = "ceil" if ceil else "floor"
    pad, pad_number = _padding(window, "+")
    kernel, kernel_number = _kernel(window)
    tail = " + 1 - 1" if clipped else " + 1"
    room = window.padded - window.effective_kernel
    moves = -(-room // window.stride) if ceil else room // window.stride
    steps = [
        DerivationStep(
            "padded size", f"{window.size} + {window.before} + {window.after}", window.padded
        ),
        _kernel_step(window),
        DerivationStep("room to slide", f"{window.padded} - {window.effective_kernel}", room),
        DerivationStep("moves of the window", f"{rounding}({room} / {window.stride})", moves),
        DerivationStep("windows" if clipped else "output", f"{moves} + 1", moves + 1),
    ]
    if clipped:
        # PyTorch's rule: a window must start inside the input or the padding before it.
        steps.append(DerivationStep("output, without the last", f"{moves + 1} - 1", moves))
    left, right = (r"\left\lceil", r"\right\rceil") if ceil else (r"\left\lfloor", r"\right\rfloor")
    return Derivation(
        f"o = {rounding}((n{pad} - {kernel}) / s){tail}",
        f"{rounding}(({window.size}{pad_number} - {kernel_number}) / {window.stride}){tail}",
        rf"o = {left} \frac{{n{_latex(pad)} - {_latex(kernel)}}}{{s}} {right}{tail}"
        rf" = {left} \frac{{{window.size}{_latex(pad_number)} - {_latex(kernel_number)}}}"
        rf"{{{window.stride}}} {right}{tail} = {window.output}",
        tuple(steps),
    )


def _transposed(window: TransposedWindow) -> Derivation:
    pad, pad_number = _padding(window, "-")
    kernel, kernel_number = _kernel(window)
    extra, extra_number = (
        (" + op", f" + {window.output_padding}") if window.output_padding else ("", "")
    )
    cropped = window.full - window.before - window.after
    steps = [
        _kernel_step(window),
        DerivationStep(
            "cells the kernels cover",
            f"({window.size} - 1)*{window.stride} + {window.effective_kernel}",
            window.full,
        ),
        DerivationStep(
            "after cropping", f"{window.full} - {window.before} - {window.after}", cropped
        ),
        DerivationStep("output", f"{cropped} + {window.output_padding}", window.output),
    ]
    numbers = f"({window.size} - 1)*{window.stride}{pad_number} + {kernel_number}{extra_number}"
    return Derivation(
        f"o = (n - 1)s{pad} + {kernel}{extra}",
        numbers,
        rf"o = (n - 1)s{_latex(pad)} + {_latex(kernel)}{_latex(extra)}"
        rf" = {_latex(numbers)} = {window.output}",
        tuple(steps),
    )


def _latex(text: str) -> str:
    names = {"pb": "p_b", "pe": "p_e", "op": "p_o", "*": r" \cdot "}
    for plain, tex in names.items():
        text = text.replace(plain, tex)
    return text
