"""How a checkpoint may be read: concurrency, byte budget, and whom to tell of progress."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from inspector.source.pool import Lanes

DEFAULT_JOBS: Final = 32
"""Concurrent reads over a network; 184 headers at 50 ms a request take no less with 64."""

Progress = Callable[[str, int, int], None]
"""Told what is done, how many of how many."""


def no_progress(what: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class ReadPolicy:
    """`jobs` concurrent reads; `max_bytes` None is no limit.

    `lanes` are the threads of reads that go on beside each other, of one checkpoint or of several
    that are opened by one policy: together they keep to `jobs`.
    """

    jobs: int = DEFAULT_JOBS
    max_bytes: int | None = None
    progress: Progress = no_progress
    lanes: Lanes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lanes", Lanes(self.jobs))
