"""`check`: examine every file, show what is wrong."""

from inspector.analysis.integrity import check_document
from inspector.analysis.report import Model
from inspector.cli.common import InputOptions, OutputOptions, finish, opened, write_plan
from inspector.cli.findings import exit_code_of
from inspector.cli.options import FailOn
from inspector.cli.output import write_view
from inspector.render.check import check_view, index_notes


def run(inputs: InputOptions, outputs: OutputOptions, *, fail_on: FailOn, limit: int | None) -> int:
    """Say whether a checkpoint is sound. Returns the exit code."""
    outputs.resolved()
    with opened(inputs) as checkpoint:
        if inputs.plan:
            write_plan("check", checkpoint.planned_examination(), checkpoint, outputs)
            return 0
        found = checkpoint.examine()
        source = checkpoint.source
        model = Model(
            location=source.location,
            kind=source.kind,
            commit=source.commit,
            files=len(found.files),
        )
        document = check_document(found, model, checkpoint.cost)
        view = check_view(document, notes=index_notes(found), limit=limit)
    write_view(view, outputs, ())
    finish(checkpoint)
    return exit_code_of(found.findings, fail_on)
