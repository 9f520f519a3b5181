"""`audit`: facts from headers and config, a few numbers, one report."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from inspector.analysis.plan import PlannedReads
from inspector.analysis.quant.audit import audit_facts
from inspector.analysis.quant.chosen import Chosen
from inspector.analysis.quant.evidence import Evidence
from inspector.analysis.quant.sample import Look, spans_of
from inspector.analysis.quant.summary import audit_document, module_rows
from inspector.analysis.report import NO_COST
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.auditing import allowance_of, audit_checkpoint
from inspector.cli.choosing import refuse_large
from inspector.cli.common import InputOptions, OutputOptions, finish, opened, write_plan
from inspector.cli.findings import exit_code_of
from inspector.cli.options import FailOn
from inspector.cli.output import write_view
from inspector.cli.running import (
    RunOptions,
    arguments,
    crew_of,
    keep_view,
    kept_allowance,
    listed,
    recipe,
    telling,
)
from inspector.render.audit import audit_view
from inspector.render.text import counted
from inspector.run.audit_tasks import evidence_of, look_tasks
from inspector.run.folder import RunFolder, open_run
from inspector.run.identity import Identity, input_of

_TASKS_AT_A_TIME: Final = 4
"""Tasks of threads here: while some count codes, the others read."""


def run(
    inputs: InputOptions,
    outputs: OutputOptions,
    *,
    sample: int | None,
    fail_on: FailOn,
    limit: int | None,
    running: RunOptions,
) -> int:
    """Say whether a checkpoint is what its config says. Returns the exit code."""
    outputs.resolved()
    with opened(inputs) as checkpoint:
        chosen = Chosen(inputs.layer_numbers, inputs.expert_numbers)
        checkpoint.take_shapes()
        facts = audit_facts(checkpoint.weights, checkpoint.claim, chosen)
        wanted = facts.looks(sample)
        if inputs.plan:
            write_plan("audit", [_planned(checkpoint, wanted)], checkpoint, outputs)
            return 0
        folder = _folder(running, inputs, checkpoint, sample)
        allowed = allowance_of(checkpoint)
        by_tasks = sample is None or running.is_asked
        found = audit_checkpoint(
            checkpoint, facts, wanted, lambda size: refuse_large(checkpoint, inputs, size),
            allowed=kept_allowance(folder, allowed) if folder is not None else allowed,
            look=partial(_by_tasks, running, inputs, checkpoint, folder) if by_tasks else None,
        )  # fmt: skip
        problems = checkpoint.problems
        if folder is not None:
            free = audit_document(found, checkpoint.model, NO_COST, problems)
            keep_view(folder, audit_view(free, lambda: module_rows(found), limit=None))
        document = audit_document(found, checkpoint.model, checkpoint.cost, problems)
        view = audit_view(document, lambda: module_rows(found), limit=limit)
    write_view(view, outputs, problems)
    finish(checkpoint)
    return exit_code_of(document.findings, fail_on)


def _planned(checkpoint: Checkpoint, looks: Sequence[Look]) -> PlannedReads:
    reads = checkpoint.reader.plan_spans(spans_of(looks))
    sparse = sum(look.is_of_places for look in looks)
    what = f"scales of {counted(len(looks) - sparse, 'weight')}, and codes of some rows"
    if sparse:
        what += f"; {counted(sparse, 'bitmask')} of unquantized ones"
    return PlannedReads(what=what, requests=reads.requests, bytes=reads.bytes)


def _folder(
    running: RunOptions, inputs: InputOptions, checkpoint: Checkpoint, sample: int | None
) -> RunFolder | None:
    if running.out is None:
        return None
    identity = Identity(
        command="audit",
        inputs={"model": input_of(checkpoint.source, checkpoint.catalog.shards)},
        parameters={
            "sample": sample,
            "layers": listed(inputs.layer_numbers),
            "experts": listed(inputs.expert_numbers),
            "max_bytes": inputs.byte_budget,
        },
    )
    options: dict[str, str | bool | None] = {
        "--full": sample is None,
        "--sample": None if sample is None else str(sample),
    }
    return open_run(running.out, identity, arguments("audit", inputs, running.out, options))


def _by_tasks(
    running: RunOptions,
    inputs: InputOptions,
    checkpoint: Checkpoint,
    folder: RunFolder | None,
    looks: Sequence[Look],
) -> list[Evidence]:
    opened_as = recipe(inputs, checkpoint)
    tasks = look_tasks(looks, opened_as, checkpoint.source)
    sources = {opened_as: checkpoint.source}
    with crew_of(running, sources, checkpoint, at_a_time=_TASKS_AT_A_TIME) as crew:
        return evidence_of(tasks, crew, folder, telling(checkpoint.policy.progress, tasks))
