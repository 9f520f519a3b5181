"""How far a command is: a bar on a terminal's stderr, a line now and then elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from inspector.checkpoint.policy import Progress
from inspector.cli.output import say

LINE_SECONDS: Final = 30.0
"""What takes less says nothing; what takes longer says so as often."""


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A function that reports what is done, where somebody can see it."""
    if not sys.stderr.isatty():
        yield Lines(say).report
        return
    from rich import progress
    from rich.console import Console
    from rich.text import Text

    class Rate(progress.ProgressColumn):
        def render(self, task: progress.Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:,.1f}/s")

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        Rate(),
        progress.TimeRemainingColumn(),
    )
    tasks: dict[str, progress.TaskID] = {}
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total, completed=done)
            bar.update(tasks[what], completed=done, total=total)

        yield report


@dataclass(slots=True)
class _Work:
    """One kind of work: when it was first told of, how much was done then, when it was last."""

    since: float
    before: int
    told: float


class Lines:
    """Says how far some work is, every `LINE_SECONDS` at most; short work says nothing.

    What was done when the work was first told of counts for no rate: it may have been found.
    """

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._clock = clock
        self._works: dict[str, _Work] = {}
        self._lock = threading.Lock()

    def report(self, what: str, done: int, total: int) -> None:
        """Take in how far `what` is."""
        with self._lock:
            now = self._clock()
            work = self._works.setdefault(what, _Work(since=now, before=done, told=now))
            if now - work.told < LINE_SECONDS:
                return
            work.told = now
            line = f"{what}: {done:,} of {total:,}"
            rate = (done - work.before) / (now - work.since)
            if rate > 0:
                left = timedelta(seconds=round((total - done) / rate))
                line += f", {rate:,.1f}/s, {left} left"
            self._say(line)
