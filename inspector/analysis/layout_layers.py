"""Is the layout one for all layers? Which map, and how often parents agree from layer to layer.

Two statements, each with its null. That a map holds: the p-values of that map, a layer each, put
together by Fisher's method, as if the draws of one layer said nothing of another's. That parents
stay: under independent draws from R references an expert has the parent of the layer before with
chance 1 / R, so the number that do is binomial. Neither says that any one expert descends.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from inspector.analysis.layout_coverage import Coverage, GroupFacts, group_facts
from inspector.analysis.layout_map import LayoutMap
from inspector.stats.tails import log10_binomial_tail, log10_fisher


class Constancy(msgspec.Struct, frozen=True, kw_only=True):
    """`agreeing` of `compared` parents are that of the same expert in the layer before."""

    agreeing: int
    compared: int
    log10_p: float


class ModelLayout(msgspec.Struct, frozen=True, kw_only=True):
    """The map that most layers have, found in `layers` of `of`; `map` is None where none has one.

    Where there are several reference models it is of parents from `ref`.
    `log10_p` is Fisher's over all layers, with p = 1 for those that have another map or none.
    `constancy` is None where no expert has one parent in two layers, `groups` where the config
    states no routing groups.
    """

    map: str | None
    identical: list[str]
    layers: int
    of: int
    log10_p: float
    constancy: Constancy | None
    groups: GroupFacts | None
    ref: str | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class LayerParents:
    """One layer: expert -> its one parent, and what was made of that."""

    parents: Mapping[int, int]
    layout: LayoutMap | None
    coverage: Coverage


def model_layout(
    layers: Sequence[LayerParents], *, others: int = 0, ref: str | msgspec.UnsetType = msgspec.UNSET
) -> ModelLayout | None:
    """The layout of a model from those of its layers; None where no expert has one parent.

    Args:
        layers: those whose parents are looked at.
        others: how many more there are that count as without a map.
        ref: the reference model that parents are of, where there are several.
    """
    if not any(layer.parents for layer in layers):
        return None
    found = [layer.layout for layer in layers]
    names = Counter(one.map for one in found if one)
    name = names.most_common(1)[0][0] if names else None
    same = [one for one in found if one and one.map == name]
    count = len(layers) + others
    without = [0.0] * (count - len(same))
    return ModelLayout(
        map=name,
        identical=same[0].identical if same else [],
        layers=len(same),
        of=count,
        log10_p=round(log10_fisher([*(one.log10_p for one in same), *without]), 3),
        constancy=constancy_of(layers),
        groups=group_facts([layer.coverage for layer in layers]),
        ref=ref,
    )


def constancy_of(layers: Sequence[LayerParents]) -> Constancy | None:
    """How many parents are those of the same expert in the last layer before that has one.

    Where layers have different numbers of references the chance is that of the fewest: the largest.
    """
    agreeing = compared = 0
    last: dict[int, int] = {}
    for layer in layers:
        again = [expert for expert in layer.parents if expert in last]
        compared += len(again)
        agreeing += sum(layer.parents[expert] == last[expert] for expert in again)
        last.update(layer.parents)
    if not compared:
        return None
    chance = 1 / min(layer.coverage.references for layer in layers)
    log10_p = round(log10_binomial_tail(compared, chance, agreeing), 3)
    return Constancy(agreeing=agreeing, compared=compared, log10_p=log10_p)
