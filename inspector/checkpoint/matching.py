"""A checkpoint and its references as a question about their experts, before an expert is read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inspector.analysis.expert_family import ONE_MODEL, Numbering, numbered
from inspector.analysis.expert_match import LOOK_ROWS, MatchResult
from inspector.analysis.expert_options import ReadingChoice, choose_reading
from inspector.analysis.expert_question import (
    MatchRequest,
    Progress,
    Question,
    check_first_cost,
)
from inspector.analysis.expert_reading import WHOLE, BothWays, CombinedWays
from inspector.analysis.expert_report import ExpertPair, SimilarityDocument
from inspector.analysis.hidden_basis import StageZero
from inspector.analysis.report import Cost, Model
from inspector.analysis.similarity_summary import similarity_document
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.experts import CheckpointExperts
from inspector.checkpoint.hidden import HiddenBasis
from inspector.errors import UsageError
from inspector.source.pool import begin


@dataclass(frozen=True, slots=True)
class ExpertQuestion:
    """The experts of both sides, what is to be read of their hidden basis, and what is asked.

    `hidden` is by reference. `request` holds what is known before a byte is read; `after` what
    `hidden` gives.
    """

    checkpoints: Sequence[Checkpoint]
    target: BothWays
    reference: BothWays | CombinedWays
    hidden: Sequence[HiddenBasis]
    request: MatchRequest

    @property
    def stored_bytes(self) -> int:
        """What the experts of both sides take where they are stored."""
        return self.target.straight.total_bytes + self.reference.straight.total_bytes

    def check_first_cost(self) -> None:
        """Refuse before any row is read. Where norms tell the layers, the match itself checks.

        Raises:
            BudgetExceeded: the first look does not fit, however it is read.
        """
        if not any(one.is_open for one in self.hidden):
            choice = self.choice
            question = Question(choice.taken.target, choice.taken.reference, choice.request)
            check_first_cost(question, LOOK_ROWS[0])

    def after(self, stage_zero: Sequence[StageZero]) -> "ExpertQuestion":
        """The same, knowing what stage 0 found of each reference."""
        return replace(self, request=replace(self.request, stage_zero=tuple(stage_zero)))

    @property
    def choice(self) -> ReadingChoice:
        """Which numbers are compared, of the ways to read them that there are."""
        return choose_reading(self.target, self.reference, self.request)

    def answered(self, progress: Progress) -> "ExpertAnswer":
        """Match; reads what the question allows.

        Raises:
            BudgetExceeded: the first look alone would read more.
        """
        choice = self.choice
        is_whole = choice.taken.reading == WHOLE
        told = None if is_whole else choice.taken.what
        return ExpertAnswer(self, choice.matched(progress, begin), told)


@dataclass(frozen=True, slots=True)
class ExpertAnswer:
    """What was found; `reading` says what was compared where it was not rows of `down_proj`."""

    question: ExpertQuestion
    result: MatchResult
    reading: str | None

    def document(self, cost: Cost, pairs: Sequence[ExpertPair] = ()) -> SimilarityDocument:
        """The JSON document; `pairs` are those that were read whole."""
        target, *others = self.question.checkpoints
        request = self.question.request
        return similarity_document(
            self.result,
            target.model,
            [one.model for one in others],
            cost,
            [problem for one in self.question.checkpoints for problem in one.problems],
            seed=request.seed,
            numbering=request.numbering,
            reading=self.reading,
            pairs=pairs,
        )


def ask_experts(
    target: Checkpoint,
    others: Sequence[Checkpoint],
    *,
    layers: frozenset[int] | None,
    experts: frozenset[int] | None,
    seed: int,
    layer_map: str | None,
    ways: Sequence[BothWays] | None = None,
    drawn_layer: int | None = None,
) -> ExpertQuestion:
    """What is asked of a checkpoint and its references; the budget is what the target's leaves.

    `ways` are the experts of each, the target's first, where they are not read here.

    Raises:
        LayoutError: one has no experts of a known naming.
        UsageError: `layer_map` means no pair of layers; the model itself is one of several.
    """
    same_model = _is_same(target, others)
    ours, *theirs = ways or [both_ways(one) for one in (target, *others)]
    budget, spent = target.policy.max_bytes, target.ledger.bytes
    hidden = [HiddenBasis(target, one, layer_map, same_model=same_model) for one in others]
    numbering = _numbering(theirs, others)
    request = MatchRequest(
        layers=layers,
        experts=experts,
        seed=seed,
        max_bytes=None if budget is None else max(0, budget - spent),
        router_groups=target.config.router_groups if target.config else None,
        same_model=same_model,
        stage_zero=tuple(one.unread() for one in hidden),
        numbering=numbering,
        bytes_before=spent,
        drawn_layer=drawn_layer,
    )
    reference = CombinedWays(theirs, numbering) if numbering.is_of_several else theirs[0]
    return ExpertQuestion([target, *others], ours, reference, hidden, request)


def both_ways(checkpoint: Checkpoint) -> BothWays:
    """The experts of a checkpoint, each matrix as it is and as its transpose."""
    return BothWays(CheckpointExperts(checkpoint), CheckpointExperts(checkpoint, turned=True))


def short_names(locations: Sequence[str]) -> list[str]:
    """The ends of locations, as much of each as tells it from the others.

    >>> short_names(["Qwen/Qwen3-235B-A22B", "models/a/base", "models/b/base", "base"])
    ['Qwen3-235B-A22B', 'a/base', 'b/base', 'base']
    """
    parts = [location.rstrip("/").split("/") for location in locations]
    return ["/".join(one[-_count_apart(one, parts) :]) for one in parts]


def _count_apart(one: list[str], others: Sequence[list[str]]) -> int:
    """As many of its last parts as no other ends with; all where another goes on before them."""
    for count in range(1, len(one)):
        if sum(other[-count:] == one[-count:] for other in others) == 1:
            return count
    return len(one)


def _numbering(ways: Sequence[BothWays], checkpoints: Sequence[Checkpoint]) -> Numbering:
    """One numbering for the experts of all references."""
    if len(ways) == 1:
        return ONE_MODEL
    names = short_names([one.source.location for one in checkpoints])
    return numbered([one.straight for one in ways], names)


def _is_same(target: Checkpoint, others: Sequence[Checkpoint]) -> bool:
    """Whether the reference is the model itself: one checkpoint, at one commit.

    Raises:
        UsageError: it is, and others are named beside it; or one of them is named twice.
    """
    identities = [_identity(one.model) for one in others]
    for number, one in enumerate(others):
        if identities[number] in identities[:number]:
            raise UsageError(
                f"two references are one checkpoint: {one.source.location}",
                hint="name each reference once",
            )
    same = _identity(target.model) in identities
    if same and len(others) > 1:
        raise UsageError(
            f"--ref names the model itself, {target.source.location}, beside others",
            hint="ask for it alone, which of its own experts resemble each other, or name the "
            "others one by one",
        )
    return same


def _identity(model: Model) -> tuple[str, str, str | None]:
    return model.location, model.kind, model.commit
