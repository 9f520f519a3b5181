"""The view of runs: which there are, how far they are, and how to go on."""

from inspector.analysis.runs import RunRow, RunsDocument
from inspector.render.document import render_json
from inspector.render.tables import Column, Table
from inspector.render.text import counted, decimal_bytes
from inspector.render.view import View


def runs_view(document: RunsDocument) -> View:
    """The view of the runs in a folder."""
    open_runs = [one for one in document.runs if not one.finished]
    headline = f"{document.folder}: {counted(len(document.runs), 'run')}"
    if open_runs:
        headline += f", {len(open_runs)} to go on: the same command again goes on where it was"

    def table(size: Column) -> Table:
        columns = (
            Column("folder"), Column("started"), Column("finished"),
            Column("done", right=True), Column("tasks", right=True),
            Column("results", right=True), size, Column("command"),
        )  # fmt: skip
        return Table(columns, [_cells(one) for one in document.runs])

    return View(
        headline=headline,
        tables=lambda: [table(Column("bytes", right=True, show=decimal_bytes))],
        rows=lambda: table(Column("bytes", right=True)),
        names=lambda: (one.folder for one in document.runs),
        document=lambda: render_json(document),
    )


def _cells(one: RunRow) -> tuple[object, ...]:
    return (
        one.folder, one.started, one.finished, one.done, one.tasks, one.results, one.bytes,
        one.command,
    )  # fmt: skip
