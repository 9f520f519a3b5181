"""`expert-similarity`: open both, match, say it in one line, show the rest."""

from dataclasses import replace

from inspector.analysis.expert_match import LOOK_ROWS, match_experts
from inspector.analysis.expert_pairs import plan_pairs
from inspector.analysis.expert_question import plan_match
from inspector.analysis.plan import PlannedReads
from inspector.analysis.similarity_summary import similarity_document
from inspector.checkpoint import Checkpoint, open_checkpoint
from inspector.checkpoint.matching import ask_experts
from inspector.cli.common import InputOptions, OutputOptions, access_of, opened, write_plan
from inspector.cli.keeping import keep_report, kept_sides, open_match
from inspector.cli.output import say_cost, write_view
from inspector.cli.running import (
    RunOptions,
    experts_of,
    kept_allowance,
    recipe,
    say_results,
    workers,
)
from inspector.cli.verifying import asked_pairs, in_layers, verified, without_pairs
from inspector.errors import UsageError
from inspector.render.similarity import similarity_view
from inspector.run.kept_basis import kept_stage_zero


def run(
    inputs: InputOptions,
    outputs: OutputOptions,
    reference: str,
    *,
    seed: int,
    limit: int | None,
    running: RunOptions,
    layer_map: str | None,
    verify: str | None,
) -> None:
    """Match the model's experts against the reference's."""
    outputs.resolved()
    chosen = asked_pairs(verify, seed=seed)
    if not reference:
        raise UsageError("--ref names no checkpoint")
    access = access_of(inputs)
    with (
        opened(inputs, access=access) as target,
        open_checkpoint(
            reference, policy=target.policy, ledger=target.ledger, access=access
        ) as other,
        workers(running, target) as crew,
    ):
        sides = (
            experts_of(target, crew, recipe(inputs, target)),
            experts_of(other, crew, recipe(inputs, other, reference)),
        )
        asked = ask_experts(
            target, other, layers=inputs.layer_numbers, experts=inputs.expert_numbers, seed=seed,
            layer_map=layer_map, sides=sides,
        )  # fmt: skip
        hidden, request = asked.hidden, asked.request
        chosen = in_layers(chosen, asked)
        request = replace(request, max_bytes=without_pairs(request.max_bytes, *sides, chosen))
        if inputs.plan:
            finding = target.planned_so_far("finding the experts")
            reads = plan_match(*sides, request, LOOK_ROWS)
            planned = [finding, *_resolving(target, other), hidden.planned(), *reads]
            planned += plan_pairs(*sides, chosen)
            write_plan("expert-similarity", planned, target, outputs)
            return
        asked.check_first_cost()
        folder = None
        progress = target.policy.progress
        if running.out is None:
            request = replace(request, stage_zero=hidden.read())
            result = match_experts(*sides, request, progress)
        else:
            folder = open_match(
                running.out, inputs, target, other, seed=seed, layer_map=layer_map, verify=verify
            )
            request = replace(
                request,
                max_bytes=kept_allowance(folder, request.max_bytes),
                stage_zero=kept_stage_zero(folder, hidden.read),
            )
            result = match_experts(*kept_sides(folder, *sides), request, progress)
        pairs = verified(sides, chosen, result, folder, progress)
        findings = [*target.problems, *other.problems]
        cost = target.cost
        document = similarity_document(
            result, target.model, other.model, cost, findings, seed=seed, pairs=pairs
        )
        stored = sum(side.total_bytes for side in sides)
    if folder is not None:
        say_results(folder)
        keep_report(folder, document)
    write_view(similarity_view(document, limit=limit), outputs, findings)
    say_cost(cost, stored, target.source.commit, remote=target.is_remote or other.is_remote)


def _resolving(*checkpoints: Checkpoint) -> list[PlannedReads]:
    """Requests that a shard costs when it is read again, beside the reads; of all there are."""
    requests = sum(
        one.source.requests_for(shard, 2) - 2 for one in checkpoints for shard in one.catalog.shards
    )
    if not requests:
        return []
    what = "signed URLs of the shards, at most"
    return [PlannedReads(what=what, requests=requests, bytes=0, is_estimate=True)]
