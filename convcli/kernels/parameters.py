"""Parameters of presets: what each may be, and reading ``1.5,size=9``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from convcli.arithmetic.numerals import parse_number
from convcli.errors import KernelError, did_you_mean
from convcli.records import NamedTuple

__all__ = ["Parameter", "format_values", "parse_values"]


class Parameter(NamedTuple):
    """One number of a parametric preset: its meaning, its default and what it may be.

    ``default`` None means that a formula derives it from the others, as ``note`` says. One that
    is ``named`` is given by its name only.
    """

    name: str
    note: str
    low: float
    high: float
    default: float | None = None
    whole: bool = False
    odd: bool = False
    choices: tuple[int, ...] = ()
    named: bool = False

    @property
    def allowed(self) -> str:
        """What it may be, in words.

        >>> Parameter("size", "side", 1, 99, odd=True).allowed
        'an odd whole number from 1 to 99'
        """
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        kind = "an odd whole number" if self.odd else "a whole number" if self.whole else "a number"
        if self.high == math.inf:
            return kind if self.low == -math.inf else f"{kind} from {self.low:g} on"
        return f"{kind} from {self.low:g} to {self.high:g}"

    def accepts(self, value: float) -> bool:
        """Whether ``value`` is one of those."""
        if self.choices:
            return value in self.choices
        whole = not (self.whole or self.odd) or value == int(value)
        return self.low <= value <= self.high and whole and not (self.odd and value % 2 == 0)


def parse_values(
    preset: str, parameters: Sequence[Parameter], text: str, example: str
) -> dict[str, float]:
    """Read what stands after the colon: numbers by position, then by name.

    Raises
    ------
    KernelError
        Naming the parameter, the value and what is allowed, with an example.

    >>> sigma, size = Parameter("sigma", "", 0, 9), Parameter("size", "", 1, 99, odd=True)
    >>> parse_values("gaussian", [sigma, size], "1.5,size=9", "gaussian:1.5")
    {'sigma': 1.5, 'size': 9.0}
    """
    as_in = f", as in {example}"
    if not parameters:
        raise KernelError(f"{preset} takes no numbers, but {text!r} follows its name")
    values: dict[str, float] = {}
    named = False
    for position, item in enumerate(text.split(",")):
        name, equals, value = (part.strip() for part in item.rpartition("="))
        named = named or bool(equals)
        if named and not equals:
            raise KernelError(f"{preset}: {item!r} follows a named parameter; name it too{as_in}")
        parameter = (
            _by_name(preset, parameters, name)
            if equals
            else _by_position(preset, parameters, position, as_in)
        )
        if parameter.name in values:
            raise KernelError(f"{preset}: {parameter.name} is given twice")
        values[parameter.name] = _checked(preset, parameter, value, as_in)
    return values


def _by_name(preset: str, parameters: Sequence[Parameter], name: str) -> Parameter:
    for parameter in parameters:
        if parameter.name == name:
            return parameter
    names = [p.name for p in parameters]
    hint = did_you_mean(name, names)
    raise KernelError(f"{preset} has no parameter {name!r}, only {', '.join(names)}{hint}")


def _by_position(
    preset: str, parameters: Sequence[Parameter], position: int, as_in: str
) -> Parameter:
    placed = [p for p in parameters if not p.named]
    if position < len(placed):
        return placed[position]
    count = f"{len(placed)} number" + "s" * (len(placed) != 1)
    names = ", ".join(p.name for p in placed)
    others = "".join(f"; {p.name}: {p.note}" for p in parameters if p.named)
    raise KernelError(f"{preset} takes at most {count} ({names}){as_in}{others}")


def _checked(preset: str, parameter: Parameter, text: str, as_in: str) -> float:
    try:
        value = parse_number(text)
    except ValueError as error:
        problem = str(error) if text else "nothing is given"
        raise KernelError(
            f"{preset}: {parameter.name}: {problem}; it must be {parameter.allowed}{as_in}"
        ) from error
    if not parameter.accepts(value):
        raise KernelError(
            f"{preset}: {parameter.name} is {value:g}; it must be {parameter.allowed}{as_in}"
        )
    return value


def format_values(parameters: Sequence[Parameter], values: dict[str, float]) -> str:
    """The shortest text that ``parse_values`` reads as these values.

    >>> one, two = Parameter("sigma", "", 0, 9), Parameter("size", "", 1, 99)
    >>> format_values([one, two], {"size": 9}), format_values([one, two], {"sigma": 2, "size": 9})
    ('size=9', '2,9')
    """
    parts, in_order = [], True
    for parameter in parameters:
        if parameter.name not in values:
            in_order = False
            continue
        number = re.sub(r"\.0$", "", repr(float(values[parameter.name])))
        placed = in_order and not parameter.named
        parts.append(number if placed else f"{parameter.name}={number}")
    return ",".join(parts)
