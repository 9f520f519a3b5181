"""A progress bar on a terminal's stderr, and silence elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from inspector.checkpoint.policy import Progress, no_progress


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A function that reports what is done; a bar appears where somebody can see it."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    tasks: dict[str, progress.TaskID] = {}
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield report
