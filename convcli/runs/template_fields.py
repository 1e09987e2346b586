"""The fields of output names, put in: imported where a name has some."""

from __future__ import annotations

import re
from collections.abc import Collection
from string import Formatter
from typing import Any

__all__ = ["Names"]


class Names(Formatter):
    """Python's format strings, with our fields alone and no more letters than a name may have."""

    def __init__(self, fields: Collection[str], longest: int) -> None:
        self.fields, self.longest = fields, longest

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        if field_name not in self.fields:
            raise ValueError(f"{{{field_name}}} is no field")
        return kwargs[field_name], field_name

    def convert_field(self, value: Any, conversion: Any) -> Any:
        if conversion:
            raise ValueError(f"!{conversion} is not known")
        return value

    def format_field(self, value: Any, format_spec: str) -> Any:
        for digits in re.findall(r"\d+", format_spec):
            if len(digits.lstrip("0")) > 3 or int(digits) > self.longest:
                raise ValueError(
                    f"a field of {digits[:20]} letters; {self.longest} are a whole name"
                )
        return super().format_field(value, format_spec)
