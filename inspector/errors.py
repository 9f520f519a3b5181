"""Every exception `inspector` raises on purpose, and `Problem`, the value for what it only reports.

InspectorError
├── UsageError             the request itself cannot be answered: an option, a name, a pattern
│   ├── NameNotFound       no tensor or module of that name; carries the nearest names
│   └── DeviceNotThere     no such device where the work is done, or nothing that drives it
├── SourceError            bytes could not be obtained
│   ├── ObjectNotFound     the repository, revision or file is not there
│   ├── AccessDenied       it is there, and may not be read: gated, private, wrong token
│   ├── RangeNotHonored    the server answered a range request with something else
│   └── SourceChanged      the object changed between two reads
├── BudgetExceeded         the next read would go past the byte budget; nothing is wrong with it
├── OutputError            a report or an export cannot be written
├── FormatError            bytes were obtained and break the file format; carries every problem
├── ConfigError            config.json cannot be read as a configuration
├── LayoutError            the file is valid; its tensor names or shapes fit no known layout
└── DecodeError            a layout was found; its arrays cannot be decoded
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a problem lies; whichever of the three apply. `offset` counts from the file's start."""

    shard: str | None = None
    tensor: str | None = None
    offset: int | None = None

    def __str__(self) -> str:
        parts = [self.shard, self.tensor, None if self.offset is None else f"byte {self.offset}"]
        return ", ".join(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One broken rule: which rule, how bad, where, what was expected and what was found.

    `rule` is a stable slug (`span_size_mismatch`); tests and JSON output key on it, so the
    wording of `message` is free to improve.
    """

    rule: str
    severity: Severity
    where: Place
    message: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message} (expected {self.expected}, found {self.found})"


class InspectorError(Exception):
    """Base of all intended errors. `hint` is what the reader can do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(InspectorError):
    """The request itself cannot be answered."""


class NameNotFound(UsageError):
    """No tensor or module has that name."""


class DeviceNotThere(UsageError):
    """The process that does the work has no such device, or nothing that drives it."""


class SourceError(InspectorError):
    """Bytes could not be obtained."""


class ObjectNotFound(SourceError):
    """The repository, revision or file is not there."""


class AccessDenied(SourceError):
    """The object exists and may not be read with what was sent."""


class RangeNotHonored(SourceError):
    """The server answered a range request with something else."""


class SourceChanged(SourceError):
    """The object changed between two reads."""


class BudgetExceeded(InspectorError):
    """The next read would go past the byte budget."""


class OutputError(InspectorError):
    """A report or an export cannot be written."""


class FormatError(InspectorError):
    """Bytes were obtained and break the file format."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = f"{self.problems[0]} [{self.problems[0].rule}]"
        more = len(self.problems) - 1
        super().__init__(first + (f", and {more} more" if more else ""))

    def __reduce__(self) -> tuple[type["FormatError"], tuple[tuple[Problem, ...]]]:
        """A process that did a task sends it back to the one that asked."""
        return type(self), (self.problems,)


class ConfigError(InspectorError):
    """config.json cannot be read as a configuration."""


class LayoutError(InspectorError):
    """Valid files whose tensor names or shapes fit no known layout."""


class DecodeError(InspectorError):
    """A layout was found; its arrays cannot be decoded."""
