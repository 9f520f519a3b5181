"""Which experts descend from which of the references', as a report."""

from collections.abc import Sequence

from inspector.checkpoint import Checkpoint
from inspector.checkpoint.matching import ask_experts
from inspector.checkpoint.reproduce import reproducible
from inspector.library.reports import SimilarityReport, report_of
from inspector.library.spending import Spending


def similarity_report(
    target: Checkpoint,
    others: Sequence[Checkpoint],
    *,
    layers: frozenset[int] | None,
    experts: frozenset[int] | None,
    seed: int,
    layer_map: str | None,
    heat_map: int | None,
) -> SimilarityReport:
    """What a match finds."""
    spending = Spending([one.ledger for one in (target, *others)])
    asked = ask_experts(
        target, others, layers=layers, experts=experts, seed=seed, layer_map=layer_map,
        drawn_layer=heat_map,
    )  # fmt: skip
    asked.check_first_cost()
    asked = asked.after([one.read() for one in asked.hidden])
    document = asked.answered(target.policy.progress).document(spending.cost)
    document = reproducible(document, asked.checkpoints, asked.request, layer_map=layer_map)
    return report_of(document, SimilarityReport)
