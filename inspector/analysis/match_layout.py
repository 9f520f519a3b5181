"""The layout of a match: of each layer from its experts' parents, and of all layers together."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from inspector.analysis.expert_report import ExpertMatch, LayerMatch, Verdict
from inspector.analysis.layout_coverage import Coverage, coverage_of
from inspector.analysis.layout_layers import LayerParents, ModelLayout, model_layout
from inspector.analysis.layout_map import LayoutMap, find_layout


def layer_layout(
    matches: Sequence[ExpertMatch],
    targets: Sequence[int],
    references: Sequence[int],
    groups: int | None,
) -> tuple[LayoutMap | None, Coverage | None]:
    """The map of a layer and what it covers; no coverage where experts are not 0, 1, 2 and so on.

    Args:
        matches: what was found of the experts that were asked about.
        targets: all experts of the layer.
        references: all references of the layer.
        groups: routing groups of the target, where its config states them.
    """
    if any(tuple(side) != tuple(range(len(side))) for side in (targets, references)):
        return None, None
    parents = one_parents(matches)
    new = {match.expert for match in matches if match.verdict is Verdict.NO_EVIDENCE}
    sizes = len(targets), len(references), groups
    return find_layout(parents, *sizes, new), coverage_of(parents, *sizes)


def match_layout(
    layers: Sequence[LayerMatch], experts: Sequence[ExpertMatch]
) -> ModelLayout | None:
    """The layout over layers; None where no expert of any has one parent.

    Of several reference models it is that of parents from the one that most layers are laid out by.
    """
    by_layer: dict[int, list[ExpertMatch]] = {layer.layer: [] for layer in layers}
    for match in experts:
        by_layer[match.layer].append(match)
    refs = Counter(layer.layout_ref for layer in layers if layer.coverage is not None)
    if not refs:
        return None
    ref = refs.most_common(1)[0][0]
    return model_layout(
        [
            LayerParents(one_parents(by_layer[layer.layer], ref), layer.layout, layer.coverage)
            for layer in layers
            if layer.coverage is not None and layer.layout_ref == ref
        ],
        others=refs.total() - refs[ref],
        ref=ref,
    )


def one_parents(
    matches: Sequence[ExpertMatch], ref: str | msgspec.UnsetType = msgspec.UNSET
) -> dict[int, int]:
    """Expert -> parent, of those that have exactly one, and that of this reference model."""
    return {
        match.expert: match.parents[0].expert
        for match in matches
        if len(match.parents) == 1 and match.parents[0].ref == ref
    }
