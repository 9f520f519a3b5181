"""The charts of expert matching: verdicts of all layers, scores of one, the null beside z."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from inspector.analysis.expert_report import ExpertMatch, Parent, SimilarityDocument, Verdict
from inspector.analysis.layer_scores import LayerScores
from inspector.analysis.null_quantiles import Quantiles
from inspector.render.charts import Chart, HeatMap, Points, Series

_SYMBOLS: Final = MappingProxyType(
    {
        Verdict.EXACT_COPY: "E",
        Verdict.NEAR_COPY: "N",
        Verdict.DESCENDANT: "D",
        Verdict.PARTIAL_DESCENDANT: "P",
        Verdict.MIXTURE: "M",
        Verdict.CHIMERA: "C",
        Verdict.ANCESTOR_ONLY: "a",
        Verdict.AMBIGUOUS_PARENT: "?",
        Verdict.NO_EVIDENCE: "-",
        Verdict.INCONCLUSIVE: "~",
        Verdict.DEGENERATE: "0",
        Verdict.UNCALIBRATED: "!",
    }
)

_ROOM: Final = 1.5
"""A QQ plot shows z up to so many times the normal's: beyond, only that there is more matters."""


def similarity_charts(document: SimilarityDocument) -> list[Chart]:
    """What there is to draw of a match."""
    found: list[Chart] = []
    if document.experts:
        found.append(verdict_map(document))
    if document.heat_map is not None:
        found.append(score_map(document.heat_map))
    if document.calibration.quantiles is not None:
        found.append(quantile_plot(document.calibration.quantiles))
    return found


def verdict_map(document: SimilarityDocument) -> HeatMap:
    """The verdict of every expert of every layer, in the order of the vocabulary."""
    present = {match.verdict for match in document.experts}
    categories = [verdict for verdict in Verdict if verdict in present]
    position = {verdict: at for at, verdict in enumerate(categories)}
    experts = sorted({match.expert for match in document.experts})
    layers = [layer.layer for layer in document.layers]
    found = {(match.layer, match.expert): match for match in document.experts}
    cells = [[found.get((layer, expert)) for expert in experts] for layer in layers]
    return HeatMap(
        title="verdicts: a line for each layer, a column for each expert",
        row_name="layer",
        column_name="expert",
        rows=[str(layer) for layer in layers],
        columns=[str(expert) for expert in experts],
        values=[
            [None if match is None else position[match.verdict] for match in row] for row in cells
        ],
        categories=[str(category) for category in categories],
        symbols=[_SYMBOLS[category] for category in categories],
        notes=[[_parents(match) if match else "" for match in row] for row in cells],
    )


def score_map(scores: LayerScores) -> HeatMap:
    """z* of one layer: a line for each reference, a column for each expert."""
    return HeatMap(
        title=f"z* of layer {scores.layer} at {scores.rows} rows: a line for each reference, a "
        "column for each expert",
        row_name="reference",
        column_name="expert",
        rows=_reference_names(scores),
        columns=[str(expert) for expert in scores.experts],
        values=list(zip(*scores.z_star, strict=True)),
    )


def quantile_plot(found: Quantiles) -> Points:
    """Quantiles of the null and of what was tested, over those of the normal distribution."""
    low, high = found.expected[0], found.expected[-1]
    sides = (
        ("null", found.null_tests, found.null),
        ("tested", found.observed_tests, found.observed),
    )
    return Points(
        title=f"quantiles of z at {found.rows} rows",
        x_name="z of the normal distribution",
        y_name="z",
        x_range=(low, high),
        y_range=(min([_ROOM * low, *found.null]), max([_ROOM * high, *found.null])),
        series=[
            Series(name=_told(name, tests, values), x=found.expected, y=values)
            for name, tests, values in sides
            if values
        ],
    )


def _reference_names(scores: LayerScores) -> list[str]:
    if scores.refs is msgspec.UNSET:
        return [str(reference) for reference in scores.references]
    return [f"{ref}:{one}" for ref, one in zip(scores.refs, scores.references, strict=True)]


def parent_name(parent: Parent) -> str | int:
    """The number of a reference, after its model's name where there are several."""
    return parent.expert if parent.ref is msgspec.UNSET else f"{parent.ref}:{parent.expert}"


def _told(name: str, tests: int, values: Sequence[float]) -> str:
    return f"{name}: {tests:,} tests, {values[0]:.1f} to {values[-1]:.1f}"


def _parents(match: ExpertMatch) -> str:
    """The parents of an expert, best first."""
    return ", ".join(f"from {parent_name(one)}{_strength(one)}" for one in match.parents)


def _strength(parent: Parent) -> str:
    """What was tested; where rows of gate and up decided, there is no z."""
    if parent.z_star is None:
        return f" (log10 p {parent.log10_p:.1f})"
    return f" (z* {parent.z_star:.1f})"
