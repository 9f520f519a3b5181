"""`runs`: the runs in a folder, and going on with those that were stopped."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from inspector.analysis.runs import RunsDocument
from inspector.cli.common import OutputOptions
from inspector.cli.findings import EXIT_FINDINGS
from inspector.cli.output import say, write_view
from inspector.errors import UsageError
from inspector.render.runs import runs_view
from inspector.run.find import find_runs
from inspector.run.folder import read_facts

_COMMANDS: Final = frozenset({"audit", "compare", "dequant", "expert-similarity"})
_ELSEWHERE: Final = frozenset({"-o", "--output", "--scheduler"})
"""Options that no run begins with: they would write, or connect, where a folder's owner says."""


def run(outputs: OutputOptions, folder: Path, *, go_on: bool) -> int:
    """List the runs at a folder or just below it, after going on with those that have no end.

    Returns the exit code: the first of a run that went on and failed.
    """
    outputs.resolved()
    codes = [_gone_on(Path(row.folder)) for row in find_runs(folder) if go_on and not row.finished]
    document = RunsDocument(schema="s1inspect/runs/1", folder=str(folder), runs=find_runs(folder))
    write_view(runs_view(document), outputs, [])
    return next((code for code in codes if code not in (0, EXIT_FINDINGS)), 0)


def _gone_on(folder: Path) -> int:
    """Go on with one run; its report stays in its folder. Returns its exit code."""
    facts = read_facts(folder)
    if facts is None:
        return 0
    words = words_to_go_on(folder, facts.arguments)
    say(f"{folder}: s1inspect {' '.join(facts.arguments)}")
    done = subprocess.run(  # noqa: S603  our own program, with words that were looked at
        [sys.executable, "-m", "inspector", *words],
        cwd=facts.directory or None, stdout=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return done.returncode


def words_to_go_on(folder: Path, arguments: Sequence[str]) -> list[str]:
    """The words of a run's command, for the folder where it lies now.

    Raises:
        UsageError: no run is begun with such words.
    """
    begun = arguments[:1]
    if not _COMMANDS.issuperset(begun) or not begun or _ELSEWHERE.intersection(arguments):
        raise UsageError(
            f"{folder}: its run.json says s1inspect {' '.join(arguments)}, which is no run",
            hint="type the command yourself if you trust it",
        )
    if arguments[-2:-1] != ["--out"]:
        raise UsageError(f"{folder}: its run.json names no --out at the end")
    return [*arguments[:-1], str(folder.absolute())]
