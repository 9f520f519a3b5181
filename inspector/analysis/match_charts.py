"""What the charts of a match show: quantiles of every z, and the scores of one layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from inspector.analysis.expert_family import Numbering
from inspector.analysis.expert_states import star_of
from inspector.analysis.layer_look import LayerLook, Null
from inspector.analysis.layer_scores import LayerScores
from inspector.analysis.null_quantiles import Quantiles, quantiles_of


@dataclass(frozen=True, slots=True)
class MatchCharts:
    """Both are of the first look, of which every expert has the same number of rows."""

    quantiles: Quantiles | None = None
    scores: LayerScores | None = None


def charts_of(
    looks: Sequence[LayerLook],
    null: Null,
    *,
    inflation: float,
    drawn_layer: int,
    numbering: Numbering,
) -> MatchCharts:
    """The quantiles over all layers, and z* of `drawn_layer`.

    Args:
        looks: the first look at every layer, of some experts each.
        null: z of pairs that cannot be related.
        inflation: what every z is divided by.
        drawn_layer: the layer whose scores are kept.
        numbering: of the experts of all references.
    """
    drawn = [look for look in looks if look.layer == drawn_layer]
    scores = layer_scores(drawn, inflation, numbering) if drawn else None
    quantiles = quantiles_of(
        null.signed, [look.z for look in looks], inflation=inflation, rows=looks[0].rows
    )
    return MatchCharts(quantiles, scores)


def layer_scores(
    portions: Sequence[LayerLook], inflation: float, numbering: Numbering
) -> LayerScores:
    """z* of the experts of one layer, rounded to .1: 512 x 128 are 0.3 MB of JSON."""
    numbers = portions[0].references.tolist()
    experts = np.concatenate([look.experts for look in portions])
    star = np.concatenate([star_of(look, inflation) for look in portions])
    order = np.argsort(experts)
    return LayerScores(
        layer=portions[0].layer,
        rows=portions[0].rows,
        experts=experts[order].tolist(),
        references=[numbering.expert(number) for number in numbers],
        refs=[numbering.name(one) for one in numbers] if numbering.is_of_several else msgspec.UNSET,
        z_star=np.round(star[order], 1).tolist(),
    )
