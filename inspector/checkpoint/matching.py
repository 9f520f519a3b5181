"""Two checkpoints as a question about their experts."""

from inspector.analysis.expert_question import MatchRequest
from inspector.analysis.hidden_basis import StageZero
from inspector.analysis.report import Model
from inspector.checkpoint import Checkpoint


def match_request(
    target: Checkpoint,
    other: Checkpoint,
    *,
    layers: frozenset[int] | None,
    experts: frozenset[int] | None,
    seed: int,
    stage_zero: StageZero | None = None,
) -> MatchRequest:
    """What is asked of two checkpoints; the byte budget is what the target's leaves."""
    budget = target.policy.max_bytes
    return MatchRequest(
        layers=layers,
        experts=experts,
        seed=seed,
        max_bytes=None if budget is None else max(0, budget - target.ledger.bytes),
        router_groups=target.config.router_groups if target.config else None,
        same_model=is_same(target.model, other.model),
        stage_zero=stage_zero,
    )


def is_same(model: Model, ref: Model) -> bool:
    """Whether both names mean one checkpoint, at one commit."""
    return (model.location, model.kind, model.commit) == (ref.location, ref.kind, ref.commit)
