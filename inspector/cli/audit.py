"""`audit`: facts from headers and config, a few numbers, one report."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from inspector.analysis.plan import PlannedReads
from inspector.analysis.quant.audit import audit, audit_facts
from inspector.analysis.quant.chosen import Chosen
from inspector.analysis.quant.sample import Look, affordable, in_file_order, spans_of
from inspector.checkpoint import Checkpoint
from inspector.cli.choosing import refuse_large
from inspector.cli.common import InputOptions, OutputOptions, finish, opened, write_plan
from inspector.cli.findings import exit_code_of
from inspector.cli.options import FailOn
from inspector.cli.output import write_view
from inspector.errors import UsageError
from inspector.render.audit import audit_view
from inspector.render.text import counted
from inspector.source.pool import map_ordered

_AT_A_TIME: Final = 8
"""Weights that are looked into together: each holds some megabytes."""


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
        if not len(facts.modules) and facts.not_chosen:
            raise _nothing_chosen(checkpoint, inputs)
        wanted = facts.looks(sample)
        reader = checkpoint.reader
        if inputs.plan:
            write_plan("audit", [_planned(checkpoint, wanted)], checkpoint, outputs)
            return 0
        looks = in_file_order(_within_budget(checkpoint, inputs, wanted))
        refuse_large(checkpoint, inputs, reader.plan_spans(spans_of(looks)).bytes)
        reader.expect_spans(spans_of(looks))
        found = audit(
            facts, looks, reader, left_out=len(wanted) - len(looks),
            each=partial(map_ordered, jobs=min(inputs.jobs, _AT_A_TIME)),
            tell=lambda done: checkpoint.policy.progress("weights", done, len(looks)),
        )  # fmt: skip
        problems = checkpoint.problems
        view = audit_view(found, checkpoint.model, checkpoint.cost, problems, limit=limit)
    write_view(view, outputs, problems)
    finish(checkpoint)
    return exit_code_of([*problems, *found.findings], fail_on)


def _nothing_chosen(checkpoint: Checkpoint, inputs: InputOptions) -> UsageError:
    options = (("--layers", inputs.layers), ("--experts", inputs.experts))
    told = " ".join(f"{option} {text}" for option, text in options if text is not None)
    return UsageError(
        f"{told}: {checkpoint.source.location} has no such module",
        hint="list-tensors shows the layers and experts that there are",
    )


def _planned(checkpoint: Checkpoint, looks: Sequence[Look]) -> PlannedReads:
    reads = checkpoint.reader.plan_spans(spans_of(looks))
    what = f"scales of {counted(len(looks), 'weight')}, and codes of some rows"
    return PlannedReads(what=what, requests=reads.requests, bytes=reads.bytes)


def _within_budget(
    checkpoint: Checkpoint, inputs: InputOptions, looks: Sequence[Look]
) -> Sequence[Look]:
    if inputs.byte_budget is None:
        return looks
    left = max(0, inputs.byte_budget - checkpoint.ledger.bytes)
    return affordable(looks, lambda spans: checkpoint.reader.plan_spans(spans).bytes, left)
