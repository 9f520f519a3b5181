"""`audit`: facts from headers and config, a few numbers, one report."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from inspector.analysis.plan import PlannedReads
from inspector.analysis.quant.audit import audit, audit_facts
from inspector.analysis.quant.sample import Look, affordable, in_file_order, spans_of
from inspector.analysis.quant.values import Evidence
from inspector.analysis.report import NO_COST
from inspector.checkpoint import Checkpoint
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
    recipe,
    telling,
)
from inspector.render.audit import audit_view
from inspector.render.text import counted
from inspector.run.audit_tasks import evidence_of, look_tasks
from inspector.run.folder import RunFolder, open_run
from inspector.run.identity import Identity, input_of
from inspector.source.pool import map_ordered

_AT_A_TIME: Final = 8
"""Weights that are looked into together: each holds some megabytes."""

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
        facts = audit_facts(checkpoint.weights, checkpoint.claim)
        wanted = facts.looks(sample)
        reader = checkpoint.reader
        if inputs.plan:
            write_plan("audit", [_planned(checkpoint, wanted)], checkpoint, outputs)
            return 0
        folder = _folder(running, inputs, checkpoint, sample)
        looks = in_file_order(_within_budget(checkpoint, inputs, wanted, folder))
        refuse_large(checkpoint, inputs, reader.plan_spans(spans_of(looks)).bytes)
        left_out = len(wanted) - len(looks)
        if sample is None or running.is_asked:
            evidence = _by_tasks(running, inputs, checkpoint, looks, folder)
            found = audit(facts, looks, reader, left_out=left_out, each=lambda _, __: evidence)
        else:
            reader.expect_spans(spans_of(looks))
            found = audit(
                facts, looks, reader, left_out=left_out,
                each=partial(map_ordered, jobs=min(inputs.jobs, _AT_A_TIME)),
                tell=lambda done: checkpoint.policy.progress("weights", done, len(looks)),
            )  # fmt: skip
        problems = checkpoint.problems
        if folder is not None:
            keep_view(folder, audit_view(found, checkpoint.model, NO_COST, problems, limit=None))
        view = audit_view(found, checkpoint.model, checkpoint.cost, problems, limit=limit)
    write_view(view, outputs, problems)
    finish(checkpoint)
    return exit_code_of([*problems, *found.findings], fail_on)


def _planned(checkpoint: Checkpoint, looks: Sequence[Look]) -> PlannedReads:
    reads = checkpoint.reader.plan_spans(spans_of(looks))
    what = f"scales of {counted(len(looks), 'weight')}, and codes of some rows"
    return PlannedReads(what=what, requests=reads.requests, bytes=reads.bytes)


def _folder(
    running: RunOptions, inputs: InputOptions, checkpoint: Checkpoint, sample: int | None
) -> RunFolder | None:
    if running.out is None:
        return None
    identity = Identity(
        command="audit",
        inputs={"model": input_of(checkpoint.source, checkpoint.catalog.shards)},
        parameters={"sample": sample, "max_bytes": inputs.byte_budget},
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
    looks: Sequence[Look],
    folder: RunFolder | None,
) -> list[Evidence]:
    opened_as = recipe(inputs, checkpoint)
    tasks = look_tasks(looks, opened_as, checkpoint.source)
    sources = {opened_as: checkpoint.source}
    with crew_of(running, sources, checkpoint, at_a_time=_TASKS_AT_A_TIME) as crew:
        return evidence_of(tasks, crew, folder, telling(checkpoint.policy.progress, tasks))


def _within_budget(
    checkpoint: Checkpoint,
    inputs: InputOptions,
    looks: Sequence[Look],
    folder: RunFolder | None,
) -> Sequence[Look]:
    if inputs.byte_budget is None:
        return looks
    left: int | None = max(0, inputs.byte_budget - checkpoint.ledger.bytes)
    if folder is not None:
        left = kept_allowance(folder, left)
    return affordable(looks, lambda spans: checkpoint.reader.plan_spans(spans).bytes, left or 0)
