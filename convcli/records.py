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
            # Texts, in a file with ``from __future__ import annotations``, as all are that use this.
            fields = list(body["__annotations__"])
            defaults = [body[field] for field in fields if field in body]
            if any(field not in body for field in fields[len(fields) - len(defaults) :]):
                raise TypeError(f"{name}: a field without a default follows one that has one")
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
    """A field as that of a data class: ``default_factory`` makes its default.

    ``kw_only`` is for type checkers alone.
    """
    return default if default_factory is None else _Made(default_factory)


@dataclass_transform(eq_default=False, field_specifiers=(field,))
class Record:
    """Base of a class whose annotated fields can be given by place or name, and changed.

    A class derived from it adds its fields; a default that can be changed itself needs a ``field``.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        fields = vars(cls).get("__annotations__")
        if fields is not None:
            cls._fields = (*cls._fields, *fields)
            own = {name: cls.__dict__[name] for name in fields if name in cls.__dict__}
            cls._defaults = cls._defaults | own

    def __init__(self, *given: Any, **named: Any) -> None:
        own, fields = self.__dict__, self._fields
        own.update(zip(fields, given, strict=False))
        if named and not own.keys().isdisjoint(named):
            raise TypeError(f"{type(self).__name__} is given {sorted(own.keys() & named)} twice")
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
