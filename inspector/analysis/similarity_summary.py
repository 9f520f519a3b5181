"""The answer of expert matching in one line, and its document."""

from collections import Counter
from collections.abc import Sequence

from inspector.analysis.basis_words import stage_zero_words
from inspector.analysis.expert_match import ALPHA, MatchResult
from inspector.analysis.expert_report import (
    DESCENDING,
    CalibrationFacts,
    ErrorBudget,
    Excluded,
    ExpertPair,
    SimilarityDocument,
    Verdict,
)
from inspector.analysis.expert_verdicts import EXCLUDED_COSINE, EXCLUDED_FRACTION
from inspector.analysis.report import Cost, Model
from inspector.errors import Problem
from inspector.stats.calibration import Calibrated

NULL = "references of other layers"

_WORDS = {
    Verdict.ANCESTOR_ONLY: "with an ancestor in common only",
    Verdict.AMBIGUOUS_PARENT: "with an ambiguous parent",
    Verdict.NO_EVIDENCE: "without evidence of it",
    Verdict.INCONCLUSIVE: "undecided",
    Verdict.DEGENERATE: "all zero or NaN",
}


def summarise(result: MatchResult, model: Model, ref: Model) -> str:
    """One line: how many descend, by which layout, what of the rest, and whether to believe it."""
    verdicts = Counter(match.verdict for match in result.experts)
    total = len(result.experts)
    if result.calibration.status is Calibrated.UNCALIBRATED:
        return f"no verdict on {total:,} experts of {model.location}: the null is not calibrated"
    descending = {verdict: verdicts[verdict] for verdict in DESCENDING if verdicts[verdict]}
    kinds = ", ".join(f"{count:,} {verdict}" for verdict, count in descending.items())
    count = sum(descending.values())
    relation = "resemble another of" if result.same_model else "descend from"
    parts = [
        f"{count:,} of {total:,} experts {relation} {ref.location}"
        + (f" ({kinds})" if kinds else "")
    ]
    parts += [
        f"{verdicts[verdict]:,} {words}" for verdict, words in _WORDS.items() if verdicts[verdict]
    ]
    maps = Counter(layer.layout.map for layer in result.layers if layer.layout)
    if maps:
        name, count = maps.most_common(1)[0]
        parts.append(f"layout {name} in {count} of {len(result.layers)} layers")
    parts += stage_zero_words(result)
    if result.calibration.status is Calibrated.INSUFFICIENT:
        parts.append(f"calibration insufficient ({result.calibration.tests:,} tests)")
    return "; ".join(parts)


def similarity_document(
    result: MatchResult,
    model: Model,
    ref: Model,
    cost: Cost,
    findings: list[Problem],
    *,
    seed: int,
    pairs: Sequence[ExpertPair] = (),
) -> SimilarityDocument:
    """The JSON document of a match; `pairs` are those that were read whole."""
    calibration = result.calibration
    found = result.stage_zero
    excludes = found is None or not found.basis.is_missing
    return SimilarityDocument(
        schema="s1inspect/expert-similarity/1",
        model=model,
        ref=ref,
        cost=cost,
        findings=findings,
        seed=seed,
        summary=summarise(result, model, ref),
        calibration=CalibrationFacts(
            null=NULL,
            status=str(calibration.status),
            tests=calibration.tests,
            ks=calibration.ks,
            sd=calibration.sd,
            inflation=calibration.inflation,
        ),
        budget=ErrorBudget(
            hypotheses=result.hypotheses,
            alpha=ALPHA,
            excluded=[
                Excluded(relation="aligned cosine", at_least=EXCLUDED_COSINE),
                Excluded(relation="retained fraction", at_least=EXCLUDED_FRACTION),
            ]
            if excludes
            else [],
        ),
        basis=found.basis if found else None,
        layer_map=found.layer_map if found else None,
        rotation=result.rotation,
        layers=result.layers,
        experts=result.experts,
        pairs=list(pairs),
    )
