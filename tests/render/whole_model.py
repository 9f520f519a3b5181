"""A document as large as a whole model's: 94 layers of 512 experts against 128."""

from functools import cache

import msgspec
import numpy as np

from inspector.analysis.expert_report import (
    CalibrationFacts,
    ErrorBudget,
    Estimate,
    ExpertMatch,
    LayerMatch,
    Parent,
    SimilarityDocument,
    Verdict,
)
from inspector.analysis.layer_scores import LayerScores
from inspector.analysis.match_layout import layer_layout, match_layout
from inspector.analysis.null_quantiles import quantiles_of
from inspector.analysis.report import Cost, Model

LAYERS, EXPERTS, REFERENCES = 94, 512, 128
_VERDICTS = (Verdict.DESCENDANT, Verdict.PARTIAL_DESCENDANT, Verdict.NEAR_COPY, Verdict.NO_EVIDENCE)


@cache
def whole_model_document() -> SimilarityDocument:
    """Every figure is drawn, so that nothing is easier to pack than it would be."""
    rng = np.random.default_rng(0)
    experts: list[ExpertMatch] = []
    layers: list[LayerMatch] = []
    for layer in range(LAYERS):
        drawn = rng.random((EXPERTS, 11)).round(4).tolist()
        own = [_match(layer, expert, drawn[expert]) for expert in range(EXPERTS)]
        layout, coverage = layer_layout(own, range(EXPERTS), range(REFERENCES), 8)
        verdicts = {str(one): sum(m.verdict is one for m in own) for one in _VERDICTS}
        layers.append(
            LayerMatch(
                layer=layer, layout=layout, coverage=coverage, verdicts=verdicts, median_sigma=0.31
            )
        )
        experts += own
    numbers = np.arange(EXPERTS)
    star = rng.normal(size=(EXPERTS, REFERENCES))
    star[numbers, numbers % REFERENCES] = rng.normal(30, 4, EXPERTS)
    empty = empty_document()
    quantiles = quantiles_of([rng.normal(size=10_000)], [star], inflation=1.0, rows=8)
    return msgspec.structs.replace(
        empty,
        calibration=msgspec.structs.replace(empty.calibration, quantiles=quantiles),
        layout=match_layout(layers, experts),
        heat_map=LayerScores(
            layer=3,
            rows=8,
            experts=numbers.tolist(),
            references=list(range(REFERENCES)),
            z_star=star.round(1).tolist(),
        ),
        reproduce="s1inspect expert-similarity --model internlm/Intern-S1-Pro",
        layers=layers,
        experts=experts,
    )


def empty_document() -> SimilarityDocument:
    """A document of no layer."""
    model = Model(location="internlm/Intern-S1-Pro", kind="hub", commit="0f" * 20, files=184)
    return SimilarityDocument(
        schema="s1inspect/expert-similarity/1",
        model=model,
        ref=model,
        cost=Cost(requests=60_160, bytes=2_800_000_000, seconds=600.0),
        findings=[],
        seed=0,
        summary="the answer",
        calibration=CalibrationFacts(
            null="references of other layers", status="ok", tests=10_000, ks=0.004, sd=1.0,
            inflation=1.0,
        ),
        budget=ErrorBudget(hypotheses=LAYERS * EXPERTS * REFERENCES, alpha=0.01, excluded=[]),
        layers=[],
        pairs=[],
        experts=[],
    )  # fmt: skip


def _match(layer: int, expert: int, drawn: list[float]) -> ExpertMatch:
    kind, astray, *shown = drawn
    verdict = _VERDICTS[sum(kind > share for share in (0.6, 0.8, 0.9))]
    if verdict is Verdict.NO_EVIDENCE:
        return ExpertMatch(
            layer=layer, expert=expert, verdict=verdict, parents=[], flags=[], rows=128
        )
    z = round(20 * (1 + shown[0]), 3)
    parent = expert if astray > 0.04 else int(1000 * shown[1])
    log10_p = round(-z * z / 4.6, 3)
    return ExpertMatch(
        layer=layer, expert=expert, verdict=verdict, flags=[], rows=8,
        parents=[
            Parent(expert=parent % REFERENCES, layer=layer, z=round(z + shown[2], 3), z_star=z,
                   log10_p=log10_p, log10_q=round(log10_p + 5 * shown[3], 3))
        ],
        sigma=Estimate(estimate=shown[0], low=shown[1], high=shown[2]),
        retained=Estimate(estimate=shown[3], low=shown[4], high=shown[5]),
        scale=Estimate(estimate=shown[6], low=shown[7], high=shown[8]),
    )  # fmt: skip
