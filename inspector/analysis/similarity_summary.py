"""The answer of expert matching in one line, and its document."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from inspector.analysis.basis_words import stage_zero_words
from inspector.analysis.expert_family import ONE_MODEL, Numbering
from inspector.analysis.expert_match import ALPHA, MatchResult
from inspector.analysis.expert_named import reference_matches
from inspector.analysis.expert_report import (
    DESCENDING,
    CalibrationFacts,
    ErrorBudget,
    Excluded,
    ExpertPair,
    ReferenceMatch,
    SimilarityDocument,
    Verdict,
)
from inspector.analysis.expert_verdicts import EXCLUDED_COSINE, EXCLUDED_FRACTION
from inspector.analysis.match_layout import match_layout
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


def summarise(result: MatchResult, model: Model, refs: Sequence[ReferenceMatch]) -> str:
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
        f"{count:,} of {total:,} experts {relation} {_named(refs)}"
        + (f" ({kinds})" if kinds else "")
    ]
    if len(refs) > 1:
        parts += [_told(one) for one in refs]
    parts += [
        f"{verdicts[verdict]:,} {words}" for verdict, words in _WORDS.items() if verdicts[verdict]
    ]
    maps = Counter(layer.layout.map for layer in result.layers if layer.layout)
    if maps:
        name, count = maps.most_common(1)[0]
        parts.append(f"layout {name} in {count} of {len(result.layers)} layers")
    parts += stage_zero_words(result, refs)
    if result.calibration.status is Calibrated.INSUFFICIENT:
        parts.append(f"calibration insufficient ({result.calibration.tests:,} tests)")
    return "; ".join(parts)


def _named(refs: Sequence[ReferenceMatch]) -> str:
    if len(refs) == 1:
        return refs[0].model.location
    return f"one of {len(refs)} references"


def _told(one: ReferenceMatch) -> str:
    """How many experts descend from one of several references, and how near it is."""
    sigma = "" if one.median_sigma is None else f" (median sigma {one.median_sigma:.2f})"
    return f"{one.experts:,} from {one.ref}{sigma}"


def similarity_document(
    result: MatchResult,
    model: Model,
    refs: Sequence[Model],
    cost: Cost,
    findings: list[Problem],
    *,
    seed: int,
    numbering: Numbering = ONE_MODEL,
    reading: str | None = None,
    pairs: Sequence[ExpertPair] = (),
) -> SimilarityDocument:
    """The JSON document of a match; `reading` where it was not of rows of `down_proj`.

    `pairs` are those that were read whole.
    """
    told = reference_matches(result.experts, numbering.names, refs, result.stage_zero)
    only = told[0] if len(told) == 1 else None
    calibration = result.calibration
    excludes = not any(one.basis.is_missing for one in result.stage_zero)
    return SimilarityDocument(
        schema="s1inspect/expert-similarity/1",
        model=model,
        ref=refs[0],
        refs=msgspec.UNSET if only else told,
        cost=cost,
        findings=findings,
        seed=seed,
        reading=reading or msgspec.UNSET,
        summary=summarise(result, model, told),
        calibration=CalibrationFacts(
            null=NULL,
            status=str(calibration.status),
            tests=calibration.tests,
            ks=calibration.ks,
            sd=calibration.sd,
            inflation=calibration.inflation,
            quantiles=result.charts.quantiles,
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
        basis=only.basis if only else None,
        layer_map=only.layer_map if only else None,
        rotation=result.rotation,
        layout=match_layout(result.layers, result.experts),
        heat_map=result.charts.scores,
        layers=result.layers,
        experts=result.experts,
        pairs=list(pairs),
    )
