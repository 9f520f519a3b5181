"""Which experts descend from which of the references', as a report."""

from collections.abc import Sequence
from dataclasses import dataclass

from inspector.analysis.expert_pairs import PairRequest
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.matching import ask_experts
from inspector.checkpoint.reproduce import reproducible
from inspector.library.reports import SimilarityReport, report_of
from inspector.library.spending import Spending
from inspector.run.verifying import asked_pairs, in_layers, verified, without_pairs


@dataclass(frozen=True, slots=True)
class MatchOptions:
    """What is matched; `layer_map` and `verify` as they are typed, `heat_map` the layer drawn."""

    layers: frozenset[int] | None
    experts: frozenset[int] | None
    seed: int
    layer_map: str | None
    heat_map: int | None
    verify: str | None

    def pairs(self) -> PairRequest:
        """The pairs that `verify` names or counts.

        Raises:
            UsageError: it does neither.
        """
        return asked_pairs(self.verify, seed=self.seed)


def similarity_report(
    target: Checkpoint, others: Sequence[Checkpoint], options: MatchOptions, pairs: PairRequest
) -> SimilarityReport:
    """What a match finds, and what `pairs` have, which are read whole."""
    spending = Spending([one.ledger for one in (target, *others)])
    asked = ask_experts(
        target, others, layers=options.layers, experts=options.experts, seed=options.seed,
        layer_map=options.layer_map, drawn_layer=options.heat_map,
    )  # fmt: skip
    pairs = in_layers(pairs, asked)
    asked = without_pairs(asked, pairs)
    asked.check_first_cost()
    asked = asked.after([one.read() for one in asked.hidden])
    progress = target.policy.progress
    answer = asked.answered(progress)
    found = verified(asked, pairs, answer.result, None, progress)
    document = reproducible(
        answer.document(spending.cost, found), asked.checkpoints, asked.request,
        layer_map=options.layer_map, verify=options.verify,
    )  # fmt: skip
    return report_of(document, SimilarityReport)
