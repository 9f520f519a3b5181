"""`audit`: facts from headers and config, a few numbers, one report."""

from collections.abc import Sequence

from inspector.analysis.plan import PlannedReads
from inspector.analysis.quant.audit import audit_facts
from inspector.analysis.quant.chosen import Chosen
from inspector.analysis.quant.sample import Look, spans_of
from inspector.analysis.quant.summary import audit_document, module_rows
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.auditing import audit_checkpoint
from inspector.cli.choosing import refuse_large
from inspector.cli.common import InputOptions, OutputOptions, finish, opened, write_plan
from inspector.cli.findings import exit_code_of
from inspector.cli.options import FailOn
from inspector.cli.output import write_view
from inspector.render.audit import audit_view
from inspector.render.text import counted


def run(
    inputs: InputOptions,
    outputs: OutputOptions,
    *,
    sample: int | None,
    fail_on: FailOn,
    limit: int | None,
) -> int:
    """Say whether a checkpoint is what its config says. Returns the exit code."""
    outputs.resolved()
    with opened(inputs) as checkpoint:
        chosen = Chosen(inputs.layer_numbers, inputs.expert_numbers)
        facts = audit_facts(checkpoint.weights, checkpoint.claim, chosen)
        wanted = facts.looks(sample)
        if inputs.plan:
            write_plan("audit", [_planned(checkpoint, wanted)], checkpoint, outputs)
            return 0
        found = audit_checkpoint(
            checkpoint, facts, wanted, lambda size: refuse_large(checkpoint, inputs, size)
        )
        problems = checkpoint.problems
        document = audit_document(found, checkpoint.model, checkpoint.cost, problems)
        view = audit_view(document, lambda: module_rows(found), limit=limit)
    write_view(view, outputs, problems)
    finish(checkpoint)
    return exit_code_of(document.findings, fail_on)


def _planned(checkpoint: Checkpoint, looks: Sequence[Look]) -> PlannedReads:
    reads = checkpoint.reader.plan_spans(spans_of(looks))
    what = f"scales of {counted(len(looks), 'weight')}, and codes of some rows"
    return PlannedReads(what=what, requests=reads.requests, bytes=reads.bytes)
