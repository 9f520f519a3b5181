"""`expert-similarity`: open both, match, say it in one line, show the rest."""

from dataclasses import replace

from inspector.analysis.expert_match import LOOK_ROWS, match_experts
from inspector.analysis.expert_question import MatchRequest, plan_match
from inspector.analysis.report import Model
from inspector.analysis.similarity_summary import similarity_document
from inspector.checkpoint import open_checkpoint
from inspector.checkpoint.experts import CheckpointExperts
from inspector.cli.common import InputOptions, OutputOptions, access_of, opened, write_plan
from inspector.cli.output import say_cost, write_view
from inspector.errors import UsageError
from inspector.render.similarity import similarity_view


def run(
    inputs: InputOptions, outputs: OutputOptions, reference: str, *, seed: int, limit: int | None
) -> None:
    """Match the model's experts against the reference's."""
    outputs.resolved()
    if not reference:
        raise UsageError("--ref names no checkpoint")
    unbounded = replace(inputs, max_bytes=None)
    with (
        opened(unbounded) as target,
        open_checkpoint(
            reference, policy=target.policy, ledger=target.ledger, access=access_of(inputs)
        ) as other,
    ):
        sides = CheckpointExperts(target), CheckpointExperts(other)
        request = MatchRequest(
            layers=inputs.layer_numbers,
            experts=inputs.expert_numbers,
            seed=seed,
            max_bytes=inputs.byte_budget,
            router_groups=target.config.router_groups if target.config else None,
            same_model=_is_same(target.model, other.model),
        )
        if inputs.plan:
            write_plan("expert-similarity", plan_match(*sides, request, LOOK_ROWS), target, outputs)
            return
        result = match_experts(*sides, request, target.policy.progress)
        findings = [*target.problems, *other.problems]
        cost = target.cost
        document = similarity_document(result, target.model, other.model, cost, findings, seed=seed)
        stored = sum(side.total_bytes for side in sides)
    write_view(similarity_view(document, limit=limit), outputs, findings)
    say_cost(cost, stored, target.source.commit, remote=target.is_remote or other.is_remote)


def _is_same(model: Model, ref: Model) -> bool:
    """Whether both names mean one checkpoint, at one commit."""
    return (model.location, model.kind, model.commit) == (ref.location, ref.kind, ref.commit)
