"""The numbers of an audit, read from a checkpoint: as many as its byte budget leaves room for."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from inspector.analysis.quant.audit import Audit, Facts, audit
from inspector.analysis.quant.evidence import Evidence
from inspector.analysis.quant.sample import Look, affordable, in_file_order, spans_of
from inspector.checkpoint import Checkpoint
from inspector.source.pool import map_ordered

_AT_A_TIME: Final = 8
"""Weights that are looked into together: each holds some megabytes."""


def audit_checkpoint(
    checkpoint: Checkpoint,
    facts: Facts,
    wanted: Sequence[Look],
    allow: Callable[[int], None] = lambda _: None,
    *,
    allowed: int | None,
    look: Callable[[Sequence[Look]], Sequence[Evidence]] | None = None,
) -> Audit:
    """Look into weights, in the order of the files, and judge them.

    Args:
        checkpoint: what `facts` are of.
        facts: what headers and config say.
        wanted: what is looked into; those that the byte budget leaves no room for are counted.
        allow: told how many bytes will be read, before the first is; it may raise.
        allowed: bytes that may be read, None for no limit: what `allowance_of` says.
        look: looks into all of them, in order; None for here and now.
    """
    reader, policy = checkpoint.reader, checkpoint.policy
    looks = in_file_order(_within_budget(checkpoint, wanted, allowed))
    allow(reader.plan_spans(spans_of(looks)).bytes)
    left_out = len(wanted) - len(looks)
    if look is not None:
        return audit(facts, looks, reader, left_out=left_out, each=lambda _, __: look(looks))
    reader.expect_spans(spans_of(looks))
    return audit(
        facts, looks, reader, left_out=left_out,
        each=partial(map_ordered, jobs=min(policy.jobs, _AT_A_TIME)),
        tell=lambda done: policy.progress("weights", done, len(looks)),
    )  # fmt: skip


def allowance_of(checkpoint: Checkpoint) -> int | None:
    """Bytes that the budget of a checkpoint leaves, None for no limit."""
    budget = checkpoint.policy.max_bytes
    return None if budget is None else max(0, budget - checkpoint.ledger.bytes)


def _within_budget(
    checkpoint: Checkpoint, looks: Sequence[Look], allowed: int | None
) -> Sequence[Look]:
    if allowed is None:
        return looks
    return affordable(looks, lambda spans: checkpoint.reader.plan_spans(spans).bytes, allowed)
