"""`runs`: the runs in a folder."""

from pathlib import Path

from inspector.analysis.runs import RunsDocument
from inspector.cli.common import OutputOptions
from inspector.cli.output import write_view
from inspector.render.runs import runs_view
from inspector.run.find import find_runs


def run(outputs: OutputOptions, folder: Path) -> None:
    """List the runs at a folder or just below it."""
    outputs.resolved()
    document = RunsDocument(schema="s1inspect/runs/1", folder=str(folder), runs=find_runs(folder))
    write_view(runs_view(document), outputs, [])
