"""Typed access to foreign JSON: what is of a wrong type counts as absent, and is noted. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from inspector.errors import ConfigError

Block = tuple[int, int]

_ALL: Final = -1
"""The size of a group that is a whole row, as GPTQ and compressed-tensors write it."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A field of a config that is not what it should be. `where` names the file and the field.

    >>> str(Malformed("config.json: hidden_size", "a count", "'big'"))
    "config.json: hidden_size should be a count, is 'big'"
    """

    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.where} should be {self.expected}, is {self.found}"


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one object; `malformed` is shared with those of the objects inside it.

    `where` is `config.json: ` for a file, `config.json: text_config` for what is inside it.
    """

    where: str
    values: Mapping[str, Any]
    malformed: list[Malformed] = field(default_factory=list)

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        if isinstance(value, str):
            return value
        self._note(name, "a string")
        return None

    def flag(self, name: str) -> bool | None:
        value = self.values.get(name)
        if isinstance(value, bool):
            return value
        self._note(name, "true or false")
        return None

    def count(self, *names: str) -> int | None:
        """A number of things, under the first of the names that is there."""
        name = next((name for name in names if self.values.get(name) is not None), names[0])
        value = self.values.get(name)
        if type(value) is int and value >= 0:
            return value
        self._note(name, "a count")
        return None

    def size(self, name: str) -> int | None:
        """A positive number, None also where all there is are meant."""
        value = self.values.get(name)
        if isinstance(value, float) and value > 0:  # some state the mean of all widths
            return int(value) if value.is_integer() else None
        if type(value) is int and (value > 0 or value == _ALL):
            return None if value == _ALL else value
        self._note(name, "a positive integer")
        return None

    def block(self, name: str) -> Block | None:
        """Rows and columns, as a list, or as text: `128x128`."""
        value = self.values.get(name)
        if isinstance(value, str):
            value = [int(part) for part in value.lower().split("x") if part.isdecimal()]
        if (
            isinstance(value, list)
            and len(value) == 2
            and all(type(one) is int and one > 0 for one in value)
        ):
            return value[0], value[1]
        self._note(name, "two positive integers")
        return None

    def names(self, name: str) -> tuple[str, ...] | None:
        value = self.values.get(name)
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return tuple(value)
        self._note(name, "a list of names")
        return None

    def inside(self, name: str) -> "Fields | None":
        """The fields of an object inside this one."""
        value = self.values.get(name)
        if isinstance(value, dict):
            return Fields(self._path(name), value, self.malformed)
        self._note(name, "an object")
        return None

    def each(self) -> Iterator["Fields"]:
        """The objects inside this one, whatever their names."""
        for name in self.values:
            if (found := self.inside(name)) is not None:
                yield found

    def _note(self, name: str, expected: str) -> None:
        value = self.values.get(name)
        if value is not None:
            shown = repr(value)
            shown = shown if len(shown) < 80 else f"{shown[:77]}..."
            self.malformed.append(Malformed(self._path(name), expected, shown))

    def _path(self, name: str) -> str:
        return f"{self.where}{'' if self.where.endswith(': ') else '.'}{name}"


def parse_object(text: bytes, *, file: str) -> dict[str, Any]:
    """The object that a file of JSON is.

    Raises:
        ConfigError: it is none.
    """
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not a JSON object: {error}") from error
