"""What a table is made of: studies, how often each is repeated, and the figures they give."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from benchmarks.study.figures import Figure
from benchmarks.study.tasks import Parameters, Scalar, Task

FULL_SIZE: Final[dict[str, Scalar]] = {"rows": 8, "neurons": 1536, "references": 128}
"""A layer as large as the published models' are, at the rows of the first look."""


class Setting(StrEnum):
    """How much a command simulates."""

    SMALL = "small"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Repeats:
    """Replicates of a study in each setting."""

    small: int
    full: int

    def of(self, setting: Setting) -> int:
        return self.small if setting is Setting.SMALL else self.full


@dataclass(frozen=True, slots=True)
class Study:
    """Some lines of a table, read off the merged outcomes of all replicates."""

    title: str
    measure: str
    parameters: Parameters
    repeats: Repeats
    figures: Sequence[Figure]

    def tasks(self, setting: Setting, seed: int) -> list[Task]:
        return [
            Task(self.measure, self.parameters, replicate, seed)
            for replicate in range(self.repeats.of(setting))
        ]


Table = Mapping[str, Sequence[Study]]
"""Heading -> studies."""


def studies(table: Table) -> Iterator[Study]:
    """All studies of a table, in order."""
    for group in table.values():
        yield from group
