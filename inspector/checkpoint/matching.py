"""Two checkpoints as a question about their experts, before an expert is read."""

from dataclasses import dataclass

from inspector.analysis.expert_match import LOOK_ROWS
from inspector.analysis.expert_question import MatchRequest, Question, check_first_cost
from inspector.analysis.report import Model
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.experts import CheckpointExperts
from inspector.checkpoint.hidden import HiddenBasis


@dataclass(frozen=True, slots=True)
class ExpertQuestion:
    """The experts of both sides, what is to be read of their hidden basis, and what is asked.

    `request` holds what is known before a byte is read: `hidden.read()` gives the rest.
    """

    sides: tuple[CheckpointExperts, CheckpointExperts]
    hidden: HiddenBasis
    request: MatchRequest

    def check_first_cost(self) -> None:
        """Refuse before any row is read. Where norms tell the layers, the match itself checks.

        Raises:
            BudgetExceeded: the first look does not fit.
        """
        if not self.hidden.is_open:
            check_first_cost(Question(*self.sides, self.request), LOOK_ROWS[0])


def ask_experts(
    target: Checkpoint,
    other: Checkpoint,
    *,
    layers: frozenset[int] | None,
    experts: frozenset[int] | None,
    seed: int,
    layer_map: str | None,
    sides: tuple[CheckpointExperts, CheckpointExperts] | None = None,
) -> ExpertQuestion:
    """What is asked of two checkpoints; the byte budget is what the target's leaves.

    `sides` are their experts where these are not read here.

    Raises:
        LayoutError: one has no experts of a known naming.
        UsageError: `layer_map` means no pair of layers.
    """
    sides = sides or (CheckpointExperts(target), CheckpointExperts(other))
    budget = target.policy.max_bytes
    same_model = _is_same(target.model, other.model)
    hidden = HiddenBasis(target, other, layer_map, same_model=same_model)
    request = MatchRequest(
        layers=layers,
        experts=experts,
        seed=seed,
        max_bytes=None if budget is None else max(0, budget - target.ledger.bytes),
        router_groups=target.config.router_groups if target.config else None,
        same_model=same_model,
        stage_zero=hidden.unread(),
    )
    return ExpertQuestion(sides, hidden, request)


def _is_same(model: Model, ref: Model) -> bool:
    """Whether both names mean one checkpoint, at one commit."""
    return (model.location, model.kind, model.commit) == (ref.location, ref.kind, ref.commit)
