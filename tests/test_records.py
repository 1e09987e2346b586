"""Records are made as named tuples and data classes are, and refuse what those refuse."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from convcli.records import NamedTuple, Record, field

PACKAGE = Path(__file__).parents[1] / "convcli"


class Point(NamedTuple):
    """A place."""

    x: int
    y: int = 2

    @property
    def sum(self) -> int:
        return self.x + self.y


class Note(Record):
    """A text."""

    text: str
    marks: list[int] = field(default_factory=list)


class Signed(Note):
    """A text by somebody."""

    by: str = "nobody"


def test_a_named_tuple_is_what_that_of_typing_is() -> None:
    point = Point(1)
    assert point == (1, 2)
    assert repr(point) == "Point(x=1, y=2)"
    assert point._replace(x=5).sum == 7
    assert Point.__doc__ == "A place."
    assert get_type_hints(Point) == {"x": int, "y": int}
    for other in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert type(other) is Point
        assert other == point


def test_a_field_without_a_default_behind_one_that_has_one_is_refused() -> None:
    body = {"__module__": __name__, "__annotations__": {"x": "int", "y": "int"}, "x": 1}
    with pytest.raises(TypeError, match="follows one that has one"):
        type(NamedTuple)("Wrong", (NamedTuple,), body)


def test_a_record_has_the_fields_of_its_base_and_defaults_of_its_own() -> None:
    one, other = Signed("a"), Signed("b", [3], by="me")
    one.marks.append(1)
    assert vars(one) == {"text": "a", "marks": [1], "by": "nobody"}
    assert vars(other.but(text="c")) == {"text": "c", "marks": [3], "by": "me"}
    assert vars(pickle.loads(pickle.dumps(other))) == vars(other)
    assert Note("d").marks == []


@pytest.mark.parametrize(
    ("given", "named"),
    [((), {}), (("a", [], "b", "c"), {}), (("a",), {"nothing": 1}), (("a",), {"text": "b"})],
)
def test_a_record_refuses_fields_that_lack_are_too_many_or_given_twice(
    given: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match="Signed is"):
        Signed(*given, **named)


def test_files_with_records_keep_annotations_as_texts() -> None:
    """Since Python 3.14 a class has no others while it is made."""
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        if "convcli.records import" in text:
            assert "from __future__ import annotations" in text, path
