"""Tasks whose outcome is kept in a file, so that a study that was stopped goes on where it was.

The name of the file comes from the task and from the code that its measure imports: a task whose
parameters, seed or code changed has no outcome yet.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.study.outcome import Outcome
from benchmarks.study.versions import version_of

Scalar = str | int | float | bool
Parameters = Mapping[str, Scalar]
Measure = Callable[[Parameters, np.random.Generator], Outcome]
"""Simulates what the parameters say with the generator given, and counts."""


@dataclass(frozen=True, slots=True)
class Task:
    """One measurement: replicate `replicate` of what `measure` does with `parameters`."""

    measure: str
    parameters: Parameters
    replicate: int
    seed: int

    @property
    def identity(self) -> str:
        """The task as canonical JSON."""
        fields = [self.measure, dict(self.parameters), self.replicate, self.seed]
        return json.dumps(fields, sort_keys=True)

    def rng(self) -> np.random.Generator:
        """A stream of its own for each seed, replicate, measure and set of parameters."""
        what = json.dumps([self.measure, dict(self.parameters)], sort_keys=True)
        number = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8])
        return np.random.default_rng([self.seed, self.replicate, number])


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of outcomes."""

    folder: Path

    def path(self, task: Task, version: str) -> Path:
        """Where the outcome that this version of the code gives a task is, or would be."""
        key = hashlib.sha256(f"{version} {task.identity}".encode()).hexdigest()
        return self.folder / f"{task.measure}-{key[:16]}.json"

    def get(self, task: Task, version: str) -> Outcome | None:
        """The outcome of a task, where it ran already."""
        path = self.path(task, version)
        return msgspec.json.decode(path.read_bytes(), type=Outcome) if path.is_file() else None

    def put(self, task: Task, version: str, outcome: Outcome) -> None:
        """Keep an outcome; a run that is killed leaves no half file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(task, version)
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(outcome))
        part.replace(path)


def run_tasks(
    tasks: Iterable[Task],
    measures: Mapping[str, Measure],
    shelf: Shelf,
    progress: Callable[[Task], None],
) -> Iterator[Outcome]:
    """The outcome of every task, in order; `progress` is told of those that the shelf lacks."""
    versions = {name: version_of(measure) for name, measure in measures.items()}
    for task in tasks:
        version = versions[task.measure]
        outcome = shelf.get(task, version)
        if outcome is None:
            progress(task)
            outcome = measures[task.measure](task.parameters, task.rng())
            shelf.put(task, version, outcome)
        yield outcome
