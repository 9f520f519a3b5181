"""Tasks whose work is an addition: to see who does what, how often, and what is kept."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

from inspector.run.recipe import TaskInput
from inspector.run.tasks import Task
from inspector.source.base import Source


@dataclass(frozen=True, slots=True)
class Square:
    """The square of a number; a negative one has none."""

    number: int
    inputs: tuple[TaskInput, ...] = ()
    size: int = 1

    @property
    def name(self) -> str:
        return f"square-{self.number}.json"

    def run(self, sources: Sequence[Source]) -> bytes:
        if self.number < 0:
            raise ZeroDivisionError(self.number)
        return b"%d" % self.number**2


@dataclass(frozen=True, slots=True)
class Slow:
    """Another task, begun after a while: so that a worker can be killed in the middle of it."""

    task: Task
    seconds: float

    @property
    def name(self) -> str:
        return self.task.name

    @property
    def inputs(self) -> Sequence[TaskInput]:
        return self.task.inputs

    @property
    def size(self) -> int:
        return self.task.size

    def run(self, sources: Sequence[Source]) -> bytes:
        time.sleep(self.seconds)
        return self.task.run(sources)


@dataclass(frozen=True, slots=True)
class Deadly:
    """Kills whoever does it."""

    name: str = "deadly"
    inputs: tuple[TaskInput, ...] = ()
    size: int = 1

    def run(self, sources: Sequence[Source]) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b""
