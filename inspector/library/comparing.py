"""How two checkpoints differ, as a report."""

from dataclasses import dataclass

from inspector.analysis.compare.report import Weighed, compare_document, compare_sides
from inspector.analysis.params.terms import Conventions
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.comparison import WeightComparison, sides_of
from inspector.library.reports import CompareReport, report_of
from inspector.library.spending import Spending


@dataclass(frozen=True, slots=True)
class Depth:
    """How much is compared: config alone, `weights` besides, every row of them."""

    config_only: bool
    weights: bool
    full: bool
    seed: int


def compare_report(model: Checkpoint, ref: Checkpoint, depth: Depth) -> CompareReport:
    """Config, tokens, parameters, tensors, and weights if they are asked for."""
    spending = Spending([model.ledger, ref.ledger])
    sides = sides_of(model, ref, config_only=depth.config_only)
    weighed = Weighed()
    if depth.weights and not depth.config_only:
        both = model, ref
        weighed = WeightComparison(both, sides, full=depth.full, seed=depth.seed).read()
    found = compare_sides(*sides, weighed, Conventions())
    models = sides[0].model, sides[1].model
    problems = [*model.problems, *ref.problems]
    return report_of(compare_document(found, models, spending.cost, problems), CompareReport)
