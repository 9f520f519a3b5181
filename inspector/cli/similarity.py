"""`expert-similarity`: open all, match, say it in one line, show the rest."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import msgspec

from inspector.analysis.expert_match import LOOK_ROWS
from inspector.analysis.expert_pairs import PairRequest, plan_pairs
from inspector.analysis.expert_plan import plan_match
from inspector.analysis.plan import PlannedReads
from inspector.checkpoint import Access, Checkpoint, open_checkpoint
from inspector.checkpoint.matching import ExpertQuestion, ask_experts
from inspector.checkpoint.reproduce import reproducible
from inspector.cli.common import (
    InputOptions,
    OutputOptions,
    WaysToRead,
    access_of,
    opened,
    write_plan,
)
from inspector.cli.keeping import keep_report, kept_ways, open_match, ways_of
from inspector.cli.output import say_cost, write_view
from inspector.cli.running import (
    RunOptions,
    kept_allowance,
    recipe,
    say_results,
    workers,
)
from inspector.errors import UsageError
from inspector.render.similarity import similarity_view
from inspector.run.folder import RunFolder
from inspector.run.kept_basis import kept_stage_zero
from inspector.run.verifying import asked_pairs, in_layers, verified, without_pairs
from inspector.source.resolve import checkpoints_in


def run(
    inputs: InputOptions,
    outputs: OutputOptions,
    references: Sequence[str],
    *,
    seed: int,
    limit: int | None,
    running: RunOptions,
    layer_map: str | None,
    verify: str | None,
    heat_map: int | None,
    charts: bool,
) -> None:
    """Match the model's experts against those of the references."""
    outputs.resolved()
    chosen = asked_pairs(verify, seed=seed)
    if not all(references):
        raise UsageError("--ref names no checkpoint")
    access = access_of(inputs)
    with (
        opened(inputs, access=access) as target,
        _opened_references(references, target, access) as named,
        workers(running, target) as crew,
    ):
        others = [one for _, one in named]
        ways = [ways_of(target, crew, recipe(inputs, target))]
        ways += [ways_of(one, crew, recipe(inputs, one, location)) for location, one in named]
        asked = ask_experts(
            target, others, layers=inputs.layer_numbers, experts=inputs.expert_numbers, seed=seed,
            layer_map=layer_map, ways=ways, drawn_layer=heat_map,
        )  # fmt: skip
        chosen = in_layers(chosen, asked)
        asked = without_pairs(asked, chosen)
        if inputs.plan:
            _write_plan(asked, chosen, outputs)
            return
        asked.check_first_cost()
        folder = None
        if running.out is not None:
            folder = open_match(
                running.out, inputs, target, others, seed=seed, layer_map=layer_map, verify=verify,
                heat_map=heat_map,
            )  # fmt: skip
        progress = target.policy.progress
        answer = _kept(asked, folder).answered(progress)
        pairs = verified(asked, chosen, answer.result, folder, progress)
        cost = target.cost
        document = reproducible(
            answer.document(cost, pairs), asked.checkpoints, asked.request,
            layer_map=layer_map, verify=verify,
        )  # fmt: skip
    if folder is not None:
        say_results(folder)
        keep_report(folder, document)
    view = similarity_view(document, limit=limit, charts=charts or heat_map is not None)
    write_view(view, outputs, document.findings)
    remote = any(one.is_remote for one in asked.checkpoints)
    say_cost(cost, asked.stored_bytes, target.source.commit, remote=remote)


def _kept(asked: ExpertQuestion, folder: RunFolder | None) -> ExpertQuestion:
    """The question after stage 0, its reads kept in a folder if there is one."""
    if folder is None:
        return asked.after([one.read() for one in asked.hidden])
    stages = [
        kept_stage_zero(folder, one.read, number) for number, one in enumerate(asked.hidden, 1)
    ]
    ours, theirs = kept_ways(folder, asked.target, asked.reference)
    request = replace(asked.request, max_bytes=kept_allowance(folder, asked.request.max_bytes))
    return replace(asked, target=ours, reference=theirs, request=request).after(stages)


def _write_plan(asked: ExpertQuestion, chosen: PairRequest, outputs: OutputOptions) -> None:
    target, *others = asked.checkpoints
    choice = asked.choice
    finding = target.planned_so_far("finding the experts")
    reads = plan_match(choice.taken.target, choice.taken.reference, choice.request, LOOK_ROWS)
    names = asked.request.numbering.names
    hidden = [_of(one.planned(), name) for one, name in zip(asked.hidden, names, strict=True)]
    pairs = plan_pairs(asked.target.straight, asked.reference.straight, chosen)
    gains = [
        _of(one, name)
        for basis, name in zip(asked.hidden, names, strict=True)
        for one in basis.planned_gains()
    ]
    planned = [finding, *_resolving(target, *others), *hidden, *gains, *reads, *pairs]
    ways = WaysToRead(
        choice.planned(asked.stored_bytes),
        allowed_bytes=choice.allowed,
        most_bytes=choice.allowed + sum(one.bytes for one in (finding, *hidden, *pairs)),
    )
    write_plan("expert-similarity", planned, target, outputs, ways)


def _of(reads: PlannedReads, name: str) -> PlannedReads:
    """The reads, saying which of several references they are for."""
    what = f"{name}: {reads.what}" if name else reads.what
    return msgspec.structs.replace(reads, what=what)


@contextmanager
def _opened_references(
    names: Sequence[str], target: Checkpoint, access: Access
) -> Iterator[list[tuple[str, Checkpoint]]]:
    """The checkpoints that --ref names, each once, and how it is named."""
    locations = list(dict.fromkeys(one for name in names for one in checkpoints_in(name)))
    policy, ledger = target.policy, target.ledger
    with ExitStack() as stack:
        opened_ones = (
            open_checkpoint(one, policy=policy, ledger=ledger, access=access) for one in locations
        )
        yield [
            (location, stack.enter_context(one))
            for location, one in zip(locations, opened_ones, strict=True)
        ]


def _resolving(*checkpoints: Checkpoint) -> list[PlannedReads]:
    """Requests that a shard costs when it is read again, beside the reads; of all there are."""
    requests = sum(
        one.source.requests_for(shard, 2) - 2 for one in checkpoints for shard in one.catalog.shards
    )
    if not requests:
        return []
    what = "signed URLs of the shards, at most"
    return [PlannedReads(what=what, requests=requests, bytes=0, is_estimate=True, is_bound=True)]
