"""The runs in a folder: itself one, or folders of runs below it."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from inspector.analysis.runs import RunRow
from inspector.errors import ObjectNotFound
from inspector.run.folder import RUN_FILE, TASKS, RunFolder, read_facts

REPORT_FILE: Final = "report.json"
"""A run's document, written when there is nothing left to do."""


def find_runs(path: Path) -> list[RunRow]:
    """The runs at `path` or one folder below it, oldest first.

    Raises:
        ObjectNotFound: there is no such folder.
        UsageError: a `run.json` cannot be understood.
    """
    if not path.is_dir():
        raise ObjectNotFound(f"{path}: no such folder")
    return sorted(_rows(path), key=lambda row: (row.started, row.folder))


def _rows(path: Path) -> Iterator[RunRow]:
    for folder in (path, *(found.parent for found in sorted(path.glob(f"*/{RUN_FILE}")))):
        facts = read_facts(folder)
        if facts is None:
            continue
        run = RunFolder(folder, facts)
        results, planned = run.results(), run.planned()
        yield RunRow(
            folder=str(folder),
            command=shlex.join(["s1inspect", *facts.arguments]),
            started=facts.started,
            finished=Path(REPORT_FILE) in results,
            results=len(results),
            bytes=sum((folder / one).stat().st_size for one in results),
            done=None if planned is None else sum(one.parts[0] == TASKS for one in results),
            tasks=planned,
        )
