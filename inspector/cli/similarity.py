"""`expert-similarity`: open all, match, say it in one line, show the rest."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from inspector.analysis.expert_family import ONE_MODEL, Numbering
from inspector.analysis.expert_match import LOOK_ROWS, match_experts
from inspector.analysis.expert_options import Option, choose_reading, reading_options
from inspector.analysis.expert_plan import plan_match
from inspector.analysis.expert_question import MatchRequest, byte_budget
from inspector.analysis.expert_reading import WHOLE, BothWays, CombinedWays, Ways
from inspector.analysis.expert_sampler import ExpertSide
from inspector.analysis.plan import PlannedOption, PlannedReads
from inspector.analysis.report import Model
from inspector.analysis.similarity_summary import similarity_document
from inspector.checkpoint import Access, Checkpoint, open_checkpoint
from inspector.checkpoint.experts import CheckpointExperts
from inspector.cli.common import (
    InputOptions,
    OutputOptions,
    WaysToRead,
    access_of,
    opened,
    write_plan,
)
from inspector.cli.keeping import keep_report, kept_allowance, kept_ways, open_match
from inspector.cli.output import say, say_cost, write_view
from inspector.errors import UsageError
from inspector.render.similarity import similarity_view
from inspector.render.text import counted
from inspector.source.resolve import checkpoints_in


def run(
    inputs: InputOptions,
    outputs: OutputOptions,
    references: Sequence[str],
    *,
    seed: int,
    limit: int | None,
    out: Path | None,
) -> None:
    """Match the model's experts against those of the references; `out` keeps what is read."""
    outputs.resolved()
    if not all(references):
        raise UsageError("--ref names no checkpoint")
    access = access_of(inputs)
    with (
        opened(inputs, access=access) as target,
        _opened_references(references, target, access) as others,
    ):
        theirs = _combined(others)
        request = MatchRequest(
            layers=inputs.layer_numbers,
            experts=inputs.expert_numbers,
            seed=seed,
            max_bytes=_left(inputs.byte_budget, target.ledger.bytes),
            router_groups=target.config.router_groups if target.config else None,
            same_model=_is_same(target, others),
            numbering=theirs.numbering,
            bytes_before=target.ledger.bytes,
        )
        ours = _both_ways(target)
        ways = _Ways(reading_options(ours, theirs.ways, request), request, ours, theirs.ways)
        if inputs.plan:
            finding = target.planned_so_far("finding the experts")
            way = ways.chosen
            request = replace(request, reading=way.reading)
            reads = plan_match(way.target, way.reference, request, LOOK_ROWS)
            planned = [finding, *_resolving(target, *others), *reads]
            write_plan("expert-similarity", planned, target, outputs, ways.told)
            return
        folder = None
        if out is not None:
            folder = open_match(out, inputs, target, others, seed=seed)
            request = replace(request, max_bytes=kept_allowance(folder, request.max_bytes))
            kept = kept_ways(folder, ours, theirs.ways)
            ways = _Ways(reading_options(*kept, request), request, *kept)
        way = ways.chosen
        request = replace(request, reading=way.reading)
        result = match_experts(way.target, way.reference, request, target.policy.progress)
        findings = [*target.problems, *(found for one in others for found in one.problems)]
        cost = target.cost
        models = [one.model for one in others]
        document = similarity_document(
            result,
            target.model,
            models,
            cost,
            findings,
            seed=seed,
            numbering=theirs.numbering,
            reading=way.what if way.reading != WHOLE else None,
        )
        stored = ours.straight.total_bytes + theirs.ways.straight.total_bytes
    if folder is not None:
        say(f"{folder.path}: {counted(folder.found, 'result')} found, {folder.made} made")
        keep_report(folder, document)
    write_view(similarity_view(document, limit=limit), outputs, findings)
    remote = any(one.is_remote for one in (target, *others))
    say_cost(cost, stored, target.source.commit, remote=remote)


@contextmanager
def _opened_references(
    names: Sequence[str], target: Checkpoint, access: Access
) -> Iterator[list[Checkpoint]]:
    """The checkpoints that --ref names, each once."""
    locations = list(dict.fromkeys(one for name in names for one in checkpoints_in(name)))
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                open_checkpoint(one, policy=target.policy, ledger=target.ledger, access=access)
            )
            for one in locations
        ]


@dataclass(frozen=True, slots=True)
class _References:
    """All references as one model, and which expert is of which."""

    ways: BothWays | CombinedWays
    numbering: Numbering


def _combined(checkpoints: Sequence[Checkpoint]) -> _References:
    """The experts of one reference as they are, of several in one numbering."""
    ways = [_both_ways(one) for one in checkpoints]
    if len(ways) == 1:
        return _References(ways[0], ONE_MODEL)
    combined = CombinedWays(ways, short_names([one.source.location for one in checkpoints]))
    return _References(combined, combined.straight.numbering)


def short_names(locations: Sequence[str]) -> list[str]:
    """The ends of locations, as much of each as tells them apart.

    >>> short_names(["Qwen/Qwen3-235B-A22B", "models/a/base", "models/b/base"])
    ['Qwen3-235B-A22B', 'a/base', 'b/base']
    """
    parts = [location.rstrip("/").split("/") for location in locations]
    for count in range(1, max(map(len, parts)) + 1):
        ends = ["/".join(one[-count:]) for one in parts]
        if len(set(ends)) == len(ends):
            return [_shortest(one, parts) for one in parts]
    return list(locations)


def _shortest(one: list[str], others: list[list[str]]) -> str:
    """As many of its last parts as no other ends with."""
    count = next(n for n in range(1, len(one) + 1) if sum(o[-n:] == one[-n:] for o in others) == 1)
    return "/".join(one[-count:])


def _both_ways(checkpoint: Checkpoint) -> BothWays:
    return BothWays(CheckpointExperts(checkpoint), CheckpointExperts(checkpoint, turned=True))


@dataclass(frozen=True, slots=True)
class _Ways:
    """The ways to read both models, and which is taken."""

    options: list[Option]
    request: MatchRequest
    target: Ways
    reference: Ways

    @property
    def allowed(self) -> int:
        return byte_budget(self._straight, self.request.max_bytes)

    @property
    def chosen(self) -> Option:
        return choose_reading(self.options, self.allowed)

    @property
    def told(self) -> WaysToRead:
        chosen, total = self.chosen, sum(side.total_bytes for side in self._straight)
        return WaysToRead(
            [
                PlannedOption(
                    what=one.what,
                    requests=one.requests,
                    bytes=one.bytes,
                    share=one.bytes / max(total, 1),
                    is_chosen=one is chosen,
                )
                for one in self.options
            ],
            self.allowed,
        )

    @property
    def _straight(self) -> tuple[ExpertSide, ExpertSide]:
        return self.target.straight, self.reference.straight


def _left(budget: int | None, spent: int) -> int | None:
    return None if budget is None else max(0, budget - spent)


def _resolving(*checkpoints: Checkpoint) -> list[PlannedReads]:
    """Requests that a shard costs when it is read again, beside the reads; of all there are."""
    requests = sum(
        one.source.requests_for(shard, 2) - 2 for one in checkpoints for shard in one.catalog.shards
    )
    if not requests:
        return []
    what = "signed URLs of the shards, at most"
    return [PlannedReads(what=what, requests=requests, bytes=0, is_estimate=True, is_bound=True)]


def _is_same(target: Checkpoint, others: Sequence[Checkpoint]) -> bool:
    """Whether --ref is the model itself: one checkpoint, at one commit.

    Raises:
        UsageError: it is, and others are named beside it.
    """
    same = any(_identity(target.model) == _identity(one.model) for one in others)
    if same and len(others) > 1:
        raise UsageError(
            f"--ref names the model itself, {target.source.location}, beside others",
            hint="ask for it alone: which of its own experts resemble each other",
        )
    return same


def _identity(model: Model) -> tuple[str, str, str | None]:
    return model.location, model.kind, model.commit
