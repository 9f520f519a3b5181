"""How a checkpoint may be read: concurrency, byte budget, and whom to tell of progress."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

DEFAULT_JOBS: Final = 32
"""Concurrent reads over a network; 184 headers at 50 ms a request take no less with 64."""

Progress = Callable[[str, int, int], None]
"""Told what is done, how many of how many."""


def no_progress(what: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class ReadPolicy:
    """`jobs` concurrent reads; `max_bytes` None is no limit."""

    jobs: int = DEFAULT_JOBS
    max_bytes: int | None = None
    progress: Progress = no_progress
