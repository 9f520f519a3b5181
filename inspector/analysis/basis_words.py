"""What the one-line answer says of stage 0."""

from collections.abc import Sequence

from inspector.analysis.expert_match import MatchResult
from inspector.analysis.expert_report import ReferenceMatch
from inspector.analysis.layer_pairing import LayerMapFacts, Origin


def stage_zero_words(result: MatchResult, refs: Sequence[ReferenceMatch]) -> list[str]:
    """What of the hidden basis and the layers the one-line answer has to say.

    Of several references each is named.
    """
    several = len(refs) > 1
    words = [
        f"layers compared {'with ' + one.ref + ' ' if several else ''}{said}"
        for one in refs
        for said in _layer_words(one.layer_map)
    ]
    apart = [one.ref for one in refs if one.basis and one.basis.is_missing]
    if apart:
        tested = ""
        if result.rotation is not None:
            count = len(result.rotation.layers)
            tested = f"; a rotation of it was looked for in {count} of {len(result.layers)} layers"
        common = f"in common with {', '.join(apart)}" if several else "in common"
        words.append(f"no hidden basis {common} was seen, so nothing is excluded{tested}")
    return words


def _layer_words(layers: LayerMapFacts | None) -> list[str]:
    if layers is None or layers.origin == Origin.SAME_NUMBERS:
        return []
    return [f"as {layers.map}" + (", as their norms propose" * (layers.origin == Origin.NORMS))]
