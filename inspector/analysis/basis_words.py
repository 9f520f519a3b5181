"""What the one-line answer says of stage 0."""

from inspector.analysis.expert_match import MatchResult
from inspector.analysis.layer_pairing import Origin


def stage_zero_words(result: MatchResult) -> list[str]:
    """What of the hidden basis and the layers the one-line answer has to say."""
    found = result.stage_zero
    if found is None:
        return []
    words = []
    layers = found.layer_map
    if layers.origin == Origin.NORMS:
        words.append(f"layers compared as {layers.map}, as their norms propose")
    elif layers.origin == Origin.GIVEN:
        words.append(f"layers compared as {layers.map}")
    if found.basis.is_missing:
        tested = ""
        if result.rotation is not None:
            count = len(result.rotation.layers)
            tested = f"; a rotation of it was looked for in {count} of {len(result.layers)} layers"
        words.append(f"no hidden basis in common was seen, so nothing is excluded{tested}")
    return words
