"""Is the layout one for all layers? Which map, how often the parents agree from layer to layer.

Two statements, each with its null. That a map holds: per-layer p of that map, by Fisher, as if the
draws of one layer said nothing of another's. That parents are the same: an expert's parent in one
layer equals that in the next layer where it has one; under independent uniform draws in each layer
these are independent events of chance 1 / R, so their number is binomial. Neither says that any
single expert descends.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from inspector.analysis.layout_map import LayoutMap, log10_binomial_tail
from inspector.stats.ordered import log10_fisher


class Constancy(msgspec.Struct, frozen=True, kw_only=True):
    """`agreeing` of `compared` parents are those of the same expert in the layer before."""

    agreeing: int
    compared: int
    log10_p: float


class ModelLayout(msgspec.Struct, frozen=True, kw_only=True):
    """The map that most layers have, named in `layers` of `of`.

    `log10_p` is Fisher's over all layers, counting those without a map as p = 1; `constancy` is
    None where no expert has one parent in two layers.
    """

    map: str
    identical: list[str]
    layers: int
    of: int
    log10_p: float
    constancy: Constancy | None


@dataclass(frozen=True, slots=True)
class LayerParents:
    """What constancy needs of a layer: expert -> its one parent, of `references`."""

    parents: Mapping[int, int]
    references: int


def model_layout(layouts: Sequence[LayoutMap | None], parents: Sequence[LayerParents]) -> (
    ModelLayout | None
):  # fmt: skip
    """The layout of the model from those of its layers, None where no layer has one."""
    names = Counter(one.map for one in layouts if one)
    if not names:
        return None
    name, count = names.most_common(1)[0]
    found = [one for one in layouts if one and one.map == name]
    logs = [one.log10_p if one and one.map == name else 0.0 for one in layouts]
    return ModelLayout(
        map=name,
        identical=found[0].identical,
        layers=count,
        of=len(layouts),
        log10_p=round(log10_fisher(logs), 3),
        constancy=constancy_of(parents),
    )


def constancy_of(layers: Sequence[LayerParents]) -> Constancy | None:
    """How many parents are those of the same expert in the layer before that has one.

    Layers may differ in their number of references: the chance is that of the fewest, the largest.
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
    chance = 1 / min(layer.references for layer in layers)
    log10_p = log10_binomial_tail(compared, chance, agreeing)
    return Constancy(agreeing=agreeing, compared=compared, log10_p=round(log10_p, 3))
