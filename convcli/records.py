"""Classes of named fields that are defined quickly: four dozen are, before a picture is read.

``typing.NamedTuple`` compiles the annotation of each field, which nobody asks for when the program
runs; ``dataclass`` writes its methods as text and compiles them, and brings ``inspect`` and ``ast``.
Type checkers see the one as ``typing``'s own, and the other as they see data classes.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

__all__ = ["NamedTuple", "Record", "field"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class _Meta(type):
        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = list(body["__annotations__"])  # a file that compiles none has them as text
            defaults = [body[field] for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            for key, value in body.items():
                if key not in fields and key != "__module__":
                    setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Meta):
        """Base of a class whose annotated fields are those of a tuple."""


class _Made:
    """The default of a field that is made anew for every record."""

    def __init__(self, make: Any) -> None:
        self.make = make


def field(*, default: Any = None, default_factory: Any = None, kw_only: bool = False) -> Any:
    """A field as that of a data class: ``default_factory`` makes its default, ``kw_only`` types it."""
    return default if default_factory is None else _Made(default_factory)


@dataclass_transform(eq_default=False, field_specifiers=(field,))
class Record:
    """Base of a class whose annotated fields can be given by place or name, and changed."""

    _fields: ClassVar[tuple[str, ...]]
    _defaults: ClassVar[dict[str, Any]]

    def __init_subclass__(cls) -> None:
        fields = vars(cls).get("__annotations__")
        if fields is not None:
            cls._fields = tuple(fields)
            cls._defaults = {name: cls.__dict__[name] for name in fields if name in cls.__dict__}

    def __init__(self, *given: Any, **named: Any) -> None:
        own, fields = self.__dict__, self._fields
        own.update(zip(fields, given, strict=False))
        own.update(named)
        for name, default in self._defaults.items():
            if name not in own:
                own[name] = default.make() if isinstance(default, _Made) else default
        if len(given) > len(fields) or own.keys() != set(fields):
            odd = own.keys() ^ set(fields) or given[len(fields) :]
            raise TypeError(f"{type(self).__name__} is made without, or with, {sorted(odd)}")

    def but(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return type(self)(**{**self.__dict__, **changes})
