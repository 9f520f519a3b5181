"""Which experts descend from which of the references', as a report."""

from collections.abc import Sequence

from inspector.checkpoint import Checkpoint
from inspector.checkpoint.matching import ask_experts
from inspector.checkpoint.reproduce import reproducible
from inspector.library.reports import SimilarityReport, report_of
from inspector.library.spending import Spending
from inspector.run.verifying import asked_pairs, in_layers, verified, without_pairs


def similarity_report(
    target: Checkpoint,
    others: Sequence[Checkpoint],
    *,
    layers: frozenset[int] | None,
    experts: frozenset[int] | None,
    seed: int,
    layer_map: str | None,
    heat_map: int | None,
    verify: str | None,
) -> SimilarityReport:
    """What a match finds, and what the pairs have that `verify` names or counts."""
    chosen = asked_pairs(verify, seed=seed)
    spending = Spending([one.ledger for one in (target, *others)])
    asked = ask_experts(
        target, others, layers=layers, experts=experts, seed=seed, layer_map=layer_map,
        drawn_layer=heat_map,
    )  # fmt: skip
    chosen = in_layers(chosen, asked)
    asked = without_pairs(asked, chosen)
    asked.check_first_cost()
    asked = asked.after([one.read() for one in asked.hidden])
    progress = target.policy.progress
    answer = asked.answered(progress)
    pairs = verified(asked, chosen, answer.result, None, progress)
    document = reproducible(
        answer.document(spending.cost, pairs), asked.checkpoints, asked.request,
        layer_map=layer_map, verify=verify,
    )  # fmt: skip
    return report_of(document, SimilarityReport)
